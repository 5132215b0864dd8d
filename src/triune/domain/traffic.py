"""Which arm serves a unit, and how likely that was: what a fair comparison of arms rests on.

A unit is what stays on one arm: everything with the same routing key, or a single request where
there is no key. It stays because its place is a hash and nothing else; what is remembered of units
here serves the analysis alone. How many fail is not looked at.
"""

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from hashlib import sha256
from typing import Final, Self

import msgspec

from triune.domain.canonical import Json

CAPACITY: Final = 100_000
_PLACES: Final = 2**53


class Arm(StrEnum):
    """Where a request goes."""

    CHAMPION = "champion"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSplit:
    """How much of the traffic each arm gets, in percent."""

    champion: float
    candidate: float

    def __post_init__(self) -> None:
        if not (0 <= self.candidate <= 100 and self.champion == 100 - self.candidate):
            raise ValueError(
                f"{self.champion} % for the champion and {self.candidate} % for the candidate; "
                "give two shares from 0 to 100 that sum to 100"
            )

    @classmethod
    def giving(cls, candidate: float) -> Self:
        """Give the candidate so many percent, and the champion the rest."""
        return cls(champion=100 - candidate, candidate=candidate)

    @property
    def weight(self) -> float:
        """The candidate's share, from 0 to 1."""
        return self.candidate / 100


def unit_id(key: str, *, salt: str) -> bytes:
    """Hash a routing key, or the id of a request without one; the salt is the rollout's id.

    The first 16 bytes of SHA-256 over the salt, a zero byte and the key, in UTF-8. Anything that
    can hash can find the same arm, and the key cannot be read back.
    """
    return sha256(b"%b\0%b" % (salt.encode(), key.encode())).digest()[:16]


def place_of(unit: bytes) -> float:
    """Return where a unit stands in [0, 1): the first 53 bits of its id."""
    return (int.from_bytes(unit[:8]) >> 11) / _PLACES


def arm_of(unit: bytes, *, weight: float) -> Arm:
    """Choose the arm of a unit: the candidate iff its place is below the weight.

    As the weight grows units only move to the candidate, and as it shrinks only back.
    """
    return Arm.CANDIDATE if place_of(unit) < weight else Arm.CHAMPION


class Incident(IntFlag):
    """What befalls a request and counts once for its unit in the whole rollout."""

    NONE = 0
    FAILED = 1
    SLOWER_THAN_P50 = 2
    SLOWER_THAN_P90 = 4
    SLOWER_THAN_P95 = 8
    SLOWER_THAN_P99 = 16


class Assignment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a request was assigned, and what the analysis has to know of that.

    Parameters
    ----------
    rho
        The probability of the candidate, given all that earlier assignments told of the unit.
    is_first
        Whether this is the unit's first request at this weight.
    """

    arm: Arm
    rho: float
    is_first: bool


class Unit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of a unit.

    Parameters
    ----------
    at_least, below
        Where its place lies, as far as its assignments so far tell.
    weight, rho
        At the latest of them.
    counted
        What it has been counted for already.
    """

    at_least: float
    below: float
    weight: float
    rho: float
    counted: Incident = Incident.NONE


def assign(unit: Unit | None, *, place: float, weight: float) -> tuple[Unit, Assignment]:
    """Assign a request of a unit, None where it is seen for the first time, at a weight.

    The probability is (weight - at_least) / (below - at_least), within [0, 1]: w for a new unit,
    (w - v) / (1 - v) for one that was last on the champion at v, 1 for one that was on the
    candidate, and w / v where the weight went down from v to w. It stays as long as the weight
    does: what was drawn once is not drawn again.
    """
    arm = Arm.CANDIDATE if place < weight else Arm.CHAMPION
    if unit is not None and unit.weight == weight:
        return unit, Assignment(arm=arm, rho=unit.rho, is_first=False)
    at_least, below, counted = 0.0, 1.0, Incident.NONE
    if unit is not None:
        at_least, below, counted = unit.at_least, unit.below, unit.counted
    rho = min(1.0, max(0.0, (weight - at_least) / (below - at_least)))
    if arm is Arm.CANDIDATE:
        below = min(below, weight)
    else:
        at_least = max(at_least, weight)
    assigned = Unit(at_least=at_least, below=below, weight=weight, rho=rho, counted=counted)
    return assigned, Assignment(arm=arm, rho=rho, is_first=True)


def count(unit: Unit, incidents: Incident) -> tuple[Unit, Incident]:
    """Tell which of a request's incidents are the unit's first of their kind, and remember them."""
    counted = msgspec.structs.replace(unit, counted=unit.counted | incidents)
    return counted, incidents & ~unit.counted


class Units:
    """The units of one rollout, of which it remembers a bounded number.

    Beyond ``capacity`` it follows half of the units only, then a quarter, and so on: those with the
    lowest lot, a second hash that tells nothing of place or behaviour. Those no longer followed
    enter nothing any more, so what does enter stays as fair as before; it is only less. Whoever
    loses this memory rebuilds it from the log of requests, or goes on with a new rollout id:
    units taken for new would count a second time.
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._share = 1.0
        self._known: dict[bytes, Unit] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def share(self) -> float:
        """Which share of the units is followed."""
        return self._share

    def assign(self, unit: bytes, *, weight: float) -> Assignment:
        """Assign a unit's request. Without being followed it is never first, so nothing enters."""
        if _lot_of(unit) >= self._share:
            return Assignment(arm=arm_of(unit, weight=weight), rho=weight, is_first=False)
        known, assignment = assign(self._known.get(unit), place=place_of(unit), weight=weight)
        self._known[unit] = known
        if len(self._known) > self._capacity:
            self._follow_half()
        return assignment

    def count(self, unit: bytes, incidents: Incident) -> Incident:
        """Tell which incidents are the unit's first of their kind; none if it is not followed."""
        known = self._known.get(unit)
        if known is None or not incidents:
            return Incident.NONE
        self._known[unit], fresh = count(known, incidents)
        return fresh

    def to_json(self) -> Json:
        """Write down what is remembered."""
        return {
            "capacity": self._capacity,
            "share": self._share,
            "units": {
                unit.hex(): [
                    known.at_least,
                    known.below,
                    known.weight,
                    known.rho,
                    int(known.counted),
                ]
                for unit, known in self._known.items()
            },
        }

    @classmethod
    def from_json(cls, document: Json) -> Self:
        """Read what `to_json` wrote."""
        units = cls(capacity=document["capacity"])
        units._share = float(document["share"])
        for unit, (at_least, below, weight, rho, counted) in document["units"].items():
            units._known[bytes.fromhex(unit)] = Unit(
                at_least=float(at_least),
                below=float(below),
                weight=float(weight),
                rho=float(rho),
                counted=Incident(counted),
            )
        return units

    def _follow_half(self) -> None:
        self._share /= 2
        self._known = {
            unit: known for unit, known in self._known.items() if _lot_of(unit) < self._share
        }


def _lot_of(unit: bytes) -> float:
    return (int.from_bytes(unit[8:]) >> 11) / _PLACES
