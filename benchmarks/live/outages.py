"""Good releases while both arms fail alike: none may be rolled back for what it shares."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.live.figures import Figure
from benchmarks.live.stage import BEFORE_S, GOOD, Stage, a_stage, until

from triune.domain.rollout.state import Rollout, Status

AT_ONCE: Final = 2
"""Projects side by side: so it takes half the time, and nothing here is timed."""
AFTER_S: Final = 10.0
PATIENCE_S: Final = 60.0
STEPS: Final = 3


def rows(folder: Path, runs: int, seconds: float, progress: Callable[[str], None]) -> list[Figure]:
    """Roll out good releases through 5, 25 and 95 %, all of it under an outage."""
    # Each step takes a third of the outage, so that it goes on at every weight.
    settings = (
        "strategy: canary\nsteps: [5, 25, 100]\n"
        f"step: {{min_seconds: {seconds / STEPS:g}, min_requests: 500, bake_seconds: {seconds:g}}}"
    )
    rolled_back: list[float] = []
    steps: list[float] = []
    while len(rolled_back) < runs:
        at_once = min(AT_ONCE, runs - len(rolled_back))
        with ExitStack() as stack:
            stages = []
            for at in range(at_once):
                place = folder / f"{len(rolled_back) + at}"
                behaviours = {"champion": GOOD, "candidate": GOOD}
                stage = stack.enter_context(a_stage(place, behaviours, settings=settings))
                stack.enter_context(stage.load())
                stages.append(stage)
            for rollout in _suffer(stages, seconds):
                rolled_back.append(float(rollout.status is Status.ROLLED_BACK))
                steps.append(rollout.step + 1)
                progress(
                    f"outage {len(rolled_back)} of {runs}: {rollout.status} at step {steps[-1]}, "
                    f"{rollout.reason.code}: {rollout.reason.message}"
                )
    what = f"good, both fail 30 % for {seconds:g} s"
    return [
        Figure.of(f"{what}: rolled back", [sum(rolled_back)], unit=f"of {runs} runs", goal=0.0),
        Figure.of(f"{what}: steps that it went", steps),
    ]


def _suffer(stages: list[Stage], seconds: float) -> list[Rollout]:
    """Have all of them go through the outage, and tell how they stand after it."""
    time.sleep(BEFORE_S)
    for stage in stages:
        stage.live.promote("candidate")
    for stage in stages:
        if not until(lambda each=stage: each.live.rollout().is_step_in_force, within_s=PATIENCE_S):  # type: ignore[misc]
            raise SystemExit(f"a good candidate did not start\n{stage.live.log}")
        stage.outage.touch()
    time.sleep(seconds)
    for stage in stages:
        stage.outage.unlink()
    time.sleep(AFTER_S)
    return [stage.live.rollout() for stage in stages]
