"""What people do to a rollout."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.rollouts import (
    CANDIDATE,
    CHAMPION,
    NOON,
    a_command,
    a_plan,
    a_rollout,
    a_running_rollout,
    an_analysis,
    seen,
)

from triune.domain.rollout.approval import Approval, Identified, Person
from triune.domain.rollout.commands import (
    Command,
    abort,
    approve,
    pause,
    reject,
    resume,
    roll_back,
)
from triune.domain.rollout.plan import Approvals, OnDeadline, Plan, Strategy
from triune.domain.rollout.progress import advance
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.state import Move, Rollout, RolloutCode, Status
from triune.domain.traffic import TrafficSplit
from triune.domain.verdict import Verdict

LAST = 2
NEWER = FencingToken(term=2, number=0)
VERBS: dict[str, Callable[[Rollout, Command], Move]] = {
    "approve": lambda rollout, command: approve(rollout, command, release=CANDIDATE, now_s=NOON),
    "reject": reject,
    "pause": lambda rollout, command: pause(rollout, command, now_s=NOON),
    "resume": lambda rollout, command: resume(rollout, command, now_s=NOON),
    "abort": abort,
    "roll back": lambda rollout, command: roll_back(rollout, command, serving=rollout.id),
}
ALLOWED = {
    "approve": {Status.AWAITING_APPROVAL},
    "reject": {Status.AWAITING_APPROVAL},
    "pause": {Status.RUNNING},
    "resume": {Status.PAUSED},
    "abort": {Status.AWAITING_APPROVAL, Status.RUNNING, Status.PAUSED},
    "roll back": {Status.PROMOTED},
}


def a_waiting_rollout(
    *, required: int = 1, not_author: bool = False, authors: tuple[str, ...] = ()
) -> Rollout:
    approvals = Approvals(required=required, not_author=not_author)
    return a_rollout(plan=Plan.of(Strategy.CANARY, approvals=approvals), authors=authors)


def in_status(status: Status) -> Rollout:
    rollout = a_running_rollout(plan=a_plan(required=1), step=1, status=status)
    return replace(rollout, paused_at_s=NOON if status is Status.PAUSED else None)


def yes(rollout: Rollout, by: str = "ann@example.org", release: str = CANDIDATE) -> Move:
    return approve(rollout, a_command(rollout, by=by), release=release, now_s=NOON + 60)


def is_refused(move: Move, code: RolloutCode) -> bool:
    return (move.has_changed, move.verdict, move.reason.code, move.to_apply) == (
        False,
        Verdict.FAIL,
        code,
        None,
    )


def test_the_last_approval_of_the_quorum_begins_the_first_step() -> None:
    rollout = a_waiting_rollout()

    move = yes(rollout)

    assert move.has_changed
    assert move.verdict is Verdict.PASS
    assert move.reason.code == RolloutCode.APPROVED
    assert move.rollout.status is Status.RUNNING
    assert move.rollout.step_began_at_s == NOON + 60
    assert move.rollout.version == 2
    assert move.split == TrafficSplit.giving(5)
    assert move.to_apply == move.rollout.routing
    assert move.rollout.token == rollout.token.next()


def test_an_approval_records_who_and_how_they_were_identified() -> None:
    rollout = a_waiting_rollout()
    ann = Person(subject="ann@example.org", identified=Identified.UNAUTHENTICATED)

    move = approve(rollout, replace(a_command(rollout), by=ann), release=CANDIDATE, now_s=NOON + 60)

    assert move.rollout.approvals == (Approval(by=ann, release=CANDIDATE, at_s=NOON + 60),)
    assert "ann@example.org (unauthenticated)" in move.reason.message


def test_fewer_approvals_than_the_quorum_begin_nothing() -> None:
    rollout = a_waiting_rollout(required=2)

    first = yes(rollout)
    second = yes(first.rollout, by="bob@example.org")

    assert first.rollout.status is Status.AWAITING_APPROVAL
    assert first.to_apply is None
    assert first.rollout.token == rollout.token
    assert second.rollout.status is Status.RUNNING


@pytest.mark.parametrize("again", ["ann@example.org", "Ann@Example.org", " ann@example.org "])
def test_one_person_counts_once_however_the_address_is_written(again: str) -> None:
    first = yes(a_waiting_rollout(required=2)).rollout

    move = yes(first, by=again)

    assert not move.has_changed
    assert move.verdict is Verdict.PASS
    assert move.reason.code == RolloutCode.ALREADY_APPROVED
    assert move.rollout.status is Status.AWAITING_APPROVAL


def test_an_author_may_not_approve_where_others_are_asked_for() -> None:
    rollout = a_waiting_rollout(not_author=True, authors=("zoe@example.org", "Ann@example.org"))

    assert is_refused(yes(rollout), RolloutCode.BY_AUTHOR)
    assert yes(rollout, by="bob@example.org").rollout.status is Status.RUNNING


def test_an_author_may_approve_where_nobody_minds() -> None:
    rollout = a_waiting_rollout(not_author=False, authors=("ann@example.org",))

    assert yes(rollout).rollout.status is Status.RUNNING


def test_an_approval_of_another_release_is_refused() -> None:
    rollout = a_waiting_rollout()

    assert is_refused(yes(rollout, release="d" * 64), RolloutCode.OTHER_RELEASE)


def test_a_rejected_rollout_is_over_and_never_had_traffic() -> None:
    rollout = a_waiting_rollout(required=2)

    move = reject(rollout, a_command(rollout, because="too close to the holidays"))

    assert move.rollout.status is Status.REJECTED
    assert move.rollout.verdict is Verdict.FAIL
    assert move.reason.message == "rejected by ann@example.org: too close to the holidays"
    assert move.split == TrafficSplit.giving(0)
    assert move.to_apply is None


def test_a_pause_keeps_the_split() -> None:
    rollout = a_running_rollout(step=1)

    move = pause(rollout, a_command(rollout), now_s=NOON + 100)

    assert move.rollout.status is Status.PAUSED
    assert move.rollout.step == 1
    assert move.split == rollout.split
    assert move.rollout.token == rollout.token
    assert move.to_apply is None


def test_a_pause_counts_neither_for_the_step_nor_for_its_deadline() -> None:
    rollout = a_running_rollout(step=LAST)

    paused = pause(rollout, a_command(rollout), now_s=NOON + 100).rollout
    resumed = resume(paused, a_command(paused), now_s=NOON + 5000).rollout

    assert resumed.status is Status.RUNNING
    assert resumed.paused_at_s is None
    assert resumed.step_began_at_s == NOON + 4900
    passing = seen(resumed, an_analysis(Verdict.PASS))
    assert not advance(resumed, passing, NOON + 5499).has_changed
    assert advance(resumed, passing, NOON + 5500).rollout.status is Status.PROMOTED


def test_a_clock_that_was_set_back_during_a_pause_makes_no_step_older() -> None:
    rollout = a_running_rollout(step=LAST)

    paused = pause(rollout, a_command(rollout), now_s=NOON + 100).rollout
    resumed = resume(paused, a_command(paused), now_s=NOON - 5000).rollout

    assert resumed.step_began_at_s == NOON


def test_what_speaks_against_the_candidate_outlives_a_pause() -> None:
    rollout = a_running_rollout(step=1, version=5)

    paused = pause(rollout, a_command(rollout), now_s=NOON).rollout
    resumed = resume(paused, a_command(paused), now_s=NOON + 1).rollout
    move = advance(resumed, seen(resumed, an_analysis(Verdict.FAIL), version=5), NOON + 2)

    assert resumed.step == 1
    assert move.rollout.status is Status.ROLLED_BACK


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PAUSED])
def test_an_aborted_rollout_sends_all_traffic_to_the_champion(status: Status) -> None:
    rollout = in_status(status)

    move = abort(rollout, a_command(rollout))

    assert move.rollout.status is Status.CANCELLED
    assert move.rollout.verdict is Verdict.INCONCLUSIVE
    assert move.rollout.paused_at_s is None
    assert move.split == TrafficSplit(champion=100, candidate=0)
    assert move.to_apply == move.rollout.routing
    assert move.rollout.token == rollout.token.next()
    assert not move.changes_champion


def test_a_promoted_release_is_rolled_back_to_the_one_before_it_in_one_move() -> None:
    rollout = in_status(Status.PROMOTED)

    move = roll_back(rollout, a_command(rollout), serving=rollout.id)

    assert move.rollout.status is Status.ROLLED_BACK
    assert move.rollout.verdict is Verdict.FAIL
    assert move.changes_champion
    assert move.rollout.serving == CHAMPION
    assert move.to_apply == move.rollout.routing
    assert move.to_apply is not None
    assert move.to_apply.split == TrafficSplit(champion=100, candidate=0)


def test_rolling_back_takes_the_say_from_a_rollout_that_opened_since() -> None:
    rollout = in_status(Status.PROMOTED)
    since = a_rollout(latest=rollout.token)

    move = roll_back(rollout, a_command(rollout, latest=since.token), serving=rollout.id)
    theirs = advance(since, seen(since, an_analysis(Verdict.PASS), latest=move.rollout.token), NOON)

    assert move.rollout.token > since.token
    assert move.to_apply is not None
    assert theirs.reason.code == RolloutCode.FENCED_OFF
    assert theirs.to_apply is None


def test_only_the_rollout_that_put_the_champion_there_is_rolled_back() -> None:
    rollout = in_status(Status.PROMOTED)

    move = roll_back(rollout, a_command(rollout, latest=NEWER), serving="rollout-8")

    assert is_refused(move, RolloutCode.NOT_SERVING)
    assert "rollout-8" in move.reason.message


def test_a_first_release_is_not_rolled_back_to_nothing() -> None:
    rollout = a_running_rollout(champion=None, status=Status.PROMOTED)

    move = roll_back(rollout, a_command(rollout), serving=rollout.id)

    assert is_refused(move, RolloutCode.NO_CHAMPION)


@pytest.mark.parametrize("verb", list(VERBS))
@pytest.mark.parametrize("status", list(Status))
def test_a_command_does_what_its_status_allows_and_says_so_otherwise(
    verb: str, status: Status
) -> None:
    rollout = in_status(status)

    move = VERBS[verb](rollout, a_command(rollout))

    assert move.has_changed is (status in ALLOWED[verb])
    if not move.has_changed:
        assert move.rollout is rollout
        assert move.to_apply is None
        assert move.reason.code in {RolloutCode.ALREADY_SO, RolloutCode.NOT_POSSIBLE}
        assert status.value.replace("_", " ") in move.reason.message


@pytest.mark.parametrize("verb", list(VERBS))
def test_a_repeated_command_changes_nothing_and_is_no_refusal(verb: str) -> None:
    for status in ALLOWED[verb]:
        rollout = in_status(status)
        if verb == "approve":
            rollout = replace(rollout, plan=a_plan(required=2))
        command = a_command(rollout)
        done = VERBS[verb](rollout, command).rollout

        move = VERBS[verb](done, command)

        assert not move.has_changed
        assert move.rollout is done
        assert move.verdict is Verdict.PASS
        assert move.reason.code in {RolloutCode.ALREADY_SO, RolloutCode.ALREADY_APPROVED}


@pytest.mark.parametrize("verb", list(VERBS))
@pytest.mark.parametrize("version", [4, 6])
def test_a_command_on_another_version_changes_nothing_and_says_so(verb: str, version: int) -> None:
    for status in ALLOWED[verb]:
        rollout = replace(in_status(status), version=5)

        move = VERBS[verb](rollout, a_command(rollout, version=version))

        assert is_refused(move, RolloutCode.STALE)
        assert move.rollout is rollout
        assert "version 5" in move.reason.message
        assert f"version {version}" in move.reason.message


@pytest.mark.parametrize("verb", list(VERBS))
def test_a_command_on_an_older_token_changes_nothing_and_says_so(verb: str) -> None:
    older = FencingToken(term=1, number=2)
    for status in ALLOWED[verb]:
        rollout = replace(in_status(status), token=FencingToken(term=1, number=3))

        move = VERBS[verb](rollout, a_command(rollout, latest=older))

        assert is_refused(move, RolloutCode.STALE)
        assert "token 1.2" in move.reason.message


@pytest.mark.parametrize(
    ("verb", "status"), [("approve", Status.AWAITING_APPROVAL), ("resume", Status.PAUSED)]
)
def test_a_followed_rollout_does_not_go_forward(verb: str, status: Status) -> None:
    rollout = in_status(status)

    move = VERBS[verb](rollout, a_command(rollout, latest=NEWER))

    assert is_refused(move, RolloutCode.FENCED_OFF)


def test_a_followed_rollout_can_be_aborted_and_applies_nothing() -> None:
    rollout = in_status(Status.RUNNING)

    move = abort(rollout, a_command(rollout, latest=NEWER))

    assert move.rollout.status is Status.CANCELLED
    assert move.to_apply is None
    assert move.rollout.token < NEWER


def test_a_pause_and_a_resume_that_arrive_in_the_wrong_order_leave_it_paused() -> None:
    rollout = a_running_rollout(step=1)
    for_pause = a_command(rollout)
    for_resume = replace(for_pause, version=rollout.version + 1)

    early = resume(rollout, for_resume, now_s=NOON + 2)
    paused = pause(early.rollout, for_pause, now_s=NOON + 3)

    assert not early.has_changed
    assert paused.rollout.status is Status.PAUSED


def test_after_a_resume_the_deadline_is_as_far_as_it_was() -> None:
    plan = a_plan(on_deadline=OnDeadline.ROLL_BACK)
    rollout = a_running_rollout(plan=plan)

    paused = pause(rollout, a_command(rollout), now_s=NOON + 7000).rollout
    resumed = resume(paused, a_command(paused), now_s=NOON + 90_000).rollout

    assert NOON + 90_000 - resumed.step_began_at_s == 7000
