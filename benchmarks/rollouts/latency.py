"""Whether a good release is rolled back for being slow: workers that are slower when asked seldom.

What a worker does is in the processor's caches as long as it is asked often. The arm with little
traffic is slower by that alone, and a comparison that does not see this blames it.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from benchmarks.rollouts.figures import Figure, generators, share
from benchmarks.rollouts.requests import RULES, no_evidence

from triune.gateway.timing import Timing
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.latency import ServiceTimes
from triune.stats.sequential.rollback import Stream, Trials

RATES: Final = (20.0, 200.0, 1000.0)
"""Requests a second, of all arms."""
RAMP: Final = (0.05, 0.25, 0.95)
REQUESTS: Final = 90_000
SLOWER: Final = 2.0
MEASURED: Final = 30_000
"""By the champion alone, before the rollout."""

_TAKES_S: Final = 0.004
_COLD: Final = 0.6
"""By so much of its time a worker is slower that was not asked for long; measured: 0.5 to 0.6."""
_COOLS_S: Final = 0.01
_CONTROL: Final = 2


def rows(runs: int, progress: Callable[[str], None]) -> list[Figure]:
    """Simulate good releases at several rates, and slower ones to see that it shows."""
    figures = []
    for per_s in RATES:
        ramp = f"ramp 5-25-95, {per_s:g} requests a second"
        for what, slowdown, goal, count in (
            (f"good, {ramp}", 1.0, 1.0, runs),
            (f"{SLOWER:g} x as slow, {ramp}", SLOWER, None, max(2, runs // 5)),
        ):
            progress(what)
            hits = [
                is_rolled_back(rng, per_s=per_s, slowdown=slowdown)
                for rng in generators(what, count)
            ]
            figures.append(share(what, hits, goal=goal))
    return figures


def is_rolled_back(rng: np.random.Generator, *, per_s: float, slowdown: float) -> bool:
    """Measure the champion, then go through the ramp."""
    arrived = arrivals(rng, MEASURED, per_s=per_s)
    before = service_s(rng, arrived, np.zeros(MEASURED))
    times = ServiceTimes.measured(before, np.ones(MEASURED, dtype=np.int64))

    weights = np.repeat(RAMP, REQUESTS // len(RAMP))
    arrived = arrivals(rng, len(weights), per_s=per_s)
    on_candidate = rng.random(len(weights)) < weights
    timed = timed_of(arrived)
    # The busier arm's are timed by a worker of its own.
    workers = np.where(timed & (on_candidate == (weights > 0.5)), _CONTROL, on_candidate)
    took_s = service_s(rng, arrived, workers) * np.where(on_candidate, slowdown, 1.0)
    slower = times.slower(took_s, np.ones(len(took_s), dtype=np.int64)) & timed

    evidence = no_evidence().after(_trials(on_candidate, weights, slower))
    latency = {at.stream: at for at in evidence.against(RULES.alpha)}[Stream.LATENCY]
    return latency.is_sufficient


def timed_of(arrived: FloatArray) -> BoolArray:
    """Choose as the gateway does, where answers take next to nothing."""
    timing = Timing()
    timed = np.zeros(len(arrived), dtype=np.bool_)
    for at, now in enumerate(arrived.tolist()):
        if timing.is_due(now):
            timing.take(now)
            timing.returned(now)
            timed[at] = True
    return timed


def service_s(rng: np.random.Generator, arrived: FloatArray, workers: FloatArray) -> FloatArray:
    """Draw how long requests take of which each goes to one of several workers."""
    count = len(arrived)
    scatter = rng.lognormal(0, 0.25, count) * np.where(rng.random(count) < 0.02, 4, 1)
    idle_s = np.zeros(count)
    for worker in np.unique(workers):
        own = workers == worker
        idle_s[own] = np.diff(arrived[own], prepend=0.0)
    took_s: FloatArray = _TAKES_S * scatter * (1 + _COLD * (1 - np.exp(-idle_s / _COOLS_S)))
    return took_s


def arrivals(rng: np.random.Generator, count: int, *, per_s: float) -> FloatArray:
    """Let requests come at random, independently of each other."""
    return np.cumsum(rng.exponential(1 / per_s, count))


def _trials(on_candidate: BoolArray, rho: FloatArray, slower: BoolArray) -> Trials:
    none = np.zeros(len(rho), dtype=np.bool_)
    return Trials(
        on_candidate=on_candidate,
        rho=rho,
        is_first=~none,
        failed=none,
        is_blamed=none,
        slower=slower,
        is_alone=none,
        is_late=none,
    )
