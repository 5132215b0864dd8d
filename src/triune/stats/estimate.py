"""What is known of a metric: of one model, and of the candidate against the champion."""

from dataclasses import dataclass
from enum import StrEnum

from triune.stats.interval import Bounds, Interval


class Method(StrEnum):
    """What bounds rest on."""

    DELONG = "delong"
    TANGO = "tango"
    CLOPPER_PEARSON = "clopper_pearson"
    BCA = "bca"
    UNVARYING = "unvarying"
    """Nothing varied on these rows, so how much it varies is unknown; see `stats.unvarying`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A metric of one model.

    ``standard_error`` is the one that the bounds imply where the method is UNVARYING.
    """

    value: float
    standard_error: float
    interval: Interval
    bounds: Bounds
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """The candidate against the champion on the same rows.

    ``delta`` is candidate minus champion, turned so that higher is better; the two values are as
    the metric gives them. ``p_below`` is the one-sided p of "the true difference is at least
    ``null``", small where the difference is clearly below it, and ``p_above`` that of "at most".
    ``standard_error`` is of ``delta``, and the one that the bounds imply where the method is
    UNVARYING.
    """

    champion: float
    candidate: float
    delta: float
    standard_error: float
    interval: Interval
    bounds: Bounds
    null: float
    p_below: float
    p_above: float
    method: Method

    @property
    def p(self) -> float:
        """The two-sided p of "the true difference is ``null``"."""
        return min(1.0, 2 * min(self.p_below, self.p_above))
