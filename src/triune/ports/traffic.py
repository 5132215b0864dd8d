"""The processes that carry an environment's traffic, and the one that moves rollouts."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from triune.domain.canonical import Json
from triune.domain.project import EnvironmentSpec
from triune.domain.rollout.convergence import Traffic
from triune.domain.rollout.routing import Routing

if TYPE_CHECKING:
    # It stands on the mathematics of rollouts, which few commands need.
    from triune.domain.rollout.watch import Reading


class TrafficRouter(Protocol):
    """Carries the traffic of one environment, in a process that outlives ours."""

    def is_running(self) -> bool:
        """Tell whether the process is there, whether or not it answers."""

    def start(self) -> None:
        """Start the process, unless it is there.

        Raises
        ------
        TrafficError
            It cannot be started, or ended at once; the message says why.
        """

    def stop(self) -> None:
        """Have it answer what it was asked, and end; nothing happens where it is not there."""

    def look(self) -> Traffic | None:
        """Ask what it does; None where it does not answer."""

    def lay_out(self, release: str, fill: Callable[[Path], None]) -> Path:
        """Lay a release out where it is found, whole or not at all, unless it is there.

        Raises
        ------
        OSError
            There is no room; whatever ``fill`` raises besides.
        """

    def keep_only(self, releases: Collection[str]) -> None:
        """Remove what is laid out of other releases; the store has them."""

    def run(self, releases: Mapping[str, Path]) -> None:
        """Have releases run, by the bundles that they are laid out in, and no others.

        Raises
        ------
        TrafficError
            It does not answer, or refuses: a release that the order in force names cannot go.
        """

    def apply(self, routing: Routing) -> None:
        """Order where requests go; to order the same twice is to order it once.

        Raises
        ------
        TrafficError
            It does not answer, or refuses: it followed a newer order, or a release is not ready.
        """

    def answered_by(self, request: Json) -> str | None:
        """Send a request as a client does, and tell which release answered or refused it.

        None where no release did.

        Raises
        ------
        TrafficError
            It does not answer.
        """

    def read(self, *, after: int) -> "Reading | None":
        """Read the log of outcomes beyond a cursor; None where the process does not answer."""


class DataPlanes(Protocol):
    """The traffic processes of a project's environments."""

    def of(self, environment: EnvironmentSpec) -> TrafficRouter:
        """Reach the one of an environment."""

    def others(self, environments: Collection[str]) -> Iterable[tuple[str, TrafficRouter]]:
        """Find those that run for other environments than these, by the names they had."""

    def apart(self, folder: Path) -> AbstractContextManager[TrafficRouter]:
        """Start one of its own in a folder, which ends with the block or with us.

        Raises
        ------
        TrafficError
            It cannot be started.
        """


class WatchMemory(Protocol):
    """Keeps what a controller knows of an environment's traffic."""

    def find(self, environment: str) -> Json | None:
        """Find what was kept last; None where there is nothing.

        Raises
        ------
        StoreError
            It cannot be read.
        ValueError
            It is damaged.
        """

    def put_aside(self, environment: str) -> Path:
        """Make room for something new, and say where what was kept last is now.

        Raises
        ------
        StoreError
            It could not be moved.
        """

    def keep(self, environment: str, watch: Json) -> None:
        """Keep it, whole or not at all.

        Raises
        ------
        StoreError
            It could not be written.
        """


class ControllerProcess(Protocol):
    """The process that moves a project's rollouts, in the background."""

    def is_running(self) -> bool:
        """Tell whether one works in the project."""

    def start(self) -> None:
        """Start one, and wait until it works.

        Raises
        ------
        TriuneError
            It ended at once, or does not come to work; the message says why.
        """

    def stop(self) -> None:
        """Have the one that works here end; nothing happens where none does.

        Raises
        ------
        TriuneError
            It goes on all the same.
        """
