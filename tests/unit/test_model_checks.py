"""Checks of a model are judged from what was measured: floors, slices, answers, behaviours."""

import json
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from triune.domain.canonical import Json
from triune.domain.evidence import Judgement
from triune.domain.manifest import Field, FieldType, Outputs
from triune.domain.model_checks import (
    MOST_FINDINGS,
    Floor,
    Measured,
    ModelReason,
    judge_behaviour,
    judge_floor,
    judge_holdout,
    judge_not_applicable,
    judge_predictions,
    judge_slice,
    misfit,
)
from triune.domain.project import BehaviourSpec, SliceSpec
from triune.domain.verdict import Verdict
from triune.stats.estimate import Estimate, Method
from triune.stats.interval import Bounds, Interval

AUC = Floor(metric="roc_auc", worst=0.8, higher_is_better=True)
LOSS = Floor(metric="log_loss", worst=0.5, higher_is_better=False)
CLASSES = Outputs(classes=("no", "yes"), probabilities=True)


def estimate(value: float, lower: float, upper: float, *, error: float = 0.02) -> Estimate:
    return Estimate(
        value=value,
        standard_error=error,
        interval=Interval(low=lower, high=upper, confidence=0.95),
        bounds=Bounds(lower=lower, upper=upper, alpha=0.025),
        method=Method.DELONG,
    )


def measured(floor: Floor, value: float, lower: float, upper: float) -> Measured:
    return Measured(floor=floor, estimate=estimate(value, lower, upper))


def a_slice(**given: Any) -> SliceSpec:
    return SliceSpec(**{"name": "few", "where": "few", "min_rows": 30, **given})


def a_behaviour(**given: Any) -> BehaviourSpec:
    usual = {"name": "more", "set": {"n": 2}, "against": {"n": 1}, "expect": "increase"}
    return BehaviourSpec(**{**usual, **given})


def outcome(judged: Judgement) -> tuple[Verdict, str]:
    return judged.verdict, judged.reason.code


class TestFloor:
    @pytest.mark.parametrize(
        ("found", "verdict", "code"),
        [
            (measured(AUC, 0.85, 0.80, 0.90), Verdict.PASS, ModelReason.FLOOR_HELD),
            (measured(AUC, 0.85, 0.79, 0.90), Verdict.INCONCLUSIVE, ModelReason.FLOOR_UNSURE),
            (measured(AUC, 0.75, 0.70, 0.80), Verdict.INCONCLUSIVE, ModelReason.FLOOR_UNSURE),
            (measured(AUC, 0.75, 0.70, 0.79), Verdict.FAIL, ModelReason.FLOOR_MISSED),
            (measured(LOSS, 0.45, 0.40, 0.50), Verdict.PASS, ModelReason.FLOOR_HELD),
            (measured(LOSS, 0.45, 0.40, 0.51), Verdict.INCONCLUSIVE, ModelReason.FLOOR_UNSURE),
            (measured(LOSS, 0.55, 0.51, 0.60), Verdict.FAIL, ModelReason.FLOOR_MISSED),
        ],
    )
    def test_it_is_the_bound_that_must_hold_and_of_a_loss_the_upper_one(
        self, found: Measured, verdict: Verdict, code: str
    ) -> None:
        judged = judge_floor(found, rows=500)

        assert outcome(judged) == (verdict, code)
        assert judged.figures == {
            "estimate": found.estimate.value if found.estimate else None,
            "lower": found.estimate.bounds.lower if found.estimate else None,
            "upper": found.estimate.bounds.upper if found.estimate else None,
            "floor": found.floor.worst,
            "rows": 500,
        }

    def test_one_that_cannot_be_told_says_how_many_rows_would_tell(self) -> None:
        judged = judge_floor(measured(AUC, 0.81, 0.77, 0.85), rows=500)

        # (1.96 + .8416) standard errors of .02, over the .01 to the floor, squared, times 500.
        assert "some 15698 rows would tell" in judged.reason.message
        assert "roc_auc is 0.8100, in [0.7700, 0.8500], on 500 rows" in judged.reason.message

    def test_too_few_rows_of_a_class_pass_nothing(self) -> None:
        judged = judge_floor(Measured(floor=AUC, estimate=None, shortage="9 of a class"), rows=40)

        assert outcome(judged) == (Verdict.INCONCLUSIVE, ModelReason.TOO_FEW_ROWS)
        assert "9 of a class" in judged.reason.message

    def test_a_bound_without_an_end_is_left_out_of_what_is_written_as_json(self) -> None:
        judged = judge_floor(measured(LOSS, 0.45, 0.40, inf), rows=40)

        assert "upper" not in judged.figures
        assert json.loads(json.dumps(dict(judged.figures), allow_nan=False))["lower"] == 0.4

    def test_it_is_written_with_the_way_that_is_better(self) -> None:
        assert (str(AUC), str(LOSS)) == ("roc_auc >= 0.8", "log_loss <= 0.5")


class TestSlice:
    @pytest.mark.parametrize(
        ("rows", "found"),
        [
            (0, []),
            (29, [measured(AUC, 0.5, 0.4, 0.6)]),
            (500, [Measured(floor=AUC, estimate=None, shortage="9 of a class")]),
        ],
    )
    def test_too_few_rows_are_shown_and_veto_only_where_it_is_required(
        self, rows: int, found: list[Measured]
    ) -> None:
        shown = judge_slice(a_slice(), rows=rows, measured=found)
        vetoed = judge_slice(a_slice(required=True), rows=rows, measured=found)

        assert outcome(shown) == (Verdict.PASS, ModelReason.UNDERPOWERED)
        assert outcome(vetoed) == (Verdict.INCONCLUSIVE, ModelReason.UNDERPOWERED)
        assert shown.reason.message.startswith("not judged: ")
        assert shown.figures["rows"] == rows

    def test_the_worst_of_its_floors_decides(self) -> None:
        judged = judge_slice(
            a_slice(),
            rows=500,
            measured=[measured(AUC, 0.9, 0.85, 0.95), measured(LOSS, 0.6, 0.55, 0.65)],
        )

        assert outcome(judged) == (Verdict.FAIL, ModelReason.FLOOR_MISSED)
        assert "log_loss" in judged.reason.message
        assert "roc_auc" not in judged.reason.message
        assert judged.figures["roc_auc_lower"] == 0.85
        assert judged.figures["log_loss_floor"] == 0.5

    def test_one_with_rows_and_without_a_floor_says_that_none_was_held(self) -> None:
        judged = judge_slice(a_slice(), rows=30, measured=[])

        assert outcome(judged) == (Verdict.PASS, ModelReason.NO_FLOOR)


class TestPredictions:
    def judge(self, labels: Any, chances: Any = None, *, rows: int = 3, **given: Any) -> Judgement:
        return judge_predictions(
            rows=rows,
            labels=np.asarray(labels),
            probabilities=None if chances is None else np.asarray(chances, dtype=np.float64),
            **{"outputs": CLASSES, "task": "binary", **given},
        )

    def test_finite_valid_predictions_of_each_row_pass(self) -> None:
        judged = self.judge(["no", "yes", "no"], [[0.9, 0.1], [0.2, 0.8], [1, 0]])

        assert outcome(judged) == (Verdict.PASS, ModelReason.PREDICTIONS_VALID)
        assert judged.figures == {"rows": 3, "least": 0.0, "greatest": 0.8}

    @pytest.mark.parametrize(
        ("labels", "chances"),
        [
            (["no", "yes"], [[0.9, 0.1], [0.2, 0.8]]),
            (["no", "yes", "no"], [[0.9, 0.1], [0.2, 0.8]]),
            (["no", "yes", "no"], [[0.9], [0.2], [0.1]]),
            (["no", "yes", "no"], None),
            (["no", "yes", "maybe"], [[0.9, 0.1], [0.2, 0.8], [1, 0]]),
            (["no", "yes", "no"], [[0.9, 0.1], [0.2, 0.8], [nan, nan]]),
            (["no", "yes", "no"], [[0.9, 0.1], [0.2, 0.8], [inf, 0]]),
            (["no", "yes", "no"], [[0.9, 0.1], [0.2, 0.8], [1.5, -0.5]]),
            (["no", "yes", "no"], [[0.9, 0.1], [0.2, 0.8], [0.5, 0.4]]),
        ],
    )
    def test_a_row_without_a_valid_one_fails(self, labels: Any, chances: Any) -> None:
        judged = self.judge(labels, chances)

        assert outcome(judged) == (Verdict.FAIL, ModelReason.PREDICTIONS_INVALID)

    def test_the_first_of_the_invalid_rows_are_named_with_what_they_have(self) -> None:
        chances = [[0.9, 0.1]] + [[nan, 0.5]] * 20
        judged = self.judge(["no"] * 20 + ["maybe"], chances, rows=21)

        assert [finding.row for finding in judged.findings] == [*range(1, MOST_FINDINGS + 1)]
        assert "[nan, 0.5]" in judged.findings[0].message
        assert judged.figures == {"rows": 21, "invalid": 20}

    @pytest.mark.parametrize("values", [[1.0, nan, 2.0], [1.0, inf, 2.0], [1.0, None, 2.0]])
    def test_a_number_that_is_not_finite_fails_a_regression(self, values: Any) -> None:
        judged = self.judge(values, outputs=Outputs(), task="regression")

        assert outcome(judged) == (Verdict.FAIL, ModelReason.PREDICTIONS_INVALID)
        assert [finding.row for finding in judged.findings] == [1]

    @pytest.mark.parametrize(
        ("labels", "chances", "given"),
        [
            (["no"] * 3, [[0.7, 0.3]] * 3, {}),
            (["yes"] * 3, None, {"outputs": Outputs(classes=("no", "yes"))}),
            ([2.5] * 3, None, {"outputs": Outputs(), "task": "regression"}),
            (
                ["a"] * 3,
                [[0.6, 0.3, 0.1]] * 3,
                {"outputs": Outputs(classes=("a", "b", "c"), probabilities=True)},
            ),
        ],
    )
    def test_the_same_answer_for_every_row_fails(
        self, labels: Any, chances: Any, given: Any
    ) -> None:
        judged = self.judge(labels, chances, **given)

        assert outcome(judged) == (Verdict.FAIL, ModelReason.PREDICTIONS_CONSTANT)
        assert "the same for every row" in judged.reason.message

    def test_one_label_from_scores_that_differ_is_no_constant(self) -> None:
        judged = self.judge(["no"] * 3, [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])

        assert judged.verdict is Verdict.PASS

    def test_a_regression_of_tiny_numbers_is_no_constant_for_that(self) -> None:
        judged = self.judge([1e-15, 2e-15, 3e-15], outputs=Outputs(), task="regression")

        assert judged.verdict is Verdict.PASS

    def test_no_rows_pass_nothing(self) -> None:
        judged = self.judge([], np.empty((0, 2)), rows=0)

        assert outcome(judged) == (Verdict.INCONCLUSIVE, ModelReason.NO_ROWS)


class TestBehaviour:
    @pytest.mark.parametrize(
        ("spec", "after", "held"),
        [
            (a_behaviour(), [0.2, 0.1, 0.0], 1),
            (a_behaviour(expect="decrease"), [0.2, 0.1, 0.0], 1),
            (a_behaviour(expect="same"), [0.2, 0.1, 0.0], 1),
            (a_behaviour(expect="same", tolerance=0.1), [0.2, 0.1, 0.0], 3),
            (a_behaviour(expect="same", tolerance=0.05), [0.2, 0.1, 0.05], 2),
        ],
    )
    def test_rows_answer_strictly_or_within_the_tolerance(
        self, spec: BehaviourSpec, after: list[float], held: int
    ) -> None:
        judged = judge_behaviour(spec, against=np.full(3, 0.1), given=np.array(after))

        assert judged.figures["held"] == held
        assert judged.verdict is (Verdict.PASS if held == 3 else Verdict.FAIL)

    @pytest.mark.parametrize(("at_least", "verdict"), [(0.9, Verdict.PASS), (0.91, Verdict.FAIL)])
    def test_it_must_hold_for_at_least_the_share_of_rows(
        self, at_least: float, verdict: Verdict
    ) -> None:
        after = np.array([0.2] * 9 + [0.0])

        judged = judge_behaviour(
            a_behaviour(at_least=at_least), against=np.full(10, 0.1), given=after
        )

        assert judged.verdict is verdict
        assert "in 9 of 10 rows (90.0%)" in judged.reason.message

    def test_the_first_offending_rows_are_named_with_both_values(self) -> None:
        judged = judge_behaviour(
            a_behaviour(), against=np.full(50, 0.5), given=np.array([0.7] + [0.25] * 49)
        )

        assert outcome(judged) == (Verdict.FAIL, ModelReason.BEHAVIOUR_BROKEN)
        assert [finding.row for finding in judged.findings] == [*range(1, MOST_FINDINGS + 1)]
        assert judged.findings[0].message == "n = 1: 0.5000; n = 2: 0.2500"

    def test_what_is_odd_about_the_values_is_said_though_it_passes(self) -> None:
        judged = judge_behaviour(
            a_behaviour(), against=np.zeros(2), given=np.ones(2), notes=["n is never 2"]
        )

        assert judged.verdict is Verdict.PASS
        assert judged.reason.message.endswith("; n is never 2")
        assert [finding.message for finding in judged.findings] == ["n is never 2"]

    def test_columns_without_a_value_make_it_not_applicable_and_never_passed(self) -> None:
        assert outcome(judge_not_applicable(["n"])) == (Verdict.PASS, ModelReason.NOT_APPLICABLE)

    def test_no_rows_pass_nothing(self) -> None:
        judged = judge_behaviour(a_behaviour(), against=np.empty(0), given=np.empty(0))

        assert outcome(judged) == (Verdict.INCONCLUSIVE, ModelReason.NO_ROWS)


class TestHoldout:
    @pytest.mark.parametrize(
        ("labels", "subjects", "has_key", "expected"),
        [
            ({"0": 4, "1": 5}, 9, False, (Verdict.PASS, ModelReason.HOLDOUT_SOUND)),
            ({"0": 4, "1": 5}, 5, True, (Verdict.PASS, ModelReason.HOLDOUT_SOUND)),
            ({"0": 4, "1": 5}, 5, False, (Verdict.PASS, ModelReason.ROWS_REPEAT)),
            ({"0": 9}, 9, True, (Verdict.INCONCLUSIVE, ModelReason.ONE_LABEL)),
            ({}, 0, True, (Verdict.INCONCLUSIVE, ModelReason.NO_ROWS)),
        ],
    )
    def test_it_says_what_it_can_tell_at_all(
        self,
        labels: dict[str, int],
        subjects: int,
        has_key: bool,
        expected: tuple[Verdict, str],
    ) -> None:
        judged = judge_holdout(
            rows=sum(labels.values()), labels=labels, subjects=subjects, has_key=has_key
        )

        assert outcome(judged) == expected


@pytest.mark.parametrize(
    ("type_", "value", "fits"),
    [
        (FieldType.BOOLEAN, True, True),
        (FieldType.BOOLEAN, "yes", False),
        (FieldType.INTEGER, 3, True),
        (FieldType.INTEGER, 3.0, True),
        (FieldType.INTEGER, 3.5, False),
        (FieldType.INTEGER, "3", False),
        (FieldType.NUMBER, 3.5, True),
        (FieldType.NUMBER, nan, False),
        (FieldType.NUMBER, "3.5", False),
        (FieldType.STRING, "3", True),
        (FieldType.STRING, 3, True),
        (FieldType.STRING, True, False),
        (FieldType.DATE, "2024-02-29", True),
        (FieldType.DATE, "soon", False),
        (FieldType.TIMESTAMP, "2024-02-29T10:00:00", True),
        (FieldType.TIMESTAMP, 5, False),
        (FieldType.INTEGER, None, False),
    ],
)
def test_a_value_fits_a_column_of_the_training_data_or_not(
    type_: FieldType, value: Json, fits: bool
) -> None:
    assert (misfit(Field(name="n", type=type_, nullable=False), value) is None) == fits


def test_a_missing_value_fits_where_the_training_data_missed_some() -> None:
    assert misfit(Field(name="n", type=FieldType.NUMBER, nullable=True), None) is None


def test_a_category_that_was_never_seen_is_told_with_the_nearest() -> None:
    field = Field(
        name="plan", type=FieldType.STRING, nullable=False, categories=("monthly", "annual")
    )

    assert misfit(field, "annual") is None
    assert misfit(field, "anual") == (
        "it is none of the column's categories; did you mean 'annual'?"
    )
