from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log, nan
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from triune.stats.errors import StatsError, TooFewRowsError, UnknownMetricError
from triune.stats.metric_names import METRIC_NAMES, Task
from triune.stats.metrics import METRICS, Metric, Needs, find_metric
from triune.stats.ranking import MacroAverage
from triune.stats.statistic import Statistic, SumStatistic, value_of

Array = npt.NDArray[Any]

ORACLES: dict[tuple[Task, str], Callable[[Array, Array], float]] = {
    ("binary", "roc_auc"): sklearn.roc_auc_score,
    ("binary", "pr_auc"): sklearn.average_precision_score,
    ("binary", "accuracy"): sklearn.accuracy_score,
    ("binary", "precision"): lambda t, p: sklearn.precision_score(t, p, zero_division=0),
    ("binary", "recall"): sklearn.recall_score,
    ("binary", "f1"): lambda t, p: sklearn.f1_score(t, p, zero_division=0),
    ("binary", "log_loss"): lambda t, p: sklearn.log_loss(t, p, labels=[0, 1]),
    ("binary", "brier"): sklearn.brier_score_loss,
    ("multiclass", "accuracy"): sklearn.accuracy_score,
    ("multiclass", "f1_macro"): lambda t, p: sklearn.f1_score(
        t, p, average="macro", zero_division=0
    ),
    ("multiclass", "log_loss"): lambda t, p: sklearn.log_loss(t, p, labels=range(p.shape[1])),
    ("multiclass", "roc_auc_ovr"): lambda t, p: sklearn.roc_auc_score(t, p, multi_class="ovr"),
    ("regression", "mae"): sklearn.mean_absolute_error,
    ("regression", "rmse"): sklearn.root_mean_squared_error,
    ("regression", "r2"): sklearn.r2_score,
}

UNDEFINED = pytest.approx(nan, nan_ok=True)

EVERY_METRIC = pytest.mark.parametrize(
    "metric", METRICS, ids=lambda metric: f"{metric.task}-{metric.name}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    truth: Array
    predicted: Array


def some_rows(metric: Metric, rng: np.random.Generator, *, rows: int = 90) -> Rows:
    """Make a holdout with ties, on which some model does better than chance."""
    if metric.task == "regression":
        truth = rng.normal(7, 3, rows)
        return Rows(truth=truth, predicted=truth + rng.standard_normal(rows))
    classes = 2 if metric.task == "binary" else 4
    truth = rng.permutation(np.arange(rows) % classes)
    chances = np.round(rng.dirichlet(np.ones(classes), rows) + np.eye(classes)[truth] / 2, 1)
    chances = (chances + 0.1) / (chances + 0.1).sum(axis=1, keepdims=True)
    if metric.needs is Needs.LABELS:
        return Rows(truth=truth, predicted=chances.argmax(axis=1))
    return Rows(truth=truth, predicted=chances[:, 1] if metric.task == "binary" else chances)


def test_every_metric_has_an_oracle_here() -> None:
    assert {(metric.task, metric.name) for metric in METRICS} == set(ORACLES)


def test_the_names_are_those_of_the_metrics_that_there_are() -> None:
    named = [(task, name) for task, names in METRIC_NAMES.items() for name in names]

    assert named == [(metric.task, metric.name) for metric in METRICS]


@EVERY_METRIC
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(60, 200))
def test_a_metric_is_that_of_scikit_learn(metric: Metric, seed: int, rows: int) -> None:
    given_rows = some_rows(metric, np.random.default_rng(seed), rows=rows)

    value = metric.value(given_rows.truth, given_rows.predicted)

    expected = ORACLES[metric.task, metric.name](given_rows.truth, given_rows.predicted)
    assert value == pytest.approx(expected, abs=1e-12)
    assert metric.within.low <= value <= metric.within.high


@EVERY_METRIC
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_weight_counts_as_so_many_rows(metric: Metric, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = some_rows(metric, rng)
    weights = np.array([rng.multinomial(90, np.full(90, 1 / 90)) for _ in range(3)])

    values = metric.statistic(rows.truth, rows.predicted).evaluate(weights.astype(np.float64))

    oracle = ORACLES[metric.task, metric.name]
    expected = [
        oracle(np.repeat(rows.truth, each), np.repeat(rows.predicted, each, axis=0))
        for each in weights
    ]
    assert values == pytest.approx(expected, abs=1e-12)


@EVERY_METRIC
def test_the_influence_of_a_row_is_what_its_weight_changes(metric: Metric) -> None:
    rows = some_rows(metric, np.random.default_rng(8), rows=60)
    statistic = metric.statistic(rows.truth, rows.predicted)
    whole = np.ones((60, 60))

    influence = statistic.influence()

    if isinstance(statistic, SumStatistic):
        lost = value_of(statistic) - statistic.evaluate(whole - np.eye(60))
        assert influence == pytest.approx(lost, abs=1e-12)
    else:
        step = 1e-5 * np.eye(60)
        slope = (statistic.evaluate(whole + step) - statistic.evaluate(whole - step)) / 2e-5
        assert influence == pytest.approx(slope, abs=1e-7)
        assert influence.sum() == pytest.approx(0, abs=1e-12)


@EVERY_METRIC
def test_the_rows_of_a_cluster_move_together(metric: Metric) -> None:
    rng = np.random.default_rng(9)
    rows = some_rows(metric, rng)
    of_rows = metric.statistic(rows.truth, rows.predicted)
    members = rng.permutation(np.arange(90) % 30)
    weights = rng.integers(1, 4, size=(5, 30)).astype(np.float64)

    clustered = of_rows.clustered(members, 30)
    twice = clustered.clustered(np.arange(30) // 2, 15)

    assert clustered.units == 30
    assert clustered.evaluate(weights) == pytest.approx(of_rows.evaluate(weights[:, members]))
    assert twice.evaluate(weights[:, :15]) == pytest.approx(
        of_rows.evaluate(weights[:, members // 2])
    )
    assert twice.influence().shape == (15,)
    if not isinstance(clustered, SumStatistic):
        assert clustered.influence() == pytest.approx(
            np.bincount(members, of_rows.influence()), abs=1e-12
        )
    assert [clustered.bearing[0][name] for name in range(30)] == [
        bool(of_rows.bearing[0][members == name].any()) for name in range(30)
    ]


def test_a_score_of_ranks_sees_ties_at_their_middle() -> None:
    truth, scores = [1, 0] * 12, [0.5] * 24

    assert find_metric("roc_auc", task="binary").value(truth, scores) == 0.5
    assert find_metric("pr_auc", task="binary").value(truth, scores) == 0.5


@pytest.mark.parametrize(
    ("name", "task", "truth", "predicted", "value"),
    [
        # Nothing called positive: it finds nothing.
        ("precision", "binary", [1, 0], [0, 0], 0.0),
        ("f1", "binary", [1, 0], [0, 0], 0.0),
        # No positive to find: there is no saying.
        ("recall", "binary", [0, 0], [0, 1], UNDEFINED),
        ("f1", "binary", [0, 0], [0, 1], UNDEFINED),
        ("pr_auc", "binary", [0, 0], [0.1, 0.2], UNDEFINED),
        ("r2", "regression", [3.0, 3.0], [3.0, 4.0], UNDEFINED),
        # A class that was never there and is called counts as missed.
        ("f1_macro", "multiclass", [0, 0], [0, 2], pytest.approx(1 / 3)),
        # Sure and wrong is as bad as can be, and still a number.
        ("log_loss", "binary", [1, 1], [0.0, 1.0], pytest.approx(-log(2**-52) / 2)),
        ("accuracy", "binary", [True, False], [1.0, 1.0], 0.5),
    ],
)
def test_a_metric_at_its_edges(
    name: str, task: Task, truth: list[float], predicted: list[float], value: float
) -> None:
    seen = find_metric(name, task=task).value(truth, predicted)

    assert seen == value


def test_a_resample_without_a_class_has_no_area() -> None:
    truth = np.array([1] * 10 + [0] * 10)
    weights = np.array([[1.0] * 10 + [0.0] * 10, [0.0] * 10 + [1.0] * 10, [1.0] * 20])
    area = find_metric("roc_auc", task="binary").statistic(truth, np.arange(20))
    precision = find_metric("pr_auc", task="binary").statistic(truth, np.arange(20))

    assert np.isnan(area.evaluate(weights)).tolist() == [True, True, False]
    assert np.isnan(precision.evaluate(weights)).tolist() == [False, True, False]


def test_a_mean_of_statistics_rests_on_the_units_of_each() -> None:
    truth = np.arange(60) % 3
    area = find_metric("roc_auc_ovr", task="multiclass").statistic(truth, np.full((60, 3), 1 / 3))

    assert isinstance(area, MacroAverage)
    assert (area.units, area.rows) == (60, 60)
    assert area.bearing.sum(axis=1).tolist() == [20, 40, 20, 40, 20, 40]


@pytest.mark.parametrize(
    ("name", "bearing"), [("precision", 2), ("recall", 3), ("f1", 4), ("accuracy", 6)]
)
def test_a_metric_rests_on_the_rows_in_its_denominator(name: str, bearing: int) -> None:
    truth, labels = [1, 1, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0]

    statistic: Statistic = find_metric(name, task="binary").statistic(truth, labels)

    assert statistic.bearing.sum() == bearing


def test_losses_are_better_when_lower() -> None:
    lower = {metric.name for metric in METRICS if not metric.higher_is_better}

    assert lower == {"log_loss", "brier", "mae", "rmse"}


def test_an_unknown_metric_is_named_with_those_that_are() -> None:
    with pytest.raises(UnknownMetricError, match=r"did you mean 'roc_auc'\?; known: accuracy, br"):
        find_metric("rocauc", task="binary")
    with pytest.raises(UnknownMetricError, match="'f1' for regression models; known: mae, r2, rm"):
        find_metric("f1", task="regression")


@pytest.mark.parametrize(
    ("name", "task", "truth", "predicted", "message"),
    [
        ("accuracy", "binary", [0, 1], [0, 2], "labels has .*2.* at index 1; encode"),
        ("accuracy", "binary", ["no", "yes"], [0, 1], "truth has .*'no'.* at index 0; encode"),
        ("accuracy", "binary", [0, 1], [0], "what was predicted has 1 rows where there are 2"),
        ("log_loss", "binary", [0, 1], [0.5, 1.5], "reaches from 0.5 to 1.5; probabilities lie"),
        ("brier", "binary", [0, 1], [-0.5, 0.5], r"reaches from -0\.5 to 0\.5; probabilities lie"),
        ("brier", "binary", [0, 1], [0.5, nan], "not finite, the first at index 1"),
        ("pr_auc", "binary", [0, 1], [-inf, 0], "not finite, the first at index 0"),
        ("mae", "regression", [0.0, nan], [1.0, 1.0], "truth has 1 row"),
        ("accuracy", "multiclass", [0, 1], [0.0, 1.0], "labels is not class codes"),
        ("accuracy", "multiclass", [0, -1], [0, 1], "truth is not class codes"),
        ("log_loss", "multiclass", [0, 2], [[0.5, 0.5], [0.1, 0.9]], "integers from 0 to 1"),
        ("log_loss", "multiclass", [0, 1], [0.5, 0.9], r"shape \(2,\); give an array of 2"),
        ("log_loss", "multiclass", [0, 1], [[0.5, 0.5], [0.9, 0.9]], "row 1 .* sums to 1.8"),
    ],
)
def test_arrays_that_a_metric_is_not_for_are_refused(
    name: str, task: Task, truth: list[Any], predicted: list[Any], message: str
) -> None:
    with pytest.raises(StatsError, match=message):
        find_metric(name, task=task).statistic(truth, predicted)


@pytest.mark.parametrize("name", ["accuracy", "log_loss", "f1", "pr_auc"])
def test_no_rows_are_too_few(name: str) -> None:
    with pytest.raises(TooFewRowsError, match="no rows to compute a metric on"):
        find_metric(name, task="binary").statistic([], [])


def test_an_area_needs_rows_of_every_class() -> None:
    chances = np.full((40, 3), 1 / 3)

    with pytest.raises(TooFewRowsError, match="here are 5 positive and 35 negative"):
        find_metric("roc_auc_ovr", task="multiclass").statistic(
            [0] * 20 + [1] * 15 + [2] * 5, chances
        )
