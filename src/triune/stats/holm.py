"""Adjusts several p-values so that together they err no more often than one."""

from collections.abc import Sequence

from triune.stats.errors import StatsError


def holm_adjusted(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values by Holm's step-down, in their own order.

    Comparing each with a level keeps the chance of any false rejection below that level, whatever
    the tests have in common.

    References
    ----------
    S. Holm (1979), Scandinavian Journal of Statistics 6(2): 65-70.

    Examples
    --------
    >>> [round(p, 2) for p in holm_adjusted([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise StatsError(f"p-values lie within [0, 1]; these are {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return tuple(adjusted)
