"""Whether a good release is rolled back for being slow: one worker an arm, behind real queues.

The worker takes whatever queued while it was busy. So the arm with more traffic has larger batches
and longer waits, and a comparison that does not see this blames it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from benchmarks.rollouts.figures import Figure, generators, share
from benchmarks.rollouts.requests import RULES, no_evidence

from triune.domain.outcomes import LatencySample
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.latency import ServiceTimes
from triune.stats.sequential.rollback import Stream, Trials

UTILISATIONS: Final = (0.2, 0.5, 0.8)
"""How busy one worker is with all of the traffic."""
RAMP: Final = (0.05, 0.25, 0.95)
REQUESTS: Final = 90_000
SLOWER: Final = 2.0
MEASURED: Final = 30_000
"""By the champion alone, before the rollout."""

_LARGEST_BATCH: Final = 32
_BASE_S: Final = 0.002
_EACH_S: Final = 0.0005


class Served(NamedTuple):
    """What the worker took for each request's batch, how large that was, and how busy it was.

    ``latency_s`` is how long each request took, the wait in the queue included.
    """

    service_s: FloatArray
    batch_size: npt.NDArray[np.int64]
    latency_s: FloatArray
    busy: float


def rows(runs: int, progress: Callable[[str], None]) -> list[Figure]:
    """Simulate good releases at several utilisations, and slower ones to see that it shows."""
    figures = []
    for utilisation in UTILISATIONS:
        rate = arrivals_per_s(utilisation)
        ramp = f"ramp 5-25-95, {utilisation:.0%} utilised"
        for what, slowdown, goal, count in (
            (f"good, {ramp}", 1.0, 1.0, runs),
            (f"{SLOWER:g} x as slow, {ramp}", SLOWER, None, max(2, runs // 5)),
        ):
            progress(what)
            hits = [
                is_rolled_back(rng, per_s=rate, slowdown=slowdown)
                for rng in generators(what, count)
            ]
            figures.append(share(what, hits, goal=goal))
    return figures


def is_rolled_back(rng: np.random.Generator, *, per_s: float, slowdown: float) -> bool:
    """Measure the champion, then go through the ramp."""
    before = serve(rng, arrivals(rng, MEASURED, per_s=per_s))
    times = ServiceTimes.measured(before.service_s, before.batch_size)
    weights = np.repeat(RAMP, REQUESTS // len(RAMP))
    arrived = arrivals(rng, len(weights), per_s=per_s)
    on_candidate = rng.random(len(weights)) < weights
    slower = np.empty((4, len(weights)), dtype=np.bool_)
    latency_s = np.empty(len(weights))
    for is_candidate, factor in ((True, slowdown), (False, 1.0)):
        arm = on_candidate == is_candidate
        served = serve(rng, arrived[arm], slowdown=factor)
        slower[:, arm] = times.slower(served.service_s, served.batch_size)
        latency_s[arm] = served.latency_s
    sample = LatencySample()
    slower &= np.array(
        [
            sample.takes(assigned_at_s=at_s, latency_s=took_s)
            for at_s, took_s in zip(arrived.tolist(), latency_s.tolist(), strict=True)
        ]
    )
    evidence = no_evidence().after(_trials(on_candidate, weights, slower))
    latency = {at.stream: at for at in evidence.against(RULES.alpha)}[Stream.LATENCY]
    return latency.is_sufficient


def serve(rng: np.random.Generator, arrived: FloatArray, *, slowdown: float = 1.0) -> Served:
    """Serve requests by one worker, in batches of what queued, with times that scatter."""
    times = arrived.tolist()
    scatter = rng.lognormal(0, 0.25, len(times)) * np.where(rng.random(len(times)) < 0.02, 4, 1)
    spread = (slowdown * scatter).tolist()
    durations: list[float] = []
    sizes: list[int] = []
    ends: list[float] = []
    free = busy = 0.0
    begin = 0
    while begin < len(times):
        start = max(free, times[begin])
        end = begin + 1
        last = min(len(times), begin + _LARGEST_BATCH)
        while end < last and times[end] <= start:
            end += 1
        took = (_BASE_S + _EACH_S * (end - begin)) * spread[begin]
        durations.append(took)
        sizes.append(end - begin)
        ends.append(start + took)
        free, busy, begin = start + took, busy + took, end
    batch = np.array(sizes)
    answered = np.repeat(ends, batch)
    return Served(
        np.repeat(durations, batch), np.repeat(batch, batch), answered - arrived, busy / free
    )


def arrivals(rng: np.random.Generator, count: int, *, per_s: float) -> FloatArray:
    """Let requests come at random, independently of each other."""
    return np.cumsum(rng.exponential(1 / per_s, count))


def arrivals_per_s(utilisation: float) -> float:
    """Find how many requests a second keep one worker that busy."""
    low, high = 1.0, 1 / _EACH_S
    for _ in range(14):
        middle = (low + high) / 2
        rng = generators("utilisation", 1)[0]
        if serve(rng, arrivals(rng, 20_000, per_s=middle)).busy < utilisation:
            low = middle
        else:
            high = middle
    return low


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
