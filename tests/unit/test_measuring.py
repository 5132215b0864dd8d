"""Predictions meet labels as the metrics take them, whatever the classes are called."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from triune.domain.errors import ConditionError, DatasetError, UsageError
from triune.domain.manifest import Outputs
from triune.domain.project import SliceSpec
from triune.operations.measuring import Holdout, HoldoutSlice, encode, is_missing
from triune.ports import Predictions
from triune.stats.auc import compare_auc, estimate_auc
from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.estimate import Method
from triune.stats.interval import Question
from triune.stats.metric_names import Task

RNG = np.random.default_rng(11)
ROWS = 80
TRUTH = RNG.integers(0, 2, ROWS)
CHANCES = np.clip(0.4 * TRUTH + RNG.random(ROWS) * 0.6, 0, 1)
OTHERS = np.clip(0.3 * TRUTH + RNG.random(ROWS) * 0.7, 0, 1)
NO_YES = np.array(["no", "yes"])


def a_holdout(labels: Any, *, task: Task = "binary", groups: Any = None) -> Holdout:
    return Holdout(
        task=task,
        target="churned",
        labels=np.asarray(labels),
        groups=groups,
        subjects=len(labels),
        judged={},
    )


def answers(
    classes: Sequence[str | int], chances: Any, *, probabilities: bool = True
) -> tuple[Outputs, Predictions]:
    """Answer by the chances of the second class, or of each."""
    columns = np.asarray(chances, dtype=np.float64)
    if columns.ndim == 1:
        columns = np.column_stack([1 - columns, columns])
    return Outputs(classes=tuple(classes), probabilities=probabilities), Predictions(
        labels=np.array(classes)[columns.argmax(axis=1)],
        probabilities=columns if probabilities else None,
    )


def test_the_second_class_is_the_positive_one_whatever_it_is_called() -> None:
    estimate = a_holdout(NO_YES[TRUTH]).estimate(
        "roc_auc", answers=answers(NO_YES.tolist(), CHANCES)
    )

    assert estimate == estimate_auc(TRUTH, CHANCES)


def test_booleans_and_numbers_that_are_equal_are_the_same_class() -> None:
    by_number = a_holdout(TRUTH.astype(float)).estimate("roc_auc", answers=answers([0, 1], CHANCES))
    by_boolean = a_holdout(TRUTH == 1).estimate("roc_auc", answers=answers([0, 1], CHANCES))

    assert by_number == by_boolean == estimate_auc(TRUTH, CHANCES)


def test_two_models_that_order_their_classes_otherwise_are_compared_by_the_candidates() -> None:
    found = a_holdout(NO_YES[TRUTH]).compare(
        "roc_auc",
        champion=answers(["yes", "no"], 1 - OTHERS),
        candidate=answers(["no", "yes"], CHANCES),
    )

    assert found == compare_auc(TRUTH, champion=OTHERS, candidate=CHANCES)


def test_two_models_with_other_classes_are_not_compared() -> None:
    with pytest.raises(UsageError, match=r"\['no', 'yes'\] and the candidate's \[0, 1\]"):
        a_holdout(TRUTH).compare(
            "roc_auc",
            champion=answers(["no", "yes"], OTHERS),
            candidate=answers([0, 1], CHANCES),
        )


def test_a_class_that_the_champion_never_knew_had_no_chance_with_it() -> None:
    truth = np.arange(ROWS) % 3
    sure = np.eye(3)[truth] * 0.7 + 0.1
    two = np.where(truth == 2, 0.5, np.where(truth == 1, 0.9, 0.1))

    found = a_holdout(np.array(["a", "b", "c"])[truth], task="multiclass").compare(
        "log_loss", champion=answers(["a", "b"], two), candidate=answers(["a", "b", "c"], sure)
    )

    assert found.candidate == pytest.approx(-np.log(0.8))
    assert found.champion > 10
    assert found.bounds.lower > 0


def test_a_comparison_on_some_rows_looks_at_no_other() -> None:
    inside = np.arange(ROWS) % 4 != 0
    question = Question(null=-0.02)

    found = a_holdout(TRUTH).compare(
        "roc_auc",
        champion=answers([0, 1], OTHERS),
        candidate=answers([0, 1], CHANCES),
        rows=inside,
        question=question,
    )

    assert found == compare_auc(
        TRUTH[inside], champion=OTHERS[inside], candidate=CHANCES[inside], question=question
    )


def test_rows_of_one_subject_are_drawn_together_on_a_slice_too() -> None:
    holdout = a_holdout(TRUTH, groups=np.arange(ROWS) // 2)
    first_of_each = np.arange(ROWS) % 2 == 0

    on_all = holdout.estimate("roc_auc", answers=answers([0, 1], CHANCES))
    on_slice = holdout.estimate("roc_auc", answers=answers([0, 1], CHANCES), rows=first_of_each)

    assert on_all.method is Method.BCA
    assert on_slice.method is Method.DELONG


@pytest.mark.parametrize("probabilities", [True, False])
def test_accuracy_needs_labels_alone(probabilities: bool) -> None:
    found = a_holdout(TRUTH).estimate(
        "accuracy", answers=answers([0, 1], CHANCES, probabilities=probabilities)
    )

    assert found.value == np.mean((CHANCES > 0.5) == TRUTH)


def test_a_metric_of_probabilities_is_refused_to_a_model_that_gives_none() -> None:
    with pytest.raises(UsageError, match="roc_auc needs probabilities, and this model gives none"):
        a_holdout(TRUTH).estimate("roc_auc", answers=answers([0, 1], CHANCES, probabilities=False))


def test_a_regression_is_measured_by_its_numbers() -> None:
    truth = RNG.normal(size=ROWS)
    predictions = Predictions(labels=truth + 0.5, probabilities=None)

    found = a_holdout(truth, task="regression").estimate("mae", answers=(Outputs(), predictions))

    assert found.value == pytest.approx(0.5)


def test_a_holdout_of_one_class_has_too_few_rows_of_the_other() -> None:
    with pytest.raises(TooFewRowsError, match="0 positive and 80 negative"):
        a_holdout(np.zeros(ROWS, dtype=int)).estimate("roc_auc", answers=answers([0, 1], CHANCES))


def test_predictions_for_other_rows_are_refused() -> None:
    with pytest.raises(StatsError, match="79 predictions for the 80 rows"):
        a_holdout(TRUTH).estimate("roc_auc", answers=answers([0, 1], CHANCES[1:]))


@pytest.mark.parametrize(
    ("labels", "task", "says"),
    [
        ([0, 1, 2, 2], "binary", "2 rows (the first at row 2) of the holdout whose target"),
        (["no", "yes", "no", "maybe"], "binary", "1 row (row 3) of the holdout whose target"),
        ([True, None, None, False], "binary", "2 rows (the first at row 1) of the holdout without"),
        ([0.0, np.nan, 1.0, 1.0], "binary", "1 row (row 1) of the holdout without"),
        ([0.5, np.inf, 1.0, 1.0], "regression", "whose target 'churned' is not finite"),
        (["a", "b", "a", "b"], "regression", "a regression predicts numbers"),
    ],
)
def test_labels_that_no_prediction_could_equal_are_refused_with_their_rows(
    labels: list[Any], task: Task, says: str
) -> None:
    holdout = a_holdout(np.array(labels, dtype=object if None in labels else None), task=task)
    classes = ["no", "yes"] if "yes" in labels else [0, 1]

    with pytest.raises(DatasetError) as refused:
        holdout.truth(classes)

    assert says in str(refused.value)


def test_a_slice_with_a_condition_that_is_none_is_refused_when_it_is_asked_for() -> None:
    rows = np.ones(ROWS, dtype=np.bool_)
    sound = HoldoutSlice(spec=SliceSpec(name="all", where="pages > 0"), rows=rows)
    holdout = Holdout(
        task="binary",
        target="churned",
        labels=TRUTH,
        groups=None,
        subjects=ROWS,
        judged={"all": sound, "none": ConditionError("condition 'page > 0': no such column")},
    )

    assert holdout.slice_of("all") is sound
    with pytest.raises(ConditionError, match="no such column"):
        holdout.slice_of("none")
    with pytest.raises(ConditionError, match="no such column"):
        _ = holdout.slices


def test_labels_are_written_as_the_places_of_their_classes() -> None:
    assert encode(np.array(["b", "a", "z"]), ("a", "b")).tolist() == [1, 0, -1]
    assert encode(np.array([], dtype=object), ("a", "b")).tolist() == []


def test_missing_values_are_told_in_columns_of_any_kind() -> None:
    assert is_missing(np.array([1.0, np.nan])).tolist() == [False, True]
    assert is_missing(np.array(["NaT", "2024-01-01"], dtype="datetime64[D]")).tolist() == [
        True,
        False,
    ]
    assert is_missing(np.array(["", None], dtype=object)).tolist() == [False, True]
    assert is_missing(np.array([0, 1])).tolist() == [False, False]
