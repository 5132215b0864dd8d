"""Rows are chosen by a condition of SQL, and nothing else; columns are read, and replaced."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.duckdb import DuckDbEngine
from triune.domain.canonical import Json
from triune.domain.errors import ConditionError, DatasetError

ENGINE = DuckDbEngine()


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("visits") / "visits.parquet"
    columns: dict[str, Any] = {
        "pages": [3, 0, None, 7],
        "device": ["phone", "tablet", None, "phone"],
        "seconds": [1.5, float("nan"), None, 90.0],
        "plan": pa.array(["free", "paid", None, "free"]).dictionary_encode(),
        "seen": pa.array(
            [datetime(2024, 1, 1, tzinfo=UTC), None, datetime(2025, 6, 1, tzinfo=UTC), None]
        ),
        "day": [date(2024, 1, 1)] * 4,
        "is new": [True, False, None, False],
        "nothing": pa.nulls(4),
        "Age": [1, 2, 3, 4],
        "age": [4, 3, 2, 1],
        'a "b"': [1, 1, 2, 2],
    }
    pq.write_table(pa.table(columns), file, row_group_size=2)
    return file


def matching(file: Path, where: str) -> list[bool]:
    found = ENGINE.matching([file], format="parquet", where=where)
    assert found.dtype == np.bool_
    held: list[bool] = found.tolist()
    return held


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("pages > 2", [0, 3]),
        ("PAGES > 2 AND device = 'phone'", [0, 3]),
        ("device IN ('tablet') or pages = 7", [1, 3]),
        ("device <> 'phone'", [1]),
        ("device is null", [2]),
        ("device like 'ph%'", [0, 3]),
        ("pages between 0 and 3", [0, 1]),
        ("seconds > 1", [0, 3]),
        ("seconds is null", [1, 2]),
        ("plan = 'free'", [0, 3]),
        ("seen >= '2025-01-01'", [2]),
        ("year(seen) = 2024 -- as in the report", [0]),
        ('"is new"', [0]),
        ('not "is new"', [1, 3]),
        ("nothing = 1", []),
        ("coalesce(pages, 9) % 3 = 0", [0, 1, 2]),
        ("case when pages > 2 then device = 'phone' else false end", [0, 3]),
        ("nullif(pages, 3) is null", [0, 2]),
        ('"a ""b""" = 2', [2, 3]),
        ("CAST(pages AS VARCHAR) = '7'", [3]),
        ("pages", [0, 3]),
        ("age(TIMESTAMP '2025-01-01', CAST(day AS TIMESTAMP)) > interval 11 months", [0, 1, 2, 3]),
        ("age(CAST(day AS TIMESTAMP), TIMESTAMP '2025-01-01') > interval 1 day", []),
    ],
)
def test_the_rows_are_those_of_a_where_in_their_order(
    visits: Path, where: str, rows: list[int]
) -> None:
    assert matching(visits, where) == [row in rows for row in range(4)]


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("", "it is no condition"),
        ("pages >", "it is no condition: DuckDB says: syntax error"),
        ("pages = 1) or (1 = 1", "it is no condition"),
        ("pages = 1; drop table dataset", "it is no condition"),
        ("set threads = 1", "it is no condition"),
        ("pages = 1 limit 1", "it is no condition"),
        ("pages from read_csv('/etc/passwd')", "it is no condition"),
        ("pages = 1, device = 'phone'", "it is no condition"),
        ("pages = 1 as few", "it gives itself a name"),
        ("pages = (select 1)", "it holds a query of its own"),
        ("exists (select * from read_csv('/etc/passwd'))", "it holds a query of its own"),
        ("exists (from '/etc/passwd')", "it holds a query of its own"),
        ("read_text('/etc/passwd') is null", "it calls read_text()"),
        ("pages > random()", "it calls random()"),
        ("seen > now()", "it calls now()"),
        ("seen > current_date", "there is no column 'current_date'"),
        ("seen > current_date()", "it calls current_date()"),
        ("seen > today()", "it calls today()"),
        ("seen > get_current_timestamp()", "it calls get_current_timestamp()"),
        ("day > current_localtimestamp()", "current_localtimestamp() reads the clock"),
        ("CAST(seen AS TIME) > Current_LocalTime()", "current_localtime() reads the clock"),
        ("age(day) > interval 1 year", "age() of one moment reads the clock"),
        ("pages > 1 and AGE(CAST(seen AS TIMESTAMP)) > interval 1 day", "reads the clock"),
        ("day.age() > interval 1 year", "age() of one moment reads the clock"),
        ("device = uuid()", "it calls uuid()"),
        ("device = gen_random_uuid()", "it calls gen_random_uuid()"),
        ("pages > nextval('numbers')", "it calls nextval()"),
        ("device = version()", "it calls version()"),
        ("device = current_schema()", "it calls current_schema()"),
        ("pages = txid_current()", "it calls txid_current()"),
        ("device = getvariable('x')", "it calls getvariable()"),
        ("device = current_user", "there is no column 'current_user'"),
        ("current_setting('threads') = '1' and pages = 1", "it calls current_setting()"),
        ("pages = sum(pages)", "it calls sum()"),
        ("ago(interval 1 day) > seen", "it calls ago()"),
        ("row_number() over () = 1", "it looks at other rows"),
        ("columns(*) = 1", "it names all columns at once"),
        ("pages = $1", "it holds a parameter"),
        ("getenv('HOME') = 'x'", "there is no function 'getenv'"),
        ("attack(pages)", "there is no function 'attack'"),
        ("page > 3", "there is no column 'page'; did you mean 'pages'?"),
        ("turnover > 3", "the columns are pages, device, "),
        ("visits.pages > 3", "there is no column 'visits.pages'"),
        ("AGE = 1", "may be 'Age' and 'age'"),
        ("1 = 1", "it names no column"),
        ("'phone'", "it names no column"),
        ("device", "DuckDB says: Could not convert string 'phone' to BOOL"),
        ("device = 3", "DuckDB says: Could not convert string 'phone'"),
        ("year(pages) = 3", "DuckDB says: "),
    ],
)
def test_what_is_no_condition_on_a_row_is_refused_with_the_condition_and_the_cause(
    visits: Path, where: str, why: str
) -> None:
    with pytest.raises(ConditionError) as refused:
        matching(visits, where)

    assert str(refused.value).startswith(f"condition {where!r}: ")
    assert why in str(refused.value)


def test_csv_is_searched_like_parquet(tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_text("pages,device\n3,phone\n,tablet\n5,\n")

    found = ENGINE.matching([file], format="csv", where="pages >= 3 and device = 'phone'")

    assert found.tolist() == [True, False, False]


def test_rows_keep_their_order_over_files_and_batches(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.parquet" for number in range(3)]
    numbers = np.random.default_rng(3).integers(0, 10, (3, 100_000))
    for file, part in zip(files, numbers, strict=True):
        pq.write_table(pa.table({"n": part}), file)

    found = ENGINE.matching(files, format="parquet", where="n = 3")

    assert (found == (numbers.reshape(-1) == 3)).all()


def test_columns_are_read_whole_and_missing_values_are_told(visits: Path) -> None:
    names = ["pages", "device", "seconds", "plan", "seen", "is new", "nothing", "Age"]

    found = ENGINE.arrays([visits], format="parquet", columns=names)

    assert found["pages"].tolist() == [3, 0, None, 7]
    assert found["device"].tolist() == ["phone", "tablet", None, "phone"]
    assert found["plan"].tolist() == ["free", "paid", None, "free"]
    assert np.isnan(found["seconds"]).tolist() == [False, True, True, False]
    assert np.isnat(found["seen"]).tolist() == [False, True, False, True]
    assert found["is new"].tolist() == [True, False, None, False]
    assert found["nothing"].tolist() == [None] * 4
    assert found["Age"].dtype == np.int64


def test_a_column_to_be_read_that_is_missing_is_named_with_the_nearest(visits: Path) -> None:
    with pytest.raises(DatasetError, match=r"no column 'page'; did you mean 'pages'\?"):
        ENGINE.arrays([visits], format="parquet", columns=["page"])


def replaced(file: Path, column: str, value: Json) -> "pa.ChunkedArray[Any]":
    destination = file.with_name("replaced.arrow")
    ENGINE.export(
        [file],
        format="parquet",
        columns=["device", column, "Age"],
        destination=destination,
        replace={column: value},
    )
    table = pa.ipc.open_file(str(destination)).read_all()
    assert table.column("Age").to_pylist() == [1, 2, 3, 4]
    return table.column(column)


@pytest.mark.parametrize(
    ("column", "value", "held", "type_"),
    [
        ("pages", 5, 5, pa.int64()),
        ("pages", 5.0, 5, pa.int64()),
        ("pages", None, None, pa.int64()),
        ("pages", 2.5, 2.5, pa.float64()),
        ("seconds", 5, 5.0, pa.float64()),
        ("plan", "paid", "paid", pa.string()),
        ("is new", True, True, pa.bool_()),
        ("day", "2024-02-29", date(2024, 2, 29), pa.date32()),
        ("nothing", "some", "some", pa.string()),
    ],
)
def test_every_row_is_given_a_value_as_the_column_would_hold_it(
    visits: Path, column: str, value: Json, held: object, type_: pa.DataType
) -> None:
    found = replaced(visits, column, value)

    assert found.type == type_
    assert found.to_pylist() == [held] * 4


@pytest.mark.parametrize(
    ("column", "value"), [("pages", "many"), ("pages", 2**70), ("day", "soon"), ("seconds", "long")]
)
def test_a_value_that_a_column_cannot_hold_is_refused_with_both(
    visits: Path, column: str, value: Json
) -> None:
    with pytest.raises(DatasetError, match=f"column '{column}' holds .*, which {value!r} cannot"):
        replaced(visits, column, value)


def test_a_value_for_a_column_that_is_missing_is_refused(visits: Path) -> None:
    with pytest.raises(DatasetError, match="no column 'page'"):
        replaced(visits, "page", 3)
