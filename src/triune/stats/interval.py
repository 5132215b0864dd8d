"""Where a number lies, and how surely: two-sided intervals, one-sided bounds, and what asks."""

from dataclasses import dataclass
from math import inf

from scipy.special import ndtri

from triune.stats.errors import StatsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Both ends at once: the number lies between them with ``confidence``."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The least and the greatest value that something can take at all."""

    low: float = -inf
    high: float = inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """One end at a time: each, taken alone, is wrong with a chance of ``alpha``.

    At ``alpha`` they are the ends of the two-sided interval of confidence ``1 - 2 * alpha``.
    """

    lower: float
    upper: float
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a metric.

    Attributes
    ----------
    alpha
        The level of each one-sided bound, above 0 and below .5.
    confidence
        The confidence of the two-sided interval.
    null
        The difference that a comparison's p-values test.
    """

    alpha: float = 0.025
    confidence: float = 0.95
    null: float = 0.0


USUAL = Question()


def tail_of(confidence: float) -> float:
    """Return the chance that a two-sided interval leaves on each side.

    Raises
    ------
    StatsError
        Unless ``0 < confidence < 1``.
    """
    if not 0 < confidence < 1:
        raise StatsError(f"confidence is {confidence}; give a number between 0 and 1, as .95")
    return (1 - confidence) / 2


def normal_quantile(alpha: float) -> float:
    """Return z with a chance of ``alpha`` above it.

    Raises
    ------
    StatsError
        Unless ``0 < alpha < 0.5``.
    """
    if not 0 < alpha < 0.5:
        raise StatsError(f"alpha is {alpha}; give a number above 0 and below .5, as .025")
    return -float(ndtri(alpha))
