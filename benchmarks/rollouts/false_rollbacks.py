"""How often a candidate as good as the champion is rolled back within a million requests."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from benchmarks.rollouts.figures import Figure, generators, share
from benchmarks.rollouts.requests import PORTION, Ending, roll_out
from benchmarks.rollouts.sticky import sticky_portions

from triune.domain.rollout.forecast import draw
from triune.stats.sequential.rollback import Trials

REQUESTS: Final = 1_000_000
RATE: Final = 0.005
OUTAGES: Final = ((1.0, 120), (0.3, 3_000), (0.05, 30_000))
RAMP: Final = (0.05, 0.25, 0.95)

Portions = Iterator[tuple[int, Trials]]


def rows(runs: int, progress: Callable[[str], None]) -> list[Figure]:
    """Simulate every row of false rollbacks by failures."""
    return [
        _row("plain, 0.5 %, weight 5 %", _plain, runs, progress),
        _row("shared outages, weight 5 %", lambda rng: _outages(rng, 0.05), runs, progress),
        _row("shared outages, weight 25 %", lambda rng: _outages(rng, 0.25), runs, progress),
        _row("ramp 5-25-95, shared rate drifts 0.2-3 %", _ramp, runs, progress),
        _row("ramp 5-25-95, sticky units of unequal rates", sticky_portions, runs, progress),
    ]


def _row(
    what: str,
    portions: Callable[[np.random.Generator], Portions],
    runs: int,
    progress: Callable[[str], None],
) -> Figure:
    progress(what)
    endings: list[Ending] = [roll_out(portions(rng)) for rng in generators(what, runs)]
    return share(
        what,
        [ending.is_rolled_back for ending in endings],
        goal=1.0,
        inconclusive=[ending.is_inconclusive for ending in endings],
    )


def _plain(rng: np.random.Generator) -> Portions:
    return _shared(rng, np.full(REQUESTS, RATE, dtype=np.float32), weights=(0.05,))


def _outages(rng: np.random.Generator, weight: float) -> Portions:
    """Three outages of each kind somewhere in a million requests, on both arms alike."""
    rates = np.full(REQUESTS, RATE, dtype=np.float32)
    for rate, length in OUTAGES:
        for begin in rng.integers(REQUESTS - length, size=3):
            outage = slice(begin, begin + length)
            rates[outage] = np.maximum(rates[outage], rate)
    return _shared(rng, rates, weights=(weight,))


def _ramp(rng: np.random.Generator) -> Portions:
    """Between 0.2 % and 3 %, in waves of a length and a phase of their own in each run."""
    wave = np.arange(REQUESTS) / rng.uniform(30_000, 600_000) + rng.random()
    share_of_way = (1 + np.sin(2 * np.pi * wave)) / 2
    rates = 0.002 * (0.03 / 0.002) ** share_of_way
    return _shared(rng, rates.astype(np.float32), weights=RAMP)


def _shared(
    rng: np.random.Generator, rates: npt.NDArray[np.float32], *, weights: tuple[float, ...]
) -> Portions:
    for step, part in enumerate(np.array_split(rates, len(weights))):
        for begin in range(0, len(part), PORTION):
            portion = part[begin : begin + PORTION]
            yield (
                step,
                draw(rng, len(portion), weight=weights[step], champion=portion, candidate=portion),
            )
