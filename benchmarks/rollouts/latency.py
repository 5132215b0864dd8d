"""Whether a good release is rolled back for being slow: workers behind real queues.

A worker takes whatever queued while it was busy. So the arm with more traffic has larger batches
and longer waits; and what a worker does is in the processor's caches as long as it is asked often,
so the arm with less traffic is slower. A comparison that does not see this blames either.
"""

from collections.abc import Callable
from math import exp
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from benchmarks.rollouts.figures import Figure, generators, share
from benchmarks.rollouts.requests import RULES, no_evidence

from triune.domain.rollout.champion_times import ChampionTimes
from triune.gateway.timing import Timing
from triune.stats.inputs import BoolArray, FloatArray
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
_COLD: Final = 0.6
"""By so much of its time a worker is slower that was not asked for long; measured: 0.5 to 0.6."""
_COOLS_S: Final = 0.01
_CONTROL: Final = 2


class Served(NamedTuple):
    """What a worker took for each request's batch, how large that was, and how busy it was."""

    service_s: FloatArray
    batch_size: npt.NDArray[np.int64]
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
    times = ChampionTimes()
    arrived = arrivals(rng, MEASURED, per_s=per_s)
    before = serve(rng, arrived, is_alone=np.zeros(MEASURED, dtype=np.bool_))
    for took_s, size in zip(before.service_s.tolist(), before.batch_size.tolist(), strict=True):
        times.learn(took_s, size)
    times.freeze()

    weights = np.repeat(RAMP, REQUESTS // len(RAMP))
    arrived = arrivals(rng, len(weights), per_s=per_s)
    on_candidate = rng.random(len(weights)) < weights
    timed = timed_of(arrived)
    # The busier arm's are timed by a worker of its own.
    workers = np.where(timed & (on_candidate == (weights > 0.5)), _CONTROL, on_candidate)
    service_s, sizes = np.empty(len(weights)), np.empty(len(weights), dtype=np.int64)
    for worker in range(_CONTROL + 1):
        own = workers == worker
        factor = np.where(on_candidate[own], slowdown, 1.0)
        served = serve(rng, arrived[own], is_alone=timed[own], slowdown=factor)
        service_s[own], sizes[own] = served.service_s, served.batch_size

    slower = compared(times, on_candidate, timed, service_s, sizes)
    evidence = no_evidence().after(_trials(on_candidate, weights, slower))
    latency = {at.stream: at for at in evidence.against(RULES.alpha)}[Stream.LATENCY]
    return latency.is_sufficient


def compared(
    times: ChampionTimes,
    on_candidate: BoolArray,
    timed: BoolArray,
    service_s: FloatArray,
    batch_size: npt.NDArray[np.int64],
) -> BoolArray:
    """Tell which requests were slower than each quantile that was frozen by then."""
    slower = np.zeros((4, len(timed)), dtype=np.bool_)
    requests = zip(
        on_candidate.tolist(), timed.tolist(), service_s.tolist(), batch_size.tolist(), strict=True
    )
    for number, (is_candidate, is_timed, took_s, size) in enumerate(requests, start=1):
        frozen = times.frozen_before(number) if is_timed else None
        if frozen is not None:
            slower[:, number - 1] = frozen.slower_than(took_s, size)
        if not is_candidate:
            times.learn_beside(took_s, size, number=number, is_timed=is_timed)
    return slower


def timed_of(arrived: FloatArray) -> BoolArray:
    """Choose as the gateway does, where answers take less than is between two that are chosen."""
    timing = Timing()
    timed = np.zeros(len(arrived), dtype=np.bool_)
    for at, now in enumerate(arrived.tolist()):
        if timing.is_due(now):
            timing.take(now)
            timing.returned(now)
            timed[at] = True
    return timed


def serve(
    rng: np.random.Generator,
    arrived: FloatArray,
    *,
    is_alone: BoolArray,
    slowdown: FloatArray | float = 1.0,
) -> Served:
    """Serve requests by one worker, in batches of what queued, with times that scatter."""
    times, alone = arrived.tolist(), is_alone.tolist()
    scatter = rng.lognormal(0, 0.25, len(times)) * np.where(rng.random(len(times)) < 0.02, 4, 1)
    spread = (slowdown * scatter).tolist()
    durations: list[float] = []
    sizes: list[int] = []
    free = busy = 0.0
    begin = 0
    while begin < len(times):
        start = max(free, times[begin])
        end = begin + 1
        last = begin + 1 if alone[begin] else min(len(times), begin + _LARGEST_BATCH)
        while end < last and times[end] <= start and not alone[end]:
            end += 1
        cold = 1 + _COLD * (1 - exp(-(start - free) / _COOLS_S))
        took = (_BASE_S + _EACH_S * (end - begin)) * spread[begin] * cold
        durations.append(took)
        sizes.append(end - begin)
        free, busy, begin = start + took, busy + took, end
    batch = np.array(sizes, dtype=np.int64)
    return Served(np.repeat(durations, batch), np.repeat(batch, batch), busy / max(free, 1e-9))


def arrivals(rng: np.random.Generator, count: int, *, per_s: float) -> FloatArray:
    """Let requests come at random, independently of each other."""
    return np.cumsum(rng.exponential(1 / per_s, count))


def arrivals_per_s(utilisation: float) -> float:
    """Find how many requests a second keep one worker that busy."""
    low, high = 1.0, 1 / _EACH_S
    together = np.zeros(20_000, dtype=np.bool_)
    for _ in range(14):
        middle = (low + high) / 2
        rng = generators("utilisation", 1)[0]
        arrived = arrivals(rng, len(together), per_s=middle)
        if serve(rng, arrived, is_alone=together).busy < utilisation:
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
