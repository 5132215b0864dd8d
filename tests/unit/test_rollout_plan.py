"""What a plan may be."""

import pytest

from triune.domain.rollout.plan import Pace, Plan, Strategy
from triune.domain.traffic import TrafficSplit


def test_given_steps_take_the_place_of_the_usual_ones() -> None:
    plan = Plan.of(Strategy.CANARY, steps_pct=[1, 50, 100])

    assert [plan.split_at(step).candidate for step in range(3)] == [1, 50, 95]


def test_a_shadow_step_comes_before_given_steps() -> None:
    plan = Plan.of(Strategy.SHADOW, steps_pct=[10, 100])

    assert [step.candidate_pct for step in plan.steps] == [0, 10, 100]
    assert [step.is_shadow for step in plan.steps] == [True, False, False]


@pytest.mark.parametrize(
    "steps", [[5, 25], [25, 5, 100], [5, 5, 100], [0, 100], [-5, 100], [100, 120]]
)
def test_steps_that_do_not_rise_to_all_traffic_are_refused(steps: list[float]) -> None:
    with pytest.raises(ValueError, match=r"rise to 100|shows nothing"):
        Plan.of(Strategy.CANARY, steps_pct=steps)


@pytest.mark.parametrize("strategy", [Strategy.BLUE_GREEN, Strategy.INSTANT])
def test_a_strategy_without_steps_refuses_them(strategy: Strategy) -> None:
    with pytest.raises(ValueError, match="remove steps, or use canary"):
        Plan.of(strategy, steps_pct=[5, 100])


@pytest.mark.parametrize(
    ("minimum_s", "bake_s", "deadline_s"), [(7200, 0, 7200), (0, 9000, 7200), (300, 600, 500)]
)
def test_a_deadline_before_a_step_can_be_over_is_refused(
    minimum_s: float, bake_s: float, deadline_s: float
) -> None:
    with pytest.raises(ValueError, match="set deadline_seconds above"):
        Pace(min_seconds=minimum_s, bake_seconds=bake_s, deadline_seconds=deadline_s)


def test_the_analysis_is_asked_what_the_plan_says() -> None:
    plan = Plan.of(
        Strategy.CANARY, pace=Pace(min_seconds=60, min_requests=70, deadline_seconds=800)
    )

    rules = plan.rules_at(1)

    assert rules.weight == TrafficSplit.giving(25).weight
    assert (rules.min_seconds, rules.min_requests, rules.deadline_seconds) == (60, 70, 800)


@pytest.mark.parametrize("holdback", [0.0, 100.0, -1.0])
def test_a_holdback_that_holds_nothing_or_all_is_refused(holdback: float) -> None:
    steps = Plan.of(Strategy.CANARY).steps

    with pytest.raises(ValueError, match="holdback"):
        Plan(strategy=Strategy.CANARY, steps=steps, holdback_pct=holdback)
