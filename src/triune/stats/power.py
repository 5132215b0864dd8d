"""What a holdout can tell, from the standard error that a comparison on it has."""

from math import ceil, isfinite

from triune.stats.errors import StatsError
from triune.stats.interval import normal_quantile


def smallest_detectable(
    standard_error: float, *, alpha: float = 0.025, power: float = 0.8
) -> float:
    """Return the smallest true difference whose lower bound clears zero with chance ``power``.

    Examples
    --------
    >>> round(smallest_detectable(0.01), 4)
    0.028
    """
    return _sum_of_quantiles(alpha, power) * standard_error


def rows_to_settle(
    gap: float, *, standard_error: float, rows: int, alpha: float = 0.025, power: float = 0.8
) -> int | None:
    """Return how many rows like these would settle a difference, if it is what it looks like.

    Parameters
    ----------
    gap
        How far the observed difference lies from the value that its bound must clear, on either
        side.
    standard_error, rows
        Of the difference, on this many rows; it shrinks with their square root.

    Returns
    -------
    int or None
        The rows with which the bound clears with chance ``power``; None where no number of rows
        settles it: the gap is zero, or the standard error unknown, that is infinite.
    """
    reach = _sum_of_quantiles(alpha, power) * standard_error
    if gap == 0 or not isfinite(reach):
        return None
    return ceil(rows * (reach / gap) ** 2)


def _sum_of_quantiles(alpha: float, power: float) -> float:
    if not 0.5 < power < 1:
        raise StatsError(f"power is {power}; give a number above .5 and below 1, as .8")
    return normal_quantile(alpha) + normal_quantile(1 - power)
