"""Turns the verified bytes of a model file into the estimator that they hold."""

import io
import re
import traceback
from collections.abc import Callable
from typing import Any, Final

from triune.domain.errors import ModelError

Estimator = Any
"""What a model file holds: an object with ``predict``, of a class that only the release knows."""

_PICKLES: Final = (b"\x80", b"(", b"c", b"]", b"}")
_COMPRESSED: Final = (b"x", b"\x1f\x8b", b"BZ", b"\xfd7zXZ", b"]\x00\x00", b"\x04\x22\x4d\x18")
_ZIP: Final = b"PK\x03\x04"
_QUOTED: Final = re.compile(r"attribute '([^']+)'")
_LFS: Final = b"version https://git-lfs"


def load_model(name: str, content: bytes, *, format: str) -> Estimator:
    """Load a model that is wholly trusted: its bytes were verified against the release.

    Raises
    ------
    ModelError
        The bytes are damaged, are not what the name says, or need what is not there.
    """
    estimator = _load(name, content, format=format)
    if not callable(getattr(estimator, "predict", None)):
        raise ModelError(
            f"{name} holds an object of type {type(estimator).__name__}, which has no predict "
            "method; save the fitted estimator itself"
        )
    return estimator


def _load(name: str, content: bytes, *, format: str) -> Estimator:
    mistaken = _mistaken(content, format=format)
    if mistaken:
        raise ModelError(f"{name} {mistaken}")
    try:
        return _LOADERS[format](content)
    except ModuleNotFoundError as error:
        if not _names_a_module(error):
            raise ModelError(_describe_damage(name, error, format=format)) from error
        raise ModelError(_describe_missing(name, error)) from error
    except AttributeError as error:
        raise ModelError(_describe_attribute(name, error)) from error
    # Unpickling runs whatever the file says, so it can raise anything.
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        raise ModelError(_describe_damage(name, error, format=format)) from error


def _mistaken(content: bytes, *, format: str) -> str | None:
    """Say what a file is that is not what its format says, where its first bytes tell."""
    if not content:
        return "is empty; train it again with `triune run`"
    if content.startswith(_LFS):
        return "is a Git LFS pointer, not the model itself; fetch the model with `git lfs pull`"
    if format == "skops":
        return (
            None
            if content.startswith(_ZIP)
            else "is no skops file (those are zip archives); write it with `skops.io.dump`"
        )
    if content.startswith(_ZIP):
        return (
            "is a zip archive, not a joblib file; name it .skops if `skops.io.dump` wrote it, "
            "else write it with `joblib.dump`"
        )
    if not content.startswith((*_PICKLES, *_COMPRESSED)):
        return (
            "is no joblib file, it begins with "
            f"{content[:16]!r}; write the model with `joblib.dump`"
        )
    return None


def _names_a_module(error: ModuleNotFoundError) -> bool:
    """Tell a module that is missing from text that was read as a pickle's reference to one."""
    return all(part.isidentifier() for part in (error.name or "").split("."))


def _describe_damage(name: str, error: BaseException, *, format: str) -> str:
    return (
        f"{name} cannot be loaded as {format}: it is truncated, damaged, or something else "
        f"({type(error).__name__}: {error}); train it again with `triune run`"
    )


def _describe_missing(name: str, error: ModuleNotFoundError) -> str:
    if error.name == "joblib":
        return f"{name} needs joblib, which is not installed: `pip install 'triune[sklearn]'`"
    if error.name == "skops":
        return f"{name} needs skops, which is not installed: `pip install 'triune[sklearn]'`"
    return (
        f"{name} needs the module {error.name!r}, which is neither part of the release nor "
        "installed; add its file to code.include in triune.yaml, or its package to the lock"
    )


def _describe_attribute(name: str, error: AttributeError) -> str:
    if "__main__" in str(error):
        return (
            f"{name}: the model needs {_attribute(error)} from the script that trained it "
            "(`__main__`); define it in a module under src/ and import it there"
        )
    return (
        f"{name} refers to what the release's code does not have ({error}); "
        "train it with the code as it is now: `triune run`"
    )


def _attribute(error: AttributeError) -> str:
    """Name what is missing: pickle and getattr say it differently, and only one of them apart."""
    quoted = _QUOTED.search(str(error))
    return quoted[1] if quoted else str(error)


def _load_joblib(content: bytes) -> Estimator:
    import joblib  # noqa: PLC0415 - only what the model needs is loaded, after verification

    return joblib.load(io.BytesIO(content))


def _load_skops(content: bytes) -> Estimator:
    import skops.io  # noqa: PLC0415 - only what the model needs is loaded, after verification

    # The release is verified as a whole; its types are no less trusted than its code.
    return skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))


_LOADERS: Final[dict[str, Callable[[bytes], Estimator]]] = {
    "joblib": _load_joblib,
    "skops": _load_skops,
}
