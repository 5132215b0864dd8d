"""Random expectations of random tables come out as Great Expectations answered them.

What is kept was drawn with a seed, so that it has no favourites among values, bounds and options.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.expectations.engine import evaluate
from triune.adapters.data.parquet import ParquetTable
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import read_suite

ANSWERS = json.loads(Path(__file__).with_name("gx_answers.json").read_text(encoding="utf-8"))
READ = {"date32[day]": date.fromisoformat, "timestamp[us]": datetime.fromisoformat}
TYPES = {
    "date32[day]": pa.date32(),
    "timestamp[us]": pa.timestamp("us"),
    "decimal128(9, 2)": pa.decimal128(9, 2),
}


def as_column(name: str, values: list[Any]) -> Any:
    written = ANSWERS["types"][name]
    read: Any = Decimal if written.startswith("decimal") else READ.get(written, lambda value: value)
    held = [None if value is None else read(value) for value in values]
    return pa.array(held, TYPES.get(written) or pa.type_for_alias(written))


def is_near(seen: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return all(is_near(seen[key], held) for key, held in expected.items())
    if isinstance(expected, list):
        return len(seen) == len(expected) and all(map(is_near, seen, expected))
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return isclose(seen, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(seen == expected)


def differences(table: Any, results: list[Any]) -> Iterator[str]:
    for case, result in zip(table["cases"], results, strict=True):
        seen = {**result["result"], "success": result["success"]}
        for name, answer in case["answer"].items():
            if not is_near(seen.get(name), answer):
                yield (
                    f"{case['type']} {case['kwargs']}: {name} is {seen.get(name)!r}, not {answer!r}"
                )


@pytest.mark.parametrize("number", range(len(ANSWERS["tables"])))
def test_the_answers_are_those_of_great_expectations(number: int, tmp_path: Path) -> None:
    table = ANSWERS["tables"][number]
    columns = {name: as_column(name, values) for name, values in table["columns"].items()}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=5)
    asked = [{"type": case["type"], "kwargs": case["kwargs"]} for case in table["cases"]]

    outcome = evaluate(
        ParquetTable([tmp_path / "a.parquet"]),
        read_suite({"name": "drawn", "expectations": asked}),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        result_format=ResultFormat.COMPLETE,
    )

    assert list(differences(table, outcome.document["results"])) == []
