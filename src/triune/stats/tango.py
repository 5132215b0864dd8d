"""Bounds of the difference of two success rates that were seen on the same rows."""

from math import inf, sqrt

from scipy.special import ndtr

from triune.stats.errors import StatsError
from triune.stats.interval import Bounds, Interval, normal_quantile, tail_of

# Enough for a double: the bracket is at most 2 wide, and 2 / 2**60 is far below one ulp of 1.
_HALVINGS = 60


def tango_interval(gained: int, lost: int, rows: int, *, confidence: float = 0.95) -> Interval:
    """Bound ``(gained - lost) / rows`` by the score test's inversion.

    Parameters
    ----------
    gained, lost
        Rows where only the candidate, and only the champion, was right.
    rows
        All rows, ``gained + lost <= rows``. With none the interval is (-1, 1).

    References
    ----------
    T. Tango (1998), Statistics in Medicine 17(8): 891-908.

    Examples
    --------
    >>> interval = tango_interval(150, 86, 1600)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0214, 0.059)
    """
    low, high = _limits(gained, lost, rows, tail_of(confidence))
    return Interval(low=low, high=high, confidence=confidence)


def tango_bounds(gained: int, lost: int, rows: int, *, alpha: float = 0.025) -> Bounds:
    """Bound the difference on either side at level ``alpha``, as `tango_interval` does on both."""
    lower, upper = _limits(gained, lost, rows, alpha)
    return Bounds(lower=lower, upper=upper, alpha=alpha)


def tango_p_below(gained: int, lost: int, rows: int, *, null: float = 0.0) -> float:
    """Return the one-sided p of "the difference is at least ``null``": small where it is below.

    At ``null = 0`` this is McNemar's test without the correction for continuity.
    """
    _require_counts(gained, lost, rows)
    if not -1 < null < 1:
        return 1.0 if null <= -1 else 0.0
    return float(ndtr(_score(gained, lost, rows, null)))


def _limits(gained: int, lost: int, rows: int, alpha: float) -> tuple[float, float]:
    z = normal_quantile(alpha)
    _require_counts(gained, lost, rows)
    if rows == 0:
        return -1.0, 1.0
    return -_upper(lost, gained, rows, z), _upper(gained, lost, rows, z)


def _upper(gained: int, lost: int, rows: int, z: float) -> float:
    """Find where the score falls to -z; it falls from 0 at the estimate all the way to 1."""
    inside, outside = (gained - lost) / rows, 1.0
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if _score(gained, lost, rows, middle) >= -z:
            inside = middle
        else:
            outside = middle
    return outside


def _score(gained: int, lost: int, rows: int, difference: float) -> float:
    """Standardize the observed difference under the hypothesis that it is ``difference``."""
    surplus = gained - lost - rows * difference
    variance = 2 * _lost_share(gained, lost, rows, difference) + difference * (1 - difference)
    if surplus == 0:
        return 0.0
    if variance <= 0:
        return inf if surplus > 0 else -inf
    return surplus / sqrt(rows * variance)


def _lost_share(gained: int, lost: int, rows: int, difference: float) -> float:
    """Estimate the chance that only the champion is right, given the difference."""
    a = 2 * rows
    b = (2 * rows - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    root = sqrt(max(b * b - 4 * a * c, 0.0))
    return (root - b) / (2 * a)


def _require_counts(gained: int, lost: int, rows: int) -> None:
    if min(gained, lost) < 0 or gained + lost > rows:
        raise StatsError(
            f"{gained} rows gained and {lost} lost of {rows} cannot be; check the counts"
        )
