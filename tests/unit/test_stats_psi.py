"""The population stability index, and what chance makes of it."""

from math import inf

import numpy as np
import pytest

from triune.stats.errors import StatsError
from triune.stats.psi import (
    chance_quantile,
    occupied_bins,
    population_stability_index,
    rows_needed,
    rows_needed_on_both_sides,
)


def test_the_index_is_the_published_one() -> None:
    found = population_stability_index([20] * 5, [10, 20, 30, 25, 15], smoothing=0)

    assert found == pytest.approx(0.1354025101, abs=1e-10)


def test_counts_are_smoothed_by_half_a_row_in_each_bin() -> None:
    found = population_stability_index([3, 0], [1, 1])

    p, q = np.array([3.5, 0.5]) / 4, np.array([1.5, 1.5]) / 3
    assert found == pytest.approx(float(((q - p) * np.log(q / p)).sum()))


def test_bins_that_are_empty_on_both_sides_are_left_out() -> None:
    assert population_stability_index([3, 0, 5], [1, 0, 1]) == pytest.approx(
        population_stability_index([3, 5], [1, 1])
    )
    assert occupied_bins([3, 0, 5, 0], [1, 0, 1, 2]) == 3
    assert population_stability_index([0, 0], [0, 0]) == 0.0


@pytest.mark.parametrize(
    ("features", "against_a_large_one", "on_both_sides"), [(1, 108, 217), (20, 148, 297)]
)
def test_rows_needed_are_those_of_the_section(
    features: int, against_a_large_one: int, on_both_sides: int
) -> None:
    quantile = chance_quantile(10, features=features)

    assert round(rows_needed(quantile, threshold=0.2)) == against_a_large_one
    assert round(rows_needed_on_both_sides(quantile, threshold=0.2)) == on_both_sides
    # Two sides as small as that are what each other needs.
    both = rows_needed_on_both_sides(quantile, threshold=0.2)
    assert rows_needed(quantile, threshold=0.2, reference=both) == pytest.approx(both)


def test_a_reference_that_is_too_small_needs_rows_itself() -> None:
    quantile = chance_quantile(10)

    assert rows_needed(quantile, threshold=0.2, reference=100) == inf
    assert rows_needed(quantile, threshold=0.2, reference=0) == inf
    assert rows_needed(quantile, threshold=0.2, reference=200) < inf


def test_one_bin_leaves_nothing_to_chance() -> None:
    assert chance_quantile(1) == 0.0


def test_chance_exceeds_its_bound_as_seldom_as_is_said() -> None:
    random, alpha, rounds = np.random.default_rng(7), 0.05, 2000
    n = m = 500
    bound = chance_quantile(10, alpha=alpha) * (1 / n + 1 / m)

    exceeded = sum(
        population_stability_index(
            random.multinomial(n, [0.1] * 10).tolist(), random.multinomial(m, [0.1] * 10).tolist()
        )
        > bound
        for _ in range(rounds)
    )

    assert 0.03 < exceeded / rounds < 0.07


@pytest.mark.parametrize(
    ("reference", "current", "smoothing"),
    [([1, 2], [1, 2, 3], 0.5), ([1, -2], [1, 2], 0.5), ([1, 0], [1, 1], 0.0)],
)
def test_what_cannot_be_compared_is_refused(
    reference: list[int], current: list[int], smoothing: float
) -> None:
    with pytest.raises(StatsError):
        population_stability_index(reference, current, smoothing=smoothing)


@pytest.mark.parametrize(("bins", "features", "alpha"), [(0, 1, 0.1), (2, 0, 0.1), (2, 1, 0.0)])
def test_a_bound_of_nothing_is_refused(bins: int, features: int, alpha: float) -> None:
    with pytest.raises(StatsError):
        chance_quantile(bins, features=features, alpha=alpha)
