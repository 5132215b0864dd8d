"""Promoting, approving and rolling back: what may serve where, and who said so."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.deliveries import (
    ALONE,
    APPROVED,
    AUTHOR,
    FOUR,
    ONE,
    STAGED,
    THREE,
    TWO,
    a_delivery,
    add_release,
    judged,
    prune,
    released,
    write_environments,
)
from tests.processes import wait_until
from tests.projects import git, triune, triune_json

from triune.bootstrap import open_project
from triune.domain.errors import (
    UnknownEnvironmentError,
    UnknownRolloutError,
    UsageError,
)
from triune.domain.events import EventKind
from triune.domain.projection import (
    EnvironmentRecord,
    GateRecord,
    ReleaseRecord,
    RolloutRecord,
)
from triune.domain.retention import retain
from triune.domain.rollout.approval import Identified, Person
from triune.domain.rollout.override import Override, OverrideKind
from triune.domain.rollout.state import RolloutCode
from triune.domain.verdict import Verdict
from triune.operations.approvals import abort, approve, find_rollout, reject
from triune.operations.audit import verify_ledger
from triune.operations.context import Context, record
from triune.operations.environments import Outcome, observe, restore
from triune.operations.forecasting import forecast
from triune.operations.promotion import promote
from triune.operations.rollback import roll_back

ADA = Person(subject="ada@example.org", identified=Identified.UNAUTHENTICATED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_delivery(tmp_path / "visits", releases=(ONE, TWO, THREE))


@pytest.fixture
def context(folder: Path) -> Iterator[Context]:
    with open_project(folder) as opened:
        yield opened
        verify_ledger(opened.ledger)


@pytest.fixture
def staged(tmp_path: Path) -> Iterator[Context]:
    with open_project(a_delivery(tmp_path / "staged", STAGED, releases=(ONE, TWO))) as opened:
        yield opened


@pytest.fixture
def approved(tmp_path: Path) -> Iterator[Context]:
    with open_project(a_delivery(tmp_path / "approved", APPROVED, releases=(ONE, TWO))) as opened:
        yield opened


def promoting(
    context: Context, release: str, *, to: str = "production", override: Override | None = None
) -> Outcome:
    return promote(context, released(context, release), to=to, override=override)


def going_back(context: Context, *, to: str | None = None) -> Outcome:
    release = released(context, to) if to else None
    return roll_back(context, environment="production", to=release)


def an_override(kind: OverrideKind) -> Override:
    return Override(kind=kind, because="login is down", by=ADA)


def codes(outcome: Outcome) -> list[str]:
    return [reason.code for reason in outcome.reasons]


def champion(context: Context, environment: str = "production") -> tuple[str | None, str | None]:
    found = context.ledger.find(EnvironmentRecord, environment)
    return (found.champion, found.previous) if found else (None, None)


def waiting(context: Context) -> RolloutRecord:
    (found,) = [each for each in context.ledger.all(RolloutRecord) if each.is_open]
    return found


def act_as(context: Context, email: str) -> None:
    git(context.root, "config", "user.email", email)


class TestPromote:
    def test_the_first_release_serves_all_at_once_and_the_next_knows_the_one_before(
        self, context: Context
    ) -> None:
        first, second = promoting(context, ONE), promoting(context, TWO)

        assert first.verdict is second.verdict is Verdict.PASS
        assert first.rollout
        assert second.rollout
        assert (first.rollout.champion, second.rollout.champion) == (None, ONE)
        assert champion(context) == (TWO, ONE)

    def test_each_move_is_an_event_of_its_environment_and_the_rollout_can_be_restored(
        self, context: Context
    ) -> None:
        outcome = promoting(context, ONE)

        kinds = [each.kind for each in context.ledger.events(aggregate="environment:production")]
        (found,) = context.ledger.all(RolloutRecord)
        assert kinds == [
            EventKind.ROLLOUT_OPENED,
            EventKind.ROLLOUT_MOVED,
            EventKind.ROLLOUT_MOVED,
            EventKind.CHAMPION_CHANGED,
            EventKind.ROLLOUT_CLOSED,
        ]
        assert restore(found) == outcome.rollout
        assert (found.status, found.is_open) == ("promoted", False)

    def test_what_serves_already_opens_nothing(self, context: Context) -> None:
        promoting(context, ONE)
        before = context.ledger.head()

        again = promoting(context, ONE)

        assert (again.verdict, codes(again)) == (Verdict.PASS, ["ALREADY_CHAMPION"])
        assert context.ledger.head() == before

    def test_the_first_release_needs_no_comparison_whatever_the_strategy(
        self, folder: Path
    ) -> None:
        write_environments(folder, ALONE.replace("instant", "canary"))
        with open_project(folder) as context:
            first = promoting(context, ONE)

            second = promoting(context, TWO)

            assert first.verdict is Verdict.PASS
            assert champion(context) == (ONE, None)
            assert second.verdict is Verdict.INCONCLUSIVE
            assert second.reasons[0].code == RolloutCode.NOT_APPLIED
            assert "start it with `triune up`" in second.reasons[0].message
            assert waiting(context).release == TWO

    def test_an_environment_that_nobody_knows_is_told_by_the_nearest(
        self, context: Context
    ) -> None:
        with pytest.raises(UnknownEnvironmentError, match="did you mean 'production'"):
            promoting(context, ONE, to="prodction")

    def test_a_project_without_environments_is_told_how_to_add_one(self, folder: Path) -> None:
        write_environments(folder, "")

        with (
            open_project(folder) as context,
            pytest.raises(UnknownEnvironmentError, match="`environments:`"),
        ):
            promoting(context, ONE)

    @pytest.mark.parametrize(
        ("verdict", "code", "yields_to"),
        [
            (None, "RELEASE_NOT_JUDGED", {OverrideKind.EMERGENCY}),
            ("FAIL", "RELEASE_FAILED", {OverrideKind.EMERGENCY}),
            ("ERROR", "RELEASE_FAILED", {OverrideKind.EMERGENCY}),
            ("INCONCLUSIVE", "RELEASE_INCONCLUSIVE", set(OverrideKind)),
        ],
    )
    def test_only_a_pass_is_promoted_unless_somebody_answers_for_it(
        self,
        context: Context,
        verdict: str | None,
        code: str,
        yields_to: set[OverrideKind],
    ) -> None:
        other = FOUR
        add_release(context, other, verdict=verdict)

        refused = promoting(context, other)
        by_kind = {
            kind: promoting(context, other, override=an_override(kind)) for kind in OverrideKind
        }

        assert (refused.verdict, codes(refused)) == (Verdict.FAIL, [code])
        assert refused.rollout is None
        assert {kind for kind, each in by_kind.items() if each.verdict is Verdict.PASS} == yields_to
        (found,) = context.ledger.all(RolloutRecord)
        first = next(each for each in by_kind.values() if each.rollout)
        assert first.rollout
        assert first.rollout.override
        assert first.rollout.override.overruled == (code,)
        assert found.override == str(first.rollout.override)
        assert "ada@example.org (unauthenticated): login is down" in found.override

    def test_an_override_that_nothing_asked_for_is_not_marked(self, context: Context) -> None:
        outcome = promoting(context, ONE, override=an_override(OverrideKind.EMERGENCY))

        assert outcome.rollout
        assert outcome.rollout.override is None

    def test_a_pruned_release_is_refused_even_in_an_emergency(self, context: Context) -> None:
        prune(context, ONE)

        outcome = promoting(context, ONE, override=an_override(OverrideKind.EMERGENCY))

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["RELEASE_PRUNED"])

    def test_a_release_whose_bytes_are_gone_is_refused_even_in_an_emergency(
        self, context: Context
    ) -> None:
        context.store.remove(ONE)

        outcome = promoting(context, ONE, override=an_override(OverrideKind.EMERGENCY))

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["RELEASE_DAMAGED"])
        assert f"triune release verify {ONE[:12]}" in outcome.reasons[0].message

    def test_an_environment_that_comes_after_another_takes_only_its_champion(
        self, staged: Context
    ) -> None:
        skipped = promoting(staged, ONE)
        promoting(staged, ONE, to="staging")
        promoting(staged, TWO, to="staging")
        replaced = promoting(staged, ONE)
        in_order = promoting(staged, TWO)

        assert codes(skipped) == codes(replaced) == ["NOT_SERVED_BEFORE"]
        assert "--to staging" in skipped.reasons[0].message
        assert in_order.verdict is Verdict.PASS

    def test_an_emergency_skips_the_order_and_the_champion_says_so(self, staged: Context) -> None:
        outcome = promoting(staged, ONE, override=an_override(OverrideKind.EMERGENCY))

        changed = [each.data for each in staged.ledger.events() if each.kind == "champion_changed"]
        assert outcome.verdict is Verdict.PASS
        (marked,) = [each["override"] for each in changed]
        assert marked.startswith("emergency by ada@example.org (unauthenticated): login is down")
        assert marked.endswith("(overruled: NOT_SERVED_BEFORE)")

    @pytest.mark.parametrize(
        ("compared_with", "expected"), [(ONE, ["NOTHING_COMPARED"]), (None, ["GATE_OUTDATED"])]
    )
    def test_what_the_gate_compared_with_another_champion_is_compared_anew(
        self, context: Context, compared_with: str | None, expected: list[str]
    ) -> None:
        promoting(context, ONE)
        decision = {
            "release": TWO,
            "champion": compared_with,
            "environment": "production",
            "evidence": "e" * 64,
            "verdict": "PASS",
            "reasons": [{"code": "BETTER", "message": ""}],
        }
        record(context, f"release:{TWO}", EventKind.GATE_DECIDED, decision)

        outcome = promoting(context, TWO)

        assert codes(outcome) == expected

    def test_all_that_speaks_against_it_is_told_at_once(self, staged: Context) -> None:
        add_release(staged, THREE, verdict="FAIL")

        outcome = promoting(staged, THREE)

        assert codes(outcome) == ["RELEASE_FAILED", "NOT_SERVED_BEFORE"]


class TestApproval:
    def test_it_waits_for_a_person_and_then_serves(self, approved: Context) -> None:
        opened = promoting(approved, ONE)
        before = champion(approved)

        outcome = approve(approved, waiting(approved))

        assert (opened.verdict, codes(opened)) == (Verdict.INCONCLUSIVE, ["AWAITING_APPROVAL"])
        assert opened.rollout
        assert f"`triune approve {opened.rollout.id}`" in opened.reasons[0].message
        assert before == (None, None)
        assert (outcome.verdict, champion(approved)) == (Verdict.PASS, (ONE, None))
        assert outcome.rollout
        assert [(each.by, each.release) for each in outcome.rollout.approvals] == [(ADA, ONE)]

    def test_an_open_rollout_lets_no_other_open_not_even_in_an_emergency(
        self, approved: Context
    ) -> None:
        promoting(approved, ONE)

        outcome = promoting(approved, TWO, override=an_override(OverrideKind.EMERGENCY))

        assert codes(outcome) == ["ROLLOUT_OPEN"]
        assert waiting(approved).id in outcome.reasons[0].message

    def test_each_person_counts_once_and_the_quorum_is_needed(self, folder: Path) -> None:
        write_environments(folder, APPROVED.replace("required: 1", "required: 2"))
        with open_project(folder) as context:
            promoting(context, ONE)
            once, twice = (approve(context, waiting(context)) for _ in range(2))
            still = waiting(context)
            act_as(context, "cy@example.org")
            other = approve(context, still)

            assert codes(once) == ["APPROVED", "AWAITING_APPROVAL"]
            assert codes(twice) == ["ALREADY_APPROVED", "AWAITING_APPROVAL"]
            assert once.verdict is twice.verdict is Verdict.INCONCLUSIVE
            assert len(restore(still).approvals) == 1
            assert other.verdict is Verdict.PASS
            assert champion(context) == (ONE, None)

    def test_an_author_is_refused_where_others_are_asked_for(self, folder: Path) -> None:
        write_environments(folder, APPROVED.replace("required: 1", "required: 1, not_author: true"))
        with open_project(folder) as context:
            promoting(context, ONE)
            act_as(context, AUTHOR.upper())

            outcome = approve(context, waiting(context))

            assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["BY_AUTHOR"])
            assert champion(context) == (None, None)

    def test_one_rejection_ends_it(self, approved: Context) -> None:
        promoting(approved, ONE)
        found = waiting(approved)

        rejected, after = reject(approved, found, because="too slow"), approve(approved, found)

        assert rejected.verdict is Verdict.PASS
        assert "rejected by ada@example.org (unauthenticated): too slow" in str(rejected.reasons)
        assert (after.verdict, codes(after)) == (Verdict.FAIL, ["NOT_POSSIBLE"])
        assert champion(approved) == (None, None)
        assert promoting(approved, TWO).verdict is Verdict.INCONCLUSIVE

    def test_one_that_was_aborted_makes_room(self, approved: Context) -> None:
        promoting(approved, ONE)

        outcome = abort(approved, waiting(approved))

        assert codes(outcome) == ["ABORTED"]
        assert promoting(approved, TWO).verdict is Verdict.INCONCLUSIVE

    def test_an_override_goes_on_to_the_approval(self, approved: Context) -> None:
        add_release(approved, THREE, verdict="FAIL")
        promoting(approved, THREE, override=an_override(OverrideKind.EMERGENCY))

        outcome = approve(approved, waiting(approved))

        assert outcome.rollout
        assert outcome.rollout.override
        assert outcome.rollout.override.because == "login is down"

    def test_a_rollout_is_named_by_a_prefix(self, approved: Context) -> None:
        with pytest.raises(UnknownRolloutError, match="has had none yet"):
            find_rollout(approved, "ab")
        promoting(approved, ONE)
        found = waiting(approved)

        assert find_rollout(approved, found.id[:3].upper()) == found
        with pytest.raises(UnknownRolloutError, match="there is no rollout 'zz'"):
            find_rollout(approved, "zz")
        with pytest.raises(UnknownRolloutError, match="there is no rollout ''"):
            find_rollout(approved, "")

    def test_a_prefix_of_several_is_ambiguous(self, approved: Context) -> None:
        # Of 17 ids some two begin with the same of 16 digits.
        for _ in range(17):
            promoting(approved, ONE)
            reject(approved, waiting(approved))
        firsts = [each.id[0] for each in approved.ledger.all(RolloutRecord)]
        shared = next(digit for digit in firsts if firsts.count(digit) > 1)

        with pytest.raises(UnknownRolloutError, match=r"is ambiguous: \d+ rollouts begin so"):
            find_rollout(approved, shared)


class TestRollBack:
    def test_each_goes_one_further_back_until_nothing_is_left(self, context: Context) -> None:
        for release in (ONE, TWO, THREE):
            promoting(context, release)

        first, between, second, third = (
            going_back(context),
            champion(context),
            going_back(context),
            going_back(context),
        )

        assert first.verdict is second.verdict is Verdict.PASS
        assert between == (TWO, ONE)
        assert champion(context) == (ONE, None)
        assert (third.verdict, codes(third)) == (Verdict.FAIL, ["NO_CHAMPION"])

    def test_where_nothing_serves_there_is_nothing_to_go_back_from(self, context: Context) -> None:
        outcome = going_back(context)

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["NOTHING_SERVES"])

    def test_to_an_earlier_one_takes_back_all_that_came_after(self, context: Context) -> None:
        for release in (ONE, TWO, THREE):
            promoting(context, release)

        outcome = going_back(context, to=ONE)

        assert codes(outcome) == ["ROLLED_BACK", "ROLLED_BACK"]
        assert champion(context) == (ONE, None)
        assert codes(going_back(context)) == ["NO_CHAMPION"]

    def test_to_one_that_was_taken_back_serves_again_on_top(self, context: Context) -> None:
        for release in (ONE, TWO):
            promoting(context, release)
        going_back(context)

        outcome = going_back(context, to=TWO)
        on_top = champion(context)
        going_back(context)

        assert outcome.verdict is Verdict.PASS
        assert on_top == (TWO, ONE)
        assert champion(context) == (ONE, None)

    def test_to_what_serves_or_never_did_changes_nothing(self, context: Context) -> None:
        promoting(context, ONE)
        before = context.ledger.head()

        serving, never = going_back(context, to=ONE), going_back(context, to=TWO)

        assert (serving.verdict, codes(serving)) == (Verdict.PASS, ["ALREADY_CHAMPION"])
        assert (never.verdict, codes(never)) == (Verdict.FAIL, ["NEVER_SERVED"])
        assert context.ledger.head() == before

    def test_to_one_that_was_taken_back_ends_what_is_open_too(self, folder: Path) -> None:
        with open_project(folder) as context:
            for release in (ONE, TWO):
                promoting(context, release)
            going_back(context)
        write_environments(folder, APPROVED)
        with open_project(folder) as context:
            promoting(context, THREE)
            opened = waiting(context)

            back = going_back(context, to=TWO)

            assert (back.verdict, codes(back)[:2]) == (Verdict.PASS, ["ABORTED", "OPENED"])
            assert champion(context) == (TWO, ONE)
            assert observe(context, "production").open_rollout is None
            assert approve(context, opened).verdict is Verdict.FAIL

    def test_somebody_who_moves_what_is_open_meanwhile_does_not_stop_it(self, folder: Path) -> None:
        with open_project(folder) as context:
            for release in (ONE, TWO):
                promoting(context, release)
        write_environments(folder, APPROVED)
        with open_project(folder) as context:
            promoting(context, THREE)
            overtaken: Any = Once(context, lambda other: reject(other, waiting(other)))

            back = going_back(replace(context, ledger=overtaken))

            assert overtaken.has_acted
            assert (back.verdict, codes(back)) == (Verdict.PASS, ["ROLLED_BACK"])
            assert champion(context) == (ONE, None)

    def test_to_one_whose_bytes_are_gone_is_refused_by_name_and_as_predecessor(
        self, context: Context
    ) -> None:
        for release in (ONE, TWO):
            promoting(context, release)
        context.store.remove(ONE)

        outcomes = [going_back(context), going_back(context, to=ONE)]

        assert [codes(each) for each in outcomes] == 2 * [["RELEASE_DAMAGED"]]
        assert observe(context, "production").champion == TWO

    def test_to_a_pruned_one_is_refused_by_name_and_as_predecessor(self, context: Context) -> None:
        for release in (ONE, TWO):
            promoting(context, release)
        prune(context, ONE)

        assert codes(going_back(context, to=ONE)) == ["RELEASE_PRUNED"]
        assert codes(going_back(context)) == ["RELEASE_PRUNED"]
        assert champion(context) == (TWO, ONE)

    def test_a_rollout_that_opened_before_ends_with_it(self, folder: Path) -> None:
        with open_project(folder) as context:
            for release in (ONE, TWO):
                promoting(context, release)
        write_environments(folder, APPROVED)
        with open_project(folder) as context:
            promoting(context, THREE)
            opened = waiting(context)

            back = going_back(context)

            assert codes(back) == ["ABORTED", "ROLLED_BACK"]
            assert champion(context) == (ONE, None)
            outcome = approve(context, opened)
            assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["FENCED_OFF"])
            assert promoting(context, THREE).verdict is Verdict.INCONCLUSIVE


def test_prune_keeps_champion_predecessor_and_what_waits(folder: Path) -> None:
    with open_project(folder) as context:
        add_release(context, FOUR)
        for release in (ONE, TWO, THREE):
            promoting(context, release)
        going_back(context)
    write_environments(folder, APPROVED)
    with open_project(folder) as context:
        promoting(context, FOUR)

        kept = retain(
            context.ledger.all(ReleaseRecord),
            environments=context.ledger.all(EnvironmentRecord),
            rollouts=context.ledger.all(RolloutRecord),
            in_use=(),
            keep=0,
        )

    assert {each.release.id: each.because for each in kept} == {
        ONE: "served production before",
        TWO: "serves production",
        THREE: "",
        FOUR: "on its way to production",
    }


class Once:
    """A ledger in which somebody else acts once, right after it was read for a decision."""

    def __init__(self, context: Context, act: Callable[[Context], object]) -> None:
        self._context = context
        self._act = act
        self._reads = 0

    @property
    def has_acted(self) -> bool:
        return self._reads > 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context.ledger, name)

    def all(self, kind: Any) -> Any:
        found = self._context.ledger.all(kind)
        self._reads += 1
        # The first is to see what serves, the second to decide.
        if self._reads == 2:
            with open_project(self._context.root) as other:
                self._act(other)
        return found


class Meanwhile:
    """A ledger in which somebody else acts once, right after a gate's decision was looked up."""

    def __init__(self, context: Context, act: Callable[[Context], object]) -> None:
        self._context = context
        self._act = act
        self._has_acted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context.ledger, name)

    def find(self, kind: Any, key: str) -> Any:
        found = self._context.ledger.find(kind, key)
        if kind is GateRecord and not self._has_acted:
            self._has_acted = True
            with open_project(self._context.root) as other:
                self._act(other)
        return found


class TestTogether:
    def test_whoever_was_faster_has_won_and_the_other_is_told(
        self, context: Context, folder: Path
    ) -> None:
        class Overtaken:
            """A ledger to which somebody else appends right after it was read."""

            def __getattr__(self, name: str) -> Any:
                return getattr(context.ledger, name)

            def all(self, kind: Any) -> Any:
                found = context.ledger.all(kind)
                with open_project(folder) as other:
                    promoting(other, TWO)
                return found

        outcome = promoting(replace(context, ledger=Overtaken()), ONE)

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["MOVED_MEANWHILE"])
        assert outcome.standing.champion == TWO
        assert champion(context) == (TWO, None)

    def test_a_verdict_that_changes_while_it_is_read_counts(self, context: Context) -> None:
        overtaken: Any = Meanwhile(context, lambda other: judged(other, ONE, Verdict.FAIL))

        outcome = promoting(replace(context, ledger=overtaken), ONE)

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["RELEASE_FAILED"])
        assert champion(context) == (None, None)

    def test_what_is_rolled_back_before_while_it_is_read_is_not_promoted_further(
        self, staged: Context
    ) -> None:
        promoting(staged, ONE, to="staging")
        promoting(staged, TWO, to="staging")
        overtaken: Any = Meanwhile(staged, lambda other: roll_back(other, environment="staging"))

        outcome = promoting(replace(staged, ledger=overtaken), TWO)

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["NOT_SERVED_BEFORE"])
        assert champion(staged) == (None, None)

    def test_a_verdict_that_changes_while_it_is_approved_counts(self, approved: Context) -> None:
        promoting(approved, ONE)
        overtaken: Any = Meanwhile(approved, lambda other: judged(other, ONE, Verdict.FAIL))

        outcome = approve(replace(approved, ledger=overtaken), waiting(approved))

        assert (outcome.verdict, codes(outcome)) == (Verdict.FAIL, ["RELEASE_FAILED"])
        assert champion(approved) == (None, None)

    def test_another_release_that_is_judged_meanwhile_is_no_bar(self, context: Context) -> None:
        overtaken: Any = Meanwhile(context, lambda other: judged(other, TWO, Verdict.FAIL))

        outcome = promoting(replace(context, ledger=overtaken), ONE)

        assert outcome.verdict is Verdict.PASS
        assert champion(context) == (ONE, None)

    def test_of_two_processes_one_opens_the_rollout(self, approved: Context) -> None:
        command = [sys.executable, "-m", "triune.cli", "promote"]
        processes = [
            subprocess.Popen(
                [*command, release, "--to", "production", "--json"],
                cwd=approved.root,
                stdout=subprocess.PIPE,
                text=True,
            )
            for release in (ONE, TWO)
        ]
        wait_until(lambda: all(each.poll() is not None for each in processes))
        said = [json.loads(each.communicate()[0]) for each in processes]

        assert sorted(each.returncode for each in processes) == [1, 3]
        (loser,) = [each for each in said if each["verdict"] == "FAIL"]
        assert loser["reasons"][0]["code"] in {"ROLLOUT_OPEN", "MOVED_MEANWHILE"}
        assert len(approved.ledger.all(RolloutRecord)) == 1
        verify_ledger(approved.ledger)


class TestCommand:
    def test_the_whole_way_of_a_release(self, tmp_path: Path) -> None:
        folder = a_delivery(tmp_path / "visits", APPROVED, releases=(ONE, TWO))

        promoted = triune(folder, "promote", ONE[:8], "--to", "production")
        rollout = triune_json(folder, "rollout", "list")["rollouts"][0]
        approved = triune_json(folder, "approve", rollout["id"][:6])
        shown = triune(folder, "rollout", "show", rollout["id"])

        assert promoted.returncode == 3
        assert promoted.stdout.endswith(f"next: triune approve {rollout['id']}\n")
        assert rollout["status"] == "awaiting_approval"
        assert approved == {
            "verdict": "PASS",
            "reasons": approved["reasons"],
            "rollout": {
                "id": rollout["id"],
                "status": "promoted",
                "environment": "production",
                "release": ONE,
            },
            "environment": {"name": "production", "champion": ONE, "previous": None},
            "override": None,
            "traffic_seconds": None,
        }
        assert "approved by ada@example.org (unauthenticated)" in shown.stdout

    def test_a_refusal_is_one_document_and_exit_code_1(self, folder: Path) -> None:
        finished = triune(folder, "rollback", "--json")

        assert finished.returncode == 1
        said = json.loads(finished.stdout)
        assert said["verdict"] == "FAIL"
        assert said["reasons"][0]["code"] == "NOTHING_SERVES"
        assert said["rollout"] is None

    def test_an_override_is_marked_wherever_the_rollout_is_shown(self, folder: Path) -> None:
        with open_project(folder) as context:
            add_release(context, FOUR, verdict="FAIL")
        because = ("--emergency", "login is down")

        finished = triune(folder, "promote", FOUR, "--to", "production", *because)
        listed, log = triune(folder, "rollout", "list"), triune(folder, "audit", "log")

        mark = "OVERRIDE"
        sentence = "emergency by ada@example.org (unauthenticated): login is down"
        assert finished.returncode == 0
        for each in (finished, listed, log):
            assert mark in each.stdout
            assert sentence in each.stdout

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--emergency", " "), "--emergency needs a reason"),
            (("--emergency", "a", "--accept-inconclusive", "b"), "give one of them"),
            (("--to", "prodction"), "did you mean 'production'"),
        ],
    )
    def test_a_slip_exits_with_2(
        self, folder: Path, arguments: tuple[str, ...], message: str
    ) -> None:
        finished = triune(folder, "promote", ONE[:8], "--to", "production", *arguments)

        assert finished.returncode == 2
        assert message in finished.stderr


def test_how_things_stood_is_restored_from_the_ledger(context: Context) -> None:
    promoting(context, ONE)
    outcome = promoting(context, TWO)

    assert observe(context, "production") == outcome.standing


class TestPlan:
    def test_what_the_steps_mean_at_a_rate_of_traffic(self, folder: Path) -> None:
        write_environments(folder, ALONE.replace("instant", "canary"))

        finished = triune(folder, "rollout", "plan", "--environment=production", "--rps=0.5")
        said = triune_json(folder, "rollout", "plan", "--environment=production", "--rps=20")

        assert finished.returncode == 0
        assert "warning: step 2 (25 %)" in finished.stdout
        assert "simulating" in finished.stderr
        assert [step["candidate_pct"] for step in said["steps"]] == [5, 25, 95]
        assert [each["failure_rate"] for each in said["candidates"]] == [0.01, 0.02, 0.05, 0.2]
        assert said["candidates"][-1]["caught_by_step"][0] == 1
        assert said["warnings"] == []

    @pytest.mark.parametrize(
        ("environment", "rate", "message"),
        [
            ("production", 2.0, "nothing is compared"),
            ("production", 0.0, "give more than 0"),
            ("production", -1.0, "give more than 0"),
            ("production", float("nan"), "give more than 0"),
            ("production", float("inf"), "give more than 0"),
            ("prodction", 2.0, "did you mean 'production'"),
        ],
    )
    def test_what_cannot_be_foretold_is_refused(
        self, context: Context, environment: str, rate: float, message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            forecast(context, environment, requests_per_s=rate, progress=lambda _: None)
