"""Is the candidate worse? All streams of evidence together, and how much each must show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import Final, Self

import numpy as np

from triune.stats.errors import StatsError
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.ceiling import CeilingStream, allowed_rate
from triune.stats.sequential.failure import FailureStream
from triune.stats.sequential.latency import QUANTILES, LatencyStream
from triune.stats.sequential.outage import OutageStream

P99_ALLOWED: Final = 0.04
"""Of the requests may take longer than the objective for the p99 says."""


class Stream(StrEnum):
    """What is watched."""

    FAILURES = "failures"
    OUTAGE = "outage"
    LATENCY = "latency"
    CEILING = "ceiling"
    P99_CEILING = "p99_ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """Requests in assignment order, as columns.

    Parameters
    ----------
    on_candidate
        Where each was assigned.
    rho
        The probability of the candidate at its unit's latest assignment, given the earlier ones.
    is_first
        Whether it is its unit's first since the latest assignment.
    failed
        Whether it failed.
    is_blamed
        Whether it is its unit's first failure in the whole rollout.
    slower
        Whether it is its unit's first that was slower than each of the champion's quantiles:
        (quantiles, requests).
    is_alone
        Whether all traffic went to the candidate at the time, so that nothing runs beside it.
    is_late
        Whether the client waited longer than the objective for the p99 says.
    """

    on_candidate: BoolArray
    rho: FloatArray
    is_first: BoolArray
    failed: BoolArray
    is_blamed: BoolArray
    slower: BoolArray
    is_alone: BoolArray
    is_late: BoolArray

    def __post_init__(self) -> None:
        impossible = np.where(self.on_candidate, self.rho <= 0, self.rho >= 1)
        if not ((self.rho >= 0) & (self.rho <= 1)).all() or impossible.any():
            raise StatsError(
                "a request is on an arm that had no probability at its assignment; "
                "what assigned it and what judges it do not agree on the weight"
            )

    @classmethod
    def of(  # noqa: PLR0913 - one for each column
        cls,
        *,
        on_candidate: Sequence[bool],
        rho: Sequence[float],
        is_first: Sequence[bool],
        failed: Sequence[bool],
        is_blamed: Sequence[bool],
        slower: Sequence[Sequence[bool]],
        is_alone: Sequence[bool],
        is_late: Sequence[bool],
    ) -> Self:
        """Take columns from whoever has no arrays; ``slower`` per request."""
        count = len(on_candidate)
        return cls(
            on_candidate=np.array(on_candidate, dtype=np.bool_),
            rho=np.array(rho, dtype=np.float64),
            is_first=np.array(is_first, dtype=np.bool_),
            failed=np.array(failed, dtype=np.bool_),
            is_blamed=np.array(is_blamed, dtype=np.bool_),
            slower=np.array(slower, dtype=np.bool_).reshape(count, len(QUANTILES)).T,
            is_alone=np.array(is_alone, dtype=np.bool_),
            is_late=np.array(is_late, dtype=np.bool_),
        )


_Watched = FailureStream | OutageStream | LatencyStream | CeilingStream


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEvidence:
    """Where one stream stands against what it must reach."""

    stream: Stream
    weight: float
    ln_e: float
    ln_peak: float
    ln_threshold: float

    @property
    def is_sufficient(self) -> bool:
        """Whether the stream alone rolls the candidate back."""
        return self.ln_peak >= self.ln_threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackEvidence:
    """What is known against the candidate, carried through the whole rollout.

    Parameters
    ----------
    p99_ceiling
        None where no objective for the p99 is set.
    """

    failures: FailureStream
    outage: OutageStream
    latency: LatencyStream
    ceiling: CeilingStream
    p99_ceiling: CeilingStream | None

    @classmethod
    def new(cls, *, error_budget: float, has_p99: bool) -> Self:
        """Return what is known before the first request: nothing, E = 1."""
        return cls(
            failures=FailureStream.new(),
            outage=OutageStream.new(),
            latency=LatencyStream.new(),
            ceiling=CeilingStream(allowed=allowed_rate(error_budget)),
            p99_ceiling=CeilingStream(allowed=P99_ALLOWED) if has_p99 else None,
        )

    def after(self, trials: Trials) -> Self:
        """Take in requests; in how many portions makes no difference."""
        first, blamed, alone = trials.is_first, trials.is_blamed, trials.is_first & trials.is_alone
        arms, rho = trials.on_candidate, trials.rho
        return replace(
            self,
            failures=self.failures.after(arms[blamed], rho[blamed]),
            outage=self.outage.after(arms[first], trials.failed[first], rho[first]),
            latency=self.latency.after(arms, trials.slower, rho),
            ceiling=self.ceiling.after(trials.failed[alone]),
            p99_ceiling=self.p99_ceiling and self.p99_ceiling.after(trials.is_late[alone]),
        )

    def against(self, alpha: float) -> tuple[StreamEvidence, ...]:
        """Return every stream with the threshold that it has at the level ``alpha``.

        A stream of weight w must reach 1/(w alpha). The weights sum to 1, so by the union bound
        the chance that a good candidate is ever rolled back is at most ``alpha``, whatever the
        streams have in common.
        """
        watched: list[tuple[Stream, float, _Watched]] = [
            (Stream.FAILURES, 0.4, self.failures),
            (Stream.OUTAGE, 0.3, self.outage),
            (Stream.LATENCY, 0.2, self.latency),
        ]
        if self.p99_ceiling is None:
            watched.append((Stream.CEILING, 0.1, self.ceiling))
        else:
            watched.append((Stream.CEILING, 0.05, self.ceiling))
            watched.append((Stream.P99_CEILING, 0.05, self.p99_ceiling))
        return tuple(
            StreamEvidence(
                stream=stream,
                weight=weight,
                ln_e=state.ln_e,
                ln_peak=state.ln_peak,
                ln_threshold=-log(weight * alpha),
            )
            for stream, weight, state in watched
        )
