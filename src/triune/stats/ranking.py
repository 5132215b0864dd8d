"""Metrics of the order of scores under weights: the area under the ROC curve, and of precision."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from triune.stats.auc import place
from triune.stats.inputs import BoolArray, FloatArray, IntArray
from triune.stats.statistic import Clustered, Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    """Rows of two classes in the order of their scores, both of shape (rows,)."""

    positive: BoolArray
    scores: FloatArray

    @property
    def units(self) -> int:
        """How many rows there are."""
        return len(self.scores)

    @property
    def rows(self) -> int:
        """How many rows the work of one resample goes through."""
        return len(self.scores)

    @property
    def bearing(self) -> BoolArray:
        """Positives and negatives."""
        return np.stack([self.positive, ~self.positive])


@dataclass(frozen=True, slots=True, kw_only=True)
class RocAuc(_Ranking):
    """The chance that a positive scores above a negative, a tie counting half.

    Scores are put in order once; a resample then costs one pass over its weights.

    Attributes
    ----------
    positives, negatives
        Indices of the rows of each class; the negatives in rising order of scores.
    below, not_above
        For each of ``positives``, how many negatives score below it, and how many not above.
    """

    positives: IntArray
    negatives: IntArray
    below: IntArray
    not_above: IntArray

    @classmethod
    def of(cls, positive: BoolArray, scores: FloatArray) -> Self:
        """Put the rows in order."""
        positives = np.flatnonzero(positive)
        negatives = np.flatnonzero(~positive)
        negatives = negatives[np.argsort(scores[negatives])]
        return cls(
            positive=positive,
            scores=scores,
            positives=positives,
            negatives=negatives,
            below=np.searchsorted(scores[negatives], scores[positives], "left"),
            not_above=np.searchsorted(scores[negatives], scores[positives], "right"),
        )

    def evaluate(self, weights: FloatArray) -> FloatArray:
        """Compute the area under each row of ``weights``; NaN without one of the classes."""
        positives = np.take(weights, self.positives, axis=1)
        negatives = _running_sum(np.take(weights, self.negatives, axis=1))
        ordered = np.take(negatives, self.below, axis=1)
        ordered += np.take(negatives, self.not_above, axis=1)
        area = np.einsum("ij,ij->i", positives, ordered) / 2
        pairs = positives.sum(axis=1) * negatives[:, -1]
        values = np.full(len(weights), np.nan)
        np.divide(area, pairs, out=values, where=pairs > 0)
        return values

    def influence(self) -> FloatArray:
        """Compute the derivative by the weight of each row: its placement, less the area."""
        placements = place(self.positive, self.scores)
        positives, negatives = len(placements.of_positives), len(placements.of_negatives)
        share = np.empty(self.rows)
        share[self.positive] = (
            placements.of_positives / (2 * negatives) - placements.auc
        ) / positives
        share[~self.positive] = (
            placements.of_negatives / (2 * positives) - placements.auc
        ) / negatives
        return share

    def clustered(self, members: IntArray, clusters: int) -> Clustered:
        """Make a cluster the unit."""
        return Clustered(of_rows=self, members=members, units=clusters)


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePrecision(_Ranking):
    """The precision at each threshold, weighted by the recall that the threshold adds.

    No interpolation; rows of one score share one threshold.

    Attributes
    ----------
    positives, negatives
        Indices of the rows of each class, in falling order of scores.
    positives_to, negatives_to
        For each of ``positives``, how many rows of each class score at least as high.
    """

    positives: IntArray
    negatives: IntArray
    positives_to: IntArray
    negatives_to: IntArray

    @classmethod
    def of(cls, positive: BoolArray, scores: FloatArray) -> Self:
        """Put the rows in order."""
        positives = np.flatnonzero(positive)
        negatives = np.flatnonzero(~positive)
        positives = positives[np.argsort(-scores[positives])]
        negatives = negatives[np.argsort(-scores[negatives])]
        high, low = -scores[positives], -scores[negatives]
        return cls(
            positive=positive,
            scores=scores,
            positives=positives,
            negatives=negatives,
            positives_to=np.searchsorted(high, high, "right"),
            negatives_to=np.searchsorted(low, high, "right"),
        )

    def evaluate(self, weights: FloatArray) -> FloatArray:
        """Compute the metric under each row of ``weights``; NaN without positives."""
        positives = np.take(weights, self.positives, axis=1)
        found = _running_sum(positives)
        total = found[:, -1]
        true = np.take(found, self.positives_to, axis=1)
        flagged = _running_sum(np.take(weights, self.negatives, axis=1))
        called = np.take(flagged, self.negatives_to, axis=1)
        called += true
        # Where nothing is called, no positive was drawn either, and none is weighted.
        precision = np.divide(true, called, out=true, where=called > 0)
        summed = np.einsum("ij,ij->i", positives, precision)
        values = np.full(len(weights), np.nan)
        np.divide(summed, total, out=values, where=total > 0)
        return values

    def influence(self) -> FloatArray:
        """Compute the derivative by the weight of each row.

        A row's weight enters the precision at every threshold that it lies above; a positive's
        also weights the precision at its own threshold, and the sum that all is divided by.
        """
        true = self.positives_to.astype(np.float64)
        called = true + self.negatives_to
        precision = true / called
        value = precision.mean()
        # From each positive, in falling order of scores, down to the last.
        gain = _running_sum((1 / called)[::-1])[::-1]
        cost = _running_sum((true / called**2)[::-1])[::-1]
        high = -self.scores[self.positives]
        first = np.searchsorted(high, -self.scores, "left")
        share = -cost[first]
        share[self.positive] += gain[first[self.positive]]
        share[self.positives] += precision - value
        influence: FloatArray = share / len(self.positives)
        return influence

    def clustered(self, members: IntArray, clusters: int) -> Clustered:
        """Make a cluster the unit."""
        return Clustered(of_rows=self, members=members, units=clusters)


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroAverage:
    """The plain mean of several statistics of the same rows; undefined where one of them is."""

    parts: tuple[Statistic, ...]

    @property
    def units(self) -> int:
        """How many rows there are."""
        return self.parts[0].units

    @property
    def rows(self) -> int:
        """How many rows the work of one resample goes through."""
        return self.parts[0].rows

    @property
    def bearing(self) -> BoolArray:
        """The units of each part of each statistic."""
        return np.concatenate([part.bearing for part in self.parts])

    def evaluate(self, weights: FloatArray) -> FloatArray:
        """Compute the mean under each row of ``weights``."""
        values: FloatArray = np.mean([part.evaluate(weights) for part in self.parts], axis=0)
        return values

    def influence(self) -> FloatArray:
        """Compute the mean of the derivatives."""
        shares: FloatArray = np.mean([part.influence() for part in self.parts], axis=0)
        return shares

    def clustered(self, members: IntArray, clusters: int) -> Clustered:
        """Make a cluster the unit."""
        return Clustered(of_rows=self, members=members, units=clusters)


def _running_sum(values: FloatArray) -> FloatArray:
    """Sum up along the last axis, from a leading zero."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return sums
