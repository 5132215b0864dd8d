"""How far counts over bins have moved, and how far chance alone would move them."""

from collections.abc import Sequence
from math import inf
from typing import Final

import numpy as np

from triune.stats.chi_squared import chi_squared_quantile
from triune.stats.errors import StatsError

JEFFREYS: Final = 0.5
"""What is added to each count, so that an empty bin is no certainty."""


def population_stability_index(
    reference: Sequence[int], current: Sequence[int], *, smoothing: float = JEFFREYS
) -> float:
    """Measure how far counts are from those of a reference, bin by bin.

    Parameters
    ----------
    reference, current
        Counts of the same bins. Bins that are empty on both sides are left out.
    smoothing
        What is added to each count; with 0, no bin may be empty on one side.

    Examples
    --------
    >>> round(population_stability_index([20] * 5, [10, 20, 30, 25, 15], smoothing=0), 10)
    0.1354025101
    """
    before, after = _occupied(reference, current)
    if not len(before):
        return 0.0
    before, after = before + smoothing, after + smoothing
    if not (before > 0).all() or not (after > 0).all():
        raise StatsError(
            "a bin is empty on one side, which only smoothed counts can be compared by"
        )
    old, new = before / before.sum(), after / after.sum()
    return float(((new - old) * np.log(new / old)).sum())


def occupied_bins(reference: Sequence[int], current: Sequence[int]) -> int:
    """Count the bins that are not empty on both sides."""
    return len(_occupied(reference, current)[0])


def chance_quantile(bins: int, *, features: int = 1, alpha: float = 0.01) -> float:
    """Bound what the index comes to without drift, over ``1/n + 1/m``.

    Without drift it is about ``(1/n + 1/m)`` times chi-squared with ``bins - 1`` degrees of
    freedom. The bound holds for all of ``features`` at once, with probability ``1 - alpha``.
    """
    if bins < 1 or features < 1 or not 0 < alpha < 1:
        raise StatsError(
            f"there are bins and features, and alpha lies within (0, 1); these are {bins}, "
            f"{features} and {alpha}"
        )
    return chi_squared_quantile(bins - 1, tail=alpha / features) if bins > 1 else 0.0


def rows_needed(quantile: float, *, threshold: float, reference: float = inf) -> float:
    """Tell from how many rows on chance alone stays below a threshold.

    Parameters
    ----------
    quantile
        What `chance_quantile` returned.
    threshold
        The index that counts as drift.
    reference
        The rows of the reference. Infinity is returned where those are too few themselves:
        ``quantile / threshold`` or fewer.

    Examples
    --------
    >>> round(rows_needed(chance_quantile(10), threshold=0.2))
    108
    """
    left = threshold - (quantile / reference if reference else inf)
    return quantile / left if left > 0 else inf


def rows_needed_on_both_sides(quantile: float, *, threshold: float) -> float:
    """Tell from how many rows on each of two equal sides chance alone stays below a threshold.

    Examples
    --------
    >>> round(rows_needed_on_both_sides(chance_quantile(10), threshold=0.2))
    217
    """
    return 2 * quantile / threshold


def _occupied(
    reference: Sequence[int], current: Sequence[int]
) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", ...]:
    before, after = (np.asarray(counts, dtype=np.float64) for counts in (reference, current))
    if before.shape != after.shape or before.ndim != 1:
        raise StatsError(
            f"counts of the same bins are needed; these are of {before.shape} and {after.shape}"
        )
    if (before < 0).any() or (after < 0).any():
        raise StatsError("a count is negative")
    kept = (before > 0) | (after > 0)
    return before[kept], after[kept]
