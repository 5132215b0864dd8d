"""The values that the evidence must reproduce, and the identities that make it safe."""

from math import exp, isclose, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom

from triune.stats.errors import StatsError
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential import failure, outage
from triune.stats.sequential.ceiling import allowed_rate, ln_ceiling, ln_ceilings
from triune.stats.sequential.failure import RISK_RATIOS, FailureStream
from triune.stats.sequential.latency import LatencyStream, ServiceTimes
from triune.stats.sequential.mixture import Mixture
from triune.stats.sequential.rollback import RollbackEvidence, Stream, Trials
from triune.stats.sequential.safety import (
    Safety,
    ln_below_limit,
    ln_below_limits,
    trials_without_failure,
)

RHOS = st.floats(0.01, 0.99)
RATES = st.floats(0.0, 0.8)


def arms(candidate: int, total: int) -> BoolArray:
    return np.arange(total) < candidate


def constant(rho: float, count: int) -> FloatArray:
    return np.full(count, rho)


@pytest.mark.parametrize(
    ("candidate", "total", "rho", "multiplier", "ln_e"),
    [
        (5, 12, 0.05, 1.0, 5.8480836233),
        (5, 12, 0.05, 1.25, 4.9746290294),
        (20, 40, 0.25, 1.0, 4.1591065698),
        (20, 40, 0.25, 1.25, 2.2591798717),
        (0, 50, 0.05, 1.0, -2.9376481825),
        (0, 50, 0.05, 1.25, -3.2584056330),
    ],
)
def test_failures_of_one_start_have_the_evidence_that_was_published(
    candidate: int, total: int, rho: float, multiplier: float, ln_e: float
) -> None:
    one_start = Mixture.new(components=len(RISK_RATIOS))

    after = one_start.after(
        failure.ln_factors(
            arms(candidate, total),
            constant(rho, total),
            ratios=RISK_RATIOS,
            multiplier=multiplier,
        )
    )

    assert after.ln_e == pytest.approx(ln_e, abs=1e-10)


def test_failures_with_restarts_have_the_evidence_that_was_published() -> None:
    late = np.repeat([False, True], [30, 5])

    stream = FailureStream.new().after(late, constant(0.05, 35))

    assert stream.ln_e == pytest.approx(5.1729723406, abs=1e-10)
    assert (stream.on_candidate, stream.on_champion) == (5, 30)


def test_an_outage_of_one_start_has_the_evidence_that_was_published() -> None:
    first_two = arms(2, 40)

    factors = outage.ln_factors(first_two, first_two, constant(0.05, 40))

    after = Mixture.new(components=len(outage.RATES)).after(factors)
    assert after.ln_e == pytest.approx(6.9619940173, abs=1e-10)


@pytest.mark.parametrize(
    ("failures", "trials", "ln_e"), [(2, 2, 6.7456284295), (10, 100, 5.8612263196)]
)
def test_a_ceiling_has_the_evidence_that_was_published(
    failures: int, trials: int, ln_e: float
) -> None:
    assert ln_ceiling(failures, trials, allowed=0.02) == pytest.approx(ln_e, abs=1e-10)


def test_safety_has_the_evidence_that_was_published() -> None:
    one_of_thirty = arms(1, 30)

    safety = Safety.new(ratio=5, budget=0.005).after(
        one_of_thirty, np.ones(30, dtype=np.bool_), constant(0.05, 30)
    )

    assert safety.ln_relative == pytest.approx(3.6530231238, abs=1e-10)
    assert ln_below_limit(0, 224, limit=0.02) == pytest.approx(3.0106586098, abs=1e-10)
    assert safety.ln_e == pytest.approx(
        log((exp(safety.ln_relative) + exp(safety.ln_absolute)) / 2)
    )


@given(rho=RHOS, multiplier=st.floats(1.0, 3.0))
def test_a_failure_is_worth_one_on_average_where_the_null_is_just_true(
    rho: float, multiplier: float
) -> None:
    on_candidate = rho * multiplier / (1 - rho + rho * multiplier)

    champion, candidate = np.exp(
        failure.ln_factors(
            np.array([False, True]),
            constant(rho, 2),
            ratios=RISK_RATIOS,
            multiplier=multiplier,
        )
    ).T

    assert (1 - on_candidate) * champion + on_candidate * candidate == pytest.approx(1)


@given(rho=RHOS, multiplier=st.floats(1.0, 1.25), rate=RATES)
def test_a_request_is_worth_one_on_average_to_the_outage_stream_whatever_rate_both_share(
    rho: float, multiplier: float, rate: float
) -> None:
    on_candidate = np.array([False, False, True, True])
    failed = np.array([False, True, False, True])
    failing = np.array([rate, multiplier * rate])[on_candidate.astype(int)]
    chance = np.where(on_candidate, rho, 1 - rho) * np.where(failed, failing, 1 - failing)

    factors = np.exp(
        outage.ln_factors(on_candidate, failed, constant(rho, 4), multiplier=multiplier)
    )

    assert factors @ chance == pytest.approx(np.ones(2))


@pytest.mark.parametrize("trials", [0, 3, 200])
def test_a_ceiling_is_worth_one_on_average_at_the_rate_that_is_allowed(trials: int) -> None:
    failures = np.arange(trials + 1)
    ln_chances = binom.logpmf(failures, trials, 0.02)

    above = ln_ceilings(failures, np.full_like(failures, trials), allowed=0.02)
    below = ln_below_limits(failures, np.full_like(failures, trials), limit=0.02)

    assert np.exp(above + ln_chances).sum() == pytest.approx(1)
    assert np.exp(below + ln_chances).sum() == pytest.approx(1)


@pytest.mark.parametrize(("failures", "trials"), [(0, 5), (9, 300), (300, 20_000), (90, 1_000)])
def test_evidence_by_counts_is_the_mean_likelihood_ratio(failures: int, trials: int) -> None:
    def ratio(rate: float, bound: float) -> float:
        passed = trials - failures
        return exp(failures * log(rate / bound) + passed * log((1 - rate) / (1 - bound)))

    above = quad(lambda rate: ratio(rate, 0.02), 0.02, 1, points=[0.03, 0.1], limit=500)[0] / 0.98
    below = quad(lambda rate: ratio(rate, 0.05), 1e-300, 0.05, limit=500)[0] / 0.05

    assert isclose(ln_ceiling(failures, trials, allowed=0.02), log(above), rel_tol=1e-6)
    assert isclose(ln_below_limit(failures, trials, limit=0.05), log(below), rel_tol=1e-6)


def test_evidence_by_counts_is_right_where_the_beta_function_is_no_float() -> None:
    # The tail is about 1e-3700. Close to the bound the ratio falls off like exp(-slope * distance).
    slope = 995_000 / 0.98 - 5_000 / 0.02

    assert ln_ceiling(5_000, 1_000_000, allowed=0.02) == pytest.approx(-log(0.98 * slope), abs=1e-3)
    assert ln_below_limit(50_000, 1_000_000, limit=0.01) == pytest.approx(
        -log(0.01 * (50_000 / 0.01 - 950_000 / 0.99)), abs=1e-3
    )


@given(st.lists(st.booleans(), max_size=60), st.sampled_from([0.0, 1.0]))
def test_a_certain_arm_contributes_nothing_to_streams_that_compare(
    failed: list[bool], certain: float
) -> None:
    fates = np.array(failed, dtype=np.bool_)
    trials = some_trials(
        on_candidate=np.full(len(fates), certain == 1), failed=fates, rho=certain, slower=fates
    )
    before = RollbackEvidence.new(error_budget=0.005, has_p99=True)

    after = before.after(trials)

    assert after == before


def test_only_requests_without_a_champion_enter_the_ceilings() -> None:
    failed = arms(6, 6)
    before = RollbackEvidence.new(error_budget=0.005, has_p99=True)

    beside = before.after(some_trials(on_candidate=failed, failed=failed, rho=0.95))
    alone = before.after(some_trials(on_candidate=failed, failed=failed, rho=1.0, is_alone=True))

    assert beside.ceiling.trials == 0
    assert (alone.ceiling.failures, alone.ceiling.trials) == (6, 6)
    assert not sufficient(beside)[Stream.CEILING]
    assert sufficient(alone)[Stream.CEILING]


def test_each_stream_must_reach_what_its_weight_asks() -> None:
    evidence = RollbackEvidence.new(error_budget=0.005, has_p99=False)

    thresholds = {at.stream: exp(at.ln_threshold) for at in evidence.against(0.01)}
    halved = {
        at.stream: exp(at.ln_threshold)
        for at in RollbackEvidence.new(error_budget=0.005, has_p99=True).against(0.01)
    }

    assert thresholds == pytest.approx(
        {
            Stream.FAILURES: 250,
            Stream.OUTAGE: 1000 / 3,
            Stream.LATENCY: 500,
            Stream.CEILING: 1000,
        }
    )
    assert halved == pytest.approx(
        {
            Stream.FAILURES: 250,
            Stream.OUTAGE: 1000 / 3,
            Stream.LATENCY: 500,
            Stream.CEILING: 2000,
            Stream.P99_CEILING: 2000,
        }
    )
    assert sum(1 / (0.01 * each) for each in halved.values()) == pytest.approx(1)


def test_latency_is_the_mean_of_four_quantiles_with_room_for_a_quarter_more() -> None:
    slow = np.array([[True] * 12, [True] * 12, [False] * 12, [False] * 12])

    stream = LatencyStream.new().after(arms(5, 12), slow, constant(0.05, 12))

    two = FailureStream.new(multiplier=1.25).after(arms(5, 12), constant(0.05, 12))
    assert exp(stream.ln_e) == pytest.approx((2 * exp(two.ln_e) + 2) / 4)


def test_times_are_compared_within_a_class_of_batch_sizes() -> None:
    times = np.arange(4000) / 1000
    measured = ServiceTimes.measured(np.concatenate([times, times + 10]), np.repeat([1, 5], 4000))

    assert measured.slower_than(3.0, 1) == (True, False, False, False)
    assert measured.slower_than(4.5, 1) == (True, True, True, True)
    assert measured.slower_than(11.0, 4) == (False, False, False, False)
    assert measured.slower_than(15.3, 7) == (True, True, True, False)
    many = measured.slower(np.array([3.0, 15.3, 99.0]), np.array([1, 7, 2]))
    assert many.T.tolist() == [
        [True, False, False, False],
        [True, True, True, False],
        [False, False, False, False],
    ]


def test_a_little_more_than_the_champion_takes_is_no_slower() -> None:
    measured = ServiceTimes.measured(np.full(4000, 0.01), np.ones(4000, dtype=np.int64))

    assert measured.slower_than(0.0119, 1) == (False, False, False, False)
    assert measured.slower_than(0.0121, 1) == (True, True, True, True)


def test_a_quantile_that_too_few_requests_lie_beyond_counts_nothing_as_slow() -> None:
    measured = ServiceTimes.measured(np.linspace(1, 2, 70), np.full(70, 8))

    assert measured.slower_than(1000.0, 8) == (True, True, False, False)
    assert measured.slower_than(1000.0, 1) == (False, False, False, False)


def test_a_batch_of_no_requests_is_refused() -> None:
    with pytest.raises(StatsError, match="batch_size has a 0"):
        ServiceTimes.measured([0.1], [0])


@pytest.mark.parametrize(("on_candidate", "rho"), [(True, 0.0), (False, 1.0), (True, 1.5)])
def test_a_request_on_an_arm_without_probability_is_refused(on_candidate: bool, rho: float) -> None:
    with pytest.raises(StatsError, match="do not agree on the weight"):
        some_trials(on_candidate=np.array([on_candidate]), failed=np.array([True]), rho=rho)


def test_a_budget_that_is_no_limit_is_refused() -> None:
    with pytest.raises(StatsError, match="no limit"):
        Safety.new(ratio=5, budget=0.3)


def test_the_ceiling_is_two_percent_or_four_budgets() -> None:
    assert allowed_rate(0.001) == 0.02
    assert allowed_rate(0.02) == pytest.approx(0.08)


def test_a_candidate_that_never_fails_needs_as_many_trials_as_were_published() -> None:
    assert trials_without_failure(ratio=5, budget=0.005) / 0.05 == pytest.approx(4200, rel=0.02)
    assert trials_without_failure(ratio=2, budget=0.005) / 0.25 == pytest.approx(2100, rel=0.02)


def test_safety_is_shown_from_evidence_of_twenty_on() -> None:
    least = trials_without_failure(ratio=5, budget=0.005)

    def evidence(trials: int) -> Safety:
        return Safety.new(ratio=5, budget=0.005).after(
            arms(trials, trials), np.zeros(trials, dtype=np.bool_), constant(0.05, trials)
        )

    assert exp(evidence(least).ln_e) >= 20 > exp(evidence(least - 1).ln_e)
    assert evidence(least).is_shown
    assert not evidence(least - 1).is_shown


@pytest.mark.parametrize(
    ("ratio", "rho", "rate", "published"),
    [
        (5, 0.05, 0.005, 5300),
        (2, 0.25, 0.005, 8400),
        (5, 0.05, 0.0, 4200),
        (2, 0.25, 0.0, 2100),
    ],
)
def test_what_a_step_needs_is_estimated_within_a_sixth(
    ratio: float, rho: float, rate: float, published: int
) -> None:
    estimate = Safety.new(ratio=ratio, budget=0.005).requests_to_show(rho=rho, usual_rate=rate)

    assert estimate == pytest.approx(published, rel=1 / 6)


def test_no_number_of_requests_shows_a_candidate_safe_that_is_not() -> None:
    fails_in_a_tenth = np.arange(2000) % 10 == 0
    safety = Safety.new(ratio=5, budget=0.005).after(
        arms(1000, 2000), fails_in_a_tenth & arms(1000, 2000), constant(0.5, 2000)
    )

    assert safety.requests_to_show(rho=0.5, usual_rate=0.005) is None


def test_nothing_more_is_needed_once_safety_is_shown() -> None:
    safety = Safety.new(ratio=5, budget=0.005).after(
        arms(400, 8000), np.zeros(8000, dtype=np.bool_), constant(0.05, 8000)
    )

    assert safety.is_shown
    assert safety.requests_to_show(rho=0.05, usual_rate=0.005) == 0


def some_trials(
    *,
    on_candidate: BoolArray,
    failed: BoolArray,
    rho: float,
    slower: BoolArray | None = None,
    is_alone: bool = False,
) -> Trials:
    count = len(on_candidate)
    slow = np.zeros(count, dtype=np.bool_) if slower is None else slower
    return Trials(
        on_candidate=on_candidate,
        rho=constant(rho, count),
        is_first=np.ones(count, dtype=np.bool_),
        failed=failed,
        is_blamed=failed,
        slower=np.tile(slow, (4, 1)),
        is_alone=np.full(count, is_alone),
        is_late=np.zeros(count, dtype=np.bool_),
    )


def sufficient(evidence: RollbackEvidence) -> dict[Stream, bool]:
    return {at.stream: at.is_sufficient for at in evidence.against(0.01)}


def test_a_class_that_lacks_a_quantile_has_that_of_the_next_larger_one() -> None:
    none = (None, None, None, None)
    times = ServiceTimes(by_class=((0.1, None, None, None), none, (0.2, 0.3, 0.4, None), none))

    filled = times.filled()

    larger = (0.2, 0.3, 0.4, None)
    assert filled.by_class == ((0.1, 0.3, 0.4, None), larger, larger, none)
