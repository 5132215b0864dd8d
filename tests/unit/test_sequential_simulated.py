"""Seeded simulations of the evidence: it errs as seldom as it says, and is not blind either.

The benchmark of the rollouts simulates more of it, for longer; the slow lane runs its rows here.
"""

from collections.abc import Callable
from math import log

import numpy as np
import pytest
from benchmarks.rollouts import advances, delays, false_rollbacks, latency
from benchmarks.rollouts.figures import Figure

from triune.stats.sequential.failure import FailureStream
from triune.stats.sequential.outage import OutageStream
from triune.stats.sequential.safety import Safety

RUNS = 400


def crossed(peaks: list[float], level: float) -> float:
    """Return in what share of the runs evidence was ever at 1/level."""
    return float(np.mean(np.array(peaks) >= -log(level)))


def test_failures_that_both_arms_share_seldom_add_up_against_the_candidate() -> None:
    rng = np.random.default_rng(1)
    ramp = np.repeat([0.05, 0.25, 0.95], 300)

    peaks = [
        FailureStream.new().after(rng.random(len(ramp)) < ramp, ramp).ln_peak for _ in range(RUNS)
    ]

    assert 0.01 < crossed(peaks, 0.1) <= 0.1


def test_slowness_may_be_a_quarter_more_before_it_adds_up() -> None:
    rng = np.random.default_rng(2)
    rho = np.full(600, 0.25)
    quarter_more = 0.25 * 1.25 / (0.75 + 0.25 * 1.25)

    allowed = [
        FailureStream.new(multiplier=1.25).after(rng.random(600) < quarter_more, rho).ln_peak
        for _ in range(RUNS)
    ]
    strict = [
        FailureStream.new().after(rng.random(600) < quarter_more, rho).ln_peak for _ in range(RUNS)
    ]

    assert crossed(allowed, 0.1) <= 0.1 < crossed(strict, 0.1)


def test_an_outage_that_both_arms_share_seldom_adds_up_against_the_candidate() -> None:
    rng = np.random.default_rng(3)
    rate = np.repeat([0.005, 1.0, 0.3, 0.005], [800, 100, 500, 1600])
    rho = np.full(len(rate), 0.25)

    peaks = [
        OutageStream.new()
        .after(rng.random(len(rate)) < rho, rng.random(len(rate)) < rate, rho)
        .ln_peak
        for _ in range(RUNS)
    ]

    assert 0.01 < crossed(peaks, 0.1) <= 0.1


@pytest.mark.parametrize(
    ("ratio", "rho", "champion", "candidate"), [(5, 0.05, 0.02, 0.1), (2, 0.25, 0.005, 0.01)]
)
def test_an_unsafe_candidate_seldom_looks_safe(
    ratio: float, rho: float, champion: float, candidate: float
) -> None:
    rng = np.random.default_rng(4)
    rhos = np.full(4000, rho)

    peaks = []
    for _ in range(RUNS):
        on_candidate = rng.random(4000) < rho
        failed = rng.random(4000) < np.where(on_candidate, candidate, champion)
        safety = Safety.new(ratio=ratio, budget=0.005)
        peaks.append(float(safety.path(on_candidate, failed, rhos).max()))

    assert 0.01 < crossed(peaks, 0.2) <= 0.2


def test_a_worse_candidate_is_found_almost_as_soon_as_any_test_could() -> None:
    bound = delays.walds_bound(weight=0.25, champion=0.005, candidate=0.2)

    found = [
        delays.until_rollback(
            np.random.default_rng(seed), weight=0.25, candidate=0.2, most=int(40 * bound)
        )
        for seed in range(200)
    ]

    assert bound == pytest.approx(76, abs=1)
    assert np.mean([delay.requests for delay in found]) <= 1.9 * bound


@pytest.mark.parametrize(
    ("weight", "candidate", "requests"),
    [(0.05, 0.02, 7831), (0.05, 0.05, 1480), (0.05, 0.2, 210), (0.05, 1.0, 25)],
)
def test_walds_bound_is_what_was_published(weight: float, candidate: float, requests: int) -> None:
    bound = delays.walds_bound(weight=weight, champion=0.005, candidate=candidate)

    assert round(bound) == requests


def silently(_what: str) -> None:
    """Report no progress."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "runs"),
    [
        (false_rollbacks.rows, 100),
        (latency.rows, 40),
        (delays.rows, 200),
        (advances.rows, 100),
    ],
)
def test_no_row_of_the_benchmark_misses_its_goal(
    rows: Callable[[int, Callable[[str], None]], list[Figure]], runs: int
) -> None:
    figures = rows(runs, silently)

    # A simulation errs: what counts as missed is what more runs would not mend.
    missed = [row for row in figures if row.goal is not None and row.low > row.goal]
    assert not missed
    assert any(row.goal is not None for row in figures)
