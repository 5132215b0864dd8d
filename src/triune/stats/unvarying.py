"""What can be said of a metric that did not vary over the rows at hand.

Where every unit (a row, a pair of rows, the rows of a key) contributes the same, a standard error
is zero and a bootstrap gives one value over and over. That is no certainty: with n units, a chance
of ``1 - alpha ** (1 / n)`` per unit to differ goes unseen that often. So the bounds here let that
share of the units be as bad, or as good, as the metric's range allows: the "rule of three", exact
for means. Where the range has no end, neither have the bounds.
"""

from dataclasses import dataclass

from triune.stats.interval import Bounds, Interval, Range, normal_quantile, tail_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Unvarying:
    """A value that each of ``units`` independent units showed, of what lies within a range."""

    value: float
    units: int
    within: Range

    def bounds(self, alpha: float) -> Bounds:
        """Bound the true value on either side; each is wrong with a chance of ``alpha``."""
        normal_quantile(alpha)
        unseen = 1 - alpha ** (1 / self.units) if self.units else 1.0
        return Bounds(
            lower=(1 - unseen) * self.value + unseen * self.within.low,
            upper=(1 - unseen) * self.value + unseen * self.within.high,
            alpha=alpha,
        )

    def interval(self, confidence: float) -> Interval:
        """Bound the true value on both sides."""
        bounds = self.bounds(tail_of(confidence))
        return Interval(low=bounds.lower, high=bounds.upper, confidence=confidence)

    def standard_error(self, alpha: float) -> float:
        """Return the standard error of a normal estimate with bounds as far away."""
        bounds = self.bounds(alpha)
        reach = max(self.value - bounds.lower, bounds.upper - self.value)
        return reach / normal_quantile(alpha)

    def p_below(self, null: float) -> float:
        """Return the one-sided p of "the true value is at least ``null``"."""
        return self._p(null - self.value, self.within.high - self.value)

    def p_above(self, null: float) -> float:
        """Return the one-sided p of "the true value is at most ``null``"."""
        return self._p(self.value - null, self.value - self.within.low)

    def _p(self, distance: float, room: float) -> float:
        """Return the largest level whose bound still reaches as far as ``distance``."""
        if distance <= 0:
            return 1.0
        if distance >= room:
            return 0.0
        return float((1 - distance / room) ** self.units)
