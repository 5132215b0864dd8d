"""Holds a project's lock against what is installed and what its model needs, and writes it."""

import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from triune.domain.errors import LockError, MissingExtraError, RuntimeMismatchError, UsageError
from triune.domain.lock import Lock, mismatches, parse_lock, render_lock
from triune.domain.manifest import Manifest
from triune.operations.context import Context
from triune.operations.locating import TESTS, Project, require_file, require_included
from triune.ports import Installation, Needs

COMPILED_RUNTIME: Final = "onnxruntime"
"""What predicts by a compiled model: it is locked as whatever else decides an answer."""

_COMPILE: Final = "model.compile"
_COMPILER: Final = frozenset({COMPILED_RUNTIME, "skl2onnx"})
_ASIDE: Final = frozenset({TESTS, "conftest.py", "docs", "noxfile.py", "setup.py"})
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


def require_locked(context: Context, manifest: Manifest, needs: Needs, lock: bytes) -> None:
    """See that a lock names all that a model runs on, as its file and the code it ran need it.

    What other files of the code import (to train, say) may be missing, and so may what only Triune
    needs. Where the whole model is compiled neither file nor code runs.

    Raises
    ------
    LockError
        A package is missing; the message has the lines that are.
    """
    if manifest.model and manifest.model.compiled and manifest.model.compiled.is_whole:
        return
    installation = context.installation
    ran = [context.root / path for path in sorted(needs.code) if path.endswith(".py")]
    needed = installation.needed(ran, modules=needs.model)
    locked = parse_lock(lock.decode("utf-8-sig")).packages
    unlocked = sorted((needed.keys() & installation.packages_of(needs.loaded)) - locked.keys())
    if unlocked:
        lines = ", ".join(f"{name}=={needed[name]}" for name in unlocked)
        raise LockError(
            f"{context.spec.lock} does not name all that the model runs on, so another version "
            f"could change its answers unseen: add these lines to it: {lines}"
        )


def rewrite_lock(context: Context) -> Lock:
    """Lock what a project's code imports, in the versions that are installed.

    That is the code that travels in a release, and the other scripts that git has: a model may be
    trained by what does not travel. What the lock names already stays in it, where it is installed:
    somebody may have added what only the model's file tells.

    Raises
    ------
    UsageError
        The code that travels imports something that is not installed, nothing is imported, or the
        lock cannot be written.
    """
    model = context.spec.model
    compiler = {COMPILED_RUNTIME} if model is not None and model.compile is not None else set()
    path = context.root / context.spec.lock
    lock = lock_imports(
        _included_python(context),
        context.installation,
        beside=[context.root / each for each in context.source.tracked(".py") if _is_script(each)],
        also=compiler | _names_in(path),
    )
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
    also: Collection[str] = (),
) -> Lock:
    """Name the packages that Python files import, or that are needed also, and all these need.

    What files ``beside`` them import is named where they can be read and it is installed.

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
    return Lock(packages=installation.needed(sources, beside=beside, also=also))


def _is_script(path: Path) -> bool:
    """Tell a file that may train a model from those that only test, document or install."""
    is_test = path.name.startswith("test_") or path.stem.endswith("_test")
    return not is_test and _ASIDE.isdisjoint(path.parts)


def _names_in(lock: Path) -> frozenset[str]:
    try:
        return frozenset(parse_lock(lock.read_text(encoding="utf-8-sig")).packages)
    except (OSError, ValueError, LockError):
        # It is written anew.
        return frozenset()


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
