"""What a table's columns hold, counted into bins in one pass."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from triune.adapters.data.duckdb import DuckDbEngine
from triune.adapters.data.profiles import count_into, profile, summarise
from triune.domain.drift import ColumnKind, ColumnProfile, DriftProfile, decile_places
from triune.domain.drift_report import compare_profiles
from triune.domain.errors import DatasetError
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import read_suite
from triune.domain.manifest import FieldType
from triune.domain.profile import propose_suite

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class InMemory:
    """A table that counts how often each column is read."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.table = pa.table(columns)
        self.reads: list[str] = []
        self.sql_files: Sequence[tuple[Path, int]] = ()

    @property
    def rows(self) -> int:
        return self.table.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.reads += columns
        yield from self.table.select(list(columns)).to_batches(max_chunksize=7)


def of(columns: dict[str, Any], *names: str) -> DriftProfile:
    return profile(InMemory(columns), names or list(columns))


def one(values: Any) -> ColumnProfile:
    (column,) = of({"x": values}).columns
    return column


def test_deciles_hold_a_tenth_each() -> None:
    column = one(np.random.default_rng(1).permutation(1000).astype(float))

    assert column.counts == (100,) * 10
    assert column.edges == tuple(float(edge) for edge in range(99, 999, 100))


def test_every_value_is_in_a_bin_infinite_and_missing_ones_too() -> None:
    column = one([float("-inf"), 1.0, 2.0, float("inf"), float("nan"), None])

    assert column.missing == 2
    assert sum(column.counts) == 4
    assert all(low < high for low, high in pairwise(column.edges))


def test_a_common_value_is_not_mixed_with_what_is_less() -> None:
    column = one([0] * 5 + [1] * 95)

    assert [count for count in column.counts if count] == [5, 95]


def test_booleans_are_numbers_and_moments_are_there_or_missing() -> None:
    columns = {
        "b": [True, False] * 10,
        "d": [date(2024, 1, day) for day in range(1, 20)] + [None],
        "t": [datetime(2024, 1, day) for day in range(1, 21)],
    }

    profiled = of(columns)

    kinds = [column.kind for column in profiled.columns]
    assert kinds == [ColumnKind.NUMBER, ColumnKind.MOMENT, ColumnKind.MOMENT]
    assert [count for count in profiled.columns[0].counts if count] == [10, 10]
    assert [column.bins for column in profiled.columns[1:]] == [(19, 1), (20, 0)]


def test_later_moments_are_no_drift_and_missing_ones_are() -> None:
    reference = of({"x": [datetime(2024, 1, 1)] * 500})

    later = count_into(InMemory({"x": [datetime(2025, 1, 1)] * 500}), reference)
    missing = count_into(InMemory({"x": [datetime(2025, 1, 1), None] * 250}), reference)

    verdicts = [
        str(compare_profiles(reference, each, threshold=0.2).features[0].verdict)
        for each in (later, missing)
    ]
    assert verdicts == ["NO DRIFT", "DRIFT"]


def test_text_has_a_bin_for_each_category_and_one_for_others() -> None:
    column = one(["b", "a", None, "b"])

    assert column.categories == ("a", "b")
    assert column.counts == (1, 2, 0)
    assert column.missing == 1


def test_of_many_categories_the_most_common_have_a_bin() -> None:
    column = one([f"v{number:03}" for number in range(200)] + ["v199"])

    assert len(column.categories) == 50
    assert "v199" in column.categories
    assert column.counts[-1] == 150


def test_what_was_not_seen_is_counted_with_the_others() -> None:
    reference = of({"plan": ["a"] * 50 + ["b"] * 50, "n": [float(n) for n in range(100)]})

    counted = count_into(InMemory({"n": [-1e9, 1e9, None], "plan": ["c", "a", None]}), reference)

    plan, number = counted.columns
    assert (plan.counts, plan.missing) == ((1, 0, 1), 1)
    assert (number.counts, number.missing) == ((1, *[0] * 8, 1), 1)


def test_a_table_counted_into_its_own_bins_is_its_profile() -> None:
    random = np.random.default_rng(2)
    columns = {
        "n": random.normal(size=300),
        "i": random.integers(0, 4, 300),
        "s": random.choice(["a", "b'", 'c"'], 300),
        "nothing": pa.nulls(300),
    }
    reference = of(columns)

    assert count_into(InMemory(columns), reference) == reference
    assert {
        each.psi for each in compare_profiles(reference, reference, threshold=0.2).features
    } == {0.0}


def test_a_column_that_lost_all_its_values_is_drift_and_no_fault() -> None:
    reference = of({"n": [float(n) for n in range(1000)], "s": ["a", "b"] * 500})

    counted = count_into(InMemory({"n": pa.nulls(1000), "s": pa.nulls(1000)}), reference)

    report = compare_profiles(reference, counted, threshold=0.2)
    assert [str(feature.verdict) for feature in report.features] == ["DRIFT", "DRIFT"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([1.0], ["a"], "column 'x' holds text, where what it is compared with holds numbers"),
        (["a"], [1], "column 'x' holds integers, where what it is compared with holds text"),
        ([date(2024, 1, 1)], [1], "holds integers, where what it is compared with holds moments"),
    ],
)
def test_a_column_of_another_kind_is_refused(before: Any, after: Any, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        count_into(InMemory({"x": after}), of({"x": before}))


def test_a_missing_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(DatasetError, match="did you mean 'tenure'"):
        count_into(InMemory({"tenure": [1]}), of({"tenur": [1]}))


def test_every_column_is_read_once() -> None:
    columns = {f"c{number}": [number, None] for number in range(80)} | {"s": ["a", "b"]}
    table = InMemory(columns)

    summarise(table)

    assert sorted(table.reads) == sorted(columns)


def test_bins_are_counted_in_one_scan() -> None:
    columns = {f"c{number}": [1.0, 2.0] for number in range(5)} | {"s": ["a", "b"]}
    reference, table = of(columns), InMemory(columns)

    count_into(table, reference)

    assert sorted(table.reads) == sorted(columns)


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 1003])
def test_files_have_the_profile_of_their_rows(tmp_path: Path, rows: int) -> None:
    random = np.random.default_rng(3)
    strange = [float("nan"), float("inf"), float("-inf"), -0.0, 0.0]
    columns: dict[str, Any] = {
        "n": pa.array([None, *random.normal(size=rows), *strange][:rows], pa.float64()),
        "f": pa.array([*strange, *random.normal(size=rows)][:rows], pa.float32()),
        "i": pa.array([None, 2**62, *random.integers(-9, 9, rows).tolist()][:rows], pa.int64()),
        "b": pa.array(random.choice([True, False], rows), pa.bool_()),
        "s": pa.array([None, *(f"v{number % 70}" for number in range(rows))][:rows], pa.string()),
        "t": pa.array([None, *[datetime(2024, 1, 1)] * rows][:rows], pa.timestamp("us")),
        "d": pa.array([Decimal("1.5")] * rows, pa.decimal128(20, 2)),
    }
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns), path)
    readable = [name for name in columns if name != "d"]

    engine = DuckDbEngine()
    some, every = (
        engine.drift_profile([path], format="parquet", columns=names)
        for names in (readable, list(columns))
    )

    assert every == of(columns)
    assert some == of(columns, *readable)
    assert engine.count_into([path], format="parquet", reference=every) == every


def test_deciles_are_the_values_that_sql_has_for_them() -> None:
    for count in (*range(1, 41), 999, 1000, 1001):
        (found,) = duckdb.execute(
            "SELECT quantile_disc(x, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) "
            f"FROM range({count}) AS t(x)"
        ).fetchall()[0]

        assert list(decile_places(count)) == found


def test_a_file_that_is_damaged_inside_has_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    table = pa.table({"x": pa.array(np.random.default_rng(4).normal(size=10_000))})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[40:4000] = bytes(3960)
    path.write_bytes(content)

    with pytest.raises(DatasetError, match="cannot be read as Parquet"):
        DuckDbEngine().drift_profile([path], format="parquet", columns=["x"])


def test_names_are_never_part_of_a_query() -> None:
    names = ['a"b', "a'b", "a b", "a.b", "x; DROP TABLE data; --", "ROW", "r", "", "ü\n"]
    columns = {name: [number, number + 1] for number, name in enumerate(names)}

    summary = summarise(InMemory(columns))

    assert [column.name for column in summary.columns] == names
    assert [column.low for column in summary.columns] == list(range(len(names)))
    assert count_into(InMemory(columns), summary.drift) == summary.drift


def test_an_empty_table_has_a_profile_without_edges() -> None:
    empty = {"n": pa.array([], pa.float64()), "s": pa.array([], pa.string())}

    summary = summarise(InMemory(empty))

    assert summary.rows == 0
    assert [column.edges for column in summary.drift.columns] == [(), ()]


def test_integers_that_no_double_holds_keep_their_range() -> None:
    summary = summarise(InMemory({"x": [2**62, 2**62 + 1, None]}))

    (column,) = summary.columns
    assert (column.low, column.high, column.distinct) == (2**62, 2**62 + 1, 2)
    assert column.type is FieldType.INTEGER
    assert DriftProfile.parse(summary.drift.content) == summary.drift


VALUES = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
    st.lists(st.none() | st.floats(allow_nan=True), min_size=1, max_size=40),
    st.lists(st.none() | st.booleans(), min_size=1, max_size=40),
    st.lists(st.none() | st.dates(), min_size=1, max_size=40),
    st.lists(st.none() | st.sampled_from(["a", "b'", "", "ü", "0"]), min_size=1, max_size=40),
    st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=3), min_size=1),
)


@given(values=VALUES)
@example(values=[1.634266486238469e308])
@example(values=[-1.7e308, -1.6e308, None])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_dataset_meets_the_suite_that_it_proposes(tmp_path: Path, values: list[Any]) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"x": pa.array(values)}), path)
    engine = DuckDbEngine()

    summary = engine.summarise([path], format="parquet")

    suite = read_suite(propose_suite(summary, name="proposed"))
    outcome = engine.evaluate(
        [path], format="parquet", suite=suite, now=NOW, result_format=ResultFormat.SUMMARY
    )
    assert outcome.is_met, [each for each in outcome.outcomes if str(each.verdict) != "PASS"]
    assert engine.count_into([path], format="parquet", reference=summary.drift) == summary.drift
