"""Each metric is bounded and compared by the method that suits it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from triune.stats.auc import compare_auc, estimate_auc
from triune.stats.bootstrap import Draws, compare_by_bootstrap, estimate_by_bootstrap
from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.estimate import Method
from triune.stats.interval import Question
from triune.stats.measure import compare_metric, estimate_metric
from triune.stats.metrics import Metric, find_metric
from triune.stats.outcomes import compare_outcomes
from triune.stats.proportion import clopper_pearson_bounds, wilson_interval

RNG = np.random.default_rng(7)
ROWS = 120
TRUTH = RNG.integers(0, 2, ROWS)
SCORES = np.clip(0.3 * TRUTH + RNG.random(ROWS) * 0.7, 0, 1)
OTHER = np.clip(0.2 * TRUTH + RNG.random(ROWS) * 0.8, 0, 1)
LABELS, OTHER_LABELS = (SCORES > 0.5).astype(int), (OTHER > 0.5).astype(int)
PAIRS = np.arange(ROWS) // 2
"""A subject for every two rows."""

AUC = find_metric("roc_auc", task="binary")
ACCURACY = find_metric("accuracy", task="binary")
F1 = find_metric("f1", task="binary")


def test_an_auc_is_bounded_and_compared_by_delong() -> None:
    assert estimate_metric(AUC, TRUTH, SCORES) == estimate_auc(TRUTH, SCORES)
    assert compare_metric(AUC, TRUTH, champion=OTHER, candidate=SCORES) == compare_auc(
        TRUTH, champion=OTHER, candidate=SCORES
    )


def test_accuracy_is_bounded_exactly_and_shown_with_wilsons_interval() -> None:
    right = int((TRUTH == LABELS).sum())

    estimate = estimate_metric(ACCURACY, TRUTH, LABELS, question=Question(alpha=0.05))

    assert estimate.method is Method.CLOPPER_PEARSON
    assert estimate.value == right / ROWS
    assert estimate.bounds == clopper_pearson_bounds(right, ROWS, alpha=0.05)
    assert estimate.interval == wilson_interval(right, ROWS)


def test_a_model_that_is_always_right_has_a_standard_error_all_the_same() -> None:
    estimate = estimate_metric(ACCURACY, TRUTH, TRUTH)

    assert estimate.value == 1
    assert estimate.bounds.lower == pytest.approx(0.025 ** (1 / ROWS))
    assert estimate.standard_error > 0


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_accuracy_is_compared_by_tango_whatever_the_number_of_classes(task: str) -> None:
    metric = find_metric("accuracy", task="binary" if task == "binary" else "multiclass")
    truth = TRUTH if task == "binary" else RNG.integers(0, 3, ROWS)

    found = compare_metric(metric, truth, champion=OTHER_LABELS, candidate=LABELS)

    assert found == compare_outcomes(champion=truth == OTHER_LABELS, candidate=truth == LABELS)


def test_any_other_metric_goes_by_the_bootstrap() -> None:
    estimate = estimate_metric(F1, TRUTH, LABELS)
    found = compare_metric(F1, TRUTH, champion=OTHER_LABELS, candidate=LABELS)

    assert estimate == estimate_by_bootstrap(F1, F1.statistic(TRUTH, LABELS))
    assert found == compare_by_bootstrap(
        F1,
        champion=F1.statistic(TRUTH, OTHER_LABELS),
        candidate=F1.statistic(TRUTH, LABELS),
    )


@pytest.mark.parametrize(
    ("metric", "champion", "candidate"), [(AUC, OTHER, SCORES), (ACCURACY, OTHER_LABELS, LABELS)]
)
def test_where_a_key_repeats_whole_groups_are_drawn(
    metric: Metric, champion: npt.NDArray[Any], candidate: npt.NDArray[Any]
) -> None:
    draws = Draws(groups=PAIRS)

    estimate = estimate_metric(metric, TRUTH, candidate, groups=PAIRS)
    found = compare_metric(metric, TRUTH, champion=champion, candidate=candidate, groups=PAIRS)

    new, old = metric.statistic(TRUTH, candidate), metric.statistic(TRUTH, champion)
    assert estimate == estimate_by_bootstrap(metric, new, draws=draws)
    assert found == compare_by_bootstrap(metric, champion=old, candidate=new, draws=draws)


def test_copies_of_a_subject_tell_no_more_than_the_subject_does() -> None:
    twice, pairs = np.repeat(np.arange(ROWS), 2), np.repeat(np.arange(ROWS), 2)

    as_if_new = estimate_metric(AUC, TRUTH[twice], SCORES[twice])
    as_copies = estimate_metric(AUC, TRUTH[twice], SCORES[twice], groups=pairs)

    once = estimate_metric(AUC, TRUTH, SCORES)
    assert as_if_new.standard_error < 0.8 * once.standard_error
    assert as_copies.standard_error == pytest.approx(once.standard_error, rel=0.1)


def test_keys_that_never_repeat_change_nothing() -> None:
    estimate = estimate_metric(AUC, TRUTH, SCORES, groups=np.arange(ROWS))

    assert estimate == estimate_auc(TRUTH, SCORES)


def test_too_few_rows_of_a_class_are_refused_grouped_or_not() -> None:
    truth = np.array([1] * 9 + [0] * 31)

    for groups in (None, np.arange(40) // 2):
        with pytest.raises(TooFewRowsError, match="10 rows of each class"):
            estimate_metric(AUC, truth, SCORES[:40], groups=groups)


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(StatsError, match="not finite"):
        estimate_metric(AUC, TRUTH, np.where(TRUTH == 1, np.nan, SCORES))


def test_no_rows_have_no_accuracy() -> None:
    with pytest.raises(TooFewRowsError, match="no rows"):
        estimate_metric(ACCURACY, [], [])
