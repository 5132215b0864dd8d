"""Gateway and workers killed at each step of a rollout, and all of it at once, under load."""

import os
import signal
from pathlib import Path

import pytest
from tests.live import ALive, a_live_project
from tests.processes import is_alive, wait_until

from triune.domain.rollout.state import Status

pytestmark = pytest.mark.slow

# A worker that is hardly asked is slower where others need the processor.
STEPS = "steps: [30, 60, 100]"


def kill(live: ALive, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid))


def test_a_gateway_that_is_killed_at_each_step_goes_on_as_the_ledger_says(tmp_path: Path) -> None:
    with a_live_project(tmp_path, {"one": "good", "two": "good"}, more=STEPS) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            for step in range(3):
                before = live.await_step(step)
                life = live.traffic().life
                kill(live, live.gateway)
                wait_until(live.is_followed)
                assert live.traffic().life != life
                assert live.traffic().applied.token >= before.token
            rollout = live.await_end()
        assert rollout.status is Status.PROMOTED, live.log
        # While it is away nobody takes connections; until its workers are ready it says when to
        # come again. What it answers is right, and of a release that was to serve.
        assert set(load.seen.errors) <= {"lost", "503"}
        assert load.seen.wrong == 0
        assert set(load.seen.releases) - {""} == set(live.releases.values())


@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_candidate_that_is_killed_at_a_step_costs_no_customer_an_answer(
    tmp_path: Path, step: int
) -> None:
    with a_live_project(tmp_path, {"one": "good", "two": "good"}, more=STEPS) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            live.await_step(step)
            for pid in live.workers("two"):
                kill(live, pid)
            rollout = live.await_end()
        # It gets the blame for what it did not answer, and that may be too much.
        assert rollout.status in {Status.PROMOTED, Status.ROLLED_BACK}, live.log
        assert live.standing().champion == rollout.serving
        assert (load.seen.errors, load.seen.wrong) == ({}, 0), live.log


def test_a_champion_that_is_killed_at_each_step_is_back_at_once(tmp_path: Path) -> None:
    with a_live_project(tmp_path, {"one": "good", "two": "good"}, more=STEPS) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            for step in range(3):
                live.await_step(step)
                for pid in live.workers("one"):
                    kill(live, pid)
                wait_until(lambda: live.workers("one"))
            rollout = live.await_end()
        # Its fault is not the candidate's. What it had in hand is refused for now, as there is
        # nobody to stand in for it; what just arrived waits for its next worker, as long as it may.
        assert rollout.status is Status.PROMOTED, live.log
        assert set(load.seen.errors) <= {"503", "504"}
        assert load.seen.wrong == 0


def test_after_a_reboot_one_command_goes_on_at_the_same_step_with_the_same_evidence(
    tmp_path: Path,
) -> None:
    releases = {"one": "good", "two": "good"}
    with a_live_project(tmp_path, releases, more=STEPS, min_requests=1500) as live:
        live.up()
        live.promote("one")
        with live.load():
            live.promote("two")
            before = live.await_step(1)
            live.pause()
            paused = live.rollout()
            seen = live.tell("rollout", "watch", before.id, "--once")["analysis"]["requests"]
            assert live.controller
            kill(live, live.controller)
            workers = [*live.workers("one"), *live.workers("two")]
            kill(live, live.gateway)
            wait_until(lambda: not any(is_alive(pid) for pid in workers))

            live.up()

            assert live.rollout() == paused
            wait_until(live.is_followed)
            assert live.traffic().routing == paused.routing
            again = live.tell("rollout", "watch", before.id, "--once")["analysis"]["requests"]
            assert again >= seen
            live.tell("rollout", "resume", before.id)
            rollout = live.await_end()
        assert (paused.status, paused.step) == (Status.PAUSED, 1)
        assert (rollout.status, rollout.step) == (Status.PROMOTED, 2), live.log
