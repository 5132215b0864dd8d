"""Is the candidate slower than the champion? The failure stream, over requests that were slow.

What counts is the worker's own time for the batch that carried a request, against how long the
champion took for batches of that size, as was known by then. The wait in the queue does not count:
it grows with an arm's share of the traffic. Nor does a difference that nobody would roll back for:
a worker that is asked less often is a little slower, as the processor has forgotten it, and where
times hardly scatter that alone would show.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from math import inf
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from triune.stats.errors import StatsError
from triune.stats.inputs import BoolArray, FloatArray, codes, finite, require_length
from triune.stats.sequential.failure import FailureStream, is_open

QUANTILES: Final = (0.5, 0.9, 0.95, 0.99)
MULTIPLIER: Final = 1.25
"""How many times as often as the champion a candidate may be slow, and still be as good."""
BATCH_CLASSES: Final = (1, 2, 4, 8)
"""The smallest batch of each class: 1, 2-3, 4-7, 8 and more."""

LEEWAY: Final = 1.1
LEEWAY_S: Final = 0.001
"""So many times the champion's quantile, and so many seconds more, is still no slower."""

_FEWEST_BEYOND = 5
# With fewer requests measured beyond a quantile, it could lie almost anywhere.


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimes:
    """How long the champion's worker takes: `QUANTILES` in seconds by class of batch size.

    Frozen before what is compared with them. A quantile is None where too few requests were
    measured; then nothing is slower than it.
    """

    by_class: tuple[tuple[float | None, ...], ...]

    @classmethod
    def measured(cls, service_s: npt.ArrayLike, batch_size: npt.ArrayLike) -> Self:
        """Freeze the champion's times, given per request with the size of its batch."""
        times = finite(service_s, name="service_s")
        sizes = codes(batch_size, name="batch_size")
        require_length(sizes, len(times), name="batch_size")
        if len(sizes) and sizes.min() < 1:
            raise StatsError("batch_size has a 0; a request travels in a batch of at least 1")
        classes = np.searchsorted(BATCH_CLASSES, sizes, side="right") - 1
        return cls(
            by_class=tuple(_quantiles(times[classes == at]) for at in range(len(BATCH_CLASSES)))
        )

    def filled(self) -> Self:
        """Give each quantile that a class lacks the value of the next larger class that has it.

        A larger batch takes no less time. Where both arms are compared in batches of one size, any
        threshold is as fair.
        """
        rows: list[tuple[float | None, ...]] = []
        larger: tuple[float | None, ...] = (None,) * len(QUANTILES)
        for row in reversed(self.by_class):
            larger = _or_else(row, larger)
            rows.append(larger)
        return replace(self, by_class=tuple(reversed(rows)))

    def or_else(self, others: Self) -> Self:
        """Take of others what is lacking here."""
        rows = zip(self.by_class, others.by_class, strict=True)
        return replace(self, by_class=tuple(_or_else(row, other) for row, other in rows))

    def slower_than(self, service_s: float, batch_size: int) -> tuple[bool, ...]:
        """Tell for each of `QUANTILES` whether a request was slower."""
        quantiles = self.by_class[bisect_right(BATCH_CLASSES, batch_size) - 1]
        return tuple(
            quantile is not None and service_s > LEEWAY * quantile + LEEWAY_S
            for quantile in quantiles
        )

    def slower(self, service_s: FloatArray, batch_size: npt.NDArray[np.int64]) -> BoolArray:
        """Do what `slower_than` does for many requests: an array (quantiles, requests)."""
        quantiles = np.array([[inf if at is None else at for at in row] for row in self.by_class])
        bounds = LEEWAY * quantiles + LEEWAY_S
        classes = np.searchsorted(BATCH_CLASSES, batch_size, side="right") - 1
        slower: BoolArray = service_s > bounds[classes].T
        return slower


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyStream:
    """The mean of four failure streams: slower than the first of `QUANTILES`, the second, ...

    Parameters
    ----------
    ln_peak
        The highest ln E so far: evidence that was sufficient once stays so.
    """

    streams: tuple[FailureStream, ...]
    ln_peak: float = 0.0

    @classmethod
    def new(cls) -> Self:
        """Return the stream before its first slow request."""
        return cls(streams=tuple(FailureStream.new(multiplier=MULTIPLIER) for _ in QUANTILES))

    @property
    def ln_e(self) -> float:
        """The logarithm of E as it stands."""
        return float(_ln_mean(np.array([[stream.ln_e] for stream in self.streams]))[0])

    def after(self, on_candidate: BoolArray, slower: BoolArray, rho: FloatArray) -> Self:
        """Take in requests, in assignment order.

        Parameters
        ----------
        slower
            Which were slower than each of `QUANTILES`, each unit's first: (quantiles, requests).
        rho
            The probability of the candidate at each one's assignment. Where the arm was certain,
            nothing enters.
        """
        if not slower.any():
            return self
        path = self.path(on_candidate, slower, rho)
        streams = tuple(
            stream.after(on_candidate[slow], rho[slow])
            for stream, slow in zip(self.streams, slower, strict=True)
        )
        peak = float(path.max(initial=self.ln_peak))
        return replace(self, streams=streams, ln_peak=peak)

    def path(self, on_candidate: BoolArray, slower: BoolArray, rho: FloatArray) -> FloatArray:
        """Return ln E after each request that `after` would take in."""
        paths = []
        for stream, slow in zip(self.streams, slower & is_open(rho), strict=True):
            steps = stream.path(on_candidate[slow], rho[slow])
            # Between two slow requests a stream stays where it was.
            paths.append(np.append(stream.ln_e, steps)[np.cumsum(slow)])
        return _ln_mean(np.array(paths))


def _quantiles(times: FloatArray) -> tuple[float | None, ...]:
    return tuple(
        float(np.quantile(times, share)) if len(times) * (1 - share) >= _FEWEST_BEYOND else None
        for share in QUANTILES
    )


def _or_else(
    row: tuple[float | None, ...], other: tuple[float | None, ...]
) -> tuple[float | None, ...]:
    return tuple(b if a is None else a for a, b in zip(row, other, strict=True))


def _ln_mean(ln_e: FloatArray) -> FloatArray:
    mean: FloatArray = np.logaddexp.reduce(ln_e, axis=0) - np.log(len(ln_e))
    return mean
