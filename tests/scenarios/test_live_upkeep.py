"""`triune up` and `down`, and commands that meet a controller, or none."""

import os
import pty
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.deliveries import a_delivery
from tests.live import ALive, a_live_project
from tests.processes import is_alive, wait_until
from tests.projects import triune

from triune.bootstrap import controller_lease
from triune.domain.errors import BusyError
from triune.domain.rollout.state import Status

pytestmark = pytest.mark.slow


def release_of(live: ALive) -> str:
    """Ask once, and tell who answered."""
    answer = httpx.post(f"{live.url}/predict", json={"x": 1}, trust_env=False, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-triune-release"]


def kill_controller(live: ALive) -> None:
    pid = live.controller
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: live.controller is None)


def test_up_and_down_may_be_repeated(tmp_path: Path) -> None:
    with a_live_project(tmp_path, {"one": "good"}) as live:
        live.up()
        live.promote("one")
        controller, gateway = live.controller, live.gateway

        live.up()
        again = (live.controller, live.gateway)
        first = triune(live.folder, "down")
        second = triune(live.folder, "down")
        live.up()

        assert again == (controller, gateway)
        assert (first.returncode, second.returncode) == (0, 0)
        assert controller
        assert not is_alive(controller)
        assert not is_alive(gateway)
        assert release_of(live) == live.releases["one"]


def test_a_second_controller_is_refused_and_says_who_works_here(tmp_path: Path) -> None:
    with a_live_project(tmp_path, {"one": "good"}) as live:
        live.up()
        first = live.controller

        second = subprocess.run(
            [sys.executable, "-m", "triune.controller"],
            cwd=live.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        foreground = triune(live.folder, "up", "--foreground")

        assert second.returncode == 2
        assert f"process {first}" in second.stderr
        assert foreground.returncode == 2
        assert f"process {first}" in foreground.stderr
        assert live.controller == first
        with (
            pytest.raises(BusyError),
            controller_lease(live.folder).hold(progress=print, wait=False),
        ):
            pass


def test_a_port_in_use_is_told_with_what_to_do_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with (
        a_live_project(tmp_path, {"one": "good"}) as live,
        socket.create_server(("127.0.0.1", live.port)),
    ):
        done = triune(live.folder, "up")

        assert done.returncode == 4
        assert f"port {live.port}" in done.stderr
        assert "is in use" in done.stderr
        assert live.controller is None


def test_without_an_environment_there_is_nothing_to_bring_up(tmp_path: Path) -> None:
    folder = a_delivery(tmp_path / "visits", "")

    done = triune(folder, "up")

    assert done.returncode == 2
    assert "names no environment" in done.stderr
    assert triune(folder, "down").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_controller_in_the_foreground_ends_when_told_and_the_traffic_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    with a_live_project(tmp_path, {"one": "good"}) as live:
        with subprocess.Popen(
            [sys.executable, "-m", "triune.cli", "up", "--foreground"],
            cwd=live.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_until(lambda: live.traffic() is not None)
            live.promote("one")
            process.send_signal(number)
            _, said = process.communicate(timeout=60)

        assert process.returncode == 0
        assert "the traffic goes on" in said
        assert live.controller is None
        assert release_of(live) == live.releases["one"]


def watch_in_a_terminal(live: ALive, rollout: str) -> tuple[str, int]:
    """Watch until all is drawn, press Ctrl-C, and say what was drawn and how it ended."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        watching = subprocess.Popen(
            [sys.executable, "-m", "triune.cli", "rollout", "watch", rollout],
            cwd=live.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "COLUMNS": "200", "LINES": "50"},
            start_new_session=True,
        )
        os.close(theirs)
        drawn = b""
        while b"CONTINUE" not in drawn:
            drawn += terminal.read(4096)
        watching.send_signal(signal.SIGINT)
        return drawn.decode(), watching.wait(timeout=60)


def test_a_rollout_is_paused_resumed_watched_and_aborted_while_it_runs(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "good"}
    with a_live_project(tmp_path, releases, min_requests=1_000_000) as live:
        live.up()
        live.promote("one")
        with live.load(per_second=100) as load:
            live.promote("two")
            rollout = live.await_step(0)
            paused = live.tell("rollout", "pause", rollout.id)
            again = live.tell("rollout", "pause", rollout.id)
            status = live.rollout().status
            resumed = live.tell("rollout", "resume", rollout.id)
            watched = triune(live.folder, "rollout", "watch", rollout.id, "--once")
            seen = live.tell("rollout", "watch", rollout.id, "--once")
            drawn, left = watch_in_a_terminal(live, rollout.id)
            after = live.rollout().status
            kill_controller(live)
            alone = triune(live.folder, "rollout", "watch", rollout.id, "--once")
            live.up()
            aborted = live.tell("rollout", "abort", rollout.id)
            wait_until(live.is_followed)
            late = live.tell("rollout", "resume", rollout.id)
        assert [each["verdict"] for each in (paused, again, resumed)] == ["PASS"] * 3
        assert status is Status.PAUSED
        assert watched.returncode == 3
        assert "step 1 of 3, 5 %" in watched.stdout
        assert "to roll back: " in watched.stdout
        assert "deadline in" in watched.stdout
        assert seen["outlook"]["lasted_s"] > 0
        assert "[5 %]  25 %  95 %" in drawn
        assert "to roll back: latency" in drawn
        assert left == 130
        assert after is Status.RUNNING
        assert "no controller runs" not in watched.stderr
        assert "no controller runs, and nothing moves: `triune up`" in alone.stderr
        assert seen["analysis"]["requests"] > 0
        assert {each["arm"] for each in seen["arms"]} == {"champion", "candidate"}
        assert aborted["rollout"]["status"] == "cancelled"
        assert late["verdict"] == "FAIL"
        assert live.standing().champion == live.releases["one"]
        assert live.traffic().routing.candidate is None
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_a_rollback_needs_no_controller(tmp_path: Path) -> None:
    with a_live_project(
        tmp_path, {"one": "good", "two": "good"}, strategy="instant", more=""
    ) as live:
        live.up()
        live.promote("one")
        live.promote("two")
        serving = release_of(live)
        kill_controller(live)

        done = live.tell("rollback")

        assert serving == live.releases["two"]
        assert done["verdict"] == "PASS"
        assert release_of(live) == live.releases["one"]
        live.up()
        wait_until(live.is_followed)
        assert release_of(live) == live.releases["one"]


def test_a_rollback_to_a_release_that_runs_no_more_starts_it_from_the_store(tmp_path: Path) -> None:
    releases = {"one": "good", "two": "good", "three": "good"}
    with a_live_project(
        tmp_path, releases, strategy="instant", more="keep_warm_seconds: 0"
    ) as live:
        live.up()
        for name in releases:
            live.promote(name)
        wait_until(lambda: not live.workers("one") and not live.workers("two"))
        with live.load(per_second=50) as load:
            done = live.tell("rollback", "--to", live.releases["one"])
            wait_until(lambda: load.seen.releases[live.releases["one"]] > 10)

        assert done["verdict"] == "PASS"
        assert live.standing().champion == live.releases["one"]
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_a_release_that_is_deleted_while_it_waits_for_consent_gets_none(tmp_path: Path) -> None:
    more = "steps: [30, 100]\n    approvals: {required: 1}"
    with a_live_project(tmp_path, {"one": "good", "two": "good"}, more=more) as live:
        live.up()
        live.promote("one")
        live.tell("approve", live.rollout().id)
        live.await_end()
        live.promote("two")
        live.prune("two")

        refused = triune(live.folder, "approve", live.rollout().id, "--json")

        assert refused.returncode == 1, refused.stderr
        assert live.rollout().status is Status.AWAITING_APPROVAL
        assert release_of(live) == live.releases["one"]


def test_a_release_whose_bytes_go_while_it_waits_gets_no_consent(tmp_path: Path) -> None:
    more = "steps: [30, 100]\n    approvals: {required: 1}"
    with a_live_project(tmp_path, {"one": "good", "two": "good"}, more=more) as live:
        live.up()
        live.promote("one")
        live.tell("approve", live.rollout().id)
        live.await_end()
        live.promote("two")
        live.remove_bytes("two")
        refused = live.tell("approve", live.rollout().id)

        (reason,) = refused["reasons"]
        assert (refused["verdict"], reason["code"]) == ("FAIL", "RELEASE_DAMAGED")
        assert "triune release verify" in reason["message"]
        assert live.rollout().status is Status.AWAITING_APPROVAL
        assert release_of(live) == live.releases["one"]


def test_a_release_whose_bytes_go_while_it_is_tried_goes_on(tmp_path: Path) -> None:
    more = "steps: [30, 100]"
    with a_live_project(tmp_path, {"one": "good", "two": "good"}, more=more) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            live.await_step(0)
            live.remove_bytes("two")
            rollout = live.await_end()

        # What runs is laid out already, and is not read from the store again.
        assert rollout.status is Status.PROMOTED, live.log
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def test_a_full_disk_keeps_nobody_from_taking_the_traffic_of_a_release_that_turned_bad(
    tmp_path: Path,
) -> None:
    releases = {"one": "good", "two": "turns"}
    with a_live_project(
        tmp_path, releases, more="steps: [30, 100]", min_requests=1_000_000
    ) as live:
        live.up()
        live.promote("one")
        controller = live.controller
        assert controller
        with live.load() as load:
            live.promote("two")
            live.await_step(0)
            # No file of the controller's can grow any more.
            limit_files(controller, 0)
            (tmp_path / "turned").touch()
            wait_until(lambda: live.traffic().routing.candidate is None)
            unrecorded = live.rollout()
            limit_files(controller, resource.RLIM_INFINITY)
            rollout = live.await_end()
        audited = triune(live.folder, "audit", "verify")

        assert unrecorded.status is Status.RUNNING
        assert rollout.status is Status.ROLLED_BACK, live.log
        assert live.controller == controller
        assert audited.returncode == 0, audited.stderr
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)


def limit_files(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
