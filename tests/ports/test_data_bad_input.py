"""Data and suites that are not as they should be: an error or a refusal that says what to do."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.domain.errors import DatasetError
from triune.domain.expectations.suite import SuiteError
from triune.testing import validate


def expect(type: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{type}", "kwargs": kwargs}


def a_suite(*expectations: dict[str, Any]) -> dict[str, Any]:
    return {"name": "visits", "expectations": list(expectations)}


NOT_NULL = a_suite(expect("column_values_to_not_be_null", column="id"))


def problem(columns: dict[str, Any], expectation: dict[str, Any]) -> str:
    """Evaluate one expectation, which must be an error and never a pass."""
    told = validate(pa.table(columns), a_suite(expectation))
    (result,) = told["results"]
    assert (told["success"], result["success"]) == (False, False)
    assert result["exception_info"]["raised_exception"]
    json.dumps(told, allow_nan=False)
    return str(result["exception_info"]["exception_message"])


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (expect("column_values_to_not_be_null", column="idd"), "did you mean 'id'"),
        (expect("column_mean_to_be_between", column="name", min_value=1), "is to hold numbers"),
        (
            expect("column_values_to_be_between", column="id", min_value="2024-01-31"),
            "cannot be compared with '2024-01-31'; write it as a number",
        ),
        (
            expect("column_values_to_be_between", column="id", min_value=2, max_value=1),
            "min_value 2 is greater than max_value 1; exchange them",
        ),
        (
            expect("column_values_to_match_regex", column="name", regex="(["),
            "is no regular expression",
        ),
        (expect("column_values_to_be_in_set", column="id"), "it lacks 'value_set'"),
        (
            expect("column_values_to_be_in_set", column="id", value_set=[10**400]),
            "holds an integer of more than 308 digits",
        ),
    ],
)
def test_what_cannot_be_asked_of_the_data_is_an_error_that_says_what_to_do(
    expectation: dict[str, Any], said: str
) -> None:
    assert said in problem({"id": [1, 2], "name": ["a", "b"]}, expectation)


def test_an_empty_table_is_told_by_its_row_count() -> None:
    empty = pa.table({"id": pa.array([], pa.int64())})

    told = validate(empty, a_suite(expect("table_row_count_to_be_between", min_value=1)))

    assert (told["success"], told["meta"]["rows"]) == (False, 0)


def test_a_column_without_a_value_breaks_what_asks_for_one() -> None:
    told = validate(pa.table({"id": pa.nulls(3)}), NOT_NULL)

    (result,) = told["results"]
    assert (told["success"], result["result"]["unexpected_count"]) == (False, 3)


def test_a_csv_column_of_numbers_and_text_is_text(tmp_path: Path) -> None:
    path = tmp_path / "visits.csv"
    path.write_text("id\n1\n2\nthree\n")

    told = validate(
        path,
        a_suite(
            expect("column_values_to_be_of_type", column="id", type_="str"),
            expect("column_values_to_match_regex", column="id", regex="^[0-9]+$"),
            expect("column_values_to_be_between", column="id", min_value=0),
        ),
    )

    text, broken, compared = told["results"]
    assert text["success"]
    assert broken["result"]["partial_unexpected_list"] == ["three"]
    assert (
        "holds text, which cannot be compared with 0"
        in (compared["exception_info"]["exception_message"])
    )


@pytest.mark.parametrize("kept", [0, 4, 200])
def test_a_half_written_parquet_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "visits.parquet"
    pq.write_table(pa.table({"id": range(1000)}), path)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(DatasetError, match=r"visits\.parquet cannot be read as Parquet"):
        validate(path, NOT_NULL)


@pytest.mark.parametrize("pattern", ["*.parquet", "no/*.csv"])
def test_a_glob_without_files_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(DatasetError, match="no file is named like"):
        validate(tmp_path / pattern, NOT_NULL)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"key": [1]}, r"b\.parquet lacks 'id'"),
        ({"id": ["x"]}, "column 'id' holds int64 in .*a.parquet and string in .*b.parquet"),
    ],
)
def test_files_with_different_columns_are_refused(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table(other), tmp_path / "b.parquet")

    with pytest.raises(DatasetError, match=said):
        validate(tmp_path / "*.parquet", NOT_NULL)


def test_keys_of_one_dialect_in_a_suite_of_the_other_are_refused() -> None:
    mixed = {
        "name": "visits",
        "expectations": [
            {"expectation_type": "expect_column_to_exist", "kwargs": {"column": "id"}}
        ],
    }

    with pytest.raises(SuiteError, match=r"expectation_type`, a key of 0\.x, in a suite of 1\.x"):
        validate(pa.table({"id": [1]}), mixed)


@pytest.mark.slow
def test_five_thousand_columns_are_judged_in_their_order() -> None:
    names = [f"column {number}" for number in range(5000)]
    table = pa.table({name: [number, None] for number, name in enumerate(names)})

    told = validate(
        table, a_suite(*(expect("column_values_to_not_be_null", column=name) for name in names))
    )

    assert told["statistics"]["unsuccessful_expectations"] == 5000
    assert [each["expectation_config"]["kwargs"]["column"] for each in told["results"]] == names


@pytest.mark.parametrize(
    "name",
    ['a"b', "a'b", "a b", "a.b", "a`b", "a;b", "1", "select", 'id"); DROP TABLE data; --', "c0",
     "r", "*", "", "\n", "\U0001f600"],
)  # fmt: skip
@pytest.mark.parametrize("written_as", ["csv", "parquet"])
def test_nothing_is_executed_from_a_name(tmp_path: Path, name: str, written_as: str) -> None:
    path = tmp_path / f"table.{written_as}"
    if written_as == "csv":
        quoted = name.replace('"', '""')
        path.write_text(f'"{quoted}",other\n1,2\n5,2\n')
    else:
        pq.write_table(pa.table({name: [1, 5], "other": [2, 2]}), path)
    # A CSV has no column without a name: pandas calls the first one this.
    called = "Unnamed: 0" if (name, written_as) == ("", "csv") else name

    told = validate(
        path,
        a_suite(
            expect("column_values_to_be_between", column=called, max_value=4),
            expect("column_values_to_be_unique", column=called),
            expect("column_values_to_be_between", column="other", min_value=0,
                   row_condition='col("other") > 1', condition_parser="great_expectations"),
        ),
    )  # fmt: skip

    broken, unique, other = told["results"]
    assert (broken["result"]["partial_unexpected_list"], unique["success"]) == ([5], True)
    assert other["success"], other
