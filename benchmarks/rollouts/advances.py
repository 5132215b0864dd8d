"""How often an unsafe candidate advances, and how soon a good one does."""

from collections.abc import Callable
from typing import Final

import numpy as np
from benchmarks.rollouts.figures import Figure, generators, median, share
from benchmarks.rollouts.requests import no_safety

from triune.domain.rollout.forecast import draw, first_shown

HORIZON: Final = 60_000
_PORTION: Final = 10_000
UNSAFE: Final = (
    (0, 0.05, 0.005, 0.025),
    (0, 0.05, 0.0, 0.025),
    (0, 0.05, 0.02, 0.1),
    (1, 0.25, 0.005, 0.01),
    (1, 0.25, 0.02, 0.04),
)
"""Step, weight, and the rates of champion and candidate: unsafe by as little as can be."""
GOOD: Final = (
    (0, 0.05, 0.005, 5_300),
    (1, 0.25, 0.005, 8_400),
    (0, 0.05, 0.0001, 4_200),
    (1, 0.25, 0.0001, 2_100),
)
"""Step, weight, the rate of both arms, and the median number of requests to expect."""


def rows(runs: int, progress: Callable[[str], None]) -> list[Figure]:
    """Simulate every row of advancing, by safety alone: no rollback comes between.

    What should hardly ever happen takes more runs than what should soon.
    """
    figures = []
    for step, weight, champion, candidate in UNSAFE:
        what = f"unsafe: {candidate:.1%} against {champion:.1%}, weight {weight:.0%}"
        progress(what)
        taken = _all_until_shown(what, 5 * runs, step, weight, champion, candidate)
        figures.append(share(what, np.isfinite(taken), goal=5.0, inconclusive=np.isinf(taken)))
    for step, weight, rate, expected in GOOD:
        what = f"good: {rate:.2%} on both arms, weight {weight:.0%} (about {expected:,})"
        progress(what)
        taken = _all_until_shown(what, 2 * runs, step, weight, rate, rate)
        figures.append(median(what, taken, unit="requests", inconclusive=np.isinf(taken)))
    return figures


def _all_until_shown(  # noqa: PLR0913, PLR0917 - one for each thing that differs
    what: str, runs: int, step: int, weight: float, champion: float, candidate: float
) -> list[float]:
    return [
        until_shown(rng, step=step, weight=weight, champion=champion, candidate=candidate)
        for rng in generators(what, runs)
    ]


def until_shown(
    rng: np.random.Generator, *, step: int, weight: float, champion: float, candidate: float
) -> float:
    """Send requests until safety is shown; infinity where it is not within the horizon."""
    safety = no_safety(step)
    for begin in range(0, HORIZON, _PORTION):
        trials = draw(rng, _PORTION, weight=weight, champion=champion, candidate=candidate)
        at = first_shown(safety, trials)
        if at is not None:
            return float(begin + at + 1)
        safety = safety.after(trials.on_candidate, trials.failed, trials.rho)
    return float("inf")
