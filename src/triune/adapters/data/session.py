"""Opens DuckDB locked down: the files it is given, no others, no extensions, fixed settings."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from triune.domain.canonical import sha256

_MAGIC: Final = re.compile(r"[*?\[]")
_SESSIONS: Final = count()


@contextmanager
def _passing_folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="triune-duckdb-") as folder:
        yield Path(folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where DuckDB puts what does not fit in memory, and how much of that it may hold.

    ``folder`` gives a folder that somebody removes, at the end or later. ``memory_limit`` (as
    ``400MB``) is what may be held before it is spilled; by default that is most of what the
    machine has.
    """

    folder: Callable[[], AbstractContextManager[Path]] = _passing_folder
    memory_limit: str | None = None


ANYWHERE: Final = Workspace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A database in memory, and how it calls the files, in their order.

    ``names`` are as SQL takes them, ``links`` as messages have them.
    """

    database: duckdb.DuckDBPyConnection
    names: tuple[str, ...]
    links: tuple[str, ...]


@contextmanager
def open_session(
    files: Sequence[Path] = (), *, workspace: Workspace = ANYWHERE
) -> Iterator[Session]:
    """Open a database that can read ``files`` and nothing else."""
    with workspace.folder() as folder:
        # Linked to: a path may hold what SQL cannot say, such as bytes that are no UTF-8.
        links = tuple(_link(path, folder.absolute()) for path in files)
        names = tuple(_as_pattern(link) for link in links)
        config: dict[str, str | bool | int | float | list[str]] = {
            # What does not fit in memory is spilled; by default that is into the working folder.
            "temp_directory": f"{folder.absolute()}/spill-{next(_SESSIONS)}",
            "threads": len(os.sched_getaffinity(0)),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
        if workspace.memory_limit is not None:
            config["memory_limit"] = workspace.memory_limit
        with duckdb.connect(":memory:", config=config) as database:
            # It asks for what is a pattern first, and for what that matches then.
            allowed = ", ".join(as_text(name) for name in dict.fromkeys((*names, *links)))
            database.execute(f"SET allowed_paths = [{allowed}]")
            database.execute("SET enable_external_access = false")
            # It answers from what a file says of itself, which knows nothing of NaN, or of damage.
            database.execute("SET disabled_optimizers = 'statistics_propagation'")
            database.execute("SET lock_configuration = true")
            yield Session(database=database, names=names, links=links)


def _link(path: Path, folder: Path) -> str:
    """Make a link to a file, unless the session before this one did."""
    target = path.absolute()
    link = folder / sha256(os.fsencode(target))
    with suppress(FileExistsError):
        link.symlink_to(target)
    return str(link)


def as_text(text: str) -> str:
    """Write text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def _as_pattern(path: str) -> str:
    """Write a path as the pattern that it alone matches."""
    return _MAGIC.sub(r"[\g<0>]", path)
