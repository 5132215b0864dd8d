"""How often the bounds of the gate hold the truth, by seeded simulation over stated grids.

Clopper-Pearson, Wilson and Tango are summed up exactly beside their other tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtri

from triune.stats.auc import compare_auc, estimate_auc
from triune.stats.bootstrap import Draws, compare_by_bootstrap, estimate_by_bootstrap
from triune.stats.interval import Bounds
from triune.stats.metric_names import Task
from triune.stats.metrics import find_metric
from triune.stats.outcomes import compare_outcomes

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Misses:
    """The share of runs whose lower bound was above the truth, and whose upper one was below."""

    above: float
    below: float

    @property
    def covered(self) -> float:
        return 1 - self.above - self.below


def misses(bounds: list[Bounds], truth: float) -> Misses:
    return Misses(
        above=float(np.mean([each.lower > truth for each in bounds])),
        below=float(np.mean([each.upper < truth for each in bounds])),
    )


def mean_of(cells: list[Misses]) -> Misses:
    return Misses(
        above=float(np.mean([each.above for each in cells])),
        below=float(np.mean([each.below for each in cells])),
    )


def two_areas(
    rng: np.random.Generator, classes: tuple[int, int], areas: tuple[float, float], alike: float
) -> tuple[Array, Array, Array]:
    """Score rows by two models of known areas whose scores are correlated within a class."""
    truth = np.repeat([True, False], classes)
    first, own = rng.standard_normal((2, len(truth)))
    second = alike * first + (1 - alike**2) ** 0.5 * own
    champion, candidate = (
        scores + truth * ndtri(area) * 2**0.5
        for scores, area in zip((first, second), areas, strict=True)
    )
    return truth, champion, candidate


@pytest.mark.slow
def test_the_bounds_of_one_area_cover_95_percent_on_average() -> None:
    rng = np.random.default_rng(21)

    cells = [
        misses(
            [
                estimate_auc(*two_areas(rng, classes, (area, area), 0.5)[:2]).bounds
                for _ in range(1500)
            ],
            area,
        )
        for classes in ((20, 180), (50, 50), (20, 80), (100, 400), (200, 200))
        for area in (0.6, 0.7, 0.8, 0.9, 0.95)
    ]

    assert 0.94 <= mean_of(cells).covered <= 0.96
    # What floors rest on.
    assert mean_of(cells).above <= 0.035


@pytest.mark.slow
def test_paired_delong_covers_95_percent_on_average() -> None:
    rng = np.random.default_rng(22)

    cells = [
        misses(
            [
                compare_auc(truth, champion=champion, candidate=candidate).bounds
                for truth, champion, candidate in (
                    two_areas(rng, classes, areas, alike) for _ in range(800)
                )
            ],
            areas[1] - areas[0],
        )
        for classes in ((20, 180), (50, 50), (100, 400), (300, 1200))
        for areas in ((0.7, 0.7), (0.7, 0.75), (0.8, 0.8), (0.8, 0.83), (0.9, 0.9), (0.9, 0.92))
        for alike in (0.5, 0.9)
    ]

    assert 0.94 <= mean_of(cells).covered <= 0.96


def test_paired_delong_promotes_a_model_that_is_no_better_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(23)
    classes, areas = (60, 240), (0.8, 0.8)

    cell = misses(
        [
            compare_auc(truth, champion=champion, candidate=candidate).bounds
            for truth, champion, candidate in (
                two_areas(rng, classes, areas, 0.7) for _ in range(4000)
            )
        ],
        0.0,
    )

    # Three standard errors of a share of .025 in 4,000.
    assert cell.above == pytest.approx(0.025, abs=0.0075)
    assert cell.below == pytest.approx(0.025, abs=0.0075)


def test_a_comparison_of_outcomes_promotes_a_model_that_is_no_better_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(24)
    rows, discordant = 400, 0.15
    right = rng.random((4000, rows)) < 0.8
    differs = rng.random((4000, rows)) < discordant
    candidate_right = np.where(differs, rng.random((4000, rows)) < 0.5, right)
    champion_right = np.where(differs, ~candidate_right, right)

    cell = misses(
        [
            compare_outcomes(champion=champion, candidate=candidate).bounds
            for champion, candidate in zip(champion_right, candidate_right, strict=True)
        ],
        0.0,
    )

    assert cell.above == pytest.approx(0.025, abs=0.0075)
    assert cell.below == pytest.approx(0.025, abs=0.0075)


Holdout = tuple[Array, Array, Array]


def of_classes(rng: np.random.Generator, rows: int) -> Holdout:
    """Score 30 % positives by two models that are equally good."""
    truth = (rng.random(rows) < 0.3).astype(np.int64)
    first, own = rng.standard_normal((2, rows)) + 1.5 * truth
    return truth, first, 0.8 * first + 0.6 * own - 0.6 * truth


def of_labels(rng: np.random.Generator, rows: int) -> Holdout:
    truth, champion, candidate = of_classes(rng, rows)
    return truth, champion > 0.75, candidate > 0.75


def of_chances(rng: np.random.Generator, rows: int) -> Holdout:
    truth, champion, candidate = of_classes(rng, rows)
    log_odds = np.log(0.3 / 0.7) - 1.5**2 / 2
    return (
        truth,
        1 / (1 + np.exp(-log_odds - 1.5 * champion)),
        1 / (1 + np.exp(-log_odds - 1.5 * candidate)),
    )


def of_numbers(rng: np.random.Generator, rows: int) -> Holdout:
    truth, shared, first, second = rng.standard_normal((4, rows))
    return truth, truth + shared + first, truth + shared + second


BOOTSTRAPPED: list[tuple[str, Task, Callable[[np.random.Generator, int], Holdout]]] = [
    ("f1", "binary", of_labels),
    ("precision", "binary", of_labels),
    ("recall", "binary", of_labels),
    ("pr_auc", "binary", of_classes),
    ("log_loss", "binary", of_chances),
    ("brier", "binary", of_chances),
    ("mae", "regression", of_numbers),
    ("rmse", "regression", of_numbers),
    ("r2", "regression", of_numbers),
]


@pytest.mark.slow
def test_paired_bca_covers_95_percent_on_average() -> None:
    rng = np.random.default_rng(25)
    cells = []
    for name, task, holdout in BOOTSTRAPPED:
        metric = find_metric(name, task=task)
        for rows, runs in ((300, 250), (1000, 120)):
            bounds = []
            for _ in range(runs):
                truth, champion, candidate = holdout(rng, rows)
                bounds.append(
                    compare_by_bootstrap(
                        metric,
                        champion=metric.statistic(truth, champion),
                        candidate=metric.statistic(truth, candidate),
                        draws=Draws(resamples=2000, seed=int(rng.integers(2**32))),
                    ).bounds
                )
            cells.append(misses(bounds, 0.0))

    assert 0.94 <= mean_of(cells).covered <= 0.96


@pytest.mark.slow
def test_bca_of_one_model_covers_95_percent_on_average() -> None:
    rng = np.random.default_rng(26)
    metric = find_metric("mae", task="regression")

    cells = [
        misses(
            [
                estimate_by_bootstrap(
                    metric,
                    metric.statistic(np.zeros(rows), rng.exponential(size=rows)),
                    draws=Draws(resamples=2000, seed=int(rng.integers(2**32))),
                ).bounds
                for _ in range(600)
            ],
            1.0,
        )
        for rows in (50, 200, 600)
    ]

    assert 0.94 <= mean_of(cells).covered <= 0.96


@pytest.mark.slow
def test_the_grouped_bootstrap_covers_where_delong_is_fooled_by_repeated_keys() -> None:
    rng = np.random.default_rng(27)
    metric = find_metric("roc_auc", task="binary")
    keys = np.repeat(np.arange(150), 4)
    grouped, fooled = [], []
    for _ in range(400):
        truth = rng.random(150) < 0.4
        subjects = rng.standard_normal((2, 150)) + 1.2 * truth
        champion, candidate = subjects[:, keys] + 0.3 * rng.standard_normal((2, 600))
        grouped.append(
            compare_by_bootstrap(
                metric,
                champion=metric.statistic(truth[keys], champion),
                candidate=metric.statistic(truth[keys], candidate),
                draws=Draws(resamples=1000, groups=keys),
            ).bounds
        )
        fooled.append(compare_auc(truth[keys], champion=champion, candidate=candidate).bounds)

    assert misses(grouped, 0.0).covered > 0.92
    assert misses(fooled, 0.0).covered < 0.75
