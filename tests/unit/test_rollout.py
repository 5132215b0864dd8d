"""What a rollout does by itself."""

import json
from dataclasses import replace

import pytest
from tests.rollouts import (
    CANDIDATE,
    CHAMPION,
    NOON,
    a_plan,
    a_rollout,
    a_running_rollout,
    an_analysis,
    in_force,
    seen,
)

from triune.domain.analysis import AnalysisCode
from triune.domain.canonical import canonical_json
from triune.domain.rollout.plan import OnDeadline, Strategy
from triune.domain.rollout.progress import advance
from triune.domain.rollout.routing import Applied, Breaker, FencingToken, Routing
from triune.domain.rollout.state import Move, Rollout, RolloutCode, Status
from triune.domain.traffic import TrafficSplit
from triune.domain.verdict import Verdict

PASSING = an_analysis(Verdict.PASS)
FAILING = an_analysis(Verdict.FAIL)
UNSURE = an_analysis(Verdict.INCONCLUSIVE)
LATE = an_analysis(Verdict.INCONCLUSIVE, is_past_deadline=True)
LAST = 2


def a_breaker(rollout: str = "rollout-7") -> Breaker:
    return Breaker(rollout=rollout, requests=24, failures=20)


def is_same(move: Move, rollout: Rollout) -> bool:
    return not move.has_changed and move.rollout == rollout and not move.changes_champion


def test_a_rollout_opens_at_its_first_step_with_the_next_term_of_the_environment() -> None:
    rollout = a_rollout(latest=FencingToken(term=4, number=9))

    assert rollout.status is Status.RUNNING
    assert rollout.version == 1
    assert rollout.routing == Routing(
        token=FencingToken(term=5, number=0),
        rollout="rollout-7",
        champion=CHAMPION,
        candidate=CANDIDATE,
        split=TrafficSplit.giving(5),
        is_shadow=False,
    )
    assert rollout.serving == CHAMPION


def test_a_rollout_that_needs_approval_opens_without_traffic() -> None:
    rollout = a_rollout(plan=a_plan(required=1))

    assert rollout.status is Status.AWAITING_APPROVAL
    assert rollout.split == TrafficSplit.giving(0)
    assert rollout.routing.candidate is None


def test_nothing_but_people_moves_a_rollout_that_awaits_approval() -> None:
    rollout = a_rollout(plan=a_plan(required=1))

    for analysis in (PASSING, FAILING, LATE):
        move = advance(rollout, seen(rollout, analysis, breaker=a_breaker()), NOON + 1e6)

        assert is_same(move, rollout)
        assert move.verdict is Verdict.INCONCLUSIVE
        assert move.reason.code == RolloutCode.AWAITING_APPROVAL
        assert "0 of 1" in move.reason.message


def test_what_the_traffic_process_does_not_have_is_to_be_applied() -> None:
    rollout = a_rollout()

    move = advance(rollout, seen(rollout, PASSING, applied=None), NOON + 1e6)

    assert is_same(move, rollout)
    assert move.to_apply == rollout.routing
    assert move.reason.code == RolloutCode.NOT_APPLIED


def test_a_split_that_differs_under_the_same_token_is_applied_again() -> None:
    rollout = a_running_rollout(step=1)
    applied = Applied(token=rollout.token, split=TrafficSplit.giving(5))

    move = advance(rollout, seen(rollout, PASSING, applied=applied), NOON + 1e6)

    assert is_same(move, rollout)
    assert move.to_apply == rollout.routing
    assert move.reason.code == RolloutCode.NOT_APPLIED
    assert "has 5 %" in move.reason.message
    assert "25 %" in move.reason.message


def test_a_step_begins_when_its_split_is_in_force() -> None:
    rollout = a_rollout()

    move = advance(rollout, seen(rollout, PASSING), NOON + 90)

    assert move.reason.code == RolloutCode.STEP_BEGAN
    assert move.rollout == replace(
        rollout,
        version=2,
        is_step_in_force=True,
        step_began_at_s=NOON + 90,
        reason=move.reason,
    )
    assert move.to_apply is None


def test_a_passed_analysis_gives_the_candidate_the_next_step() -> None:
    rollout = a_running_rollout(step=0)

    move = advance(rollout, seen(rollout, PASSING), NOON + 500)

    assert move.verdict is Verdict.PASS
    assert move.reason == PASSING.reason
    assert (move.rollout.step, move.rollout.step_began_at_s) == (1, NOON + 500)
    assert not move.rollout.is_step_in_force
    assert move.rollout.version == rollout.version + 1
    assert move.split == TrafficSplit.giving(25)
    assert move.to_apply == move.rollout.routing
    assert move.rollout.token == rollout.token.next()
    assert not move.changes_champion


def test_an_unsure_analysis_keeps_the_split_and_says_why() -> None:
    rollout = a_running_rollout(step=1)

    move = advance(rollout, seen(rollout, UNSURE), NOON + 1e6)

    assert is_same(move, rollout)
    assert move.to_apply is None
    assert move.verdict is Verdict.INCONCLUSIVE
    assert move.reason == UNSURE.reason


def test_without_an_analysis_a_step_goes_on() -> None:
    rollout = a_running_rollout()

    move = advance(rollout, seen(rollout, None), NOON + 1e6)

    assert is_same(move, rollout)
    assert move.reason.code == RolloutCode.NOT_ANALYSED


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_a_failed_analysis_sends_all_traffic_back_to_the_champion(status: Status) -> None:
    rollout = a_running_rollout(step=1)
    rollout = replace(rollout, status=status, paused_at_s=NOON if status is Status.PAUSED else None)

    move = advance(rollout, seen(rollout, FAILING), NOON + 1)

    assert move.rollout.status is Status.ROLLED_BACK
    assert move.rollout.paused_at_s is None
    assert move.split == TrafficSplit(champion=100, candidate=0)
    assert move.to_apply == move.rollout.routing
    assert move.rollout.token == rollout.token.next()
    assert move.verdict is Verdict.FAIL
    assert move.reason == FAILING.reason
    assert move.rollout.serving == CHAMPION
    assert not move.changes_champion


def test_a_failed_analysis_counts_even_if_it_is_of_an_earlier_version() -> None:
    rollout = a_running_rollout(step=1, version=9)

    move = advance(rollout, seen(rollout, FAILING, version=3), NOON)

    assert move.rollout.status is Status.ROLLED_BACK


def test_a_failed_analysis_of_another_rollout_says_nothing() -> None:
    rollout = a_running_rollout()
    other = replace(seen(rollout, FAILING), rollout="rollout-6")

    move = advance(rollout, other, NOON)

    assert is_same(move, rollout)
    assert move.reason.code == RolloutCode.STALE


def test_a_passed_analysis_of_an_earlier_version_does_not_advance() -> None:
    rollout = a_running_rollout(step=1, version=9)

    move = advance(rollout, seen(rollout, PASSING, version=8), NOON + 1e6)

    assert is_same(move, rollout)
    assert move.reason.code == RolloutCode.STALE


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_the_local_breaker_is_recorded_as_a_rollback_of_its_own_reason(status: Status) -> None:
    rollout = replace(a_running_rollout(step=1), status=status)
    by_itself = Applied(token=rollout.token, split=TrafficSplit.giving(0))

    move = advance(
        rollout, seen(rollout, PASSING, applied=by_itself, breaker=a_breaker()), NOON + 1e6
    )

    assert move.rollout.status is Status.ROLLED_BACK
    assert move.verdict is Verdict.FAIL
    assert move.reason.code == RolloutCode.LOCAL_BREAKER
    assert "20 of 24" in move.reason.message
    assert move.to_apply == move.rollout.routing


def test_the_breaker_of_another_rollout_says_nothing() -> None:
    rollout = a_running_rollout(step=0)

    move = advance(rollout, seen(rollout, PASSING, breaker=a_breaker("rollout-6")), NOON + 500)

    assert move.rollout.step == 1


def test_a_paused_rollout_does_not_advance() -> None:
    rollout = a_running_rollout(step=1, paused_at_s=NOON)
    rollout = replace(rollout, status=Status.PAUSED)

    for analysis in (PASSING, LATE):
        move = advance(rollout, seen(rollout, analysis), NOON + 1e6)

        assert is_same(move, rollout)
        assert move.split == TrafficSplit.giving(25)
        assert move.reason.code == RolloutCode.PAUSED


def test_a_paused_rollout_is_still_applied_after_a_crash() -> None:
    rollout = replace(a_running_rollout(step=1), status=Status.PAUSED)

    move = advance(rollout, seen(rollout, applied=None), NOON)

    assert move.to_apply == rollout.routing


@pytest.mark.parametrize("code", [AnalysisCode.DEADLINE, AnalysisCode.NO_TRAFFIC])
def test_a_deadline_rolls_back_where_that_is_asked_whatever_the_analysis_gives_as_its_reason(
    code: str,
) -> None:
    rollout = a_running_rollout(plan=a_plan(on_deadline=OnDeadline.ROLL_BACK))
    late = an_analysis(Verdict.INCONCLUSIVE, is_past_deadline=True, code=code)

    move = advance(rollout, seen(rollout, late), NOON + 7200)

    assert move.rollout.status is Status.ROLLED_BACK
    assert move.verdict is Verdict.INCONCLUSIVE
    assert move.reason.code == RolloutCode.DEADLINE
    assert "7,200 s" in move.reason.message
    assert late.reason.message in move.reason.message


def test_a_deadline_also_rolls_back_what_was_never_applied() -> None:
    rollout = a_rollout(plan=a_plan(on_deadline=OnDeadline.ROLL_BACK))

    move = advance(rollout, seen(rollout, LATE, applied=None), NOON + 7200)

    assert move.rollout.status is Status.ROLLED_BACK


def test_a_deadline_holds_where_that_is_asked() -> None:
    rollout = a_running_rollout(plan=a_plan(on_deadline=OnDeadline.HOLD))

    move = advance(rollout, seen(rollout, LATE), NOON + 7200)

    assert is_same(move, rollout)
    assert move.reason == LATE.reason


def test_a_deadline_that_was_seen_before_a_pause_does_not_roll_back_after_it() -> None:
    rollout = a_running_rollout(plan=a_plan(on_deadline=OnDeadline.ROLL_BACK), version=4)

    move = advance(rollout, seen(rollout, LATE, version=2), NOON + 7200)

    assert is_same(move, rollout)
    assert move.reason.code == RolloutCode.STALE


def test_evidence_that_comes_late_still_advances() -> None:
    rollout = a_running_rollout(plan=a_plan(on_deadline=OnDeadline.ROLL_BACK))
    passed = an_analysis(Verdict.PASS, is_past_deadline=True)

    move = advance(rollout, seen(rollout, passed), NOON + 7200)

    assert move.rollout.step == 1


def test_the_last_step_leaves_the_champion_its_holdback() -> None:
    rollout = a_running_rollout(step=LAST)

    assert rollout.split == TrafficSplit(champion=5, candidate=95)
    assert rollout.step_rules.weight == 0.95


def test_the_last_step_bakes_before_it_is_promoted() -> None:
    rollout = a_running_rollout(step=LAST)

    move = advance(rollout, seen(rollout, PASSING), NOON + 599)

    assert is_same(move, rollout)
    assert move.verdict is Verdict.INCONCLUSIVE
    assert move.reason.code == RolloutCode.BAKING
    assert "1 s more" in move.reason.message


def test_a_baked_last_step_is_promoted_and_takes_the_holdback() -> None:
    rollout = a_running_rollout(step=LAST)

    move = advance(rollout, seen(rollout, PASSING), NOON + 600)

    assert move.rollout.status is Status.PROMOTED
    assert move.verdict is Verdict.PASS
    assert move.split == TrafficSplit(champion=0, candidate=100)
    assert move.to_apply == move.rollout.routing
    assert move.rollout.token == rollout.token.next()
    assert move.rollout.serving == CANDIDATE
    assert move.changes_champion


def test_time_alone_does_not_promote() -> None:
    rollout = a_running_rollout(step=LAST)

    move = advance(rollout, seen(rollout, UNSURE), NOON + 1e9)

    assert is_same(move, rollout)


@pytest.mark.parametrize(
    "status", [Status.PROMOTED, Status.ROLLED_BACK, Status.REJECTED, Status.CANCELLED]
)
def test_an_ended_rollout_is_moved_by_nothing_that_is_seen_and_still_applied(
    status: Status,
) -> None:
    rollout = replace(a_running_rollout(step=LAST), status=status)

    for analysis in (PASSING, FAILING, LATE, None):
        move = advance(
            rollout, seen(rollout, analysis, applied=None, breaker=a_breaker()), NOON + 1e6
        )

        assert is_same(move, rollout)
        assert move.to_apply == rollout.routing
        assert (move.verdict, move.reason) == (rollout.verdict, rollout.reason)


@pytest.mark.parametrize("known_by", ["ledger", "traffic process"])
def test_a_rollout_that_was_followed_by_another_no_longer_moves_or_applies(known_by: str) -> None:
    rollout = a_running_rollout(step=LAST)
    newer = rollout.token.next_term()
    watched = (
        seen(rollout, PASSING, latest=newer)
        if known_by == "ledger"
        else seen(rollout, PASSING, applied=Applied(token=newer, split=rollout.split))
    )

    move = advance(rollout, watched, NOON + 1e6)

    assert is_same(move, rollout)
    assert move.to_apply is None
    assert move.reason.code == RolloutCode.FENCED_OFF


def test_a_followed_rollout_is_still_blamed_and_its_token_stays_behind() -> None:
    rollout = a_running_rollout(step=1)
    newer = rollout.token.next_term()

    move = advance(rollout, seen(rollout, FAILING, latest=newer), NOON)

    assert move.rollout.status is Status.ROLLED_BACK
    assert move.to_apply is None
    assert move.rollout.token < newer


def walk(rollout: Rollout) -> list[TrafficSplit]:
    """Advance on evidence alone, an hour a tick, and return the splits that were in force."""
    splits = [rollout.split]
    for tick in range(1, 40):
        move = advance(rollout, seen(rollout, PASSING), NOON + 3600 * tick)
        rollout = move.rollout
        if move.split != splits[-1]:
            splits.append(move.split)
    assert rollout.status is Status.PROMOTED
    return splits


@pytest.mark.parametrize(
    ("strategy", "shares"),
    [
        (Strategy.CANARY, [5, 25, 95, 100]),
        (Strategy.SHADOW, [0, 95, 100]),
        (Strategy.BLUE_GREEN, [95, 100]),
        (Strategy.ROLLING, [20, 40, 60, 80, 95, 100]),
        (Strategy.INSTANT, [100]),
    ],
)
def test_each_strategy_gives_the_candidate_its_shares_in_turn(
    strategy: Strategy, shares: list[float]
) -> None:
    rollout = a_rollout(plan=a_plan(strategy))

    assert walk(rollout) == [TrafficSplit.giving(share) for share in shares]


def test_a_shadow_step_sends_the_candidate_copies_and_no_client() -> None:
    rollout = a_rollout(plan=a_plan(Strategy.SHADOW))

    assert rollout.routing.is_shadow
    assert rollout.routing.candidate == CANDIDATE
    assert rollout.split == TrafficSplit.giving(0)


def test_after_the_shadow_step_the_candidate_gets_no_copies() -> None:
    rollout = a_running_rollout(plan=a_plan(Strategy.SHADOW))

    move = advance(rollout, seen(rollout, PASSING), NOON + 500)

    assert not move.rollout.routing.is_shadow
    assert move.rollout.token == rollout.token.next()


def test_a_shadow_step_waits_for_its_evidence() -> None:
    rollout = a_running_rollout(plan=a_plan(Strategy.SHADOW))

    assert is_same(advance(rollout, seen(rollout, UNSURE), NOON + 1e6), rollout)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_first_release_goes_to_all_traffic_with_nothing_compared(strategy: Strategy) -> None:
    rollout = a_rollout(champion=None, plan=a_plan(strategy))

    begun = advance(rollout, seen(rollout), NOON + 1).rollout
    move = advance(begun, seen(begun), NOON + 2)

    assert rollout.split == TrafficSplit.giving(100)
    assert move.rollout.status is Status.PROMOTED
    assert move.reason.code == RolloutCode.NOTHING_COMPARED
    assert move.changes_champion
    assert move.to_apply is None


def test_a_first_release_is_not_promoted_before_it_serves() -> None:
    rollout = a_rollout(champion=None)

    move = advance(rollout, seen(rollout, applied=None), NOON + 1e6)

    assert is_same(move, rollout)
    assert move.to_apply == rollout.routing


def test_a_first_release_still_needs_its_approvals() -> None:
    rollout = a_rollout(champion=None, plan=a_plan(required=2))

    assert rollout.status is Status.AWAITING_APPROVAL
    assert rollout.split == TrafficSplit.giving(0)


def test_a_first_release_that_fails_has_nothing_to_go_back_to() -> None:
    rollout = a_running_rollout(champion=None)

    move = advance(rollout, seen(rollout, FAILING), NOON + 1)

    assert is_same(move, rollout)
    assert move.verdict is Verdict.FAIL
    assert move.reason.code == RolloutCode.NO_CHAMPION


def test_a_deadline_is_nothing_to_a_step_that_needs_no_evidence() -> None:
    plan = a_plan(Strategy.INSTANT, on_deadline=OnDeadline.ROLL_BACK)
    rollout = a_running_rollout(plan=plan)

    move = advance(rollout, seen(rollout, LATE), NOON + 7200)

    assert move.rollout.status is Status.PROMOTED


def test_a_rollout_is_written_down_and_read_back_exactly() -> None:
    rollout = a_running_rollout(
        plan=a_plan(required=1), step_began_at_s=NOON + 0.1 + 0.2, paused_at_s=None
    )

    document = json.loads(canonical_json(rollout.to_json()))

    assert Rollout.from_json(document) == rollout


def test_a_crash_between_recording_and_applying_is_repaired_by_the_next_tick() -> None:
    before = a_running_rollout(step=0)
    recorded = advance(before, seen(before, PASSING), NOON + 500).rollout

    restored = Rollout.from_json(json.loads(json.dumps(recorded.to_json())))
    move = advance(restored, seen(restored, PASSING, applied=in_force(before)), NOON + 501)

    assert is_same(move, recorded)
    assert move.to_apply == recorded.routing
    assert move.to_apply.split == TrafficSplit.giving(25)
