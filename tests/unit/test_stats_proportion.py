import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from triune.stats.errors import StatsError
from triune.stats.interval import Interval
from triune.stats.proportion import (
    clopper_pearson_bounds,
    clopper_pearson_interval,
    wilson_bounds,
    wilson_interval,
)

RATES = np.linspace(0.005, 0.995, 199)


def a_count() -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(1, 5_000).flatmap(
        lambda trials: st.tuples(st.integers(0, trials), st.just(trials))
    )


def covered(intervals: list[Interval], rate: float) -> float:
    """Add up the chances of the outcomes whose interval holds the rate: exact, no simulation."""
    trials = len(intervals) - 1
    holds = np.array([interval.low <= rate <= interval.high for interval in intervals])
    return float(binom.pmf(np.arange(trials + 1), trials, rate)[holds].sum())


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.255289, 0.366210),
        (0, 20, 0.0, 0.161125),
        (5, 1000, 0.002138, 0.011651),
    ],
)
def test_wilson_gives_the_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    interval = wilson_interval(successes, trials)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-7)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.252737, 0.367622),
        (0, 20, 0.0, 0.168433),
        (5, 1000, 0.001625, 0.011629),
    ],
)
def test_clopper_and_pearson_give_the_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    interval = clopper_pearson_interval(successes, trials)

    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-7)


@given(count=a_count())
def test_an_interval_holds_the_share_and_mirrors_with_the_failures(
    count: tuple[int, int],
) -> None:
    successes, trials = count
    for interval in (wilson_interval, clopper_pearson_interval):
        of_successes = interval(successes, trials)
        of_failures = interval(trials - successes, trials)

        assert 0 <= of_successes.low <= successes / trials <= of_successes.high <= 1
        assert of_successes.low == pytest.approx(1 - of_failures.high, abs=1e-12)


@given(count=a_count(), alpha=st.floats(1e-6, 0.4))
def test_one_sided_bounds_are_the_ends_of_the_wider_interval(
    count: tuple[int, int], alpha: float
) -> None:
    for bounds, interval in (
        (wilson_bounds, wilson_interval),
        (clopper_pearson_bounds, clopper_pearson_interval),
    ):
        one_sided = bounds(*count, alpha=alpha)
        two_sided = interval(*count, confidence=1 - 2 * alpha)

        assert (one_sided.lower, one_sided.upper) == pytest.approx(
            (two_sided.low, two_sided.high), abs=1e-9
        )


def test_without_trials_nothing_is_known() -> None:
    intervals = [wilson_interval(0, 0), clopper_pearson_interval(0, 0)]

    assert [(each.low, each.high) for each in intervals] == [(0, 1), (0, 1)]


@pytest.mark.parametrize("trials", [1, 2, 5, 10, 20, 50, 100, 200, 500])
def test_clopper_and_pearson_cover_every_rate(trials: int) -> None:
    intervals = [clopper_pearson_interval(seen, trials) for seen in range(trials + 1)]
    # The chance is least right beside an end of an interval.
    ends = [end for each in intervals for end in (each.low, each.high) if 0 < end < 1]
    rates = [*RATES, *(np.array(ends) - 1e-9), *(np.array(ends) + 1e-9)]

    assert min(covered(intervals, rate) for rate in rates) >= 0.95


def test_a_clopper_and_pearson_bound_errs_on_its_side_as_often_as_it_says() -> None:
    trials, alpha = 60, 0.025
    bounds = [clopper_pearson_bounds(seen, trials, alpha=alpha) for seen in range(trials + 1)]
    chances = binom.pmf(np.arange(trials + 1), trials, RATES[:, None])

    too_high = (chances * ([each.lower for each in bounds] > RATES[:, None])).sum(axis=1)
    too_low = (chances * ([each.upper for each in bounds] < RATES[:, None])).sum(axis=1)

    assert max(too_high.max(), too_low.max()) <= alpha


@pytest.mark.parametrize("trials", [10, 20, 50, 100, 500, 1000])
def test_wilson_covers_95_percent_on_average_over_the_rates(trials: int) -> None:
    intervals = [wilson_interval(seen, trials) for seen in range(trials + 1)]

    mean = np.mean([covered(intervals, rate) for rate in RATES])

    assert 0.94 <= mean <= 0.96


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 2), (0, -1)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    for bound in (wilson_interval, clopper_pearson_interval):
        with pytest.raises(StatsError, match="cannot be; check the counts"):
            bound(successes, trials)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    with pytest.raises(StatsError, match=r"give a number between 0 and 1, as \.95"):
        wilson_interval(1, 2, confidence=confidence)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.5])
def test_a_level_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(StatsError, match=r"give a number above 0 and below \.5"):
        clopper_pearson_bounds(1, 2, alpha=alpha)
