"""The metrics by name: what each needs, which way is better, and how it is computed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from triune.stats.auc import classes
from triune.stats.errors import StatsError, TooFewRowsError, UnknownMetricError
from triune.stats.inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    binary,
    codes,
    finite,
    probabilities,
    require_length,
)
from triune.stats.interval import Range
from triune.stats.metric_names import Task, refuse_metric
from triune.stats.ranking import AveragePrecision, MacroAverage, RocAuc
from triune.stats.statistic import Statistic, SumStatistic, value_of

_Maker = Callable[[npt.ArrayLike, npt.ArrayLike], Statistic]
_Array = TypeVar("_Array", bound=npt.NDArray[Any])

# Where a model is sure and wrong, the loss is that of this probability.
_LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


# What is left of a sum of probabilities that were rounded to single precision, and a bit more.
_SUM_TOLERANCE = 1e-4


class Needs(StrEnum):
    """What of a model's answers a metric looks at."""

    LABELS = "labels"
    """The predicted class: 0 or 1, or the class's code."""
    SCORES = "scores"
    """A number that is higher where the positive class is likelier; a probability will do."""
    PROBABILITIES = "probabilities"
    """Of the positive class, or a column for each class in the order of the codes."""
    VALUES = "values"
    """The predicted number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How well a model does, as one number.

    ``statistic`` takes the truth and what the metric needs, both as arrays with one row for each
    row of the holdout, and gives what the bootstrap resamples; it refuses arrays that the metric
    is not defined for with a `StatsError`.
    """

    name: str
    task: Task
    needs: Needs
    higher_is_better: bool
    within: Range
    statistic: _Maker

    def value(self, truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
        """Compute the metric; NaN where it is undefined, as R² of a constant."""
        return value_of(self.statistic(truth, predicted))


def find_metric(name: str, *, task: Task) -> Metric:
    """Find a metric by its name.

    Raises
    ------
    UnknownMetricError
        Where there is none of that name for the task; the message lists those that are.
    """
    if refused := refuse_metric(name, task=task):
        raise UnknownMetricError(refused)
    return next(each for each in METRICS if (each.name, each.task) == (name, task))


def _roc_auc(truth: npt.ArrayLike, scores: npt.ArrayLike) -> Statistic:
    positive = classes(truth)
    return RocAuc.of(positive, _beside(finite(scores, name="scores"), positive))


def _pr_auc(truth: npt.ArrayLike, scores: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    return AveragePrecision.of(positive, _beside(finite(scores, name="scores"), positive))


def _log_loss(truth: npt.ArrayLike, chances: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    taken = _beside(probabilities(chances, name="probabilities"), positive)
    of_truth = np.where(positive, taken, 1 - taken)
    return _mean(-np.log(np.clip(of_truth, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)))


def _brier(truth: npt.ArrayLike, chances: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    taken = _beside(probabilities(chances, name="probabilities"), positive)
    return _mean((taken - positive) ** 2)


def _accuracy(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    return _mean(positive == _beside(binary(labels, name="labels"), positive))


def _precision(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    called = _beside(binary(labels, name="labels"), positive)
    # A model that never calls anything positive has a precision of 0: it finds nothing.
    return SumStatistic(
        columns=_columns(positive & called, called),
        combine=lambda sums: _share(sums[:, 0], sums[:, 1], otherwise=0.0),
        bearing=called[None, :],
    )


def _recall(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    called = _beside(binary(labels, name="labels"), positive)
    return SumStatistic(
        columns=_columns(positive & called, positive),
        combine=lambda sums: _share(sums[:, 0], sums[:, 1], otherwise=np.nan),
        bearing=positive[None, :],
    )


def _f1(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Statistic:
    positive = _truth(truth)
    called = _beside(binary(labels, name="labels"), positive)

    def combine(sums: FloatArray) -> FloatArray:
        true, calls, positives = sums.T
        return np.where(positives > 0, 2 * true / (calls + positives), np.nan)

    return SumStatistic(
        columns=_columns(positive & called, called, positive),
        combine=combine,
        bearing=(called | positive)[None, :],
    )


def _mae(truth: npt.ArrayLike, values: npt.ArrayLike) -> Statistic:
    return _mean(np.abs(_residuals(truth, values)))


def _rmse(truth: npt.ArrayLike, values: npt.ArrayLike) -> Statistic:
    squares = _residuals(truth, values) ** 2
    return SumStatistic(
        columns=_columns(squares, np.ones(len(squares))),
        combine=lambda sums: np.sqrt(sums[:, 0] / sums[:, 1]),
        bearing=np.ones((1, len(squares)), dtype=np.bool_),
    )


def _r2(truth: npt.ArrayLike, values: npt.ArrayLike) -> Statistic:
    residuals = _residuals(truth, values)
    # The sums of squares are subtracted from each other; about the mean they lose least.
    known = finite(truth, name="truth")
    about_mean = known - known.mean()

    def combine(sums: FloatArray) -> FloatArray:
        left, total, squares, rows = sums.T
        around = squares - total**2 / rows
        return np.where(around > 1e-12 * squares, 1 - left / around, np.nan)

    return SumStatistic(
        columns=_columns(residuals**2, about_mean, about_mean**2, np.ones(len(residuals))),
        combine=combine,
        bearing=np.ones((1, len(residuals)), dtype=np.bool_),
    )


def _accuracy_of_classes(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Statistic:
    known = _codes(truth)
    return _mean(known == _beside(codes(labels, name="labels"), known))


def _f1_macro(truth: npt.ArrayLike, labels: npt.ArrayLike) -> Statistic:
    known = _codes(truth)
    called = _beside(codes(labels, name="labels"), known)
    seen = np.union1d(known, called)[:, None]
    is_true, is_called = known == seen, called == seen

    def combine(sums: FloatArray) -> FloatArray:
        true, calls, trues = sums.reshape(len(sums), 3, len(seen)).transpose(1, 0, 2)
        # A class that neither is there nor is called counts neither way.
        present = calls + trues > 0
        parts = np.divide(2 * true, calls + trues, out=np.zeros_like(true), where=present)
        return _share(parts.sum(axis=1), present.sum(axis=1), otherwise=np.nan)

    return SumStatistic(
        columns=_columns(*(is_true & is_called), *is_called, *is_true),
        combine=combine,
        bearing=is_true | is_called,
    )


def _log_loss_of_classes(truth: npt.ArrayLike, chances: npt.ArrayLike) -> Statistic:
    taken, known = _class_probabilities(truth, chances)
    of_truth = taken[np.arange(len(known)), known]
    return _mean(-np.log(np.clip(of_truth, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)))


def _roc_auc_of_classes(truth: npt.ArrayLike, chances: npt.ArrayLike) -> Statistic:
    taken, known = _class_probabilities(truth, chances)
    return MacroAverage(
        parts=tuple(
            RocAuc.of(classes(known == code), np.ascontiguousarray(column))
            for code, column in enumerate(taken.T)
        )
    )


def _truth(truth: npt.ArrayLike) -> BoolArray:
    positive = binary(truth, name="truth")
    _require_rows(len(positive))
    return positive


def _codes(truth: npt.ArrayLike, below: int | None = None) -> IntArray:
    known = codes(truth, name="truth", below=below)
    _require_rows(len(known))
    return known


def _residuals(truth: npt.ArrayLike, values: npt.ArrayLike) -> FloatArray:
    known = finite(truth, name="truth")
    _require_rows(len(known))
    return _beside(finite(values, name="values"), known) - known


def _class_probabilities(
    truth: npt.ArrayLike, chances: npt.ArrayLike
) -> tuple[FloatArray, IntArray]:
    taken = probabilities(chances, name="probabilities", dimensions=2)
    off = np.flatnonzero(np.abs(taken.sum(axis=1) - 1) > _SUM_TOLERANCE)
    if len(off):
        raise StatsError(
            f"row {off[0]} of the probabilities sums to {taken[off[0]].sum():.6g}; every row "
            "must sum to 1"
        )
    known = _codes(truth, below=taken.shape[1])
    return _beside(taken, known), known


def _require_rows(rows: int) -> None:
    if rows == 0:
        raise TooFewRowsError("there are no rows to compute a metric on; label some")


def _beside(predicted: _Array, truth: npt.NDArray[Any]) -> _Array:
    require_length(predicted, len(truth), name="what was predicted")
    return predicted


def _mean(of_rows: FloatArray | BoolArray) -> SumStatistic:
    return SumStatistic(
        columns=_columns(of_rows, np.ones(len(of_rows))),
        combine=lambda sums: sums[:, 0] / sums[:, 1],
        bearing=np.ones((1, len(of_rows)), dtype=np.bool_),
    )


def _columns(*columns: FloatArray | BoolArray) -> FloatArray:
    return np.stack(columns, axis=1).astype(np.float64)


def _share(part: FloatArray, whole: FloatArray, *, otherwise: float) -> FloatArray:
    return np.where(whole > 0, part / whole, otherwise)


_SHARE = Range(low=0.0, high=1.0)
_LOSS = Range(low=0.0)
_EXPLAINED = Range(high=1.0)
_UP, _DOWN = True, False

_METRICS: tuple[tuple[str, Task, Needs, bool, Range, _Maker], ...] = (
    ("roc_auc", "binary", Needs.SCORES, _UP, _SHARE, _roc_auc),
    ("pr_auc", "binary", Needs.SCORES, _UP, _SHARE, _pr_auc),
    ("accuracy", "binary", Needs.LABELS, _UP, _SHARE, _accuracy),
    ("precision", "binary", Needs.LABELS, _UP, _SHARE, _precision),
    ("recall", "binary", Needs.LABELS, _UP, _SHARE, _recall),
    ("f1", "binary", Needs.LABELS, _UP, _SHARE, _f1),
    ("log_loss", "binary", Needs.PROBABILITIES, _DOWN, _LOSS, _log_loss),
    ("brier", "binary", Needs.PROBABILITIES, _DOWN, _SHARE, _brier),
    ("accuracy", "multiclass", Needs.LABELS, _UP, _SHARE, _accuracy_of_classes),
    ("f1_macro", "multiclass", Needs.LABELS, _UP, _SHARE, _f1_macro),
    ("log_loss", "multiclass", Needs.PROBABILITIES, _DOWN, _LOSS, _log_loss_of_classes),
    ("roc_auc_ovr", "multiclass", Needs.PROBABILITIES, _UP, _SHARE, _roc_auc_of_classes),
    ("mae", "regression", Needs.VALUES, _DOWN, _LOSS, _mae),
    ("rmse", "regression", Needs.VALUES, _DOWN, _LOSS, _rmse),
    ("r2", "regression", Needs.VALUES, _UP, _EXPLAINED, _r2),
)

METRICS = tuple(
    Metric(
        name=name,
        task=task,
        needs=needs,
        higher_is_better=higher_is_better,
        within=within,
        statistic=statistic,
    )
    for name, task, needs, higher_is_better, within, statistic in _METRICS
)
