"""Suites come out as Great Expectations says of its own cases, where those are at hand."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.expectations.engine import evaluate
from triune.adapters.data.expectations.placed import Table
from triune.adapters.data.parquet import ParquetTable
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import read_suite

CASES = Path(__file__).parents[3] / "shared" / "gx_cases" / "cases.jsonl"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def read_cases() -> list[Any]:
    if not CASES.exists():
        return []
    return [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]


@dataclass(frozen=True)
class InMemory:
    """An Arrow table, in batches of few rows, as files come in several."""

    table: pa.Table
    sql_files: Sequence[tuple[Path, int]] = ()

    @property
    def rows(self) -> int:
        return self.table.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        yield from self.table.select(list(columns)).to_batches(max_chunksize=3)


def as_series(values: list[Any], dtype: str | None) -> Any:
    name = (dtype or "").lower()
    if name.startswith(("timestamp", "datetime")):
        return pd.to_datetime(pd.Series(values), format="mixed")
    if name == "int64dtype":
        return pd.Series(values, dtype="Int64")
    series: Any = pd.Series(values, dtype=None if dtype == "date" else dtype)
    kinds = {isinstance(value, str) for value in series.dropna()}
    # A file's column has one type: of values of several, text is what they have in common.
    if len(kinds) > 1:
        return pd.Series([None if pd.isna(value) else str(value) for value in series])
    return series


def as_table(case: Any) -> InMemory:
    dtypes = case["pandas_dtypes"] or {}
    frame = pd.DataFrame(
        {name: as_series(values, dtypes.get(name)) for name, values in case["data"].items()}
    )
    return InMemory(pa.Table.from_pandas(frame, preserve_index=False))


def as_file(table: InMemory, path: Path) -> ParquetTable:
    """Write a table in small groups of rows, for SQL to read by itself."""
    pq.write_table(table.table, path, row_group_size=3)
    return ParquetTable([path])


def as_bag(values: list[Any]) -> Counter[str]:
    """Count values in no order, 1 like 1.0."""
    numbers = json.loads(json.dumps(values), parse_int=float)
    return Counter(json.dumps(value, sort_keys=True) for value in numbers)


def is_near(seen: Any, expected: Any, tolerance: float = 1e-9) -> bool:
    if isinstance(expected, dict):
        return all(is_near(seen[key], held, 1e-4) for key, held in expected.items())
    if isinstance(expected, list):
        return len(seen) == len(expected) and all(map(is_near, seen, expected))
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return isclose(seen, expected, rel_tol=tolerance, abs_tol=1e-12)
    return bool(seen == expected)


@pytest.mark.skipif(not CASES.exists(), reason="Great Expectations' own cases are not here")
@pytest.mark.parametrize("reads", ["rows", "files"])
@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case["id"])
def test_the_outcome_is_that_of_great_expectations(case: Any, reads: str, tmp_path: Path) -> None:
    document = {"type": case["expectation_type"], "kwargs": case["kwargs"]}
    suite = read_suite({"name": case["title"], "expectations": [document]})

    held = as_table(case)
    table: Table = as_file(held, tmp_path / "a.parquet") if reads == "files" else held
    outcome = evaluate(table, suite, now=NOW, result_format=ResultFormat.COMPLETE)

    (result,) = outcome.document["results"]
    told, expected = result["result"], case["observed"]
    if case["error_case"]:
        assert not result["success"]
        return
    assert result["success"] == expected["success"], result["exception_info"]
    for name in ("element_count", "unexpected_count", "missing_count"):
        if name in expected:
            assert told[name] == expected[name]
    if expected.get("unexpected_percent") is not None:
        assert is_near(told["unexpected_percent"], expected["unexpected_percent"])
    if "unexpected_list" in expected:
        assert as_bag(told["unexpected_list"]) == as_bag(expected["unexpected_list"])
        assert told["unexpected_index_list"] == expected["unexpected_index_list"]
    if expected.get("observed_value") is not None:
        assert is_near(told["observed_value"], expected["observed_value"])
