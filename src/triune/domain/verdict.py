"""What evidence says, and why: the verdict, its order, and the reason that goes with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What evidence says; INCONCLUSIVE never passes silently."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"
    ERROR = "ERROR"


_ORDER = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.ERROR)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Pick the worst verdict: PASS < INCONCLUSIVE < FAIL < ERROR; PASS where there is none."""
    return max(verdicts, key=_ORDER.index, default=Verdict.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a decision came out as it did: a stable code, and a sentence for people."""

    code: str
    message: str
