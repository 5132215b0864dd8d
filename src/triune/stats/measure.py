"""Bounds a metric, and compares two models by it, each by the method that suits the metric."""

from math import sqrt

import numpy as np
import numpy.typing as npt

from triune.stats.auc import compare_auc, estimate_auc
from triune.stats.bootstrap import Draws, compare_by_bootstrap, estimate_by_bootstrap
from triune.stats.estimate import Estimate, Method, PairedComparison
from triune.stats.inputs import BoolArray
from triune.stats.interval import USUAL, Question, normal_quantile
from triune.stats.metrics import Metric
from triune.stats.outcomes import compare_outcomes
from triune.stats.proportion import clopper_pearson_bounds, wilson_interval


def estimate_metric(
    metric: Metric,
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    question: Question = USUAL,
) -> Estimate:
    """Bound a metric of one model.

    An AUC by DeLong, accuracy exactly (Clopper and Pearson; the interval is Wilson's), anything
    else by the BCa bootstrap. Where a key repeats, rows are no longer independent of each other,
    and all of them go by the bootstrap of whole groups.

    Parameters
    ----------
    truth, predicted
        As the metric takes them, a row each.
    groups
        A key for each row, of shape (rows,); rows of one key belong together.
    question
        At which levels to bound it.

    Raises
    ------
    TooFewRowsError
        The rows, or those of a class, are too few.
    StatsError
        The metric is not defined for what was given.
    """
    if not _repeats(groups):
        match metric.name:
            case "roc_auc":
                return estimate_auc(truth, predicted, question=question)
            case "accuracy":
                return _estimate_rate(_outcomes(metric, truth, predicted), question)
    return estimate_by_bootstrap(
        metric,
        metric.statistic(truth, predicted),
        question=question,
        draws=Draws(groups=groups),
    )


def compare_metric(  # noqa: PLR0913 - two models, and how they are compared
    metric: Metric,
    truth: npt.ArrayLike,
    *,
    champion: npt.ArrayLike,
    candidate: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    question: Question = USUAL,
) -> PairedComparison:
    """Compare a metric of two models on the same rows.

    An AUC by the paired test of DeLong, accuracy by Tango's score interval, anything else by the
    paired BCa bootstrap, and so is every metric where a key repeats.

    Parameters
    ----------
    truth, champion, candidate
        As the metric takes them, a row each.
    groups
        As `estimate_metric` says.
    question
        At which levels to bound the difference, and which one to test.

    Raises
    ------
    TooFewRowsError
        The rows, or those of a class, are too few.
    StatsError
        The metric is not defined for what was given.
    """
    if not _repeats(groups):
        match metric.name:
            case "roc_auc":
                return compare_auc(truth, champion=champion, candidate=candidate, question=question)
            case "accuracy":
                return compare_outcomes(
                    champion=_outcomes(metric, truth, champion),
                    candidate=_outcomes(metric, truth, candidate),
                    question=question,
                )
    return compare_by_bootstrap(
        metric,
        champion=metric.statistic(truth, champion),
        candidate=metric.statistic(truth, candidate),
        question=question,
        draws=Draws(groups=groups),
    )


def _repeats(groups: npt.ArrayLike | None) -> bool:
    if groups is None:
        return False
    keys = np.asarray(groups)
    return len(np.unique(keys)) < len(keys)


def _outcomes(metric: Metric, truth: npt.ArrayLike, labels: npt.ArrayLike) -> BoolArray:
    """Tell which rows are right; the metric itself says what arrays it takes."""
    metric.statistic(truth, labels)
    right: BoolArray = np.asarray(truth) == np.asarray(labels)
    return right


def _estimate_rate(outcomes: BoolArray, question: Question) -> Estimate:
    rows, right = len(outcomes), int(outcomes.sum())
    share = right / rows
    bounds = clopper_pearson_bounds(right, rows, alpha=question.alpha)
    error = sqrt(share * (1 - share) / rows)
    if error == 0:
        # All rows alike: the plain estimate knows no error, and the exact bounds do.
        reach = max(bounds.upper - share, share - bounds.lower)
        error = reach / normal_quantile(question.alpha)
    return Estimate(
        value=share,
        standard_error=error,
        interval=wilson_interval(right, rows, confidence=question.confidence),
        bounds=bounds,
        method=Method.CLOPPER_PEARSON,
    )
