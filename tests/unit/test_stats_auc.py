import csv
from math import inf, nan
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from triune.stats.auc import MIN_CLASS_ROWS, compare_auc, estimate_auc, roc_auc
from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.estimate import Method
from triune.stats.interval import Question

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# GPL data of pROC, which therefore stays beside the project and not in it.
ASAH = Path(__file__).parents[3] / "shared" / "data" / "aSAH.csv"

ALL_PAIRS = np.repeat([True, False], 12)


def kernel(truth: Bools, scores: Floats) -> Floats:
    """Judge every pair of a positive and a negative: 1 in order, 0 not, a half where tied."""
    return np.heaviside(scores[truth][:, None] - scores[~truth][None, :], 0.5)


def delong_by_pairs(truth: Bools, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Compute the areas and their covariances as DeLong's paper writes them, in O(n²)."""
    kernels = [kernel(truth, first), kernel(truth, second)]
    by_positive = np.cov([each.mean(axis=1) for each in kernels])
    by_negative = np.cov([each.mean(axis=0) for each in kernels])
    areas = np.array([each.mean() for each in kernels])
    return areas, by_positive / truth.sum() + by_negative / (~truth).sum()


@st.composite
def scored_rows(draw: st.DrawFn) -> tuple[Bools, Floats, Floats]:
    """Draw rows of both classes with two scores each, few distinct values and so many ties."""
    positives = draw(st.integers(MIN_CLASS_ROWS, 25))
    negatives = draw(st.integers(MIN_CLASS_ROWS, 25))
    truth = np.array(draw(st.permutations([True] * positives + [False] * negatives)))
    rows = len(truth)
    score = st.one_of(st.integers(0, 4).map(float), st.floats(-1e6, 1e6))
    first, second = (
        np.array(draw(st.lists(score, min_size=rows, max_size=rows))) for _ in range(2)
    )
    return truth, first, second


def test_delong_gives_the_published_values() -> None:
    if not ASAH.exists():
        pytest.skip(f"the aSAH data is not beside the checkout, in {ASAH.parent.name}/")
    with ASAH.open() as file:
        rows = list(csv.DictReader(file))
    truth = [row["outcome"] == "Poor" for row in rows]
    wfns, s100b = ([float(row[name]) for row in rows] for name in ("wfns", "s100b"))

    seen = compare_auc(truth, champion=s100b, candidate=wfns)

    assert seen.candidate == pytest.approx(0.8236788618, abs=5e-11)
    assert seen.champion == pytest.approx(0.7313685637, abs=5e-11)
    assert seen.candidate_variance == pytest.approx(0.00146991470882, abs=5e-15)
    assert seen.champion_variance == pytest.approx(0.00266868245717, abs=5e-15)
    assert seen.covariance == pytest.approx(0.00119615567377, abs=5e-15)
    assert seen.z == pytest.approx(2.20898359144, abs=5e-12)
    assert seen.p == pytest.approx(0.02717578223, abs=5e-12)
    assert (seen.interval.low, seen.interval.high) == pytest.approx(
        (0.0104061770, 0.1742144192), abs=5e-11
    )


@given(rows=scored_rows())
def test_delong_by_ranks_is_delong_by_pairs(rows: tuple[Bools, Floats, Floats]) -> None:
    truth, first, second = rows
    areas, covariance = delong_by_pairs(truth, first, second)

    seen = compare_auc(truth, champion=first, candidate=second)

    assert (seen.champion, seen.candidate) == pytest.approx(tuple(areas), abs=1e-12)
    assert (seen.champion_variance, seen.candidate_variance) == pytest.approx(
        tuple(np.diag(covariance)), abs=1e-12
    )
    assert seen.covariance == pytest.approx(covariance[0, 1], abs=1e-12)
    assert estimate_auc(truth, first).variance == pytest.approx(covariance[0, 0], abs=1e-12)
    assert roc_auc(truth, second) == pytest.approx(areas[1], abs=1e-12)


def test_a_small_data_set_gives_its_values_in_fractions() -> None:
    truth = np.array([1, 0] * 10)
    champion = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4.0])
    candidate = np.array([2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5, 9, 0, 4, 5, 2, 3, 5, 3.0])

    seen = compare_auc(truth, champion=champion, candidate=candidate)

    assert (seen.champion, seen.candidate) == pytest.approx((117 / 200, 13 / 50))
    assert seen.champion_variance == pytest.approx(1087 / 60_000)
    assert seen.candidate_variance == pytest.approx(1463 / 90_000)
    assert seen.covariance == pytest.approx(2 / 625)


@given(rows=scored_rows())
def test_only_the_order_of_scores_matters(rows: tuple[Bools, Floats, Floats]) -> None:
    truth, first, second = rows
    # Onto whole numbers, so that no two scores fall together by rounding.
    ranks = np.unique(second, return_inverse=True)[1].astype(np.float64)

    plain = compare_auc(truth, champion=first, candidate=second)
    moved = compare_auc(truth, champion=first, candidate=np.exp(ranks / 20))

    assert moved == plain


@given(rows=scored_rows())
def test_exchanging_models_or_classes_mirrors_the_comparison(
    rows: tuple[Bools, Floats, Floats],
) -> None:
    truth, first, second = rows

    seen = compare_auc(truth, champion=first, candidate=second)
    models = compare_auc(truth, champion=second, candidate=first)
    other_class = compare_auc(~truth, champion=-first, candidate=-second)

    assert models.delta == -seen.delta
    assert models.bounds.lower == pytest.approx(-seen.bounds.upper, abs=1e-12)
    assert models.p_below == pytest.approx(seen.p_above, abs=1e-12)
    assert other_class.champion == pytest.approx(seen.champion, abs=1e-12)
    assert other_class.standard_error == pytest.approx(seen.standard_error, abs=1e-12)


def test_bounds_stand_as_far_from_the_difference_as_their_level_asks() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat([True, False], 50)
    champion, candidate = rng.standard_normal((2, 100)) + truth

    seen = compare_auc(
        truth,
        champion=champion,
        candidate=candidate,
        question=Question(alpha=0.001, confidence=0.9, null=0.02),
    )

    reach = ndtri(0.999) * seen.standard_error
    assert (seen.bounds.lower, seen.bounds.upper) == pytest.approx(
        (seen.delta - reach, seen.delta + reach)
    )
    assert seen.interval.high - seen.delta == pytest.approx(ndtri(0.95) * seen.standard_error)
    z = (seen.delta - 0.02) / seen.standard_error
    assert seen.null == 0.02
    assert seen.z == pytest.approx(z)
    assert (seen.p_below, seen.p_above) == pytest.approx((ndtr(z), ndtr(-z)))


def test_bounds_stay_among_the_differences_that_can_be() -> None:
    rng = np.random.default_rng(3)
    truth = np.repeat([True, False], 10)
    champion, candidate = rng.standard_normal((2, 20)) + np.outer([-2, 2], truth)

    seen = compare_auc(truth, champion=champion, candidate=candidate, question=Question(alpha=1e-6))

    assert seen.delta + ndtri(1 - 1e-6) * seen.standard_error > 1
    assert seen.bounds.upper == 1


def test_the_bounds_of_one_area_are_symmetric_in_its_log_odds() -> None:
    rng = np.random.default_rng(4)
    truth = np.repeat([True, False], 40)

    seen = estimate_auc(truth, rng.standard_normal(80) + truth)

    def log_odds(area: float) -> float:
        return float(np.log(area / (1 - area)))

    reach = ndtri(0.975) * seen.standard_error / (seen.value * (1 - seen.value))
    assert log_odds(seen.bounds.lower) == pytest.approx(log_odds(seen.value) - reach)
    assert log_odds(seen.interval.high) == pytest.approx(log_odds(seen.value) + reach)


def test_scores_in_the_same_order_leave_a_doubt_that_shrinks_with_the_rows() -> None:
    for rows in (12, 1200):
        truth = np.repeat([True, False], rows)
        scores = np.random.default_rng(5).standard_normal(2 * rows) + truth

        seen = compare_auc(truth, champion=scores, candidate=2 * scores)

        unseen = 1 - 0.025 ** (1 / rows)
        assert (seen.delta, seen.z, seen.p) == (0, None, 1)
        assert seen.method is Method.UNVARYING
        assert (seen.bounds.lower, seen.bounds.upper) == pytest.approx((-unseen, unseen))
        assert seen.standard_error == pytest.approx(unseen / ndtri(0.975))


@pytest.mark.parametrize(
    ("scores", "value"),
    [
        (np.where(ALL_PAIRS, 1.0, 0.0), 1.0),
        (np.where(ALL_PAIRS, 0.0, 1.0), 0.0),
        (np.zeros(24), 0.5),
    ],
)
def test_an_area_without_variance_is_bounded_by_its_disjoint_pairs(
    scores: Floats, value: float
) -> None:
    seen = estimate_auc(ALL_PAIRS, scores)

    unseen = 1 - 0.025 ** (1 / 12)
    assert (seen.value, seen.variance, seen.method) == (value, 0, Method.UNVARYING)
    assert seen.bounds.lower == pytest.approx(value * (1 - unseen))
    assert seen.bounds.upper == pytest.approx(value + unseen * (1 - value))


def test_a_perfect_candidate_beats_a_constant_champion_for_sure_enough() -> None:
    perfect = ALL_PAIRS.astype(np.float64)

    seen = compare_auc(ALL_PAIRS, champion=np.zeros(24), candidate=perfect)

    assert (seen.delta, seen.method) == (0.5, Method.UNVARYING)
    assert 0 < seen.bounds.lower < 0.5 < seen.bounds.upper < 1
    assert seen.p_above == pytest.approx((2 / 3) ** 12)
    assert seen.p_below == 1


def test_a_variance_that_cancels_says_nothing_at_all() -> None:
    # Positives and negatives take turns, and the candidate lifts each positive past one more.
    steps = np.arange(12.0)
    truth = np.repeat([True, False], 12)
    champion = np.concatenate([steps, steps + 0.5])
    candidate = np.concatenate([steps + 1, steps + 0.5])
    kernels = kernel(truth, candidate) - kernel(truth, champion)

    seen = compare_auc(truth, champion=champion, candidate=candidate)

    assert np.ptp(kernels) == 1
    assert seen.delta == pytest.approx(1 / 12)
    assert seen.method is Method.UNVARYING
    assert (seen.bounds.lower, seen.bounds.upper) == (-1, 1)
    assert seen.p == 1


def test_where_nothing_varies_a_difference_that_cannot_be_has_no_chance() -> None:
    perfect = ALL_PAIRS.astype(np.float64)

    seen = compare_auc(ALL_PAIRS, champion=perfect, candidate=perfect, question=Question(null=1.5))

    assert seen.p_below == 0


@pytest.mark.parametrize("strange", [nan, inf, -inf])
def test_scores_that_are_not_finite_are_refused(strange: float) -> None:
    scores = np.linspace(0, 1, 24)
    scores[7] = strange

    with pytest.raises(StatsError, match=r"candidate has 1 row\(s\) that are not finite.*index 7"):
        compare_auc(ALL_PAIRS, champion=np.zeros(24), candidate=scores)


def test_too_few_rows_of_a_class_are_refused_as_such() -> None:
    truth = np.arange(30) < MIN_CLASS_ROWS - 1

    with pytest.raises(TooFewRowsError, match="here are 9 positive and 21 negative"):
        estimate_auc(truth, np.arange(30.0))
    with pytest.raises(TooFewRowsError, match="here are 0 positive and 0 negative"):
        roc_auc([], [])


def test_scores_of_other_shapes_are_refused() -> None:
    with pytest.raises(StatsError, match="champion has 23 rows where there are 24"):
        compare_auc(ALL_PAIRS, champion=np.zeros(23), candidate=np.zeros(24))
    with pytest.raises(StatsError, match=r"scores has shape \(24, 2\)"):
        roc_auc(ALL_PAIRS, np.zeros((24, 2)))
