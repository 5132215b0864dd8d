"""Lays out a new project from a template, with the lock of what is installed."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from triune.domain.errors import UsageError, nearest
from triune.domain.lock import render_lock
from triune.operations.locking import lock_imports
from triune.ports import Installation, Source

MINIMAL = "minimal"
LOCK_FILE = "requirements.lock"
# What work in a template leaves in it: at its top, and anywhere.
_MADE_BY_RUNS = (
    ".dvc/cache",
    ".dvc/tmp",
    ".triune",
    ".venv",
    "data",
    "dvc.lock",
    "metrics.json",
    "models",
    LOCK_FILE,
)
_BYTECODE_AND_CACHES = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffolded:
    """A project as it was laid out, and how many packages its lock names."""

    folder: Path
    example: str
    packages: int


def list_examples(templates: Path) -> tuple[str, ...]:
    """List the templates by name."""
    return tuple(sorted(path.parent.name for path in templates.glob("*/triune.yaml")))


def scaffold(
    folder: Path,
    *,
    example: str,
    templates: Path,
    installation: Installation,
    source_at: Callable[[Path], Source],
) -> Scaffolded:
    """Lay a template out as a fresh repository with one commit, its lock included.

    Ended early by anything raised (Ctrl-C, say), the folder is left as it was.

    Raises
    ------
    UsageError
        There is no such template, the folder holds something or cannot be written, or the
        template needs a package that is not installed.
    """
    _require_example(example, list_examples(templates))
    try:
        _require_folder(folder)
        _require_empty(folder)
        with _draft_of(folder) as draft:
            _copy(templates / example, draft)
            lock = lock_imports(_python_files(draft / "src"), installation)
            (draft / LOCK_FILE).write_text(render_lock(lock), encoding="utf-8")
            source_at(draft).initialise(message=f"Start from the {example} example")
            _move(draft, folder)
    except OSError as error:
        raise UsageError(
            f"cannot lay out a project in {folder}: {_reason(error)}; make room or give access "
            "there, or name another folder"
        ) from error
    return Scaffolded(folder=folder, example=example, packages=len(lock.packages))


def _python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _require_example(name: str, examples: Sequence[str]) -> None:
    if name not in examples:
        hint = nearest(name, examples) or f"; there are {', '.join(examples)}"
        raise UsageError(f"there is no example {name!r}{hint}")


def _require_folder(folder: Path) -> None:
    there = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not there.is_dir():
        raise UsageError(f"{there} is no folder; name a folder that is new or empty")


def _require_empty(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; name a folder that is new or empty")


@contextmanager
def _draft_of(folder: Path) -> Iterator[Path]:
    """Name a place to prepare a folder's content in; nothing of it is left at the end.

    A folder that is there may be somebody's working directory, or the top of a file system of
    its own: its content is prepared inside of it, that of a new one beside it.
    """
    place = folder if folder.is_dir() else folder.parent
    draft = place / f".{folder.name}.{secrets.token_hex(4)}"
    made = [each for each in (place, *place.parents) if not each.exists()]
    try:
        place.mkdir(parents=True, exist_ok=True)
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        for each in made:
            with suppress(OSError):
                each.rmdir()
        raise


def _copy(template: Path, draft: Path) -> None:
    made_by_runs = {template / name for name in _MADE_BY_RUNS}

    def leave_out(folder: str, names: list[str]) -> set[str]:
        made = {name for name in names if Path(folder, name) in made_by_runs}
        return made | _BYTECODE_AND_CACHES(folder, names)

    shutil.copytree(template, draft, ignore=leave_out)


def _move(draft: Path, folder: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    places = [folder / each.name for each in sorted(draft.iterdir())]
    try:
        for place in places:
            (draft / place.name).rename(place)
        draft.rmdir()
    except BaseException:
        for place in places:
            # Whatever has left the draft is where it belongs by now: it was not there before.
            if not os.path.lexists(draft / place.name):
                place.rename(draft / place.name)
        raise


def _reason(error: OSError) -> str:
    # What `copytree` raises lists a source, a destination and a reason for each file.
    reasons = [str(each[-1]) for each in error.args[0]] if isinstance(error, shutil.Error) else []
    return error.strerror or "; ".join(reasons[:1]) or type(error).__name__
