"""The machine: its clock, what is installed on it, room to work in, locks."""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

Progress = Callable[[str], None]
"""Takes one line about what goes on, for people to read."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Tell the time, in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this process runs on: Python's minor version, the platform tag, the hardware."""

    python: str
    platform: str
    hardware: str


class Installation(Protocol):
    """The Python that Triune runs in, and what is installed there."""

    def machine(self) -> Machine:
        """Tell Python, platform and hardware."""

    def versions(self) -> dict[str, str]:
        """List installed packages: normalised name to version."""

    def needed(
        self,
        sources: Sequence[Path],
        *,
        beside: Sequence[Path] = (),
        modules: Collection[str] = (),
        also: Collection[str] = (),
    ) -> dict[str, str]:
        """List what Python files import, with all that it needs: normalised name to version.

        So is what files ``beside`` them import, those that are no Python left out; ``modules`` that
        are imported besides (by their top-level names); and packages that are needed ``also``.
        What is not installed is left out.

        Triune is left out, and what only Triune needs, unless the files import that too.

        Raises
        ------
        UsageError
            A file is no Python.
        """

    def packages_of(self, modules: Collection[str]) -> frozenset[str]:
        """Name the packages that top-level modules come from.

        A module that several packages share, as with ``google``, tells of none of them.
        """

    def missing(self, sources: Sequence[Path]) -> tuple[str, ...]:
        """List what Python files import that is neither theirs, Python's, nor installed.

        An import that the files do without (``try`` with ``except ImportError``) is not missing.

        Raises
        ------
        UsageError
            A file is no Python.
        """


class Scratch(Protocol):
    """Folders that live no longer than the process that made them."""

    def folder(self, *, label: str = "") -> AbstractContextManager[Path]:
        """Make an empty folder, removed at the end; ``label`` says what it is in use for."""

    def shared(self) -> Path:
        """Give the one folder that lasts until `close`, made when it is first asked for."""

    def close(self) -> None:
        """Remove the folder that lasts."""

    def in_use(self) -> frozenset[str]:
        """List the labels of the folders of live processes."""

    def sweep(self) -> None:
        """Remove the folders of processes that are gone."""


class RunLock(Protocol):
    """Lets one run at a time work in a project."""

    def hold(self, *, progress: Progress, wait: bool) -> AbstractContextManager[None]:
        """Hold the lock, having waited for whoever holds it now.

        Raises
        ------
        BusyError
            ``wait`` is false and another process holds it; the message says which.
        """
