"""What training saw is what a model sees, scored from the dataset or sent row by row as JSON."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from triune.adapters.data.duckdb import DuckDbEngine
from triune.domain.errors import DatasetError
from triune.domain.manifest import Field, Outputs, Signature
from triune.serving.requests import Requests, read_requests
from triune.serving.table import frame_from_arrow, frame_from_values

ENGINE = DuckDbEngine()
ROWS = 4


def scored(file: Path, fields: Sequence[Field], *, format: str = "parquet") -> pd.DataFrame:
    """The frame that a worker builds to score a dataset."""
    names = [field.name for field in fields]
    target = file.with_name("exported.arrow")
    ENGINE.require_inputs([file], format=format, columns=names)
    ENGINE.export([file], format=format, columns=names, destination=target)
    frame = frame_from_arrow(target, Signature(inputs=tuple(fields), outputs=Outputs()))
    assert isinstance(frame, pd.DataFrame), frame
    return frame


def asked(file: Path, fields: Sequence[Field], *, format: str = "parquet") -> pd.DataFrame:
    """The frames that a worker builds to answer the same rows one by one, as one frame."""
    signature = Signature(inputs=tuple(fields), outputs=Outputs())
    names = [field.name for field in fields]
    frames = []
    for row in ENGINE.sample([file], format=format, columns=names, count=ROWS):
        requests = read_requests(json.dumps(row).encode(), signature, ignored=())
        assert isinstance(requests, Requests), requests
        frames.append(frame_from_values(requests.columns, signature))
    for frame in frames:
        assert frame.dtypes.equals(frames[0].dtypes)
    return pd.concat(frames, ignore_index=True)


KEPT = {
    "ordered": pd.Categorical(["m", "s", None, "s"], categories=["s", "m", "l"], ordered=True),
    "categories": pd.Categorical(["m", "s", None, "s"], categories=["s", "m", "l"]),
    "no categories": pd.Categorical([None] * 4, categories=pd.Index([], dtype="str")),
    "integer categories": pd.Categorical([3, 1, 3, 1]),
    "number categories": pd.Categorical([0.5, 1.5, 0.5, 1.5]),
    "boolean categories": pd.Categorical([True, False, True, True]),
    "zone": pd.to_datetime(["2026-03-29T00:30Z", "2026-03-29T01:30Z", "NaT", "2026-07-01T00:00Z"])
    .tz_convert("Europe/Berlin")
    .as_unit("us"),
    "offset": pd.to_datetime(["2026-03-29T00:30+05:30"] * 4).as_unit("us"),
    "utc": pd.to_datetime(["2026-03-29T00:30:00.123456Z"] * 4).as_unit("us"),
    "moments": pd.to_datetime(
        ["2026-03-29T00:30", "NaT", "0001-01-01T00:00", "9999-12-31T00:00"]
    ).as_unit("us"),
    "dates": [date(2026, 1, 31), None, date(1, 1, 1), date(9999, 12, 31)],
    "booleans": [True, False, True, True],
    "maybe booleans": [True, None, False, None],
    "nothing": [None] * 4,
    "not numbers": [float("nan")] * 4,
    "numbers": [0.1, 1e308, 5e-324, -0.0],
    "integers": [2**63 - 1, -(2**63), 0, 1],
    "texts": ["a", None, "", "None"],
}


@pytest.mark.parametrize("name", list(KEPT))
def test_a_column_is_what_pandas_reads_scored_or_asked(tmp_path: Path, name: str) -> None:
    file = tmp_path / "a.parquet"
    pd.DataFrame({"x": KEPT[name]}).to_parquet(file)
    fields = ENGINE.fields([file], format="parquet")

    frame = scored(file, fields)

    assert_frame_equal(frame, pd.read_parquet(file))
    assert_frame_equal(asked(file, fields), frame)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # To pandas types of their own with a missing value of its own; here as numpy has them.
        (pd.array([True, None, False, None], dtype="boolean"), [True, None, False, None]),
        (pd.array([1, None, 2, None], dtype="Int64"), [1.0, np.nan, 2.0, np.nan]),
        (pd.array([1.5, None, 2.5, None], dtype="Float64"), [1.5, np.nan, 2.5, np.nan]),
        (np.array([2**63 - 1, 0, 1, 2], dtype="uint64"), [2**63 - 1, 0, 1, 2]),
        (np.array([0.1, 1.5, 2.5, 3.5], dtype="float32"), [float(np.float32(0.1)), 1.5, 2.5, 3.5]),
        ([Decimal("0.10"), Decimal("2.50"), None, Decimal("-1.00")], [0.1, 2.5, np.nan, -1.0]),
        ([Decimal("1234567890123456.5")] * 4, [1234567890123456.5] * 4),
    ],
)
def test_other_types_become_the_one_that_stands_for_them_scored_or_asked(
    tmp_path: Path, values: Any, expected: list[Any]
) -> None:
    file = tmp_path / "a.parquet"
    pd.DataFrame({"x": values}).to_parquet(file)
    fields = ENGINE.fields([file], format="parquet")

    frame = scored(file, fields)

    assert_frame_equal(frame, pd.DataFrame({"x": expected}))
    assert_frame_equal(asked(file, fields), frame)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([1.0, float("inf")]), "holds an infinity, which JSON does not have; write"),
        (pa.array([float("-inf")], pa.float32()), "holds an infinity"),
        (pa.array([2**63], pa.uint64()), "holds 9223372036854775808, beyond the integers of 64"),
        (pa.array([Decimal("12345678901234567890.1")]), "which has more digits than the numbers"),
    ],
)
def test_a_value_that_cannot_travel_is_refused_by_file_and_column(
    tmp_path: Path, values: "pa.Array[Any]", message: str
) -> None:
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    pq.write_table(pa.table({"fine": [1] * len(values), "odd": values}), files[1])
    pq.write_table(pa.table({"fine": [1], "odd": pa.nulls(1, values.type)}), files[0])

    ENGINE.require_inputs(files, format="parquet", columns=["fine"])
    with pytest.raises(DatasetError) as caught:
        ENGINE.require_inputs(files, format="parquet", columns=["fine", "odd"])

    assert str(caught.value).startswith(f"{files[1]}: column 'odd' holds ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "inf"], "holds an infinity"),
        (["-Infinity", ""], "holds an infinity"),
        (["1", "9223372036854775808"], "holds 9223372036854775808, beyond the integers of 64"),
        (["", "-9223372036854775809"], "holds -9223372036854775809, beyond"),
    ],
)
def test_a_value_of_a_csv_that_cannot_travel_is_refused_by_file_and_column(
    tmp_path: Path, values: list[str], message: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("fine,odd\n" + "".join(f"1.5,{value}\n" for value in values))

    ENGINE.require_inputs([file], format="csv", columns=["fine"])
    with pytest.raises(DatasetError) as caught:
        ENGINE.require_inputs([file], format="csv", columns=["odd"])

    assert str(caught.value).startswith(f"{file}: column 'odd' holds ")
    assert message in str(caught.value)


def test_integers_of_a_csv_among_numbers_may_be_of_any_size(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x\n1.5\n9223372036854775808\n")

    frame = scored(file, ENGINE.fields([file], format="csv"), format="csv")

    assert_frame_equal(frame, pd.read_csv(file))


def test_a_moment_is_what_it_was_in_a_request_from_another_zone(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": pa.array([datetime(2026, 7, 1, tzinfo=UTC)])}), file)
    (row,) = ENGINE.sample([file], format="parquet", columns=["x"], count=1)

    assert row == {"x": "2026-07-01T00:00:00+00:00"}
