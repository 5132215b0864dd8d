"""Opens DuckDB locked down: the files it is given, no others, no extensions, fixed settings."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A database in memory, and the names by which it reads the files, in their order."""

    database: duckdb.DuckDBPyConnection
    names: tuple[str, ...]


@contextmanager
def open_session(
    files: Sequence[Path] = (), *, memory_limit: str | None = None
) -> Iterator[Session]:
    """Open a database that can read ``files`` and nothing else.

    ``memory_limit`` (as ``400MB``) is what it may hold before it spills to a disk; by default
    that is most of what the machine has.
    """
    with TemporaryDirectory(prefix="triune-duckdb-") as folder:
        # Linked to, as DuckDB would take a name with a bracket or a question mark for a pattern.
        names = tuple(f"{folder}/{number}" for number in range(len(files)))
        for name, path in zip(names, files, strict=True):
            Path(name).symlink_to(path.absolute())
        config: dict[str, str | bool | int | float | list[str]] = {
            # What does not fit in memory is spilled; by default that is into the working folder.
            "temp_directory": f"{folder}/spill",
            "threads": len(os.sched_getaffinity(0)),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
        if memory_limit is not None:
            config["memory_limit"] = memory_limit
        with duckdb.connect(":memory:", config=config) as database:
            allowed = ", ".join(as_text(name) for name in names)
            database.execute(f"SET allowed_paths = [{allowed}]")
            database.execute("SET enable_external_access = false")
            database.execute("SET lock_configuration = true")
            yield Session(database=database, names=names)


def as_text(text: str) -> str:
    """Write text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
