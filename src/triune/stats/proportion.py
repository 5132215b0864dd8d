"""Bounds of one success rate: Wilson's score interval, and the exact one of Clopper and Pearson."""

from math import sqrt

from scipy.special import betaincinv

from triune.stats.errors import StatsError
from triune.stats.interval import Bounds, Interval, normal_quantile, tail_of


def wilson_interval(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Bound a success rate seen as ``successes`` out of ``trials``, for display.

    Covers ``confidence`` on average over the rates, and less for some of them.

    Parameters
    ----------
    successes, trials
        Counts, ``0 <= successes <= trials``. With no trials the interval is (0, 1).

    References
    ----------
    E. B. Wilson (1927), JASA 22(158): 209-212.

    Examples
    --------
    >>> round(wilson_interval(9, 10).low, 3)
    0.596
    """
    low, high = _wilson(successes, trials, tail_of(confidence))
    return Interval(low=low, high=high, confidence=confidence)


def wilson_bounds(successes: int, trials: int, *, alpha: float = 0.025) -> Bounds:
    """Bound a success rate on either side at level ``alpha``, as `wilson_interval` does on both."""
    lower, upper = _wilson(successes, trials, alpha)
    return Bounds(lower=lower, upper=upper, alpha=alpha)


def clopper_pearson_interval(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Bound a success rate so that every rate is covered at least with ``confidence``.

    Parameters
    ----------
    successes, trials
        Counts, ``0 <= successes <= trials``. With no trials the interval is (0, 1).

    References
    ----------
    C. J. Clopper, E. S. Pearson (1934), Biometrika 26(4): 404-413.
    """
    low, high = _clopper_pearson(successes, trials, tail_of(confidence))
    return Interval(low=low, high=high, confidence=confidence)


def clopper_pearson_bounds(successes: int, trials: int, *, alpha: float = 0.025) -> Bounds:
    """Bound a success rate on either side; each is wrong with a chance of at most ``alpha``."""
    lower, upper = _clopper_pearson(successes, trials, alpha)
    return Bounds(lower=lower, upper=upper, alpha=alpha)


def _wilson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    z = normal_quantile(alpha)
    _require_counts(successes, trials)
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    shrink = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / shrink
    reach = z / shrink * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    # At the edges the two terms are equal, and their difference is rounding.
    low = 0.0 if successes == 0 else centre - reach
    high = 1.0 if successes == trials else centre + reach
    return low, high


def _clopper_pearson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    normal_quantile(alpha)
    _require_counts(successes, trials)
    failures = trials - successes
    low = float(betaincinv(successes, failures + 1, alpha)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - alpha)) if failures else 1.0
    return low, high


def _require_counts(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise StatsError(f"{successes} successes in {trials} trials cannot be; check the counts")
