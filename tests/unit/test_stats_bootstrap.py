from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from scipy.special import ndtr, ndtri

from triune.stats import bootstrap
from triune.stats.auc import compare_auc
from triune.stats.bootstrap import (
    BootstrapComparison,
    Draws,
    compare_by_bootstrap,
    estimate_by_bootstrap,
)
from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.estimate import Method
from triune.stats.interval import Question
from triune.stats.metric_names import Task
from triune.stats.metrics import Metric, find_metric

Array = npt.NDArray[Any]

MAE = find_metric("mae", task="regression")
F1 = find_metric("f1", task="binary")


def metric(name: str, task: Task = "binary") -> Metric:
    return find_metric(name, task=task)


def skewed_errors(rows: int = 60) -> tuple[Array, Array]:
    rng = np.random.default_rng(11)
    return np.zeros(rows), rng.exponential(size=rows)


def two_models(rows: int = 300, *, seed: int = 12) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    truth = (np.arange(rows) % 3 == 0).astype(np.int64)
    champion, candidate = rng.standard_normal((2, rows)) + np.outer([1.0, 1.3], truth)
    return truth, champion, candidate


def compared(
    metric: Metric, draws: Draws, *, seed: int = 12, **asked: float
) -> BootstrapComparison:
    truth, champion, candidate = two_models(seed=seed)
    if metric.needs == "labels":
        champion, candidate = champion > 0.5, candidate > 0.5
    return compare_by_bootstrap(
        metric,
        champion=metric.statistic(truth, champion),
        candidate=metric.statistic(truth, candidate),
        question=Question(**asked),
        draws=draws,
    )


def test_bca_of_a_mean_agrees_with_scipy() -> None:
    truth, errors = skewed_errors()
    oracle = stats.bootstrap((errors,), np.mean, n_resamples=20_000, rng=13, method="BCa")

    seen = estimate_by_bootstrap(MAE, MAE.statistic(truth, errors), draws=Draws(resamples=20_000))

    error = oracle.standard_error
    assert seen.value == pytest.approx(errors.mean())
    assert seen.standard_error == pytest.approx(error, rel=0.03)
    assert seen.interval.low == pytest.approx(oracle.confidence_interval.low, abs=0.06 * error)
    assert seen.interval.high == pytest.approx(oracle.confidence_interval.high, abs=0.06 * error)
    assert seen.method is Method.BCA


def test_bca_is_efrons_formula_on_copied_rows() -> None:
    truth, errors = skewed_errors()
    drawn = np.random.default_rng(7).integers(0, 60, size=(1000, 60))
    means = np.sort(errors[drawn].mean(axis=1))
    without = (errors.sum() - errors) / 59
    skew = without.mean() - without
    a = (skew**3).sum() / (6 * (skew**2).sum() ** 1.5)
    z0 = ndtri((means < errors.mean()).mean())

    seen = estimate_by_bootstrap(
        MAE, MAE.statistic(truth, errors), draws=Draws(resamples=1000, seed=7)
    )

    ends = [ndtr(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in ndtri([0.025, 0.975])]
    assert abs(a) > 0.02
    assert seen.standard_error == pytest.approx(means.std(ddof=1))
    assert (seen.bounds.lower, seen.bounds.upper) == pytest.approx(tuple(np.quantile(means, ends)))


def test_resamples_that_equal_the_value_count_half_below_it() -> None:
    right = np.arange(30) < 27
    accuracy = metric("accuracy")
    drawn = np.random.default_rng(0).integers(0, 30, size=(10_000, 30))
    shares = np.sort(right[drawn].mean(axis=1))
    z0 = ndtri((shares < 0.9).mean() + (shares == 0.9).mean() / 2)
    a = stats.skew(right.astype(float)) / (6 * 30**0.5)

    seen = estimate_by_bootstrap(accuracy, accuracy.statistic(np.ones(30), right))

    ends = [ndtr(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in ndtri([0.025, 0.975])]
    assert (shares == 0.9).mean() > 0.1
    assert (seen.bounds.lower, seen.bounds.upper) == pytest.approx(tuple(np.quantile(shares, ends)))


def test_two_models_are_compared_on_the_same_copied_rows() -> None:
    truth, champion, candidate = two_models()
    drawn = np.random.default_rng(0).integers(0, 300, size=(200, 300))
    area = metric("pr_auc")
    copied = [
        area.value(truth[rows], candidate[rows]) - area.value(truth[rows], champion[rows])
        for rows in drawn
    ]

    seen = compared(area, Draws(resamples=200))

    assert seen.standard_error == pytest.approx(np.std(copied, ddof=1))
    assert seen.delta == pytest.approx(area.value(truth, candidate) - area.value(truth, champion))


@pytest.mark.parametrize("name", ["f1", "roc_auc"])
def test_rows_of_one_key_are_copied_together(name: str) -> None:
    truth, champion, candidate = two_models()
    if name == "f1":
        champion, candidate = champion > 0.5, candidate > 0.5
    keys = np.array([f"customer {row % 100}" for row in range(300)])
    of_key = [np.flatnonzero(keys == key) for key in np.unique(keys)]
    drawn = np.random.default_rng(0).integers(0, 100, size=(200, 100))
    chosen = metric(name)
    copied = []
    for draw in drawn:
        rows = np.concatenate([of_key[key] for key in draw])
        copied.append(
            chosen.value(truth[rows], candidate[rows]) - chosen.value(truth[rows], champion[rows])
        )

    seen = compared(chosen, Draws(resamples=200, groups=keys))

    assert seen.standard_error == pytest.approx(np.std(copied, ddof=1))


def test_repeated_rows_under_one_key_tell_no_more_than_one() -> None:
    truth, champion, candidate = two_models()
    once = compared(metric("roc_auc"), Draws())
    three = np.repeat([truth, champion, candidate], 3, axis=1)
    area = metric("roc_auc")

    seen = compare_by_bootstrap(
        area,
        champion=area.statistic(three[0], three[1]),
        candidate=area.statistic(three[0], three[2]),
        draws=Draws(groups=np.repeat(np.arange(300), 3)),
    )

    assert seen.standard_error == pytest.approx(once.standard_error)
    assert seen.bounds.lower == pytest.approx(once.bounds.lower, abs=1e-3)
    assert (
        compare_auc(three[0], champion=three[1], candidate=three[2]).standard_error
        < 0.7 * once.standard_error
    )


def test_a_key_for_each_row_changes_nothing() -> None:
    keys = np.random.default_rng(1).permutation(300)

    assert compared(F1, Draws(groups=keys)) == compared(F1, Draws())


def test_without_repeated_keys_the_bootstrap_of_an_area_is_near_delong() -> None:
    truth, champion, candidate = two_models(900)
    area = metric("roc_auc")

    seen = compare_by_bootstrap(
        area,
        champion=area.statistic(truth, champion),
        candidate=area.statistic(truth, candidate),
    )

    delong = compare_auc(truth, champion=champion, candidate=candidate)
    assert seen.delta == pytest.approx(delong.delta)
    assert seen.standard_error == pytest.approx(delong.standard_error, rel=0.03)
    assert seen.bounds.lower == pytest.approx(delong.bounds.lower, abs=0.1 * delong.standard_error)


def test_the_seed_decides_the_draws() -> None:
    assert compared(F1, Draws(seed=3)) == compared(F1, Draws(seed=3))
    assert compared(F1, Draws(seed=3)) != compared(F1, Draws(seed=4))


@pytest.mark.parametrize("name", ["f1", "pr_auc"])
def test_the_size_of_a_chunk_changes_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compared(metric(name), Draws(resamples=500))

    monkeypatch.setattr(bootstrap, "_CHUNK", 7 * 300)
    in_sevens = compared(metric(name), Draws(resamples=500))

    assert in_sevens == whole


def test_exchanging_the_models_mirrors_the_bounds() -> None:
    truth, champion, candidate = two_models()
    area = metric("pr_auc")
    old, new = area.statistic(truth, champion), area.statistic(truth, candidate)

    forth = compare_by_bootstrap(area, champion=old, candidate=new)
    back = compare_by_bootstrap(area, champion=new, candidate=old)

    assert back.delta == -forth.delta
    assert back.bounds.lower == pytest.approx(-forth.bounds.upper, abs=1e-9)
    assert back.p_below == pytest.approx(forth.p_above, abs=1e-9)


def test_a_lower_loss_is_a_higher_delta() -> None:
    truth = np.zeros(50)
    worse, better = np.random.default_rng(2).exponential([[2.0], [1.0]], size=(2, 50))

    seen = compare_by_bootstrap(
        MAE, champion=MAE.statistic(truth, worse), candidate=MAE.statistic(truth, better)
    )

    assert seen.delta == pytest.approx(worse.mean() - better.mean())
    assert seen.bounds.lower > 0


def test_the_p_value_at_a_bound_is_its_level() -> None:
    truth, errors = skewed_errors(25)

    def asked(**levels: float) -> BootstrapComparison:
        return compare_by_bootstrap(
            MAE,
            champion=MAE.statistic(truth, np.ones(25)),
            candidate=MAE.statistic(truth, errors),
            question=Question(**levels),
        )

    bounds = asked(alpha=0.01).bounds

    assert asked(null=bounds.upper).p_below == pytest.approx(0.01, rel=0.02)
    assert asked(null=bounds.lower).p_above == pytest.approx(0.01, rel=0.02)
    assert asked(null=0.9).p_below < 1e-3
    assert asked(null=0.9).p_above > 1 - 1e-3


def test_bounds_go_on_where_the_resamples_end() -> None:
    errors = np.random.default_rng(3).standard_normal(400) + 10
    levels = [0.01, 1.2e-3, 0.8e-3, 1e-5, 1e-7]
    mae = MAE.statistic(np.zeros(400), errors)

    seen = [estimate_by_bootstrap(MAE, mae, question=Question(alpha=level)) for level in levels]

    uppers = [each.bounds.upper for each in seen]
    expected = [errors.mean() - ndtri(level) * errors.std() / 20 for level in levels]
    assert uppers == sorted(uppers)
    assert uppers == pytest.approx(expected, abs=0.35 * errors.std() / 20)


def test_one_row_that_outweighs_all_leaves_no_upper_bound_at_a_tiny_level() -> None:
    errors = np.append(np.zeros(200), 1e9)

    seen = estimate_by_bootstrap(
        MAE, MAE.statistic(np.zeros(201), errors), question=Question(alpha=1e-9)
    )

    assert seen.bounds.upper == inf
    assert seen.bounds.lower >= 0


def test_bounds_stay_within_what_the_metric_can_be() -> None:
    truth = np.ones(40, dtype=np.int64)
    labels = np.append(np.ones(38), [0, 0])
    recall = metric("recall")

    seen = estimate_by_bootstrap(
        recall, recall.statistic(truth, labels), question=Question(alpha=1e-12)
    )

    assert seen.bounds.upper == 1


def test_labels_that_do_not_differ_leave_the_doubt_of_the_rows_that_count() -> None:
    truth = np.arange(1000) < 30
    labels = np.arange(1000) < 20
    statistic = F1.statistic(truth, labels)

    seen = compare_by_bootstrap(
        F1, champion=statistic, candidate=statistic, question=Question(null=-0.2)
    )

    # Of 1,000 rows only 30 enter an F1 score at all.
    unseen = 1 - 0.025 ** (1 / 30)
    assert (seen.delta, seen.method) == (0, Method.UNVARYING)
    assert (seen.bounds.lower, seen.bounds.upper) == pytest.approx((-unseen, unseen))
    assert (seen.interval.low, seen.interval.high) == pytest.approx((-unseen, unseen))
    assert seen.p_above == pytest.approx(0.8**30)
    assert seen.p_below == 1


def test_a_perfect_score_is_bounded_from_below_as_an_exact_interval_is() -> None:
    truth = np.arange(100) % 2
    accuracy = metric("accuracy")

    seen = estimate_by_bootstrap(accuracy, accuracy.statistic(truth, truth))

    assert (seen.value, seen.bounds.upper, seen.method) == (1, 1, Method.UNVARYING)
    assert seen.bounds.lower == pytest.approx(0.025 ** (1 / 100))


def test_a_perfect_score_of_few_keys_is_bounded_by_the_keys() -> None:
    truth = np.arange(100) % 2
    accuracy = metric("accuracy")

    seen = estimate_by_bootstrap(
        accuracy, accuracy.statistic(truth, truth), draws=Draws(groups=np.arange(100) // 10)
    )

    assert seen.bounds.lower == pytest.approx(0.025 ** (1 / 10))


@pytest.mark.parametrize("name", ["mae", "r2"])
def test_what_has_no_known_range_and_does_not_vary_has_no_bounds(name: str) -> None:
    chosen = metric(name, "regression")
    same = chosen.statistic(np.arange(100.0), np.arange(100) + 0.1)

    seen = compare_by_bootstrap(chosen, champion=same, candidate=same)

    assert (seen.bounds.lower, seen.bounds.upper, seen.standard_error) == (-inf, inf, inf)
    assert seen.p == 1
    assert seen.method is Method.UNVARYING


def test_resamples_without_a_value_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(4)
    truth = np.arange(400) < 6
    recall = metric("recall")

    seen = estimate_by_bootstrap(recall, recall.statistic(truth, rng.random(400) < 0.5))

    assert 0 < seen.undefined < 100
    assert seen.resamples == 10_000


def test_a_metric_that_is_too_often_undefined_is_refused() -> None:
    recall = metric("recall")

    with pytest.raises(TooFewRowsError, match=r"undefined on \d+ of 10000 resamples: too few"):
        estimate_by_bootstrap(recall, recall.statistic([1] + [0] * 99, [1] * 100))
    with pytest.raises(TooFewRowsError, match="undefined on these rows"):
        estimate_by_bootstrap(recall, recall.statistic([0] * 100, [1] * 100))


def test_one_key_is_too_few() -> None:
    with pytest.raises(TooFewRowsError, match="two rows or groups of rows, and here is 1"):
        compared(F1, Draws(groups=np.zeros(300)))


def test_draws_that_cannot_be_are_refused() -> None:
    with pytest.raises(StatsError, match="99 resamples tell no tail; draw at least 100"):
        Draws(resamples=99)
    with pytest.raises(StatsError, match=r"groups has shape \(2,\) where there are 300 rows"):
        compared(F1, Draws(groups=["a", "b"]))
    with pytest.raises(StatsError, match="the champion has 2 rows and the candidate 3"):
        compare_by_bootstrap(
            MAE,
            champion=MAE.statistic([1.0, 2], [1.0, 2]),
            candidate=MAE.statistic([1.0, 2, 3], [1.0, 2, 3]),
        )
