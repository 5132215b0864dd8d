"""What the gateway logged of a rollout of the demo, and what it comes to."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from triune.domain.canonical import Json
from triune.domain.traffic import Arm

LOGS: Final = ("outcomes.log.1", "outcomes.log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blemish:
    """What is wrong with a candidate: its name, and whether an outcome shows it."""

    name: str
    is_in: Callable[[Json], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What there was at one weight of the candidate: requests, each customer's first, failures."""

    weight_pct: float
    requests: int
    firsts: int
    on_candidate: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retreat:
    """The way from the first blemish of a candidate to the last request that it got.

    ``requests`` counts both arms, between the two and with both.
    """

    seconds: float
    requests: int
    on_candidate: int
    blemishes: int


class Logged:
    """The outcomes of one rollout, in the order of assignment."""

    def __init__(self, folder: Path, rollout: str) -> None:
        logs = folder / ".triune" / "environments" / "production"
        outcomes = (each for name in LOGS for each in _read(logs / name))
        self._outcomes: Sequence[Any] = sorted(
            (each for each in outcomes if each.get("rollout") == rollout and "arm" in each),
            key=lambda each: each["number"],
        )

    @property
    def portions(self) -> list[Portion]:
        """What there was at each weight, from the first."""
        found = []
        # In the order of assignment; each weight is in force once but 0, after a return.
        for weight in dict.fromkeys(each["weight"] for each in self._outcomes):
            portion = [each for each in self._outcomes if each["weight"] == weight]
            mine = [each for each in portion if each["arm"] == Arm.CANDIDATE]
            found.append(
                Portion(
                    weight_pct=100 * weight,
                    requests=len(portion),
                    firsts=sum(each["is_first"] for each in portion),
                    on_candidate=len(mine),
                    failures=sum(_has_failed(each) for each in mine),
                )
            )
        return found

    @property
    def on_candidate(self) -> int:
        """Count the requests that the candidate was asked first."""
        return sum(each["arm"] == Arm.CANDIDATE for each in self._outcomes)

    def retreat(self, blemish: Blemish) -> Retreat | None:
        """Measure the way back; None where there is no blemish on the candidate."""
        mine = [each for each in self._outcomes if each["arm"] == Arm.CANDIDATE]
        blemished = [each for each in mine if blemish.is_in(each)]
        if not blemished:
            return None
        first, last = blemished[0], mine[-1]
        between = range(first["number"], last["number"] + 1)
        return Retreat(
            seconds=last["assigned_at_s"] - first["assigned_at_s"],
            requests=sum(each["number"] in between for each in self._outcomes),
            on_candidate=sum(each["number"] in between for each in mine),
            blemishes=len(blemished),
        )


def _has_failed(outcome: Json) -> bool:
    """Tell whether a request failed on its arm, whatever the client was answered."""
    return outcome.get("failure") is not None


FAILURE: Final = Blemish(name="failure", is_in=_has_failed)


def slow_request(seconds: float) -> Blemish:
    """Take what the worker needed so long for to be slow."""
    return Blemish(
        name="slow request", is_in=lambda outcome: (outcome.get("service_s") or 0.0) >= seconds
    )


def _read(log: Path) -> Iterator[Json]:
    if log.exists():
        for line in log.read_bytes().splitlines():
            yield json.loads(line)
