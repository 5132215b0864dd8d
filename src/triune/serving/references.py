"""Notes which modules the file of a model refers to, and which are loaded beside the release's."""

import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Final

from triune.domain.canonical import Json
from triune.serving.bundle import VerifiedBundle
from triune.serving.code import VerifiedCode

# What installers have every Python import as it starts, whatever it is for.
_HOOKS: Final = frozenset({"_distutils_hack", "_virtualenv"})


class References:
    """The modules that a model's file refers to, by what was asked for while it was loaded.

    It listens for as long as the process lives, which one that serves is spared.
    """

    def __init__(self) -> None:
        self._found: set[str] = set()
        sys.addaudithook(self._hear)

    def find(self, bundle: VerifiedBundle) -> dict[str, list[str]]:
        """List what was imported so far.

        ``code`` has the files of the release's own code; ``model`` the top-level modules, not its
        own, that the model's file refers to; ``loaded`` all that are not its own.
        """
        read = _read_skops(bundle.model_content) if bundle.model.format == "skops" else ()
        referred = {name.partition(".")[0] for name in (*self._found, *read)}
        modules = dict(sys.modules)
        own = {
            name: place
            for name, module in modules.items()
            if (place := _place_of(module, bundle.code)) is not None
        }
        foreign = {name.partition(".")[0] for name in modules.keys() - own.keys()}
        foreign -= {name.partition(".")[0] for name in own} | _HOOKS
        return {
            "code": sorted(set(own.values()) & bundle.code.paths),
            "model": sorted(referred & foreign),
            "loaded": sorted(foreign),
        }

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


def _place_of(module: ModuleType | None, code: VerifiedCode) -> str | None:
    """Tell where in the release's code a module lies; None for one that lies elsewhere."""
    spec = getattr(module, "__spec__", None)
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return next(filter(None, (code.locate(str(place)) for place in places)), None)
