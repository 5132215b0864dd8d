"""What tests expect of tables: a method for each expectation, and messages that name rows."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from triune.domain.errors import DatasetError, UsageError
from triune.domain.expectations.catalogue import _OF_SHAPE, _SIGNATURES
from triune.testing import validate
from triune.testing.expectations import Expectations
from triune.testing.tables import Table

PREFIXES = ("expect_column_values_", "expect_column_", "expect_table_", "expect_")
VISITS = pd.DataFrame(
    {
        "id": ["a", "b", "c", "c"],
        "pages": [1.0, 5.0, np.nan, 9.0],
        "seen": [*pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"]), pd.NaT],
    },
    index=[7, 7, 8, 9],
)


def expected(data: object, root: Path = Path()) -> Expectations:
    return Expectations(Table(data, root=root))


def method_of(type_: str) -> str:
    return next(type_.removeprefix(each) for each in PREFIXES if type_.startswith(each))


@pytest.mark.parametrize("type_", _SIGNATURES)
def test_each_expectation_has_a_method_that_takes_what_it_takes(type_: str) -> None:
    signature = _SIGNATURES[type_]
    required, optional = _OF_SHAPE[signature.shape]

    parameters = inspect.signature(getattr(Expectations, method_of(type_))).parameters

    wanted = [name.lower() for name in (*required, *signature.required)]
    due = [name for name, each in parameters.items() if each.default is each.empty]
    assert due[1:] == wanted
    assert set(parameters) - {"self", "row_condition"} == {
        *wanted,
        *optional,
        *signature.optional,
    }


def test_no_method_is_of_no_expectation() -> None:
    methods = {name for name in vars(Expectations) if not name.startswith("_")}

    assert methods == {method_of(type_) for type_ in _SIGNATURES}
    assert len(methods) == len(_SIGNATURES)


def test_what_is_as_expected_passes_one_after_another() -> None:
    table = expected(VISITS).to_exist("id").to_not_be_null("id").row_count_to_equal(4)

    table.to_be_between("pages", 0, 10).mean_to_be_between("pages", 4.9, 5.1)
    table.to_be_in_set("id", {"a", "b", "c"}).to_be_in_set("id", np.array(["a", "b", "c"]))
    table.to_be_between("seen", pd.Timestamp("2026-01-01"), strict_min=False)
    table.pair_values_to_be_equal("id", "id").columns_to_match_ordered_list(("id", "pages", "seen"))
    table.to_be_null("pages", row_condition="id == 'c'", mostly=0.5)


def test_a_failure_names_the_first_rows() -> None:
    with pytest.raises(AssertionError) as failed:
        expected(VISITS).to_be_between("pages", 0, 4)

    assert str(failed.value) == (
        "the table: expect_column_values_to_be_between on 'pages' (min_value=0, max_value=4): "
        "2 of 3 rows break it (0.6667); row 1 holds 5.0, row 3 holds 9.0"
    )


def test_a_failure_about_the_whole_column_tells_what_was_observed() -> None:
    with pytest.raises(AssertionError, match=r"mean_to_be_between on 'pages' .*observed 5\.0"):
        expected(VISITS).mean_to_be_between("pages", 6)


def test_a_flag_that_shuts_limits_out_counts() -> None:
    expected(VISITS).max_to_be_between("pages", 9)

    with pytest.raises(AssertionError, match="strict_min=True"):
        expected(VISITS).max_to_be_between("pages", 9, strict_min=True)


def test_a_column_that_is_not_there_fails_with_the_nearest() -> None:
    with pytest.raises(AssertionError, match="no column 'page'; did you mean 'pages'"):
        expected(VISITS).to_not_be_null("page")


def test_a_call_that_lacks_an_argument_is_refused_by_the_methods_name() -> None:
    with pytest.raises(TypeError, match=r"to_be_between\(\) missing 1 required .*'column'"):
        expected(VISITS).to_be_between(min_value=0)  # type: ignore[call-arg] # on purpose


def test_a_table_without_rows_meets_nothing_about_rows() -> None:
    nobody = VISITS.head(0)
    expected(nobody).row_count_to_equal(0)

    with pytest.raises(AssertionError, match="no row to judge"):
        expected(nobody).to_be_unique("id")


def test_tables_of_each_kind_are_read_alike(tmp_path: Path) -> None:
    VISITS.to_parquet(tmp_path / "visits.parquet")
    VISITS.drop(columns="seen").to_csv(tmp_path / "visits.csv", index=False)

    for table in (
        pa.Table.from_pandas(VISITS),
        pa.Table.from_pandas(VISITS).to_batches()[0],
        VISITS.drop(columns="seen").to_dict("records"),
        "visits.parquet",
        tmp_path / "visits.csv",
        "*.parquet",
        (tmp_path / "visits.parquet",),
    ):
        expected(table, tmp_path).row_count_to_equal(4).max_to_be_between("pages", 9, 9)
        with pytest.raises(AssertionError, match="2 of 4 rows break it"):
            expected(table, tmp_path).to_be_unique("id")


def test_what_streams_arrow_is_a_table_whatever_library_it_is_of() -> None:
    class Foreign:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            streamed: object = pa.table({"id": ["a", "b"]}).__arrow_c_stream__()  # type: ignore[no-untyped-call]
            return streamed

    expected(Foreign()).to_be_unique("id").row_count_to_equal(2)


@pytest.mark.parametrize("data", [7, None, [1, 2], []])
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(UsageError, match="is no table; give a DataFrame"):
        expected(data).row_count_to_equal(1)


def test_a_column_of_several_types_is_refused() -> None:
    with pytest.raises(DatasetError, match="give each column values of one type"):
        expected(pd.DataFrame({"mixed": ["a", 1]})).to_exist("mixed")


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no .*nowhere\.csv"):
        expected("nowhere.csv", tmp_path).to_exist("id")
    with pytest.raises(DatasetError, match=r"no file is named like .*nowhere\*"):
        expected("nowhere*", tmp_path).to_exist("id")


SUITE = {
    "name": "visits",
    "expectations": [
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}},
    ],
}


def test_a_table_is_validated_by_a_suite_with_the_outcome_of_great_expectations(
    tmp_path: Path,
) -> None:
    path = tmp_path / "suite.json"
    path.write_text(
        '{"expectation_suite_name": "old", "expectations": [{"expectation_type": '
        '"expect_column_values_to_be_unique", "kwargs": {"column": "id"}}]}'
    )

    by_document, by_file = validate(VISITS, SUITE), validate(VISITS, path, "COMPLETE")

    assert (by_document["success"], by_document["statistics"]["successful_expectations"]) == (
        False,
        1,
    )
    assert by_document["results"][0]["result"]["partial_unexpected_list"] == ["c", "c"]
    assert by_file["results"][0]["result"]["unexpected_index_list"] == [2, 3]


def test_a_result_format_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="'FULL' is not known; use BOOLEAN_ONLY, BASIC"):
        validate(VISITS, SUITE, "FULL")
