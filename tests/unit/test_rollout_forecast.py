"""What a plan means at a rate of traffic."""

from dataclasses import fields

import numpy as np
import pytest
from tests.rollouts import a_plan

from triune.domain.analysis import (
    Moment,
    RolloutEvidence,
    analyse,
    requests_to_advance,
)
from triune.domain.rollout.forecast import (
    Fate,
    draw,
    first_shown,
    first_sufficient,
    forecast_fate,
    forecast_steps,
)
from triune.domain.rollout.plan import Pace, Plan, Strategy
from triune.domain.rules import AnalysisRules
from triune.domain.verdict import Verdict
from triune.stats.sequential.rollback import Trials

RULES = AnalysisRules()


def fate(
    plan: Plan,
    *,
    failure_rate: float,
    requests_per_s: float = 2.0,
    rules: AnalysisRules = RULES,
    seed: int = 1,
) -> Fate:
    return forecast_fate(
        plan,
        rules,
        failure_rate=failure_rate,
        requests_per_s=requests_per_s,
        rng=np.random.default_rng(seed),
    )


def test_a_step_takes_what_the_analysis_takes_and_its_minimum() -> None:
    plan = a_plan(min_seconds=0, bake_seconds=0)

    first, second, last = forecast_steps(plan, RULES, requests_per_s=2.0)

    assert [first.candidate_pct, second.candidate_pct, last.candidate_pct] == [5, 25, 95]
    assert first.requests == requests_to_advance(RULES, step=0, weight=0.05)
    assert second.requests == requests_to_advance(RULES, step=1, weight=0.25)
    assert first.requests is not None
    assert first.hours == pytest.approx(first.requests / 2 / 3600)


def test_the_minimum_of_a_step_and_the_bake_of_the_last_count_where_traffic_is_dense() -> None:
    plan = a_plan(min_seconds=360, bake_seconds=720, min_requests=1_000_000)

    steps = forecast_steps(plan, RULES, requests_per_s=1e6)

    assert [step.requests for step in steps] == [1_000_000] * 3
    assert [step.hours for step in steps] == [0.1, 0.1, 0.2]


def test_a_deadline_that_comes_too_soon_is_seen() -> None:
    plan = a_plan(deadline_seconds=3600)

    assert [step.is_too_slow for step in forecast_steps(plan, RULES, requests_per_s=0.7)] == [
        True,
        True,
        True,
    ]
    assert [step.is_too_slow for step in forecast_steps(plan, RULES, requests_per_s=2)] == [
        False,
        True,
        False,
    ]


def test_a_shadow_step_is_not_forecast_and_never_too_slow() -> None:
    shadow, _ = forecast_steps(a_plan(Strategy.SHADOW), RULES, requests_per_s=0.001)

    assert (shadow.is_shadow, shadow.requests, shadow.hours) == (True, None, None)
    assert not shadow.is_too_slow


def test_a_candidate_that_fails_in_half_is_caught_at_the_first_step_and_soon() -> None:
    found = fate(a_plan(), failure_rate=0.5)

    assert found.caught_by_step == (1, 1, 1)
    assert found.promoted == 0
    assert found.exposed is not None
    assert found.exposed < 15


def test_a_candidate_that_never_fails_is_promoted_wherever_there_is_the_traffic() -> None:
    dense, thin = (fate(a_plan(), failure_rate=0.0, requests_per_s=rate) for rate in (20.0, 0.01))

    assert (dense.promoted, dense.caught_by_step[-1], dense.exposed) == (1, 0, None)
    assert (thin.promoted, thin.caught_by_step[-1], thin.exposed) == (0, 0, None)


def test_what_speaks_against_a_candidate_is_carried_through_the_whole_step() -> None:
    # It takes 80,000 requests or so to see twice the champion's failures at this weight.
    plan = a_plan(min_requests=190_000, deadline_seconds=100_000)

    found = fate(plan, failure_rate=0.01)

    assert found.caught_by_step[0] > 0.8


def test_a_candidate_that_is_caught_before_it_may_go_on_does_not_go_on() -> None:
    # Three times the champion's failures: seen after some hundred requests, and safe enough for a
    # first step, as less than five times.
    plan = a_plan(Strategy.ROLLING, min_requests=1_400, min_seconds=0)

    found = fate(plan, failure_rate=0.15, rules=AnalysisRules(error_budget=0.05))

    assert found.caught_by_step[0] > 0.8


def test_the_same_seed_foretells_the_same() -> None:
    assert fate(a_plan(), failure_rate=0.02) == fate(a_plan(), failure_rate=0.02)
    assert fate(a_plan(), failure_rate=0.02) != fate(a_plan(), failure_rate=0.02, seed=2)


def test_what_is_caught_grows_from_step_to_step_and_with_the_traffic() -> None:
    thin, dense = (fate(a_plan(), failure_rate=0.01, requests_per_s=rate) for rate in (2.0, 20.0))

    assert thin.caught_by_step == tuple(sorted(thin.caught_by_step))
    assert thin.caught_by_step[-1] < 0.5 < dense.caught_by_step[-1]


@pytest.mark.parametrize("candidate", [0.005, 0.02, 0.2])
def test_the_forecast_decides_at_the_request_at_which_the_analysis_does(candidate: float) -> None:
    trials = draw(
        np.random.default_rng(5), 20_000, weight=0.25, champion=0.005, candidate=candidate
    )
    start = RolloutEvidence.new(RULES)
    bad = first_sufficient(start.rollback, trials, alpha=RULES.alpha)
    good = first_shown(start.safety, trials)

    decided = min(at for at in (bad, good) if at is not None)

    expected = Verdict.FAIL if decided == bad else Verdict.PASS
    assert verdict_after(trials, decided) is Verdict.INCONCLUSIVE
    assert verdict_after(trials, decided + 1) is expected


def verdict_after(trials: Trials, count: int) -> Verdict:
    """Analyse the first of some requests as the controller does."""
    columns = {each.name: getattr(trials, each.name)[..., :count] for each in fields(trials)}
    seen = Trials(**columns)
    start = RolloutEvidence.new(RULES)
    evidence = RolloutEvidence(
        rollback=start.rollback.after(seen),
        step=0,
        safety=start.safety.after(seen.on_candidate, seen.failed, seen.rho),
        requests=count,
        last_assigned_at_s=0.0,
    )
    step = Plan.of(Strategy.CANARY, pace=Pace(min_seconds=0, min_requests=0)).rules_at(0)
    moment = Moment(now_s=1.0, step_began_at_s=0.0, telemetry_at_s=1.0)
    return analyse(evidence, rules=RULES, step=step, moment=moment).verdict


def test_safety_that_was_shown_too_early_counts_when_the_least_are_in() -> None:
    trials = draw(np.random.default_rng(5), 20_000, weight=0.25, champion=0.0, candidate=0.0)
    safety = RolloutEvidence.new(RULES).safety
    shown = first_shown(safety, trials)

    assert shown is not None
    assert shown < 5_000
    assert first_shown(safety, trials, least=5_000) == 4_999
    assert first_shown(safety, trials, least=30_000) is None
