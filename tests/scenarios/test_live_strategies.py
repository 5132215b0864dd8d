"""Every strategy on real processes, beside the canary."""

from pathlib import Path

import pytest
from tests.live import ALive, a_live_project
from tests.processes import wait_until

from triune.bootstrap import open_project
from triune.domain.events import EventKind
from triune.domain.rollout.state import Rollout, RolloutCode, Status
from triune.domain.rollout.watch import LoggedPair

pytestmark = pytest.mark.slow


def moves_of(live: ALive, rollout: Rollout) -> list[Rollout]:
    """Read how a rollout stood after each move."""
    with open_project(live.folder) as context:
        return [
            Rollout.from_json(event.data["state"])
            for event in context.ledger.events(aggregate="environment:production")
            if event.kind == EventKind.ROLLOUT_MOVED and event.data["rollout"] == rollout.id
        ]


def steps_in_force(live: ALive, rollout: Rollout) -> list[float]:
    """List the candidate's shares, in percent, of the steps that began."""
    return [
        each.split.candidate
        for each in moves_of(live, rollout)
        if each.reason.code == RolloutCode.STEP_BEGAN
    ]


def pairs(live: ALive, rollout: Rollout) -> list[LoggedPair]:
    """Read the pairs of a shadow step."""
    found: list[LoggedPair] = []
    with open_project(live.folder) as context:
        router = context.planes.of(context.spec.environments[0])
        after, is_complete = 0, False
        while not is_complete:
            reading = router.read(after=after)
            assert reading
            after, is_complete = reading.cursor, reading.is_complete
            found += [each for each in reading.pairs if each.rollout == rollout.id]
    return found


def test_a_shadow_is_compared_pair_by_pair_and_then_answers(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "good"}
    with a_live_project(tmp_path, releases, strategy="shadow", more="") as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()
        compared = pairs(live, rollout)

        assert moves_of(live, rollout)[0].routing.is_shadow
        assert rollout.status is Status.PROMOTED, live.log
        assert steps_in_force(live, rollout) == [0, 95]
        assert len(compared) > 50
        assert not any(each.candidate.failed or each.champion.failed for each in compared)
        assert set(load.seen.releases) == set(live.releases.values())
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_a_shadow_that_fails_goes_back_before_any_customer_is_answered_by_it(
    tmp_path: Path,
) -> None:
    releases = {"one": "good", "two": "raises"}
    with a_live_project(tmp_path, releases, strategy="shadow", more="") as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()
        compared = pairs(live, rollout)

        assert (rollout.status, rollout.step) == (Status.ROLLED_BACK, 0), live.log
        assert compared
        assert all(each.candidate.failed and not each.champion.failed for each in compared)
        assert set(load.seen.releases) == {live.releases["one"]}
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_blue_green_keeps_a_holdback_and_bakes(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "good"}
    with a_live_project(tmp_path, releases, strategy="blue_green", more="", bake_seconds=4) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()

        assert rollout.status is Status.PROMOTED, live.log
        assert steps_in_force(live, rollout) == [95]
        assert rollout.promoted_at_s is not None
        assert rollout.promoted_at_s - rollout.step_began_at_s >= 4
        assert live.traffic().applied.split.candidate == 100
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_blue_green_that_turns_bad_in_its_bake_goes_back(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "turns"}
    with a_live_project(
        tmp_path, releases, strategy="blue_green", more="", bake_seconds=300
    ) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            live.await_step(0)
            (tmp_path / "turned").touch()
            rollout = live.await_end()

        assert rollout.status is Status.ROLLED_BACK, live.log
        assert live.standing().champion == live.releases["one"]
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_rolling_goes_up_by_the_traffic_of_one_replica_after_the_other(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "good"}
    with a_live_project(tmp_path, releases, strategy="rolling", more="replicas: 2") as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()

        assert rollout.status is Status.PROMOTED, live.log
        assert steps_in_force(live, rollout) == [50, 95]
        wait_until(lambda: len(live.workers("two")) == 2)
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_instant_takes_all_at_once_beside_a_champion_that_stays_warm(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "good"}
    with a_live_project(tmp_path, releases, strategy="instant", more="") as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            promoted = live.promote("two")
            rollout = live.await_end()

        assert promoted["rollout"]["status"] == "promoted"
        assert steps_in_force(live, rollout) == [100]
        assert live.workers("one")
        assert live.workers("two")
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)
