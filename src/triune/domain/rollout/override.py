"""Someone's word that a release goes on although something speaks against it."""

from dataclasses import dataclass
from enum import StrEnum

from triune.domain.rollout.approval import Person


class OverrideKind(StrEnum):
    """How far the word reaches.

    ``accept_inconclusive`` takes a verdict of INCONCLUSIVE for enough; ``emergency`` overrules
    whatever evidence says or lacks.
    """

    ACCEPT_INCONCLUSIVE = "accept_inconclusive"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Who overruled what, and why.

    Parameters
    ----------
    overruled
        The codes of what spoke against the release.
    """

    kind: OverrideKind
    because: str
    by: Person
    overruled: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} by {self.by}: {self.because} (overruled: {', '.join(self.overruled)})"
