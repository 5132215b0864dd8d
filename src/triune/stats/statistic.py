"""A metric as the bootstrap needs it: a function of how often each row was drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from triune.stats.inputs import BoolArray, FloatArray, IntArray


class Statistic(Protocol):
    """A metric of some units (rows, or the rows of a key) under weights.

    ``evaluate`` takes weights of shape (resamples, units) and gives values of shape (resamples,):
    what the metric is where each unit occurs that many times, NaN where it is undefined.

    ``influence`` tells, for each unit, how much the metric owes to it: the derivative by its
    weight, or the loss when it is left out, of shape (units,).

    ``bearing`` says which units the metric rests on, of shape (parts, units): those that count in
    the denominator of each of its parts. The rarest part decides how much is known at all.
    """

    @property
    def units(self) -> int:
        """How many units there are."""
        ...

    @property
    def rows(self) -> int:
        """How many rows the work of one resample goes through."""
        ...

    @property
    def bearing(self) -> BoolArray:
        """Which units count, for each part."""
        ...

    def evaluate(self, weights: FloatArray) -> FloatArray:
        """Compute the metric under each row of ``weights``."""
        ...

    def influence(self) -> FloatArray:
        """Compute what each unit contributes."""
        ...

    def clustered(self, members: IntArray, clusters: int) -> "Statistic":
        """Make a cluster the unit; ``members`` names the cluster of each unit, from 0."""
        ...


def value_of(statistic: Statistic) -> float:
    """Compute the metric on the rows as they are; NaN where it is undefined."""
    return float(statistic.evaluate(np.ones((1, statistic.units)))[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SumStatistic:
    """A metric that is a function of sums over the rows, as means and their ratios are.

    Attributes
    ----------
    columns
        What each unit adds to each sum, of shape (units, sums).
    combine
        The metric from the sums, of shape (resamples, sums) to (resamples,).
    bearing
        As `Statistic` says.
    """

    columns: FloatArray
    combine: Callable[[FloatArray], FloatArray]
    bearing: BoolArray

    @property
    def units(self) -> int:
        """How many units there are."""
        return len(self.columns)

    @property
    def rows(self) -> int:
        """As many: rows of a cluster are summed beforehand."""
        return len(self.columns)

    def evaluate(self, weights: FloatArray) -> FloatArray:
        """Compute the metric under each row of ``weights``, by one product of matrices."""
        return self._combined(weights @ self.columns)

    def influence(self) -> FloatArray:
        """Compute what is lost when each unit is left out, exactly."""
        total = self.columns.sum(axis=0)
        return self._combined(total[None, :]) - self._combined(total - self.columns)

    def clustered(self, members: IntArray, clusters: int) -> "SumStatistic":
        """Make a cluster the unit: its rows are summed once, and never looked at again."""
        columns = [_sum_by(members, column, clusters) for column in self.columns.T]
        return SumStatistic(
            columns=np.stack(columns, axis=1),
            combine=self.combine,
            bearing=clustered_bearing(self.bearing, members, clusters),
        )

    def _combined(self, sums: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.combine(sums)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """A metric whose rows are drawn by cluster and still looked at one by one."""

    of_rows: Statistic
    members: IntArray
    units: int

    @property
    def rows(self) -> int:
        """How many rows the work of one resample goes through."""
        return self.of_rows.rows

    @property
    def bearing(self) -> BoolArray:
        """Which clusters count, for each part."""
        return clustered_bearing(self.of_rows.bearing, self.members, self.units)

    def evaluate(self, weights: FloatArray) -> FloatArray:
        """Compute the metric where each row is drawn as often as its cluster."""
        return self.of_rows.evaluate(np.take(weights, self.members, axis=1))

    def influence(self) -> FloatArray:
        """Add up what the rows of each cluster contribute."""
        return _sum_by(self.members, self.of_rows.influence(), self.units)

    def clustered(self, members: IntArray, clusters: int) -> "Clustered":
        """Make clusters of clusters."""
        return Clustered(of_rows=self.of_rows, members=members[self.members], units=clusters)


def clustered_bearing(bearing: BoolArray, members: IntArray, clusters: int) -> BoolArray:
    """Say which clusters have a unit that counts, for each part."""
    return np.stack([np.bincount(members[part], minlength=clusters) > 0 for part in bearing])


def _sum_by(members: IntArray, values: FloatArray, clusters: int) -> FloatArray:
    """Sum the values of each cluster."""
    sums: FloatArray = np.bincount(members, values, minlength=clusters).astype(np.float64)
    return sums
