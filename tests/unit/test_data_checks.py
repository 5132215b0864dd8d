"""What a check of a dataset comes to, from what was read of it."""

import pytest

from triune.domain.data_checks import is_beyond_chance, judge_holdout, judge_suite
from triune.domain.expectations.outcome import Outcome, ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Expectation, Suite
from triune.domain.verdict import Verdict

NOT_NULL = Expectation(type="expect_column_values_to_not_be_null", kwargs={"column": "id"})


def an_outcome(*verdicts: Verdict, rows: int = 10) -> SuiteOutcome:
    outcomes = tuple(
        Outcome(
            expectation=NOT_NULL,
            verdict=verdict,
            problem="there is no such column" if verdict is Verdict.ERROR else None,
        )
        for verdict in verdicts
    )
    suite = Suite(name="visits", expectations=(NOT_NULL,) * len(verdicts))
    return SuiteOutcome(
        suite=suite, rows=rows, outcomes=outcomes, result_format=ResultFormat.SUMMARY
    )


@pytest.mark.parametrize(
    ("outcome", "verdict", "reason"),
    [
        (an_outcome(Verdict.PASS, Verdict.PASS), Verdict.PASS, "EXPECTATIONS_MET"),
        (an_outcome(Verdict.PASS, Verdict.FAIL), Verdict.FAIL, "EXPECTATIONS_BROKEN"),
        (an_outcome(Verdict.FAIL, Verdict.ERROR), Verdict.ERROR, "EXPECTATIONS_NOT_EVALUATED"),
        (an_outcome(), Verdict.ERROR, "SUITE_EMPTY"),
        (an_outcome(Verdict.PASS, rows=0), Verdict.FAIL, "NO_ROWS"),
    ],
)
def test_a_suite_is_judged_by_the_worst_of_its_expectations(
    outcome: SuiteOutcome, verdict: Verdict, reason: str
) -> None:
    judged = judge_suite(outcome, dataset="train", file=None)

    assert (judged.verdict, judged.reason.code) == (verdict, reason)
    assert "train" in judged.reason.message


def test_a_holdout_with_rows_of_the_training_data_fails_and_names_them() -> None:
    judged = judge_holdout(rows=10, shared=(3, 7), repeated=(), has_key=True)

    assert (judged.verdict, judged.reason.code) == (Verdict.FAIL, "HOLDOUT_IN_TRAINING")
    assert [finding.row for finding in judged.findings] == [3, 7]


@pytest.mark.parametrize(
    ("shared", "repeated_share", "expected"),
    [(0, 0.0, False), (1, 0.0, True), (98, 0.98, False), (60, 0.5, False), (70, 0.5, True)],
)
def test_without_keys_equal_rows_count_beyond_what_chance_makes_of_them(
    shared: int, repeated_share: float, expected: bool
) -> None:
    assert is_beyond_chance(shared, rows=100, repeated_share=repeated_share) is expected


def test_a_row_that_is_there_twice_fails_where_rows_have_keys() -> None:
    keyed = judge_holdout(rows=10, shared=(), repeated=(4,), has_key=True)
    keyless = judge_holdout(rows=10, shared=(), repeated=(4,), has_key=False)

    assert (keyed.verdict, keyed.reason.code) == (Verdict.FAIL, "HOLDOUT_REPEATED")
    assert keyless.verdict is Verdict.PASS
    assert keyless.figures["repeated"] == 1
