"""What the traffic process is told, and by which token it knows the newer of two orders."""

from dataclasses import dataclass
from typing import Final, Self

from triune.domain.traffic import TrafficSplit


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FencingToken:
    """Orders what the traffic of one environment is told: it refuses what is older than its last.

    Parameters
    ----------
    term
        Whose say it is: each rollout that opens, and each return from a promoted one, takes the
        environment's next. So whoever was followed by another can never outbid it.
    number
        Counts the orders of the term.
    """

    term: int
    number: int

    def __str__(self) -> str:
        return f"{self.term}.{self.number}"

    def next(self) -> Self:
        """Return the token of the term's next order."""
        return type(self)(term=self.term, number=self.number + 1)

    def next_term(self) -> Self:
        """Return the first token of whoever follows."""
        return type(self)(term=self.term + 1, number=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the traffic process of an environment is told.

    To apply the same twice is to apply it once, so it may always be repeated.

    Parameters
    ----------
    rollout
        The salt by which units are assigned.
    champion, candidate
        Releases. The candidate is None where it gets nothing; the champion is None where there is
        none. An arm with 0 % need not be kept running.
    is_shadow
        Whether the candidate is sent copies of the champion's requests.
    """

    token: FencingToken
    rollout: str
    champion: str | None
    candidate: str | None
    split: TrafficSplit
    is_shadow: bool

    @property
    def releases(self) -> frozenset[str]:
        """Which releases it sends requests to, or copies of them."""
        return frozenset({self.champion, self.candidate} - {None})  # type: ignore[arg-type]


NOTHING_ORDERED: Final = Routing(
    token=FencingToken(term=0, number=0),
    rollout="",
    champion=None,
    candidate=None,
    split=TrafficSplit.giving(0),
    is_shadow=False,
)
"""How a traffic process stands that was never told anything; every order is newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What the traffic process last did."""

    token: FencingToken
    split: TrafficSplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A report of the traffic process: it took all weight from a candidate by itself.

    It does so only where the champion has a share to be compared with, and until it is told
    something newer.

    Parameters
    ----------
    rollout
        In which it happened.
    requests, failures
        Of the candidate, when it did.
    """

    rollout: str
    requests: int
    failures: int
