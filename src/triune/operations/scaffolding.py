"""Lays out a new project from a template, and locks what it needs from what is installed."""

import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from triune.domain.errors import SourceError, UsageError, nearest
from triune.domain.lock import Lock, render_lock
from triune.operations.context import Context
from triune.ports import Installation, Source

MINIMAL = "minimal"
LOCK_FILE = "requirements.lock"
_NOT_COPIED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".*_cache", ".triune", "requirements.lock", "data", "models", "dvc.lock"
)


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

    Interrupted anywhere, the folder is left as it was.

    Raises
    ------
    UsageError
        There is no such template, the folder holds something, or the template needs a package
        that is not installed.
    """
    examples = list_examples(templates)
    if example not in examples:
        raise UsageError(
            f"there is no example {example!r}"
            f"{nearest(example, examples) or '; there are ' + ', '.join(examples)}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; name a folder that is new or empty")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    try:
        shutil.copytree(templates / example, draft, ignore=_NOT_COPIED)
        lock = lock_imports(_python_files(draft / "src"), installation)
        (draft / LOCK_FILE).write_text(render_lock(lock), encoding="utf-8")
        source_at(draft).initialise(message=f"Start from the {example} example")
        _move(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Scaffolded(folder=folder, example=example, packages=len(lock.packages))


def rewrite_lock(context: Context) -> Lock:
    """Lock what a project's code imports, in the versions that are installed.

    Raises
    ------
    UsageError
        The code imports something that is not installed.
    """
    included = context.source.files(context.spec.include)
    sources = [context.root / path for path in included if path.suffix == ".py"]
    lock = lock_imports(sources, context.installation)
    path = context.root / context.spec.lock
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_text(render_lock(lock), encoding="utf-8")
    draft.replace(path)
    return lock


def lock_imports(sources: Sequence[Path], installation: Installation) -> Lock:
    """Name the packages that Python files import, and all that these need.

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
    return Lock(packages=installation.needed(sources))


def _python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _move(draft: Path, folder: Path) -> None:
    if not folder.exists():
        draft.rename(folder)
        return
    # The folder may be somebody's working directory: it is filled, not replaced.
    try:
        for path in sorted(draft.iterdir()):
            path.rename(folder / path.name)
    except OSError as error:
        raise SourceError(f"cannot write to {folder}: {error.strerror}") from error
