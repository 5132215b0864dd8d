"""The different values of a column are listed, and text that is none is refused."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.duckdb import DuckDbEngine
from triune.domain.errors import DatasetError

ENGINE = DuckDbEngine()


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("values", "listed"),
    [
        (pa.array([1, 0, None, 1]), (1, 0)),
        (pa.array([float("nan"), 1.5, None]), (1.5,)),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ("b", "a")),
        (pa.array([True, None]), (True,)),
        (pa.array([date(2024, 2, 29)]), ("2024-02-29",)),
        (pa.array([None, None], pa.string()), ()),
        (pa.nulls(2), ()),
        (pa.array([], pa.int64()), ()),
    ],
)
def test_the_values_of_a_column_come_once_and_without_missing_ones(
    tmp_path: Path, values: Any, listed: tuple[object, ...]
) -> None:
    file = parquet(tmp_path / "a.parquet", x=values)

    assert ENGINE.values([file], format="parquet", column="x", limit=9) == listed


def test_no_more_values_are_listed_than_asked_for_from_whichever_file(tmp_path: Path) -> None:
    files = [parquet(tmp_path / f"{number}.parquet", x=[number, 7]) for number in range(4)]

    assert ENGINE.values(files, format="parquet", column="x", limit=3) == (0, 7, 1)


def test_the_values_of_a_csv_are_those_that_pandas_would_see(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x,y\n1,NA\n2,\n1,b\n")

    assert ENGINE.values([file], format="csv", column="x", limit=3) == (1, 2)
    assert ENGINE.values([file], format="csv", column="y", limit=3) == ("b",)
    with pytest.raises(DatasetError, match="no column 'z'"):
        ENGINE.values([file], format="csv", column="z", limit=3)


def no_text() -> Any:
    return pa.array([b"fine", b"caf\xe9"]).view(pa.string())


@pytest.mark.parametrize(
    "make", [no_text, lambda: no_text().dictionary_encode()], ids=["plain", "categorical"]
)
def test_text_that_is_no_utf8_is_refused_with_file_and_column(
    tmp_path: Path, make: Callable[[], Any]
) -> None:
    file = parquet(tmp_path / "a.parquet", fine=[1, 2], name=make())

    with pytest.raises(DatasetError, match=r"a\.parquet: column 'name' .*UTF-?8"):
        ENGINE.fields([file], format="parquet")
    with pytest.raises(DatasetError, match=r"a\.parquet: column 'name' .*UTF-?8"):
        ENGINE.values([file], format="parquet", column="name", limit=3)


def test_a_column_whose_name_is_no_utf8_is_refused_with_the_file(tmp_path: Path) -> None:
    file = parquet(tmp_path / "a.parquet", stand_in=[1])
    file.write_bytes(file.read_bytes().replace(b"stand_in", b"stand\xffin"))

    with pytest.raises(DatasetError, match=r"a\.parquet cannot be read as Parquet"):
        ENGINE.fields([file], format="parquet")
