"""The suite that is proposed for a dataset, from what its columns hold."""

from datetime import date, datetime
from typing import Any

import pytest

from triune.domain.drift import ColumnKind, ColumnProfile
from triune.domain.expectations.catalogue import find_contradiction, find_problem
from triune.domain.expectations.suite import read_suite
from triune.domain.manifest import FieldType
from triune.domain.profile import ColumnSummary, DatasetProfile, propose_suite

ROWS = 100


def a_column(**known: Any) -> ColumnSummary:
    drift = ColumnProfile(name="x", kind=ColumnKind.NUMBER, counts=(0,), missing=0)
    usual: dict[str, Any] = {
        "name": "x", "type": FieldType.NUMBER, "type_name": "float64", "present": ROWS,
        "distinct": 50, "low": 1.0, "high": 11.0, "mean": 6.0, "stdev": 2.0, "values": (),
        "drift": drift,
    }  # fmt: skip
    return ColumnSummary(**{**usual, **known})


def proposed(column: ColumnSummary, rows: int = ROWS) -> dict[str, dict[str, Any]]:
    suite = propose_suite(DatasetProfile(rows=rows, columns=(column,)), name="visits")
    for expectation in (read := read_suite(suite)).expectations:
        assert find_problem(expectation, expectation.kwargs) is None
        assert find_contradiction(expectation.kwargs) is None
    assert read.name == "visits"
    return {
        each["type"].removeprefix("expect_").removeprefix("column_"): {
            name: value for name, value in each["kwargs"].items() if name != "column"
        }
        for each in suite["expectations"]
    }


def test_numbers_have_a_range_a_mean_and_no_missing_value() -> None:
    assert proposed(a_column()) == {
        "table_columns_to_match_set": {"column_set": ["x"], "exact_match": True},
        "table_row_count_to_be_between": {"min_value": 50},
        "values_to_be_of_type": {"type_": "float64"},
        "values_to_not_be_null": {},
        "values_to_be_between": {"min_value": 0.0, "max_value": 12.0},
        "mean_to_be_between": {"min_value": 4.7, "max_value": 7.3},
    }


def test_what_was_never_negative_is_not_expected_to_become_so() -> None:
    assert proposed(a_column(low=0.0))["values_to_be_between"]["min_value"] == 0
    assert proposed(a_column(low=-9.0, high=0.0))["values_to_be_between"]["max_value"] == 0


def test_a_range_of_integers_is_one() -> None:
    column = a_column(type=FieldType.INTEGER, low=3, high=1207, mean=500.0, stdev=90.0)

    assert proposed(column)["values_to_be_between"] == {"min_value": 0, "max_value": 1330}


def test_a_missing_value_leaves_room_for_a_few_more() -> None:
    assert proposed(a_column(present=80))["values_to_not_be_null"] == {"mostly": 0.64}
    assert "values_to_not_be_null" not in proposed(a_column(present=1))


def test_text_of_few_values_is_one_of_them() -> None:
    column = a_column(
        type=FieldType.STRING, type_name="str", distinct=2, values=("a", "b"), mean=None, stdev=None
    )

    assert proposed(column)["values_to_be_in_set"] == {"value_set": ["a", "b"]}


def test_few_rows_make_no_set() -> None:
    column = a_column(type=FieldType.STRING, distinct=2, values=("a", "b"), present=9, mean=None)

    assert "values_to_be_in_set" not in proposed(column)


def test_what_differs_in_every_row_is_unique_and_has_no_range() -> None:
    column = a_column(type=FieldType.INTEGER, distinct=ROWS, low=1, high=ROWS)

    suite = proposed(column)

    assert "values_to_be_unique" in suite
    assert not {"values_to_be_between", "mean_to_be_between"} & suite.keys()


def test_measurements_that_all_differ_are_not_said_to_be_unique() -> None:
    assert "values_to_be_unique" not in proposed(a_column(distinct=ROWS))


@pytest.mark.parametrize(
    ("low", "high", "least"),
    [
        (date(2024, 1, 31), date(2024, 5, 10), "2024-01-21"),
        (datetime(2024, 1, 31, 7), datetime(2024, 1, 31, 9), "2024-01-30T00:00:00"),
        (date.min, date.max, "0001-01-01"),
    ],
)
def test_moments_have_a_beginning_and_no_end(low: date, high: date, least: str) -> None:
    column = a_column(type=FieldType.DATE, low=low, high=high, mean=None, stdev=None)

    assert proposed(column)["values_to_be_between"] == {"min_value": least}


def test_infinite_numbers_have_no_range() -> None:
    suite = proposed(a_column(high=float("inf")))

    assert not {"values_to_be_between", "mean_to_be_between"} & suite.keys()


def test_nothing_is_said_of_a_column_without_a_value_but_that_it_is_there() -> None:
    column = a_column(type=None, type_name=None, present=0, distinct=0, low=None, high=None,
                      mean=None, stdev=None)  # fmt: skip

    assert proposed(column).keys() == {
        "table_columns_to_match_set",
        "table_row_count_to_be_between",
    }
    assert proposed(column, rows=0).keys() == {"table_columns_to_match_set"}
