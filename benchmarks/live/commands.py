"""`triune rollback` by hand: how soon the release before has all requests again, warm and cold."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.live.figures import Figure
from benchmarks.live.stage import GOOD, Stage, a_stage, cursor, logged, until

from triune.ports import TrafficRouter

WARM: Final = "strategy: instant"
COLD: Final = "strategy: instant\nkeep_warm_seconds: 0"
PATIENCE_S: Final = 60.0
BETWEEN_S: Final = 2.0
AFTER_S: Final = 0.5


class Taken(NamedTuple):
    """Seconds since the command was started.

    Until the last request of the release that it takes back, and until it returned; and for how
    long it had a processor, which tells a slow command from a machine with other things to do.
    """

    done_s: float
    returned_s: float
    processor_s: float


def rows(folder: Path, name: str, repeats: int, progress: Callable[[str], None]) -> list[Figure]:
    """Promote a second release and take it back, over and over; ``name`` is warm or cold."""
    settings, goal = (WARM, 1.0) if name == "warm" else (COLD, 10.0)
    taken: list[Taken] = []
    with (
        a_stage(folder, {"before": GOOD, "champion": GOOD}, settings=settings) as stage,
        stage.router() as router,
        stage.load() as load,
    ):
        for at in range(repeats):
            _promote(stage, router, is_cold=name == "cold")
            time.sleep(BETWEEN_S)
            taken.append(_take_back(stage, router))
            progress(f"rollback by command, {name}, {at + 1} of {repeats}: {taken[-1]}")
    what = f"by command, {name}"
    return [
        Figure.of(
            f"{what}: until the release before has all",
            [each.done_s for each in taken],
            unit="s",
            goal=goal,
        ),
        Figure.of(
            f"{what}: until the command has returned",
            [each.returned_s for each in taken],
            unit="s",
        ),
        Figure.of(
            f"{what}: processor time of the command",
            [each.processor_s for each in taken],
            unit="s",
        ),
        Figure.of(f"{what}: errors that a client saw", [load.seen.errors.total()], goal=0.0),
        Figure.of(f"{what}: wrong answers", [load.seen.wrong], goal=0.0),
    ]


def _promote(stage: Stage, router: TrafficRouter, *, is_cold: bool) -> None:
    live = stage.live
    live.promote("champion")

    def is_as_wanted() -> bool:
        traffic = router.look()
        if traffic is None or traffic.routing.champion is None:
            return False
        runs = traffic.find(live.releases["before"]) is not None
        return live.rollout().status == "promoted" and runs is not is_cold

    if not until(is_as_wanted, within_s=PATIENCE_S):
        raise SystemExit(f"the release before does not stand as it should\n{live.log}")


def _take_back(stage: Stage, router: TrafficRouter) -> Taken:
    live = stage.live
    after = cursor(router)
    used_s, began_s, began = _processor_s(), time.time(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "triune.cli", "rollback", "--json"],
        cwd=live.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    returned_s = time.perf_counter() - began
    processor_s = _processor_s() - used_s
    champion = None if done.returncode else json.loads(done.stdout)["environment"]["champion"]
    if champion != live.releases["before"]:
        raise SystemExit(f"`triune rollback` did not go back\n{done.stdout}{done.stderr}")
    time.sleep(AFTER_S)
    taken_back = [
        each.assigned_at_s
        for each in logged(router, after=after)
        if each.release == live.releases["champion"]
    ]
    return Taken(max(taken_back) - began_s, returned_s, processor_s)


def _processor_s() -> float:
    """Tell for how long the commands that were waited for had a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
