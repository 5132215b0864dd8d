"""Notes which modules the file of a model refers to, and which are loaded beside the release's."""

import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from types import ModuleType

from triune.domain.canonical import Json
from triune.serving.bundle import VerifiedBundle
from triune.serving.code import VerifiedCode


class References:
    """The modules that a model's file refers to, by what was asked for while it was loaded.

    It listens for as long as the process lives, so it is for a worker that is asked, and not for
    one that serves.
    """

    def __init__(self) -> None:
        self._found: set[str] = set()
        sys.addaudithook(self._hear)

    def find(self, bundle: VerifiedBundle) -> dict[str, list[str]]:
        """List top-level modules, those of the release's own code left out.

        ``model`` has those that the model's file refers to, ``loaded`` all that are loaded.
        """
        read = _read_skops(bundle.model_content) if bundle.model.format == "skops" else ()
        referred = {name.partition(".")[0] for name in (*self._found, *read)}
        loaded = {name.partition(".")[0] for name in list(sys.modules)}
        foreign = {name for name in loaded if not _is_own(sys.modules.get(name), bundle.code)}
        return {"model": sorted(referred & foreign), "loaded": sorted(foreign)}

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        # What pickle raises, in either of its forms, for each class or function of a file.
        if event == "pickle.find_class":
            self._found.add(str(arguments[0]))


def _read_skops(content: bytes) -> Iterator[str]:
    # It imports its modules by their names, and pickles nothing.
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        yield from _modules_of(json.loads(archive.read("schema.json")))


def _modules_of(document: Json) -> Iterator[str]:
    if isinstance(document, Mapping):
        if isinstance(module := document.get("__module__"), str):
            yield module
        for value in document.values():
            yield from _modules_of(value)
    elif isinstance(document, list):
        for value in document:
            yield from _modules_of(value)


def _is_own(module: ModuleType | None, code: VerifiedCode) -> bool:
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return any(code.locate(str(place)) is not None for place in places)
