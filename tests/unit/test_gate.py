"""What the gate decides from stored evidence."""

from dataclasses import replace

import pytest

from triune.domain.evidence import Layer
from triune.domain.gate import (
    CheckOutcome,
    Compared,
    GateEvidence,
    SliceCompared,
    SliceStatus,
    decide,
    judge_slices,
)
from triune.domain.rules import GateMode, GateRules
from triune.domain.verdict import Reason, Verdict

RULES = GateRules(metric="roc_auc", min_delta=0.005, margin=0.01)


def compared(*, delta: float, error: float = 0.001, rows: int = 20_000) -> Compared:
    return Compared(
        champion=0.82,
        candidate=0.82 + delta,
        delta=delta,
        lower=delta - 1.96 * error,
        upper=delta + 1.96 * error,
        alpha=0.025,
        standard_error=error,
        rows=rows,
        method="delong",
    )


def evidence(comparison: Compared | None = None, *slices: SliceCompared) -> GateEvidence:
    return GateEvidence(
        candidate="c" * 64,
        champion="b" * 64,
        holdout="d" * 64,
        checks=(),
        is_unchanged=False,
        looks_used=1,
        is_holdout_spent=False,
        compared=comparison,
        slices=slices,
    )


def a_slice(
    name: str = "enterprise",
    *,
    p_harm: float | None = 0.9,
    rows: int = 500,
    error: float = 0.005,
    required: bool = False,
) -> SliceCompared:
    return SliceCompared(
        name=name,
        rows=rows,
        min_rows=30,
        required=required,
        compared=None if p_harm is None else compared(delta=-0.001, error=error, rows=rows),
        p_harm=p_harm,
    )


def a_check(verdict: Verdict) -> CheckOutcome:
    return CheckOutcome(
        layer=Layer.DATA,
        name="train",
        verdict=verdict,
        reason=Reason(code="NULLS_FOUND", message="12 nulls"),
    )


@pytest.mark.parametrize(
    ("delta", "error", "verdict", "code"),
    [
        (0.008, 0.001, Verdict.PASS, "IMPROVED"),
        (0.005, 0.001, Verdict.PASS, "IMPROVED"),
        (0.004, 0.001, Verdict.INCONCLUSIVE, "IMPROVEMENT_UNSURE"),
        (0.008, 0.005, Verdict.INCONCLUSIVE, "IMPROVEMENT_UNSURE"),
        (0.001, 0.001, Verdict.FAIL, "BELOW_MIN_DELTA"),
        (-0.02, 0.001, Verdict.FAIL, "BELOW_MIN_DELTA"),
    ],
)
def test_an_improvement_must_reach_min_delta_and_be_surely_above_zero(
    delta: float, error: float, verdict: Verdict, code: str
) -> None:
    decision = decide(RULES, evidence(compared(delta=delta, error=error)))

    assert (decision.verdict, decision.reason.code) == (verdict, code)


def test_a_strict_delta_asks_the_lower_bound_to_exceed_it() -> None:
    strict = replace(RULES, strict_delta=True)

    assert decide(strict, evidence(compared(delta=0.006))).verdict is Verdict.INCONCLUSIVE
    assert decide(strict, evidence(compared(delta=0.008))).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("delta", "error", "verdict", "code"),
    [
        (0.0, 0.004, Verdict.PASS, "NON_INFERIOR"),
        (-0.005, 0.001, Verdict.PASS, "NON_INFERIOR"),
        (-0.008, 0.002, Verdict.INCONCLUSIVE, "NON_INFERIORITY_UNSURE"),
        (-0.02, 0.001, Verdict.FAIL, "INFERIOR"),
    ],
)
def test_non_inferiority_asks_only_that_it_is_not_worse_than_the_margin(
    delta: float, error: float, verdict: Verdict, code: str
) -> None:
    rules = replace(RULES, mode=GateMode.NON_INFERIOR)

    decision = decide(rules, evidence(compared(delta=delta, error=error)))

    assert (decision.verdict, decision.reason.code) == (verdict, code)


def test_the_first_release_says_that_nothing_was_compared() -> None:
    decision = decide(RULES, replace(evidence(), champion=None))

    assert decision.verdict is Verdict.PASS
    assert decision.reason.code == "FIRST_RELEASE"
    assert "nothing was compared" in decision.reason.message


def test_equal_predictions_pass_even_where_no_look_is_left() -> None:
    decision = decide(RULES, replace(evidence(), is_unchanged=True, is_holdout_spent=True))

    assert (decision.verdict, decision.reason.code) == (Verdict.PASS, "MODEL_UNCHANGED")


def test_a_spent_holdout_decides_nothing_more() -> None:
    decision = decide(RULES, replace(evidence(), is_holdout_spent=True, looks_used=32))

    assert (decision.verdict, decision.reason.code) == (Verdict.INCONCLUSIVE, "HOLDOUT_SPENT")
    assert "32 of 32" in decision.reason.message


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_a_check_that_did_not_pass_stops_the_best_of_models(verdict: Verdict) -> None:
    best = replace(evidence(compared(delta=0.1)), checks=(a_check(Verdict.PASS), a_check(verdict)))

    decision = decide(RULES, best)

    assert decision.verdict is verdict
    assert decision.reason.code == "NULLS_FOUND"
    assert decision.reason.message == "data: train: 12 nulls"


def test_a_harmed_slice_vetoes_an_improvement() -> None:
    decision = decide(RULES, evidence(compared(delta=0.02), a_slice(p_harm=0.001)))

    assert decision.verdict is Verdict.FAIL
    assert [each.code for each in decision.reasons] == ["SLICE_HARMED", "IMPROVED"]


def test_slices_are_adjusted_together() -> None:
    # One of six slices at p = .02 is what chance alone brings.
    slices = [a_slice(f"s{n}", p_harm=0.5) for n in range(5)]

    alone = judge_slices([a_slice("it", p_harm=0.02)], max_harm=0.02)
    among = judge_slices([*slices, a_slice("it", p_harm=0.02)], max_harm=0.02)

    assert alone[0].status is SliceStatus.HARMED
    assert among[-1].status is SliceStatus.PASS
    assert among[-1].p_adjusted == pytest.approx(0.12)


@pytest.mark.parametrize(
    "thin",
    [a_slice(rows=29), a_slice(p_harm=None), a_slice(error=0.05)],
    ids=["too few rows", "one class", "no power"],
)
def test_an_underpowered_slice_is_shown_and_vetoes_only_where_it_is_required(
    thin: SliceCompared,
) -> None:
    shown = decide(RULES, evidence(compared(delta=0.02), thin))
    required = decide(RULES, evidence(compared(delta=0.02), replace(thin, required=True)))

    assert shown.verdict is Verdict.PASS
    assert shown.slices[0].status is SliceStatus.UNDERPOWERED
    assert required.verdict is Verdict.INCONCLUSIVE
    assert required.reason.code == "SLICE_UNDERPOWERED"


def test_a_thin_slice_takes_no_part_in_the_adjustment() -> None:
    judged = judge_slices(
        [a_slice("thin", rows=10, p_harm=0.0001), a_slice("it", p_harm=0.04)], max_harm=0.02
    )

    assert judged[0].status is SliceStatus.UNDERPOWERED
    assert judged[1].p_adjusted == pytest.approx(0.04)


def test_an_unsure_decision_tells_the_rows_that_would_settle_it() -> None:
    decision = decide(RULES, evidence(compared(delta=0.008, error=0.005, rows=1_000)))

    # (z.975 + z.8) * .005, and a thousand times the square of that over the delta.
    assert decision.smallest_detectable == pytest.approx(0.014008, abs=1e-6)
    assert decision.rows_needed == 3_066


def test_a_delta_right_on_the_line_is_never_settled() -> None:
    exact = replace(compared(delta=0.0, error=0.005), delta=-RULES.margin)

    decision = decide(replace(RULES, mode=GateMode.NON_INFERIOR), evidence(exact))

    assert decision.rows_needed is None


def test_the_same_evidence_gives_the_same_decision() -> None:
    seen = evidence(compared(delta=0.006), a_slice(), a_slice("s2", p_harm=0.3))

    assert decide(RULES, seen) == decide(RULES, seen)
