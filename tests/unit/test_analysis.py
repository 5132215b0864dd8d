import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triune.domain.analysis import (
    Analysis,
    AnalysisCode,
    Moment,
    RolloutEvidence,
    analyse,
    requests_to_advance,
)
from triune.domain.canonical import canonical_json
from triune.domain.outcomes import Outcome
from triune.domain.rules import AnalysisRules, StepRules
from triune.domain.traffic import Arm, Incident
from triune.domain.verdict import Verdict
from triune.stats.sequential.rollback import Stream

RULES = AnalysisRules(p99_s=0.2)
CANDIDATE, CHAMPION = Arm.CANDIDATE, Arm.CHAMPION
SLOW = (
    Incident.SLOWER_THAN_P50
    | Incident.SLOWER_THAN_P90
    | Incident.SLOWER_THAN_P95
    | Incident.SLOWER_THAN_P99
)


def an_outcome(
    number: int,
    arm: Arm = CHAMPION,
    *,
    failed: bool = False,
    incidents: Incident = Incident.NONE,
    is_first: bool = True,
    weight: float = 0.05,
    step: int = 0,
    is_late: bool = False,
) -> Outcome:
    return Outcome(
        number=number,
        step=step,
        arm=arm,
        rho=weight,
        is_first=is_first,
        failed=failed,
        incidents=incidents | (Incident.FAILED if failed else Incident.NONE),
        is_alone=weight >= 1,
        is_late=is_late,
        assigned_at_s=float(number),
    )


def traffic(
    candidate: int,
    champion: int,
    *,
    failing: Arm | None = None,
    after: int = 0,
    weight: float = 0.05,
    step: int = 0,
    is_first: bool = True,
) -> list[Outcome]:
    """Send so many requests to each arm, evenly mixed."""
    total = candidate + champion
    arms = [
        CANDIDATE if (place + 1) * candidate // total > place * candidate // total else CHAMPION
        for place in range(total)
    ]
    return [
        an_outcome(
            after + number,
            arm,
            failed=arm is failing,
            weight=weight,
            step=step,
            is_first=is_first,
        )
        for number, arm in enumerate(arms, start=1)
    ]


def known(outcomes: Iterable[Outcome], *, rules: AnalysisRules = RULES) -> RolloutEvidence:
    return RolloutEvidence.new(rules).after(outcomes)


def judged(
    evidence: RolloutEvidence,
    *,
    seconds: float = 400.0,
    step: StepRules | None = None,
    telemetry_age_s: float | None = 0.0,
    rules: AnalysisRules = RULES,
) -> Analysis:
    """Judge a step so many seconds after it began, which is as long after the last request."""
    began = evidence.last_assigned_at_s or 0.0
    now = began + seconds
    telemetry = None if telemetry_age_s is None else now - telemetry_age_s
    return analyse(
        replace(evidence, last_assigned_at_s=now),
        rules=rules,
        step=step or StepRules(weight=0.05),
        moment=Moment(now_s=now, step_began_at_s=began, telemetry_at_s=telemetry),
    )


def test_failures_that_gather_on_the_candidate_roll_back() -> None:
    failing = [an_outcome(number, CANDIDATE, failed=True, is_first=False) for number in (1, 2, 3)]

    analysis = judged(known(failing))

    assert (analysis.verdict, analysis.reason.code) == (
        Verdict.FAIL,
        AnalysisCode.CANDIDATE_FAILS_MORE,
    )
    assert "3 failures against 0" in analysis.reason.message
    assert "250.0 roll back" in analysis.reason.message


def test_a_total_outage_is_blamed_on_the_candidate_before_its_failures_add_up() -> None:
    analysis = judged(known(traffic(2, 38, failing=CANDIDATE)))

    assert (analysis.verdict, analysis.reason.code) == (
        Verdict.FAIL,
        AnalysisCode.CANDIDATE_IS_DOWN,
    )
    assert "2 of 2 requests against 0 of 38" in analysis.reason.message


def test_slowness_that_gathers_on_the_candidate_rolls_back() -> None:
    slow = [an_outcome(number, CANDIDATE, incidents=SLOW) for number in range(1, 6)]

    analysis = judged(known(slow))

    assert (analysis.verdict, analysis.reason.code) == (
        Verdict.FAIL,
        AnalysisCode.CANDIDATE_IS_SLOWER,
    )
    assert "5 requests over the champion's p50 against 0" in analysis.reason.message


def test_errors_without_a_champion_beside_roll_back_and_say_that_others_may_be_to_blame() -> None:
    alone = [an_outcome(number, CANDIDATE, failed=True, weight=1.0) for number in range(1, 4)]

    analysis = judged(known(alone))

    assert (analysis.verdict, analysis.reason.code) == (
        Verdict.FAIL,
        AnalysisCode.ERRORS_ABOVE_CEILING,
    )
    assert "no champion ran beside the candidate" in analysis.reason.message


def test_waits_above_the_objective_roll_back_where_there_is_one() -> None:
    late = [an_outcome(number, CANDIDATE, is_late=True, weight=1.0) for number in range(1, 6)]

    with_objective = judged(known(late))
    without = judged(known(late, rules=AnalysisRules()), rules=AnalysisRules())

    assert with_objective.reason.code == AnalysisCode.P99_ABOVE_CEILING
    assert without.verdict is Verdict.INCONCLUSIVE
    assert Stream.P99_CEILING not in {stream.stream for stream in without.streams}


def test_evidence_rolls_back_from_its_threshold_on_and_not_below() -> None:
    evidence = known([])
    failures = next(stream for stream in judged(evidence).streams if stream.weight == 0.4)

    def at_peak(ln_peak: float) -> Verdict:
        stream = replace(evidence.rollback.failures, ln_peak=ln_peak)
        return judged(
            replace(evidence, rollback=replace(evidence.rollback, failures=stream))
        ).verdict

    assert at_peak(failures.ln_threshold) is Verdict.FAIL
    assert at_peak(failures.ln_threshold - 1e-9) is Verdict.INCONCLUSIVE
    assert failures.ln_threshold == pytest.approx(5.521461, abs=1e-6)


def test_evidence_that_sufficed_once_still_rolls_back_after_good_requests() -> None:
    failing = [an_outcome(number, CANDIDATE, failed=True) for number in (1, 2, 3)]
    later = traffic(0, 2000, failing=CHAMPION, after=3)

    analysis = judged(known([*failing, *later]))

    assert analysis.verdict is Verdict.FAIL
    assert all(stream.ln_e < stream.ln_threshold for stream in analysis.streams)


def test_a_shared_outage_blames_nobody() -> None:
    arms = [CANDIDATE if number % 20 == 0 else CHAMPION for number in range(1, 401)]
    shared = [an_outcome(number, arm, failed=True) for number, arm in enumerate(arms, start=1)]

    analysis = judged(known(shared))

    assert analysis.verdict is Verdict.INCONCLUSIVE


def test_a_candidate_that_does_not_fail_advances_after_enough_requests() -> None:
    analysis = judged(known(traffic(220, 4000)))

    assert (analysis.verdict, analysis.reason.code) == (Verdict.PASS, AnalysisCode.SAFETY_SHOWN)
    assert "0 of 220 requests failed on the candidate" in analysis.reason.message
    assert analysis.requests_needed == 0


@pytest.mark.parametrize(
    ("seconds", "min_requests", "missing"),
    [(299.0, 500, "1 s and 0 requests"), (400.0, 5000, "0 s and 780 requests")],
)
def test_a_safe_candidate_stays_until_the_step_has_lasted(
    seconds: float, min_requests: int, missing: str
) -> None:
    step = StepRules(weight=0.05, min_requests=min_requests)

    analysis = judged(known(traffic(220, 4000)), seconds=seconds, step=step)

    assert (analysis.verdict, analysis.reason.code) == (Verdict.INCONCLUSIVE, AnalysisCode.CONTINUE)
    assert missing in analysis.reason.message


def test_too_few_requests_stay_and_say_how_many_are_needed() -> None:
    analysis = judged(known(traffic(50, 950)))

    assert (analysis.verdict, analysis.reason.code) == (Verdict.INCONCLUSIVE, AnalysisCode.CONTINUE)
    assert analysis.requests_needed is not None
    assert 3000 < analysis.requests_needed < 5000
    assert f"about {analysis.requests_needed:,} more requests" in analysis.reason.message


def test_a_deadline_says_how_many_more_requests_are_needed() -> None:
    analysis = judged(known(traffic(50, 950)), seconds=7200)

    assert (analysis.verdict, analysis.reason.code) == (Verdict.INCONCLUSIVE, AnalysisCode.DEADLINE)
    assert analysis.is_past_deadline
    assert f"about {analysis.requests_needed:,} more requests" in analysis.reason.message


def test_a_candidate_beyond_the_limit_is_told_that_more_requests_will_not_help() -> None:
    half_fail = [
        an_outcome(
            number, CANDIDATE if number % 2 else CHAMPION, failed=number % 4 == 1, weight=0.5
        )
        for number in range(1, 1001)
    ]
    never_rolled_back = AnalysisRules(alpha=1e-300)

    analysis = judged(known(half_fail), rules=never_rolled_back)

    assert analysis.requests_needed is None
    assert "at the rates seen no more requests will show it" in analysis.reason.message


@pytest.mark.parametrize("age_s", [None, 30.0])
def test_without_fresh_telemetry_nothing_advances(age_s: float | None) -> None:
    analysis = judged(known(traffic(220, 4000)), telemetry_age_s=age_s)

    assert (analysis.verdict, analysis.reason.code) == (
        Verdict.INCONCLUSIVE,
        AnalysisCode.NO_TELEMETRY,
    )


def test_evidence_against_the_candidate_rolls_back_without_telemetry_too() -> None:
    failing = [an_outcome(number, CANDIDATE, failed=True) for number in (1, 2, 3)]

    assert judged(known(failing), telemetry_age_s=None).verdict is Verdict.FAIL


def test_a_minute_without_a_request_is_no_traffic() -> None:
    evidence = known(traffic(5, 95))
    moment = Moment(now_s=160.0, step_began_at_s=0.0, telemetry_at_s=160.0)

    analysis = analyse(evidence, rules=RULES, step=StepRules(weight=0.05), moment=moment)

    assert analysis.reason.code == AnalysisCode.NO_TRAFFIC
    assert "no request for 60 s" in analysis.reason.message


def test_a_candidate_that_no_request_reaches_is_rolled_back_for_that_and_not_as_down() -> None:
    analysis = judged(known(traffic(0, 200)))

    assert analysis.reason.code == AnalysisCode.CANDIDATE_IS_PASSED_OVER
    assert "0, and 200 the champion" in analysis.reason.message
    assert analysis.verdict is Verdict.FAIL


def test_many_requests_of_few_units_are_too_few_units() -> None:
    firsts = traffic(10, 190)
    repeats = traffic(390, 7410, after=200, is_first=False)

    analysis = judged(known([*firsts, *repeats]), seconds=9000)

    assert analysis.reason.code == AnalysisCode.UNITS_TOO_FEW
    assert "400 requests on the candidate came from only 10 routing keys" in analysis.reason.message
    assert analysis.is_past_deadline


def test_a_step_begins_with_fresh_safety_and_keeps_what_speaks_against_the_candidate() -> None:
    before = known([an_outcome(1, CANDIDATE, failed=True), *traffic(220, 4000, after=1)])

    after = before.at_step(1, RULES)

    assert after.rollback == before.rollback
    assert after.safety.ln_e == 0
    assert after.safety.ratio == 2
    assert judged(after).verdict is Verdict.INCONCLUSIVE


def test_what_settles_late_from_an_earlier_step_speaks_against_but_not_for_the_candidate() -> None:
    begun = known([]).at_step(1, RULES)

    good = begun.after(traffic(500, 500, step=0))
    bad = begun.after([an_outcome(number, CANDIDATE, failed=True, step=0) for number in (1, 2, 3)])

    assert good.safety == begun.safety
    assert good.requests == 0
    assert judged(bad).verdict is Verdict.FAIL


def test_outcomes_that_were_taken_in_before_are_skipped() -> None:
    outcomes = traffic(3, 30, failing=CANDIDATE)
    evidence = known(outcomes)

    assert evidence.after(outcomes) == evidence
    assert evidence.after(traffic(3, 31, failing=CANDIDATE)).requests == 34


def test_what_is_no_evidence_is_refused() -> None:
    document = known([]).to_json()

    with pytest.raises(msgspec.ValidationError, match="safety"):
        RolloutEvidence.from_json({**document, "safety": 1})


def test_outcomes_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="request 1 comes after 2"):
        known([an_outcome(2), an_outcome(1)])


def test_outcomes_of_a_step_that_has_not_begun_are_refused() -> None:
    with pytest.raises(ValueError, match="of step 1, the evidence of step 0"):
        known([an_outcome(1, step=1)])


OUTCOMES = st.lists(
    st.builds(
        an_outcome,
        st.just(0),
        st.sampled_from([CANDIDATE, CHAMPION]),
        failed=st.booleans(),
        is_first=st.booleans(),
        weight=st.sampled_from([0.05, 0.25, 0.95]),
        is_late=st.booleans(),
        incidents=st.sampled_from([Incident.NONE, Incident.SLOWER_THAN_P50, SLOW]),
    ),
    max_size=60,
).map(lambda drawn: [replace(one, number=place + 1) for place, one in enumerate(drawn)])


@given(outcomes=OUTCOMES, cuts=st.lists(st.integers(0, 60), max_size=5).map(sorted))
@settings(max_examples=50)
def test_evidence_written_down_at_any_point_goes_on_to_the_same_verdict(
    outcomes: list[Outcome], cuts: list[int]
) -> None:
    straight = interrupted = RolloutEvidence.new(RULES)
    for begin, end in pairwise([0, *cuts, 60]):
        straight = straight.after(outcomes[begin:end])
        interrupted = interrupted.after(outcomes[begin:end])
        interrupted = RolloutEvidence.from_json(json.loads(canonical_json(interrupted.to_json())))

    assert interrupted == straight
    whole, parts = judged(known(outcomes)), judged(interrupted)
    assert (parts.verdict, parts.reason.code) == (whole.verdict, whole.reason.code)
    assert [stream.ln_peak for stream in parts.streams] == pytest.approx(
        [stream.ln_peak for stream in whole.streams], abs=1e-9
    )


@given(outcomes=OUTCOMES, repeats=st.lists(st.integers(0, 59), max_size=20))
def test_repeats_of_a_unit_neither_raise_nor_lower_the_blame(
    outcomes: list[Outcome], repeats: list[int]
) -> None:
    # A repeat fails or not, on the arm of its unit, which has been counted already.
    places = {place for place in repeats if place < len(outcomes)}
    with_repeats = []
    for place, outcome in enumerate(outcomes):
        with_repeats.append(outcome)
        if place in places:
            with_repeats.append(replace(outcome, is_first=False, incidents=Incident.NONE))
    renumbered = [replace(one, number=place) for place, one in enumerate(with_repeats, start=1)]

    without, repeated = known(outcomes), known(renumbered)

    assert repeated.rollback == without.rollback
    assert repeated.safety == without.safety


def test_evidence_stays_small_however_many_requests_there_were() -> None:
    few, many = known(traffic(5, 95)), known(traffic(1000, 19_000, failing=CHAMPION))

    assert len(canonical_json(many.to_json())) < 1.2 * len(canonical_json(few.to_json())) < 5000


def test_an_analysis_can_be_written_down() -> None:
    analysis = judged(known(traffic(220, 4000)))

    document = json.loads(canonical_json(analysis.to_json()))

    assert document["verdict"] == "PASS"
    assert document["reason"]["code"] == "SAFETY_SHOWN"
    assert [stream["stream"] for stream in document["streams"]] == list(Stream)


def test_what_a_step_takes_is_told_before_it_starts() -> None:
    first = requests_to_advance(RULES, step=0, weight=0.05)
    second = requests_to_advance(RULES, step=1, weight=0.25)
    never_failing = requests_to_advance(RULES, step=0, weight=0.05, usual_rate=0.0)

    assert first == pytest.approx(5300, rel=1 / 6)
    assert second == pytest.approx(8400, rel=1 / 6)
    assert never_failing == pytest.approx(4200, rel=0.02)
