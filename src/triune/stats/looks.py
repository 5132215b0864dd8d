"""The level at which each look at a holdout decides, and what the looks add up to."""

from collections.abc import Iterable
from math import fsum, prod

from triune.stats.errors import StatsError


def spent_level(look: int, *, total: float = 0.05) -> float:
    """Return the level of the ``look``-th look, from 1, where all looks ever share ``total``.

    ``total / (look * (look + 1))``: the levels of all looks sum to ``total``, so that the whole
    life of the holdout errs with at most that chance.

    Examples
    --------
    >>> spent_level(1), round(spent_level(2), 6)
    (0.025, 0.008333)
    """
    if look < 1:
        raise StatsError(f"look is {look}; looks are counted from 1")
    return total / (look * (look + 1))


def accumulated_chance(levels: Iterable[float]) -> float:
    """Return the chance of at least one false promotion in looks that err independently.

    Looks at one holdout share its rows: what errs in one tends to err in the others, and the true
    chance is then smaller. What holds in any case is `accumulated_bound`.

    Examples
    --------
    >>> round(accumulated_chance([0.025] * 32), 3)
    0.555
    """
    return 1 - prod(1 - level for level in levels)


def accumulated_bound(levels: Iterable[float]) -> float:
    """Return what the chance of at least one false promotion cannot exceed: the sum of the levels.

    It holds whatever the looks have in common, as long as no candidate was fitted to the holdout
    by what earlier looks told of it.

    Examples
    --------
    >>> round(accumulated_bound([0.025] * 32), 3)
    0.8
    """
    return min(1.0, fsum(levels))
