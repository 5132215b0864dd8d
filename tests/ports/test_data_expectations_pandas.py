"""On data of any kind, rows and values are judged as pandas judges them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tests.ports.test_data_expectations import InMemory

from triune.adapters.data.expectations.engine import evaluate
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import read_suite

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def random_frame(seed: int) -> pd.DataFrame:
    """Make columns with few values, so that they repeat, and with holes."""
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 40))
    holes = random.random((rows, 5)) < random.choice([0.0, 0.3])
    frame = pd.DataFrame(
        {
            "n": random.integers(-3, 6, rows).astype(float),
            "m": random.integers(-3, 6, rows).astype(float),
            "x": random.choice([0.1, 0.25, -2.5, 7.0, 1e9], rows),
            "s": pd.Series(random.choice(["a", "ab", "", "ä", "abc"], rows), dtype=object),
            "t": pd.to_datetime("2024-01-01") + pd.to_timedelta(random.integers(0, 9, rows), "D"),
        }
    )
    return frame.mask(holes)


def breaking_rows(frame: pd.DataFrame, type_: str, **kwargs: Any) -> list[int]:
    result = evaluated(frame, type_, **kwargs)
    listed: list[int] = result["unexpected_index_list"]
    return listed


def evaluated(frame: pd.DataFrame, type_: str, **kwargs: Any) -> Any:
    suite = read_suite({"name": "a", "expectations": [{"type": type_, "kwargs": kwargs}]})
    table = InMemory(pa.Table.from_pandas(frame, preserve_index=False), rows_a_batch=7)
    outcome = evaluate(table, suite, now=NOW, result_format=ResultFormat.COMPLETE)
    (result,) = outcome.document["results"]
    assert not result["exception_info"]["raised_exception"], result
    return result["result"]


def rows_where(mask: Any, column: Any) -> list[int]:
    return [int(row) for row in np.flatnonzero(np.asarray(mask & column.notna(), bool))]


ROWS: dict[str, tuple[str, dict[str, Any], Callable[[pd.DataFrame], list[int]]]] = {
    "between": (
        "expect_column_values_to_be_between",
        {"column": "x", "min_value": 0.1, "strict_min": True, "max_value": 7},
        lambda f: rows_where(~((f.x > 0.1) & (f.x <= 7)), f.x),
    ),
    "in_set": (
        "expect_column_values_to_be_in_set",
        {"column": "n", "value_set": [1, 2.0, "3", None]},
        lambda f: rows_where(~f.n.isin([1, 2]), f.n),
    ),
    "text_between": (
        "expect_column_values_to_be_between",
        {"column": "s", "min_value": "a", "max_value": "abc"},
        lambda f: rows_where(~f.s.map(lambda v: isinstance(v, str) and "a" <= v <= "abc"), f.s),
    ),
    "moments": (
        "expect_column_values_to_be_between",
        {"column": "t", "min_value": "2024-01-03", "max_value": "2024-01-06T00:00:00"},
        lambda f: rows_where(~f.t.between("2024-01-03", "2024-01-06"), f.t),
    ),
    "lengths": (
        "expect_column_value_lengths_to_be_between",
        {"column": "s", "min_value": 1, "max_value": 2},
        lambda f: rows_where(~f.s.str.len().between(1, 2), f.s),
    ),
    "unique": (
        "expect_column_values_to_be_unique",
        {"column": "t"},
        lambda f: rows_where(f.t.dropna().duplicated(keep=False).reindex(f.index) == True, f.t),  # noqa: E712
    ),
    "increasing": (
        "expect_column_values_to_be_increasing",
        {"column": "n"},
        lambda f: list(f.n.dropna().index[f.n.dropna().diff() < 0]),
    ),
    "strictly_decreasing": (
        "expect_column_values_to_be_decreasing",
        {"column": "t", "strictly": True},
        lambda f: list(f.t.dropna().index[f.t.dropna().diff() >= pd.Timedelta(0)]),
    ),
    "z_scores": (
        "expect_column_value_z_scores_to_be_less_than",
        {"column": "n", "threshold": 1.1, "double_sided": True},
        lambda f: rows_where(~(((f.n - f.n.mean()) / f.n.std()).abs() < 1.1), f.n),
    ),
    "pair_equal": (
        "expect_column_pair_values_to_be_equal",
        {"column_A": "n", "column_B": "m"},
        lambda f: list(f.index[(f.n != f.m) & (f.n.notna() | f.m.notna())]),
    ),
    "pair_ordered": (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "n", "column_B": "m", "ignore_row_if": "either_value_is_missing"},
        lambda f: list(f.index[~(f.n > f.m) & f.n.notna() & f.m.notna()]),
    ),
    "pair_in_set": (
        "expect_column_pair_values_to_be_in_set",
        {"column_A": "n", "column_B": "s", "value_pairs_set": [[1, "a"], [2, None], [None, ""]]},
        lambda f: [
            row
            for row, (n, s) in enumerate(zip(f.n, f.s, strict=True))
            if not (pd.isna(n) and pd.isna(s))
            and (None if pd.isna(n) else n, None if pd.isna(s) else s)
            not in {(1, "a"), (2, None), (None, "")}
        ],
    ),
    "compound": (
        "expect_compound_columns_to_be_unique",
        {"column_list": ["n", "s"]},
        lambda f: list(
            f.index[f[["n", "s"]].dropna(how="all").duplicated(keep=False).reindex(f.index) == True]  # noqa: E712
        ),
    ),
    "within_record": (
        "expect_select_column_values_to_be_unique_within_record",
        {"column_list": ["n", "m", "x"]},
        lambda f: list(
            f.index[
                (f[["n", "m", "x"]].nunique(dropna=False, axis=1) < 3)
                & f[["n", "m", "x"]].notna().any(axis=1)
            ]
        ),
    ),
    "sum": (
        "expect_multicolumn_sum_to_equal",
        {"column_list": ["n", "m"], "sum_total": 3, "ignore_row_if": "never"},
        lambda f: list(f.index[~(f[["n", "m"]].sum(axis=1, skipna=False) == 3)]),
    ),
    "condition": (
        "expect_column_values_to_not_be_null",
        {"column": "s", "row_condition": "n != 1 & not m > 2", "condition_parser": "pandas"},
        lambda f: list(f.index[(f.n != 1) & ~(f.m > 2) & f.s.isna()]),
    ),
}

VALUES: dict[str, tuple[str, Callable[["pd.Series[Any]"], Any]]] = {
    "mean": ("expect_column_mean_to_be_between", lambda s: s.mean()),
    "median": ("expect_column_median_to_be_between", lambda s: s.median()),
    "stdev": ("expect_column_stdev_to_be_between", lambda s: s.std()),
    "sum": ("expect_column_sum_to_be_between", lambda s: s.sum()),
    "max": ("expect_column_max_to_be_between", lambda s: s.max()),
    "distinct": ("expect_column_unique_value_count_to_be_between", lambda s: s.nunique()),
    "share": (
        "expect_column_proportion_of_unique_values_to_be_between",
        lambda s: s.nunique() / s.count() if s.count() else 0,
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_same_rows_break_an_expectation(name: str) -> None:
    type_, kwargs, expected = ROWS[name]
    for seed in range(12):
        frame = random_frame(seed)

        found = breaking_rows(frame, type_, **kwargs)

        assert found == expected(frame), seed


@pytest.mark.parametrize("name", VALUES)
def test_the_same_value_is_observed(name: str) -> None:
    type_, expected = VALUES[name]
    for seed in range(12):
        for column in ("n", "x"):
            frame = random_frame(seed)

            found = evaluated(frame, type_, column=column, min_value=-1e99)["observed_value"]

            wanted = expected(frame[column])
            assert found == pytest.approx(None if math.isnan(wanted) else wanted, rel=1e-12), seed


def test_the_same_values_are_the_most_common() -> None:
    for seed in range(12):
        frame = random_frame(seed)

        found = evaluated(
            frame, "expect_column_most_common_value_to_be_in_set", column="n", value_set=[]
        )

        assert found["observed_value"] == frame.n.mode().tolist(), seed
