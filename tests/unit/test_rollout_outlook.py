"""What a step still needs, in requests and in time."""

from dataclasses import replace

import pytest
from tests.rollouts import a_plan, a_running_rollout, an_analysis

from triune.domain.rollout.plan import Pace
from triune.domain.verdict import Verdict
from triune.operations.outlook import outlook_of

PACE = Pace(min_seconds=60, min_requests=500, deadline_seconds=3600, bake_seconds=600)


def an_outlook(
    *, needed: int | None, requests: int, lasted_s: float, step: int = 0
) -> tuple[int | None, float | None]:
    plan = replace(a_plan(), pace=PACE)
    rollout = replace(a_running_rollout(step=step), plan=plan)
    analysis = an_analysis(Verdict.INCONCLUSIVE)
    analysis = replace(analysis, requests=requests, requests_needed=needed)
    outlook = outlook_of(rollout, analysis, lasted_s=lasted_s)
    assert outlook.deadline_s == 3600 - lasted_s
    return outlook.requests, outlook.seconds


def test_what_the_evidence_takes_is_told_at_the_rate_seen() -> None:
    assert an_outlook(needed=4000, requests=1000, lasted_s=30) == (4000, 120)


@pytest.mark.parametrize(("step", "least_s"), [(0, 60), (2, 600)])
def test_a_step_lasts_as_long_as_it_must_and_the_last_as_long_as_the_bake(
    step: int, least_s: float
) -> None:
    assert an_outlook(needed=0, requests=1000, lasted_s=20, step=step) == (0, least_s - 20)
    assert an_outlook(needed=10, requests=1000, lasted_s=20, step=step) == (10, least_s - 20)


def test_a_step_takes_its_least_requests() -> None:
    assert an_outlook(needed=0, requests=100, lasted_s=50) == (400, 200)


def test_nothing_is_foreseen_where_nobody_asks_or_no_number_would_do() -> None:
    assert an_outlook(needed=4000, requests=0, lasted_s=30) == (4000, None)
    assert an_outlook(needed=None, requests=100, lasted_s=30) == (None, None)
