"""The controller, killed at every record and at every act of whole rollouts, under load."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live import ALive, a_live_project
from tests.processes import wait_until
from tests.projects import triune

from triune.bootstrap import open_project
from triune.domain.rollout.state import Rollout, Status

pytestmark = pytest.mark.slow

KILLED_CONTROLLER = Path(__file__).with_name("killed_controller.py")
# The champion before is let go of at once: that, too, is recorded and done. The shares are large
# because a worker that is hardly asked is slower where others need the processor.
STEPS = "steps: [30, 60, 100]\n    keep_warm_seconds: 0"


@contextmanager
def a_controller_that_is_killed(live: ALive) -> Iterator[Path]:
    """Have one be killed at each point that it comes to, and another go on; yield the points."""
    met, kept = live.folder.with_name("met"), live.folder.with_name("kept")
    log = live.folder.with_name("lives.log")
    with (
        log.open("w") as said,
        subprocess.Popen(
            [sys.executable, str(KILLED_CONTROLLER), str(met), str(kept)],
            cwd=live.folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        ) as process,
    ):
        try:
            wait_until(lambda: live.traffic() is not None)
            yield met
        finally:
            live.down()
            process.kill()


def is_settled(live: ALive) -> bool:
    """Tell whether nothing is left to be recorded or done."""
    rollout, traffic = live.rollout(), live.traffic()
    is_over = rollout.is_settled or rollout.status is Status.ROLLED_BACK
    return (
        is_over
        and traffic is not None
        and traffic.routing == rollout.routing
        and {each.release for each in traffic.releases} == {rollout.serving}
    )


def points(met: Path, kind: str) -> set[str]:
    """List the points of a kind that somebody died at, each of them before and after."""
    found = [line for line in met.read_text().splitlines() if line.split()[1] == kind]
    before = {line.removeprefix("before ") for line in found if line.startswith("before ")}
    after = {line.removeprefix("after ") for line in found if line.startswith("after ")}
    assert before == after
    return before


def kept_at_each_step(live: ALive, rollout: Rollout) -> dict[int, Any]:
    """Return the last evidence that was written down of each step."""
    kept = {}
    for line in live.folder.with_name("kept").read_text().splitlines():
        document = json.loads(line)
        if document["rollout"] == rollout.id and document["evidence"]:
            kept[document["evidence"]["step"]] = document["evidence"]
    return kept


def logged(live: ALive, rollout: Rollout) -> dict[float, list[tuple[int, str]]]:
    """Read what the gateway logged of a rollout: number and arm, by the weight in force."""
    found = defaultdict(list)
    with open_project(live.folder) as context:
        router = context.planes.of(context.spec.environments[0])
        after, is_complete = 0, False
        while not is_complete:
            reading = router.read(after=after)
            assert reading
            after, is_complete = reading.cursor, reading.is_complete
            for each in reading.settled:
                if each.rollout == rollout.id:
                    found[each.weight].append((each.number, str(each.arm)))
    return found


def test_a_good_release_gets_through_and_its_evidence_counts_once(tmp_path: Path) -> None:
    with (
        a_live_project(tmp_path, {"one": "good", "two": "good"}, more=STEPS) as live,
        a_controller_that_is_killed(live) as met,
    ):
        live.promote("one")
        with live.load(per_second=500) as load:
            live.promote("two")
            wait_until(lambda: is_settled(live), deadline_s=120)
        rollout, standing = live.rollout(), live.standing()
        log, kept = logged(live, rollout), kept_at_each_step(live, rollout)
        audited = triune(live.folder, "audit", "verify")

        assert rollout.release == live.releases["two"]
        assert (rollout.status, rollout.step) == (Status.PROMOTED, 2)
        assert standing.champion == live.releases["two"]
        assert [each.release for each in standing.promoted] == [
            live.releases["one"],
            live.releases["two"],
        ]
        assert audited.returncode == 0, audited.stderr
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)
        # Each step begins and ends, and the release then serves alone: the traffic is told of each,
        # but for what was followed by another before it was told.
        assert len(points(met, "append")) >= 7
        assert {"apply 2.0", "apply 2.1", "apply 2.2", "apply 2.4"} <= points(met, "apply")
        assert points(met, "run")
        assert points(met, "keep")
        assert set(kept) == {0, 1, 2}
        for step, evidence in kept.items():
            counted = [
                arm
                for number, arm in log[rollout.plan.split_at(step).weight]
                if number <= evidence["last_number"]
            ]
            assert evidence["requests"] == len(counted) > 0
            assert evidence["candidate_requests"] == counted.count("candidate")


@pytest.mark.parametrize("mode", ["raises", "nan"])
def test_a_release_that_fails_goes_back_once(tmp_path: Path, mode: str) -> None:
    with (
        a_live_project(tmp_path, {"one": "good", "two": mode}, more=STEPS) as live,
        a_controller_that_is_killed(live) as met,
    ):
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            wait_until(lambda: is_settled(live))
        rollout, standing = live.rollout(), live.standing()
        audited = triune(live.folder, "audit", "verify")

        assert rollout.release == live.releases["two"]
        assert rollout.status is Status.ROLLED_BACK
        assert standing.champion == live.releases["one"]
        assert audited.returncode == 0, audited.stderr
        assert (load.seen.errors, load.seen.wrong) == ({}, 0)
        assert any("rollout_closed" in each for each in points(met, "append"))
