"""A traffic process, a clock and a memory of evidence that do as they are told, for controllers."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from triune.adapters.whole_folders import fill_aside, keep_folders
from triune.domain.canonical import Json
from triune.domain.errors import TrafficError
from triune.domain.outcomes import Answer
from triune.domain.project import EnvironmentSpec
from triune.domain.rollout.convergence import RunningRelease, Traffic
from triune.domain.rollout.routing import NOTHING_ORDERED, Applied, Breaker, Routing
from triune.domain.rollout.watch import Logged, Reading
from triune.domain.traffic import Arm, arm_of, unit_id
from triune.ports import TrafficRouter

_LONGEST_READ: Final = 500

State = Literal["starting", "ready", "failed", "stopping"]


@dataclass
class AClock:
    """Shows the time that it is set to."""

    now_s: float = 1_800_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)


@dataclass
class ARouter:
    """Carries out orders at once, and answers requests that are made up.

    Parameters
    ----------
    states
        How far each release is that is run; ready where nothing is said.
    is_away
        Whether it does not answer.
    tells_nothing
        Whether the log of outcomes cannot be read.
    """

    folder: Path
    clock: AClock = field(default_factory=AClock)
    states: dict[str, State] = field(default_factory=dict)
    is_away: bool = False
    tells_nothing: bool = False
    lost: int = 0
    control: RunningRelease | None = None
    breaker: Breaker | None = None
    routing: Routing = NOTHING_ORDERED
    orders: list[Routing] = field(default_factory=list)
    running: dict[str, Path] = field(default_factory=dict)
    log: list[Logged] = field(default_factory=list)

    def is_running(self) -> bool:
        return True

    def start(self) -> None:
        self.is_away = False

    def stop(self) -> None:
        self.is_away = True

    def look(self) -> Traffic | None:
        return None if self.is_away else self.traffic

    @property
    def traffic(self) -> Traffic:
        return Traffic(
            life="1",
            url="http://127.0.0.1:1",
            routing=self.routing,
            applied=Applied(token=self.routing.token, split=self.routing.split),
            breaker=self.breaker,
            releases=tuple(
                RunningRelease(
                    release=release,
                    state=self.states.get(release, "ready"),
                    reason="it raises" if self.states.get(release) == "failed" else None,
                )
                for release in self.running
            ),
            cursor=len(self.log),
            control=self.control,
        )

    def lay_out(self, release: str, fill: Callable[[Path], None]) -> Path:
        fill_aside(self.folder / release, fill)
        return self.folder / release

    def keep_only(self, releases: Collection[str]) -> None:
        keep_folders(self.folder, releases)

    def run(self, releases: Mapping[str, Path]) -> None:
        if not self.routing.releases <= set(releases):
            raise TrafficError("the order in force names another")
        self.running = dict(releases)

    def apply(self, routing: Routing) -> None:
        if routing.token <= self.routing.token and routing != self.routing:
            raise TrafficError("the order is older than the one in force")
        if routing != self.routing:
            self.breaker = None
        self.routing = routing
        self.orders.append(routing)

    def answered_by(self, request: Json) -> str | None:
        return self.routing.champion

    def read(self, *, after: int) -> Reading | None:
        if self.is_away or self.tells_nothing:
            return None
        entries = tuple(self.log[after : after + _LONGEST_READ])
        return Reading(
            cursor=after + len(entries),
            settled=entries,
            open=(),
            is_complete=len(entries) < _LONGEST_READ,
            lost=self.lost,
        )

    def serve(self, requests: int, *, candidate_fails: bool = False) -> None:
        """Answer so many requests, each of another customer, by the order in force."""
        for _ in range(requests):
            number = len(self.log) + 1
            unit = unit_id(f"c{number}", salt=self.routing.rollout)
            arm = arm_of(unit, weight=self.routing.split.weight)
            is_candidate = arm is Arm.CANDIDATE
            self.log.append(
                Logged(
                    number=number,
                    token=self.routing.token,
                    rollout=self.routing.rollout,
                    release=(self.routing.candidate if is_candidate else self.routing.champion)
                    or "",
                    arm=arm,
                    weight=self.routing.split.weight,
                    unit=unit,
                    assigned_at_s=self.clock.now_s,
                    answer=Answer(failed=is_candidate and candidate_fails, latency_s=0.01),
                )
            )


@dataclass
class APlane:
    """Has one router for every environment."""

    router: ARouter

    def of(self, _: EnvironmentSpec) -> TrafficRouter:
        return self.router

    def others(self, environments: Collection[str]) -> Iterable[tuple[str, TrafficRouter]]:
        raise NotImplementedError(environments)

    def apart(self, folder: Path) -> AbstractContextManager[TrafficRouter]:
        raise NotImplementedError(folder)


@dataclass
class AMemory:
    """Keeps what is known of each environment."""

    kept: dict[str, Any] = field(default_factory=dict)

    def find(self, environment: str) -> Json | None:
        return self.kept.get(environment)

    def keep(self, environment: str, watch: Json) -> None:
        self.kept[environment] = watch

    def put_aside(self, environment: str) -> Path:
        self.kept[f"{environment}.damaged"] = self.kept.pop(environment)
        return Path(f"{environment}.damaged")


def failing_to_write(ledger: Any, error: Exception) -> Any:
    """Return a ledger that is read as it is, and takes nothing in."""

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(ledger, name)

        def append(self, *_: Any, **__: Any) -> Any:
            raise error

    return Full()
