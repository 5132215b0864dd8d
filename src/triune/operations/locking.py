"""Holds a project's lock against what is installed and what its model needs, and writes it."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from triune.domain.errors import LockError, MissingExtraError, RuntimeMismatchError, UsageError
from triune.domain.lock import Lock, mismatches, parse_lock, render_lock
from triune.operations.context import Context
from triune.operations.locating import TESTS, Project, require_file, require_included
from triune.ports import Installation, Needs

COMPILED_RUNTIME: Final = "onnxruntime"
"""What predicts by a compiled model: it is locked as whatever else decides an answer."""

_COMPILE: Final = "model.compile"
_COMPILER: Final = frozenset({COMPILED_RUNTIME, "skl2onnx"})
_RELOCK: Final = "write it from what is installed: `triune init --lock .`"


def require_runtime(project: Project, installation: Installation) -> bytes:
    """Read a project's lock, and see that what is installed equals it.

    Raises
    ------
    ConfigError
        There is no lock.
    LockError
        It is no text, names nothing, or says anything else than exact versions.
    RuntimeMismatchError
        A locked package is missing, or installed in another version.
    MissingExtraError
        The model is to be compiled, and what does that is not installed.
    """
    lock = project.spec.lock
    content = require_file(project, "runtime.lock", lock, advice=_RELOCK).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LockError(
            f"{lock} is no text in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8, "
            "or write it anew from what is installed: `triune init --lock .`"
        ) from error
    locked = parse_lock(text)
    if not locked.packages:
        raise LockError(
            f"{lock} names no package, so a release would not say what it runs on; {_RELOCK}"
        )
    differences = mismatches(locked, installation.versions())
    if differences:
        listed = "; ".join(str(difference) for difference in differences)
        raise RuntimeMismatchError(
            f"what is installed differs from {lock}: {listed}; install what it names "
            f"(`pip install -r {lock}`), or lock what is installed now: `triune init --lock .`"
        )
    if project.spec.model is not None and project.spec.model.compile is not None:
        _require_compiler(project, installation, locked)
    return content


def require_locked(context: Context, needs: Needs, lock: bytes) -> None:
    """See that a lock names all that a model was loaded with, as its code and file need it.

    What the code imports and the worker did not (to train, say) may be missing, and so may what
    only Triune needs.

    Raises
    ------
    LockError
        A package is missing; the message has the lines that are.
    """
    installation = context.installation
    needed = installation.needed(_included_python(context), modules=needs.model)
    locked = parse_lock(lock.decode("utf-8-sig")).packages
    unlocked = sorted((needed.keys() & installation.packages_of(needs.loaded)) - locked.keys())
    if unlocked:
        lines = ", ".join(f"{name}=={needed[name]}" for name in unlocked)
        raise LockError(
            f"{context.spec.lock} does not name all that the model runs on, so another version "
            f"could change its answers unseen: add the lines {lines}, or {_RELOCK}"
        )


def rewrite_lock(context: Context) -> Lock:
    """Lock what a project's code imports, in the versions that are installed.

    That is the code that travels in a release, and what else the project has in Python but its
    tests: a model may be trained by what does not travel.

    Raises
    ------
    UsageError
        The code that travels imports something that is not installed, nothing is imported, or the
        lock cannot be written.
    """
    model = context.spec.model
    also = (COMPILED_RUNTIME,) if model is not None and model.compile is not None else ()
    lock = lock_imports(
        _included_python(context),
        context.installation,
        beside=[
            context.root / path
            for path in context.source.files(["."])
            if path.suffix == ".py" and path.parts[0] != TESTS
        ],
        also=also,
    )
    path = context.root / context.spec.lock
    if not lock.packages:
        raise UsageError(
            "no Python file of the project imports a package, so there is nothing to lock; write "
            f"what the model was trained with into {context.spec.lock}, a line each: "
            "scikit-learn==1.9.0"
        )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(render_lock(lock), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}; make room or give access there"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return lock


def lock_imports(
    sources: Sequence[Path],
    installation: Installation,
    *,
    beside: Sequence[Path] = (),
    also: Sequence[str] = (),
) -> Lock:
    """Name the packages that Python files import, or that are needed also, and all these need.

    What files ``beside`` them import is named where it is installed.

    Raises
    ------
    UsageError
        Something imported is not installed.
    """
    missing = installation.missing(sources)
    if missing:
        raise UsageError(
            f"the code imports {', '.join(missing)}, which is not installed here: install it "
            "first (scikit-learn, pandas and joblib come with `pip install 'triune[sklearn]'`)"
        )
    needed = installation.needed(sources, also=also)
    return Lock(packages={**installation.needed(beside), **needed})


def _included_python(context: Context) -> list[Path]:
    included = require_included(context, context.source)
    return [context.root / path for path in included if path.suffix == ".py"]


def _require_compiler(project: Project, installation: Installation, locked: Lock) -> None:
    installed = installation.versions()
    if not installed.keys() >= _COMPILER:
        raise MissingExtraError(needed_for=f"{_COMPILE}: onnx", extra="onnx")
    if COMPILED_RUNTIME not in locked.packages:
        message = (
            f"the compiled model is run by {COMPILED_RUNTIME}, which {project.spec.lock} does not "
            f"name; add the line {COMPILED_RUNTIME}=={installed[COMPILED_RUNTIME]} to it, or "
            f"{_RELOCK}"
        )
        raise LockError(str(project.spec.problem(_COMPILE, message)))
