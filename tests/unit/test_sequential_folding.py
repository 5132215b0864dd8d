"""Evidence is the same in one portion or in many, and the same as its definition."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise
from math import log, prod
from operator import mul

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triune.stats.inputs import FloatArray
from triune.stats.sequential.failure import RISK_RATIOS, FailureStream, ln_factors
from triune.stats.sequential.latency import LatencyStream
from triune.stats.sequential.mixture import Mixture
from triune.stats.sequential.outage import OutageStream
from triune.stats.sequential.rollback import RollbackEvidence, Trials
from triune.stats.sequential.safety import Safety

FACTORS = st.lists(st.floats(0.05, 20.0), max_size=60)


def random_trials(seed: int, count: int) -> Trials:
    """Draw requests of every kind, of which far more fail than in life."""
    rng = np.random.default_rng(seed)
    rho = rng.choice([0.0, 0.05, 0.25, 0.2 / 0.95, 0.95, 1.0], size=count)
    on_candidate = rng.random(count) < rho
    failed = rng.random(count) < rng.choice([0.02, 0.3, 0.9], size=count)
    return Trials(
        on_candidate=on_candidate,
        rho=rho,
        is_first=rng.random(count) < 0.8,
        failed=failed,
        is_blamed=failed & (rng.random(count) < 0.8),
        slower=rng.random((4, count)) < np.array([[0.5], [0.1], [0.05], [0.01]]),
        is_alone=rho == 1,
        is_late=rng.random(count) < 0.1,
    )


def portion(trials: Trials, begin: int, end: int) -> Trials:
    return Trials(
        **{field.name: getattr(trials, field.name)[..., begin:end] for field in fields(Trials)}
    )


def nothing_known() -> tuple[RollbackEvidence, Safety]:
    return (
        RollbackEvidence.new(error_budget=0.005, has_p99=True),
        Safety.new(ratio=5, budget=0.005),
    )


def take_in(trials: Trials, cuts: Sequence[int]) -> tuple[RollbackEvidence, Safety]:
    rollback, safety = nothing_known()
    bounds = [0, *cuts, len(trials.rho)]
    for begin, end in pairwise(bounds):
        part = portion(trials, begin, end)
        rollback = rollback.after(part)
        safety = safety.after(part.on_candidate, part.failed, part.rho)
    return rollback, safety


def numbers(state: object) -> list[float]:
    """Flatten a state into its numbers."""
    if is_dataclass(state):
        return [each for field in fields(state) for each in numbers(getattr(state, field.name))]
    if isinstance(state, tuple):
        return [each for part in state for each in numbers(part)]
    assert isinstance(state, int | float)
    return [state]


@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 1300), max_size=8).map(sorted))
@settings(max_examples=40)
def test_portions_make_no_difference(seed: int, cuts: list[int]) -> None:
    trials = random_trials(seed, 1300)

    whole = take_in(trials, [])
    in_portions = take_in(trials, cuts)

    assert numbers(in_portions) == pytest.approx(numbers(whole), abs=1e-9)


def test_one_by_one_makes_no_difference() -> None:
    trials = random_trials(1, 1000)

    whole = take_in(trials, [])
    one_by_one = take_in(trials, range(1, 1000))

    assert numbers(one_by_one) == pytest.approx(numbers(whole), abs=1e-9)
    assert whole[0].outage.mixture.trials > 500


@given(
    factors=FACTORS,
    every=st.integers(1, 7),
    components=st.integers(1, 3),
)
def test_a_mixture_is_what_its_definition_says(
    factors: list[float], every: int, components: int
) -> None:
    columns = np.array([np.array(factors) ** (power + 1) for power in range(components)])
    mixture = Mixture.new(components=components, every=every)

    path = mixture.path(np.log(columns))

    expected = [log(defined(columns[:, : place + 1], every)) for place in range(len(factors))]
    assert path == pytest.approx(expected, abs=1e-9)
    assert mixture.after(np.log(columns)).ln_e == pytest.approx([0.0, *expected][-1], abs=1e-9)


def defined(columns: FloatArray, every: int) -> float:
    """Average products over components and starts; those not open yet are worth 1."""
    opened = range(columns.shape[1] // every + 1)
    weights = [1 / ((start + 1) * (start + 2)) for start in opened]
    products = [
        sum(prod(column[every * start :]) for column in columns) / len(columns) for start in opened
    ]
    return float(sum(map(mul, weights, products))) + 1 - sum(weights)


@given(factors=FACTORS, every=st.sampled_from([0, 1, 3, 25]), above=st.floats(0, 4))
def test_the_peak_is_the_highest_of_the_path(
    factors: list[float], every: int, above: float
) -> None:
    columns = np.log(np.array([factors, np.array(factors)[::-1]]))
    mixture = Mixture.new(components=2, every=every)

    after, peak = mixture.after_peak(columns, above=above)

    assert peak == pytest.approx(max([above, *mixture.path(columns)]), abs=1e-12)
    assert after == mixture.after(columns)


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_the_paths_of_all_streams_end_where_their_states_do(seed: int) -> None:
    trials = random_trials(seed, 900)
    arms, failed, rho = trials.on_candidate, trials.failed, trials.rho
    rollback, safety = nothing_known()

    failures = rollback.failures.path(arms[failed], rho[failed])
    outage = rollback.outage.path(arms, failed, rho)
    latency = rollback.latency.path(arms, trials.slower, rho)
    shown = safety.path(arms, failed, rho)

    ends = [failures[-1], outage[-1], latency[-1], shown[-1]]
    assert ends == pytest.approx(
        [
            FailureStream.new().after(arms[failed], rho[failed]).ln_e,
            OutageStream.new().after(arms, failed, rho).ln_e,
            LatencyStream.new().after(arms, trials.slower, rho).ln_e,
            safety.after(arms, failed, rho).ln_e,
        ],
        abs=1e-9,
    )
    peaks = [
        FailureStream.new().after(arms[failed], rho[failed]).ln_peak,
        OutageStream.new().after(arms, failed, rho).ln_peak,
        LatencyStream.new().after(arms, trials.slower, rho).ln_peak,
    ]
    assert peaks == pytest.approx(
        [max(0, path.max()) for path in (failures, outage, latency)], abs=1e-9
    )


def test_a_late_fault_is_seen_after_long_health() -> None:
    late = np.repeat([False, True], [4_000, 8])
    rho = np.full(len(late), 0.05)
    one_start = Mixture.new(components=len(RISK_RATIOS))

    with_restarts = FailureStream.new().after(late, rho)
    without = one_start.after(ln_factors(late, rho, ratios=RISK_RATIOS, multiplier=1.0))

    assert with_restarts.ln_e > log(250)
    assert without.ln_e < 0
