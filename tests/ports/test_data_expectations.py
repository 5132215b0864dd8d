"""Suites are evaluated exactly, whatever names and values a dataset has, and always say why."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triune.adapters.data.duckdb import DuckDbEngine
from triune.adapters.data.expectations.engine import evaluate, load_suite
from triune.adapters.data.parquet import ParquetTable
from triune.domain.errors import DatasetError
from triune.domain.expectations.findings import find_breaches
from triune.domain.expectations.outcome import Method, Outcome, ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import SuiteError, read_suite
from triune.domain.verdict import Verdict

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class InMemory:
    """An Arrow table in small batches; it remembers which columns were read, each time."""

    table: pa.Table
    rows_a_batch: int = 3
    reads: list[tuple[str, ...]] = field(default_factory=list)
    sql_files: Sequence[tuple[Path, int]] = ()

    @property
    def rows(self) -> int:
        return self.table.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.reads.append(tuple(columns))
        yield from self.table.select(list(columns)).to_batches(max_chunksize=self.rows_a_batch)


def expect(type: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{type}", "kwargs": kwargs}


def a_suite(*expectations: dict[str, Any], **more: Any) -> Any:
    return read_suite({"name": "a", "expectations": list(expectations), **more})


def seen(
    columns: dict[str, Any], *expectations: dict[str, Any], format: str = "SUMMARY"
) -> SuiteOutcome:
    table = InMemory(pa.table(columns))
    return evaluate(table, a_suite(*expectations), now=NOW, result_format=ResultFormat(format))


def one(columns: dict[str, Any], expectation: dict[str, Any]) -> Outcome:
    (outcome,) = seen(columns, expectation).outcomes
    return outcome


def counts(outcome: Outcome) -> tuple[int, int | None, int]:
    assert outcome.rows is not None, outcome.problem
    return outcome.rows.total, outcome.rows.present, outcome.rows.unexpected


class TestOneScan:
    def test_what_can_share_a_scan_reads_each_column_once(self) -> None:
        table = InMemory(pa.table({"a": [1, 2], "b": ["x", "y"], "c": [0.5, None]}))
        suite = a_suite(
            expect("column_values_to_not_be_null", column="a"),
            expect("column_values_to_be_between", column="a", min_value=0, max_value=5),
            expect("column_mean_to_be_between", column="c", min_value=0, max_value=1),
            expect("column_values_to_match_regex", column="b", regex="^[xy]$"),
            expect("column_pair_values_a_to_be_greater_than_b", column_A="a", column_B="c",
                   ignore_row_if="either_value_is_missing"),
            expect("table_row_count_to_equal", value=2),
        )  # fmt: skip

        outcome = evaluate(table, suite, now=NOW)

        assert outcome.is_met
        assert {each.method for each in outcome.outcomes} == {Method.SCAN}
        assert table.reads == [("a", "b", "c")]

    def test_a_column_that_nothing_is_expected_of_is_not_read(self) -> None:
        table = InMemory(pa.table({"a": [1], "b": [2]}))

        evaluate(table, a_suite(expect("column_values_to_not_be_null", column="b")), now=NOW)

        assert table.reads == [("b",)]

    @pytest.mark.parametrize(
        ("expectation", "method"),
        [
            (expect("column_values_to_be_between", column="n", min_value=0), Method.SCAN),
            (expect("column_values_to_be_unique", column="n"), Method.SECOND_PASS),
            (expect("compound_columns_to_be_unique", column_list=["n", "s"]), Method.SECOND_PASS),
            (expect("column_values_to_be_increasing", column="n"), Method.SECOND_PASS),
            (expect("column_value_z_scores_to_be_less_than", column="n", threshold=3),
             Method.SECOND_PASS),
            (expect("column_values_to_match_regex", column="s", regex="[ab]"), Method.SCAN),
            (expect("column_values_to_match_regex", column="s", regex="(?=[ab])."), Method.PYTHON),
            (expect("column_values_to_match_regex", column="s", regex=r"(.)\1|."), Method.PYTHON),
            (expect("column_values_to_match_strftime_format", column="d",
                    strftime_format="%Y-%m-%d"), Method.PYTHON),
            (expect("column_values_to_be_dateutil_parseable", column="d"), Method.PYTHON),
            (expect("column_values_to_be_json_parseable", column="j"), Method.PYTHON),
        ],
    )  # fmt: skip
    def test_an_outcome_says_how_it_came_to_be(
        self, expectation: dict[str, Any], method: Method
    ) -> None:
        columns = {"n": [1, 2], "s": ["a", "b"], "d": ["2024-01-31"] * 2, "j": ["{}", "[1]"]}

        outcome = one(columns, expectation)

        assert (outcome.verdict, outcome.method) == (Verdict.PASS, method)

    def test_five_hundred_columns_take_a_few_queries_and_keep_their_order(self) -> None:
        columns = {f"column {number}": [number, None] for number in range(500)}
        suite = [
            expect("column_max_to_be_between", column=name, min_value=number, max_value=number)
            for number, name in enumerate(columns)
        ]

        outcome = seen(columns, *suite)

        assert outcome.is_met
        assert [each.observed["observed_value"] for each in outcome.outcomes] == list(range(500))


class TestMissing:
    def test_mostly_is_a_share_of_the_rows_that_hold_a_value(self) -> None:
        columns = {"x": [1, 2, 3, 9, None, None, None, None]}
        expectation = expect("column_values_to_be_between", column="x", max_value=5)

        outcomes = [
            one(columns, {**expectation, "kwargs": {**expectation["kwargs"], "mostly": mostly}})
            for mostly in (0.75, 0.76)
        ]

        assert [each.verdict for each in outcomes] == [Verdict.PASS, Verdict.FAIL]
        assert counts(outcomes[0]) == (8, 4, 1)

    def test_not_a_number_is_a_missing_value(self) -> None:
        columns = {"x": [1.0, float("nan"), None, 4.0]}

        missing = one(columns, expect("column_values_to_not_be_null", column="x"))
        mean = one(columns, expect("column_mean_to_be_between", column="x"))

        assert counts(missing) == (4, None, 2)
        assert mean.observed["observed_value"] == 2.5

    def test_missing_values_are_no_duplicates_of_each_other_in_one_column(self) -> None:
        outcome = one({"x": [None, None, 1]}, expect("column_values_to_be_unique", column="x"))

        assert (outcome.verdict, counts(outcome)) == (Verdict.PASS, (3, 1, 0))

    def test_rows_that_are_alike_but_for_nothing_repeat_each_other(self) -> None:
        columns = {"a": [1, 1, None, None, 2], "b": [None, None, "x", None, "x"]}

        outcome = one(columns, expect("compound_columns_to_be_unique", column_list=["a", "b"]))

        assert outcome.verdict is Verdict.FAIL
        assert counts(outcome) == (5, 4, 2)
        assert outcome.rows is not None
        assert [each.row for each in outcome.rows.offenders] == [0, 1]
        assert outcome.rows.offenders[0].value == {"a": 1, "b": None}

    def test_an_empty_table_meets_what_is_said_of_rows_and_says_that_it_was_vacuous(self) -> None:
        columns = {"x": pa.array([], pa.int64()), "s": pa.array([], pa.string())}

        outcome = seen(
            columns,
            expect("column_values_to_be_between", column="x", min_value=1),
            expect("column_values_to_be_unique", column="x"),
            expect("column_values_to_match_strftime_format", column="s", strftime_format="%Y"),
            expect("column_value_z_scores_to_be_less_than", column="x", threshold=1),
            expect("column_values_to_be_increasing", column="x"),
            expect("column_mean_to_be_between", column="x", min_value=0),
            expect("column_quantile_values_to_be_between", column="x",
                   quantile_ranges={"quantiles": [0.5], "value_ranges": [[None, None]]}),
        )  # fmt: skip

        *rows, mean, quantile = outcome.outcomes
        assert all(each.is_vacuous for each in rows)
        assert [counts(each) for each in rows] == [(0, 0, 0)] * 5
        assert mean.verdict is quantile.verdict is Verdict.FAIL
        assert outcome.document["results"][5]["result"] == {"observed_value": None}
        assert "no row held a value" in find_breaches(outcome)[0].message

    @pytest.mark.parametrize("type", [pa.null(), pa.float64(), pa.string(), pa.timestamp("us")])
    def test_a_column_without_a_value_is_judged_by_its_lack_alone(self, type: pa.DataType) -> None:
        columns = {"x": pa.array([None] * 3, type), "y": [1, 2, 3], "s": ["1", "b", "c"]}

        outcome = seen(
            columns,
            expect("column_values_to_not_be_null", column="x"),
            expect("column_values_to_be_null", column="x"),
            expect("column_values_to_be_in_set", column="x", value_set=["a", 1, "2024-01-31"]),
            expect("column_values_to_be_unique", column="x"),
            expect("column_unique_value_count_to_be_between", column="x", max_value=0),
            expect("column_values_to_match_regex", column="x", regex="a"),
            expect("column_pair_values_to_be_equal", column_A="x", column_B="y",
                   ignore_row_if="either_value_is_missing"),
            expect("select_column_values_to_be_unique_within_record", column_list=["x", "y", "s"]),
        )  # fmt: skip

        verdicts = [each.verdict for each in outcome.outcomes]
        assert verdicts == [Verdict.FAIL, *[Verdict.PASS] * 7]


class TestExactness:
    BIG = 2**53 + 1

    def test_integers_beyond_what_doubles_hold_stay_apart(self) -> None:
        columns = {"x": [self.BIG, None, self.BIG - 1]}

        outcome = seen(
            columns,
            expect("column_max_to_be_between", column="x", min_value=self.BIG),
            expect("column_values_to_be_in_set", column="x", value_set=[self.BIG]),
            expect("column_values_to_be_between", column="x", max_value=float(self.BIG - 1)),
            expect("column_sum_to_be_between", column="x", min_value=2 * self.BIG - 1,
                   max_value=2 * self.BIG - 1),
            expect("column_unique_value_count_to_be_between", column="x", min_value=2),
        )  # fmt: skip

        largest, member, bounded, total, distinct = outcome.outcomes
        assert largest.observed["observed_value"] == self.BIG
        assert counts(member) == counts(bounded) == (3, 2, 1)
        assert total.observed["observed_value"] == 2 * self.BIG - 1
        assert distinct.verdict is Verdict.PASS

    def test_sums_of_integers_and_rows_of_them_do_not_overflow(self) -> None:
        top = 2**63 - 1
        columns = {"a": [top, top], "b": [top, 0]}

        outcome = seen(
            columns,
            expect("column_sum_to_be_between", column="a", min_value=2 * top, max_value=2 * top),
            expect("multicolumn_sum_to_equal", column_list=["a", "b"], sum_total=2 * top),
        )

        assert [each.verdict for each in outcome.outcomes] == [Verdict.PASS, Verdict.FAIL]
        assert counts(outcome.outcomes[1]) == (2, 2, 1)

    def test_sums_of_numbers_are_compensated(self) -> None:
        columns = {"x": [1.0, *[1e-16] * 10_000]}

        outcome = one(columns, expect("column_sum_to_be_between", column="x"))

        assert outcome.observed["observed_value"] == pytest.approx(1 + 1e-12, rel=1e-15, abs=0)

    def test_infinite_values_are_values(self) -> None:
        columns = {"x": [1.0, float("inf")]}

        outcome = seen(
            columns,
            expect("column_sum_to_be_between", column="x"),
            expect("column_max_to_be_between", column="x", min_value=1),
            expect("column_stdev_to_be_between", column="x", min_value=0),
            expect("column_values_to_be_between", column="x", max_value=10),
        )

        results = [each["result"] for each in outcome.document["results"]]
        assert [each.get("observed_value") for each in results] == ["Infinity"] * 2 + [None] * 2
        assert counts(outcome.outcomes[3]) == (2, 2, 1)
        json.dumps(outcome.document, allow_nan=False)

    @pytest.mark.parametrize("method", ["nearest", "linear", "lower", "higher", "midpoint"])
    def test_quantiles_are_those_of_pandas(self, method: Any) -> None:
        values = np.random.default_rng(7).normal(size=38).tolist()
        wanted = [0, 0.1, 0.25, 0.5, 0.7, 0.975, 1]
        ranges = {"quantiles": wanted, "value_ranges": [[None, None]] * len(wanted)}

        outcome = one(
            {"x": [*values, None]},
            expect(
                "column_quantile_values_to_be_between",
                column="x", quantile_ranges=ranges, allow_relative_error=method,
            ),
        )  # fmt: skip

        expected = pd.Series(values).quantile(wanted, interpolation=method).tolist()
        assert outcome.observed["observed_value"]["values"] == pytest.approx(expected, rel=1e-12)

    def test_single_precision_equals_what_it_was_written_as(self) -> None:
        columns = {"x": pa.array([0.1, 0.2], pa.float32())}

        outcome = one(columns, expect("column_values_to_be_in_set", column="x", value_set=[0.1]))

        assert counts(outcome) == (2, 2, 1)

    @pytest.mark.parametrize(
        ("bounds", "unexpected"),
        [
            ({"min_value": 1.5, "max_value": 2.5}, 2),
            ({"min_value": 1, "strict_min": True, "max_value": 3, "strict_max": True}, 2),
            ({"min_value": 1, "max_value": 10**40}, 0),
            ({"min_value": -(10**40), "max_value": 1}, 2),
            ({"min_value": float("inf")}, 3),
            ({"min_value": 1.9e38}, 3),
            ({"max_value": -1.9e38}, 3),
        ],
    )
    def test_bounds_are_compared_as_numbers_whatever_their_size(
        self, bounds: dict[str, Any], unexpected: int
    ) -> None:
        expectation = expect("column_values_to_be_between", column="x", **bounds)

        assert counts(one({"x": [1, 2, 3]}, expectation))[2] == unexpected
        assert counts(one({"x": [1.0, 2.0, 3.0]}, expectation))[2] == unexpected

    def test_a_bound_that_is_large_is_no_infinity(self) -> None:
        expectation = expect(
            "column_values_to_be_between", column="x", min_value=1.8e38, max_value=1.9e38
        )

        assert counts(one({"x": [1.7e38, 1.85e38, 1.95e38]}, expectation))[2] == 2


class TestKinds:
    @pytest.mark.parametrize(
        "values",
        [
            pa.array([date(2024, 1, 1), date(2024, 6, 1)]),
            pa.array([datetime(2024, 1, 1), datetime(2024, 6, 1)], pa.timestamp("s")),
            pa.array([datetime(2024, 1, 1), datetime(2024, 6, 1)], pa.timestamp("ns")),
            pa.array([datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)]),
        ],
    )
    def test_moments_are_compared_with_what_iso_8601_says(self, values: Any) -> None:
        outcome = seen(
            {"x": values},
            expect("column_values_to_be_between", column="x", min_value="2024-02-01",
                   max_value="9999-12-31"),
            expect("column_values_to_be_in_set", column="x", value_set=["2024-06-01", "no date"]),
            expect("column_max_to_be_between", column="x", max_value="2024-06-01T00:00:00"),
            expect("column_values_to_be_between", column="x",
                   max_value={"$PARAMETER": "now() - timedelta(days=365)"}),
            expect("column_values_to_be_increasing", column="x", strictly=True),
        )  # fmt: skip

        verdicts = [each.verdict for each in outcome.outcomes]
        assert verdicts == [Verdict.FAIL, Verdict.FAIL, *[Verdict.PASS] * 3]
        assert counts(outcome.outcomes[0])[2] == counts(outcome.outcomes[1])[2] == 1
        json.dumps(outcome.document, allow_nan=False)

    def test_dates_and_moments_of_any_unit_compare_to_the_nanosecond(self) -> None:
        days = [date(1, 1, 1), date(2024, 1, 1), date(2024, 1, 2), None]
        midnight = pd.Timestamp("2024-01-02").value
        moments = [0, pd.Timestamp("2024-01-01").value, midnight + 1, midnight]
        columns = {"d": days, "t": pa.array(moments, pa.timestamp("ns"))}

        outcome = seen(
            columns,
            expect("column_pair_values_to_be_equal", column_A="d", column_B="t"),
            expect("column_pair_values_a_to_be_greater_than_b", column_A="t", column_B="d"),
        )

        shown = [each.rows.offenders for each in outcome.outcomes if each.rows]
        assert [[each.row for each in rows] for rows in shown] == [[0, 2, 3], [1, 3]]

    @pytest.mark.parametrize(
        ("values", "names", "others"),
        [
            (pa.array([1]), ["int", "int64", "BIGINT"], ["float", "str", "int32", "string"]),
            (pa.array([1, None]), ["int64", "Int64"], ["float64"]),
            (pa.array([1.0]), ["float", "float64", "DOUBLE"], ["int", "float32"]),
            (pa.array([True]), ["bool", "BOOLEAN"], ["int"]),
            (pa.array(["a"]), ["str", "object", "O", "VARCHAR"], ["int", "datetime64"]),
            (pa.array(["a"]).dictionary_encode(), ["str", "category"], ["int"]),
            (pa.array([date(2024, 1, 1)]), ["date", "object"], ["datetime64", "str"]),
            (pa.array([datetime(2024, 1, 1)]), ["datetime64", "datetime64[ns]"], ["Timestamp"]),
            (pa.array([datetime(2024, 1, 1, tzinfo=UTC)]), ["Timestamp"], ["datetime64"]),
        ],
    )
    def test_types_go_by_the_names_of_numpy_python_and_databases(
        self, values: Any, names: list[str], others: list[str]
    ) -> None:
        def verdict(name: str) -> Verdict:
            expectation = expect("column_values_to_be_of_type", column="x", type_=name)
            return one({"x": values}, expectation).verdict

        assert {name: verdict(name) for name in names} == dict.fromkeys(names, Verdict.PASS)
        assert {name: verdict(name) for name in others} == dict.fromkeys(others, Verdict.FAIL)

    @pytest.mark.parametrize(
        ("expectation", "message"),
        [
            (expect("column_mean_to_be_between", column="s", min_value=0),
             r"column 's' holds text and is to hold numbers"),
            (expect("column_values_to_be_between", column="s", min_value=0),
             r"column 's' holds text, which cannot be compared with 0"),
            (expect("column_values_to_be_between", column="n", min_value="a"),
             r"column 'n' holds integers, which cannot be compared with 'a'"),
            (expect("column_max_to_be_between", column="d", min_value="soon"),
             r"column 'd' holds dates, which cannot be compared with min_value 'soon'"),
            (expect("column_value_lengths_to_equal", column="n", value=1),
             r"column 'n' holds integers and is to hold text"),
            (expect("column_values_to_be_json_parseable", column="n"), "column 'n' holds integers"),
            (expect("column_values_to_be_increasing", column="s"), "column 's' holds text"),
            (expect("column_pair_values_a_to_be_greater_than_b", column_A="s", column_B="n"),
             "'s' holds text and 'n' integers, which have no common order"),
            (expect("multicolumn_sum_to_equal", column_list=["s", "n"], sum_total=1), "'s' holds"),
            (expect("column_values_to_be_of_type", column="s", type_="strr"),
             "'strr' is no name of a type; did you mean 'str'"),
            (expect("column_values_to_match_json_schema", column="s", json_schema={}),
             "column 's': 'a' is no JSON"),
        ],
    )  # fmt: skip
    def test_a_column_of_another_kind_is_an_error_that_names_both(
        self, expectation: dict[str, Any], message: str
    ) -> None:
        outcome = one({"s": ["a"], "n": [1], "d": [date(2024, 1, 1)]}, expectation)

        assert outcome.verdict is Verdict.ERROR
        assert outcome.problem is not None
        assert re.search(message, outcome.problem), outcome.problem


class TestNames:
    HOSTILE = (
        'a"; DROP TABLE data; --', "x' OR '1'='1", "with space", "a.b", "c0", "r", "data",
        "SELECT", "{x}", "%s", "a\nb", "größe", "A", "a", "", "\0",
    )  # fmt: skip

    def test_names_are_never_part_of_a_query(self) -> None:
        columns = {name: [1, 2, 2] for name in self.HOSTILE}
        suite = [
            expectation
            for name in columns
            for expectation in (
                expect("column_values_to_be_between", column=name, max_value=1),
                expect("column_values_to_be_unique", column=name),
                expect("column_sum_to_be_between", column=name, min_value=5, max_value=5),
                expect("column_values_to_be_increasing", column=name),
            )
        ]

        outcome = seen(columns, *suite)

        expected = [(3, 3, 2), (3, 3, 2), None, (3, 3, 0)] * len(columns)
        assert [counts(each) if each.rows else None for each in outcome.outcomes] == expected
        assert all(each.verdict is not Verdict.ERROR for each in outcome.outcomes)

    def test_values_are_never_part_of_a_query(self) -> None:
        values = ["'; DROP TABLE data; --", '"', "\\", "\0", "a\0b", "%", "é", "'"]

        outcome = seen(
            {"x": values},
            expect("column_values_to_be_in_set", column="x", value_set=[*values, "\ud800"]),
            expect("column_distinct_values_to_equal_set", column="x", value_set=values),
            expect("column_values_to_match_regex_list", column="x",
                   regex_list=["'; DROP", '"', r"\\", "\0", "%", "é", "'"]),
            expect("column_values_to_match_like_pattern", column="x", like_pattern="%'%",
                   mostly=0.2),
        )  # fmt: skip

        assert [each.problem for each in outcome.outcomes] == [None] * 4
        assert outcome.is_met

    def test_a_missing_column_names_the_nearest(self) -> None:
        expectation = expect("column_values_to_not_be_null", column="tenur")

        outcome = one({"tenure": [1], "age": [2]}, expectation)

        assert outcome.verdict is Verdict.ERROR
        assert outcome.problem == (
            "the data has no column 'tenur'; did you mean 'tenure'?; correct the name"
        )

    def test_a_column_to_exist_that_does_not_is_no_error(self) -> None:
        outcome = seen(
            {"a": [1], "b": [1]},
            expect("column_to_exist", column="a", column_index=0),
            expect("column_to_exist", column="b", column_index=0),
            expect("column_to_exist", column="c"),
        )

        assert [each.verdict.value for each in outcome.outcomes] == ["PASS", "FAIL", "FAIL"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("expectation", "message"),
        [
            (expect("column_values_to_be_betwen", column="x"),
             "nearest is 'expect_column_values_to_be_between'.*'triune\\[gx\\]'"),
            (expect("table_row_count_to_equal_other_table", other_table_name="t"),
             "needs a second table.*'triune\\[gx\\]'"),
            (expect("column_values_to_be_between", column="x", min_value=2, max_value=1),
             "min_value 2 is greater than max_value 1; exchange them"),
            (expect("column_values_to_match_regex", column="x", regex="("),
             "is no regular expression: .*correct it"),
            (expect("column_values_to_be_in_set", column="x"), "lacks 'value_set'; add"),
            (expect("column_values_to_be_in_set", column="x", value_sett=[], value_set=[]),
             "takes no 'value_sett'; did you mean 'value_set'"),
            (expect("column_values_to_not_be_null", column="x", mostly=1.5), "from 0 to 1"),
            (expect("column_mean_to_be_between", column="x", min_value={"$PARAMETER": "low"}),
             "'low' has no value"),
            (expect("column_values_to_not_be_null", column="x", row_condition="import os",
                    condition_parser="pandas"), "stops making sense"),
            (expect("column_values_to_not_be_null", column="x", row_condition="x > 1",
                    condition_parser="spark"), "'spark' cannot be evaluated here"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_evaluated_is_an_error_beside_what_can(
        self, expectation: dict[str, Any], message: str
    ) -> None:
        fine = expect("column_values_to_not_be_null", column="x")

        outcome = seen({"x": [1]}, fine, expectation, fine)

        verdicts = [each.verdict for each in outcome.outcomes]
        assert verdicts == [Verdict.PASS, Verdict.ERROR, Verdict.PASS]
        raised = outcome.document["results"][1]["exception_info"]
        assert raised["raised_exception"]
        assert re.search(message, raised["exception_message"])

    @pytest.mark.parametrize(
        "values",
        [pa.array([10**7], pa.date32()), pa.array([2**60], pa.timestamp("us"))],
    )
    def test_what_python_has_no_date_for_is_the_fault_of_what_needs_it(self, values: Any) -> None:
        outcome = seen(
            {"x": values},
            expect("column_values_to_not_be_null", column="x"),
            expect("column_max_to_be_between", column="x", max_value="9999-12-31"),
            expect("column_values_to_be_between", column="x", max_value="9999-12-31"),
            expect("column_values_to_be_unique", column="x"),
        )

        verdicts = [each.verdict.value for each in outcome.outcomes]
        assert verdicts == ["PASS", "ERROR", "FAIL", "PASS"]
        assert "beyond what can be compared" in str(outcome.outcomes[1].problem)
        json.dumps(outcome.document, allow_nan=False)

    def test_a_calculation_that_fails_is_the_fault_of_its_own_expectation(self) -> None:
        outcome = seen(
            # As seconds, it is no moment that the scan could take.
            {"x": pa.array([2**60], pa.timestamp("s")), "y": [1]},
            expect("column_values_to_not_be_null", column="y"),
            expect("column_max_to_be_between", column="x", max_value="9999-12-31"),
            expect("column_values_to_be_unique", column="y"),
        )

        assert [each.verdict.value for each in outcome.outcomes] == ["PASS", "ERROR", "PASS"]
        assert "cannot be calculated on this data" in str(outcome.outcomes[1].problem)

    def test_a_damaged_file_is_refused_as_such(self, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"x": list(range(100_000))}), path, compression="zstd")
        content = bytearray(path.read_bytes())
        content[100:50_000] = bytes(49_900)
        path.write_bytes(content)

        with pytest.raises(DatasetError, match="cannot be read as Parquet"):
            evaluate(
                ParquetTable([path]),
                a_suite(expect("column_max_to_be_between", column="x", min_value=1)),
                now=NOW,
            )


class TestValues:
    def test_distinct_values_tell_what_is_too_many_and_what_is_lacking(self) -> None:
        columns = {"x": [1, 1, 2, None, 7]}

        outcome = seen(
            columns,
            expect("column_distinct_values_to_be_in_set", column="x", value_set=[1, 2]),
            expect("column_distinct_values_to_contain_set", column="x", value_set=[1, 3, "7"]),
            expect("column_distinct_values_to_equal_set", column="x", value_set=[1, 2, 7.0]),
        )

        within, containing, equal = outcome.outcomes
        assert within.observed == {
            "observed_value": None,
            "unexpected_count": 1,
            "partial_unexpected_list": [7],
        }
        assert containing.observed == {
            "observed_value": None,
            "missing_count": 2,
            "partial_missing_list": ["7", 3],
        }
        assert equal.verdict is Verdict.PASS

    @pytest.mark.parametrize(
        ("type", "kwargs", "unexpected"),
        [
            ("match_like_pattern", {"like_pattern": "a%"}, [1, 2]),
            ("not_match_like_pattern", {"like_pattern": "a%"}, [0]),
            ("match_like_pattern_list", {"like_pattern_list": ["a%", "_b"]}, [1]),
            ("match_like_pattern_list", {"like_pattern_list": ["a%", "%c"], "match_on": "all"},
             [1, 2]),
            ("not_match_like_pattern_list", {"like_pattern_list": ["a%", "_b"]}, [0, 2]),
        ],
    )  # fmt: skip
    def test_patterns_are_those_of_sql_and_tell_cases_apart(
        self, type: str, kwargs: dict[str, Any], unexpected: list[int]
    ) -> None:
        expectation = expect(f"column_values_to_{type}", column="x", **kwargs)

        outcome = one({"x": ["abc", "A", "bb", None]}, expectation)

        assert outcome.rows is not None
        assert [each.row for each in outcome.rows.offenders] == unexpected

    def test_a_distribution_without_a_partition_is_observed(self) -> None:
        values = np.random.default_rng(5).normal(size=200).tolist()

        outcome = seen(
            {"x": [*values, None], "s": ["a", "b"] * 100 + ["a"]},
            expect("column_kl_divergence_to_be_less_than", column="x", threshold=0,
                   partition_object=None),
            expect("column_kl_divergence_to_be_less_than", column="s", threshold=0,
                   partition_object=None, bucketize_data=False),
        )  # fmt: skip

        assert outcome.is_met
        binned, counted = (each.observed["details"] for each in outcome.outcomes)
        partition = binned["observed_partition"]
        assert len(partition["bins"]) == len(np.histogram_bin_edges(values, "auto"))
        assert partition["bins"][0] == min(values)
        assert partition["bins"][-1] == max(values)
        assert sum(partition["weights"]) == pytest.approx(1)
        assert counted["observed_partition"]["values"] == ["a", "b"]

    def test_a_row_of_several_columns_is_shown_as_they_are_asked_for(self) -> None:
        outcome = seen(
            {"a": [1, 2], "b": [1.5, 2.5], "c": ["x", None]},
            expect("column_pair_values_to_be_equal", column_A="b", column_B="a"),
            expect("multicolumn_sum_to_equal", column_list=["b", "a"], sum_total=2.5),
        )

        shown = [each.rows.offenders[-1].value for each in outcome.outcomes if each.rows]
        assert shown == [[2.5, 2], {"b": 2.5, "a": 2}]

    def test_text_that_reads_as_a_number_equals_it(self) -> None:
        columns = {"s": ["1", "2.0", "abc", None], "n": [1, 2, 3, None]}

        outcome = one(columns, expect("column_pair_values_to_be_equal", column_A="s", column_B="n"))

        assert counts(outcome) == (4, 3, 1)

    def test_dates_are_left_to_dateutil_which_is_an_extra(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "dateutil.parser", None)

        outcome = one(
            {"x": ["today"]}, expect("column_values_to_be_dateutil_parseable", column="x")
        )

        assert outcome.verdict is Verdict.ERROR
        assert "pip install 'triune[gx]'" in str(outcome.problem)


class TestRowConditions:
    COLUMNS = {  # noqa: RUF012 - never changed
        "n": [1.0, 2.0, None, 4.0],
        "s": ["a", "b", None, "7"],
        "f": [True, False, None, True],
        "my col": [1, 2, 3, 4],
        "t": pa.array([datetime(2024, month, 1) for month in (1, 2, 3, 4)]),
    }

    @pytest.mark.parametrize(
        ("condition", "rows"),
        [
            ("n == 1", 1),
            ("n != 1", 3),
            ("n > 1 and n < 4", 1),
            ("1 < n < 4", 1),
            ("n>1 & n<=4 | s=='a'", 3),
            ("~(n > 1)", 2),
            ("not n > 1", 2),
            ('s in ["a", "b"]', 2),
            ("s not in ('a',)", 3),
            ("n.isnull()", 1),
            ("n.notnull()", 3),
            ("f", 2),
            ("f == True", 2),
            ("`my col` >= 3", 2),
            ('col("my col") >= 3', 2),
            ('col("n").notNull()', 3),
            ("s == 7", 1),
            ('n == "1"', 0),
            ("t >= '2024-03-01'", 2),
            ("n == `my col`", 3),
            ({"type": "comparison", "column": {"name": "n"}, "operator": ">", "parameter": 1}, 2),
            ({"type": "nullity", "column": {"name": "n"}, "is_null": False}, 3),
            ({"type": "or", "conditions": [
                {"type": "comparison", "column": {"name": "s"}, "operator": "IN",
                 "parameter": ["a"]},
                {"type": "nullity", "column": {"name": "n"}, "is_null": True}]}, 2),
        ],
    )  # fmt: skip
    def test_rows_are_chosen_as_pandas_would(self, condition: Any, rows: int) -> None:
        parser = "pandas" if isinstance(condition, str) else None
        expectation = expect(
            "column_values_to_be_between",
            column="my col", max_value=0, row_condition=condition, condition_parser=parser,
        )  # fmt: skip

        outcome = one(self.COLUMNS, expectation)

        assert counts(outcome) == (rows, rows, rows), outcome.problem

    def test_rows_keep_their_numbers_in_the_whole_table(self) -> None:
        outcome = one(
            self.COLUMNS,
            expect("column_values_to_be_null", column="s", row_condition="n > 1",
                   condition_parser="pandas"),
        )  # fmt: skip

        assert outcome.rows is not None
        assert [(each.row, each.value) for each in outcome.rows.offenders] == [(1, "b"), (3, "7")]

    def test_whatever_is_expected_is_expected_of_those_rows_alone(self) -> None:
        condition = {"row_condition": "g == 'in'", "condition_parser": "pandas"}
        columns = {
            "g": ["in", "out", "in", "out", "in"],
            "x": [1, 100, 2, 2, 3],
            "s": ["a", "é", "b", "b", "c"],
        }

        outcome = seen(
            columns,
            expect("table_row_count_to_equal", value=3, **condition),
            expect("column_mean_to_be_between", column="x", min_value=2, max_value=2, **condition),
            expect("column_sum_to_be_between", column="x", min_value=6, max_value=6, **condition),
            expect("column_values_to_be_unique", column="x", **condition),
            expect("column_values_to_be_increasing", column="x", strictly=True, **condition),
            expect("column_unique_value_count_to_be_between", column="s", max_value=3, **condition),
            expect("column_distinct_values_to_equal_set", column="x", value_set=[1, 2, 3],
                   **condition),
            expect("column_values_to_match_regex", column="s", regex=r"^\w$", **condition),
            expect("column_values_to_match_regex", column="s", regex="^(?=[abc])", **condition),
            expect("column_value_z_scores_to_be_less_than", column="x", threshold=1.5, **condition),
            expect("column_most_common_value_to_be_in_set", column="x", value_set=[1, 2, 3],
                   ties_okay=True, **condition),
            expect("column_quantile_values_to_be_between", column="x",
                   quantile_ranges={"quantiles": [1], "value_ranges": [[3, 3]]}, **condition),
            expect("column_kl_divergence_to_be_less_than", column="x", threshold=0.0,
                   partition_object={"bins": [1, 2, 3], "weights": [1 / 3, 2 / 3]}, **condition),
        )  # fmt: skip

        assert [each.problem for each in outcome.outcomes] == [None] * len(outcome.outcomes)
        assert outcome.is_met, [each for each in outcome.outcomes if each.verdict != "PASS"]


class TestDocument:
    def test_a_document_has_the_shape_of_great_expectations(self) -> None:
        outcome = seen(
            {"x": [1, 2, None, 9]},
            expect("column_values_to_be_between", column="x", max_value=5),
            expect("column_mean_to_be_between", column="x", max_value=5),
            format="COMPLETE",
        )

        document = json.loads(json.dumps(outcome.document, allow_nan=False))

        assert document["success"] is False
        assert document["statistics"] == {
            "evaluated_expectations": 2,
            "successful_expectations": 1,
            "unsuccessful_expectations": 1,
            "success_percent": 50.0,
        }
        between, mean = document["results"]
        assert between["expectation_config"]["type"] == "expect_column_values_to_be_between"
        assert between["result"] == {
            "element_count": 4,
            "unexpected_count": 1,
            "unexpected_percent": 1 / 3 * 100,
            "missing_count": 1,
            "missing_percent": 25.0,
            "unexpected_percent_total": 25.0,
            "unexpected_percent_nonmissing": 1 / 3 * 100,
            "partial_unexpected_list": [9],
            "partial_unexpected_index_list": [3],
            "partial_unexpected_counts": [{"value": 9, "count": 1}],
            "unexpected_list": [9],
            "unexpected_index_list": [3],
        }
        assert mean["result"] == {"observed_value": 4.0}
        assert mean["meta"] == {"method": "scan", "verdict": "PASS"}

    @pytest.mark.parametrize(
        ("format", "more"),
        [
            ("BOOLEAN_ONLY", set()),
            ("BASIC", {"element_count", "partial_unexpected_list"}),
            ("SUMMARY", {"partial_unexpected_index_list", "partial_unexpected_counts"}),
            ("COMPLETE", {"unexpected_list", "unexpected_index_list"}),
        ],
    )
    def test_a_format_tells_as_much_as_it_is_to(self, format: str, more: set[str]) -> None:
        expectation = expect("column_values_to_be_between", column="x", max_value=0)

        outcome = seen({"x": list(range(1, 31))}, expectation, format=format)

        (result,) = outcome.document["results"]
        assert more <= result["result"].keys()
        assert (format == "BOOLEAN_ONLY") == (not result["result"])
        assert ("unexpected_list" in result["result"]) == (format == "COMPLETE")
        assert len(result["result"].get("partial_unexpected_list", [0] * 20)) == 20

    def test_findings_name_expectation_column_value_and_first_rows(self) -> None:
        outcome = seen(
            {"x": [1, 2, None, 9, 8], "s": ["a", "b", "c", "d", "e"]},
            expect("column_values_to_be_between", column="x", max_value=5, mostly=0.9),
            expect("column_mean_to_be_between", column="x", max_value=4),
            expect("column_values_to_not_be_null", column="s"),
            expect("column_distinct_values_to_be_in_set", column="s", value_set=["a", "b"]),
            expect("column_values_to_be_in_set", column="nope", value_set=[]),
        )

        findings = find_breaches(outcome, file="data.parquet")

        assert [each.row for each in findings] == [3, None, None, None]
        assert {each.file for each in findings} == {"data.parquet"}
        assert [each.message for each in findings] == [
            (
                "expect_column_values_to_be_between on 'x' (max_value=5, mostly=0.9): 2 of 4 rows "
                "break it (0.5, where 0.1 may); row 3 holds 9, row 4 holds 8"
            ),
            "expect_column_mean_to_be_between on 'x' (max_value=4): observed 5.0",
            (
                "expect_column_distinct_values_to_be_in_set on 's' (value_set=['a', 'b']): "
                "3 unexpected: 'c', 'd', 'e'"
            ),
            (
                "expect_column_values_to_be_in_set on 'nope' (value_set=[]): not evaluated: the "
                "data has no column 'nope'; the columns are 'x', 's'; correct the name"
            ),
        ]


class TestNothingToMeasure:
    @pytest.mark.parametrize("values", [[5], [5, 5, 5], [5.0, None], [1.0, float("inf"), 2.0]])
    def test_where_there_is_no_deviation_nothing_is_too_far_from_the_mean(
        self, values: list[Any]
    ) -> None:
        outcome = one(
            {"x": values}, expect("column_value_z_scores_to_be_less_than", column="x", threshold=1)
        )

        assert outcome.verdict is Verdict.PASS
        assert counts(outcome)[2] == 0

    def test_of_no_rows_no_share_has_a_value(self) -> None:
        outcome = one(
            {"x": pa.array([], pa.int64())},
            expect("column_proportion_of_non_null_values_to_be_between", column="x", min_value=0),
        )

        assert outcome.verdict is Verdict.PASS
        assert outcome.observed["observed_value"] == 0

    def test_a_missing_value_among_those_that_must_occur_never_does(self) -> None:
        outcome = one(
            {"x": [1, None]},
            expect("column_distinct_values_to_contain_set", column="x", value_set=[1, None]),
        )

        assert outcome.verdict is Verdict.FAIL
        assert outcome.observed["partial_missing_list"] == [None]


class TestFiles:
    def test_parquet_and_csv_come_out_alike(self, tmp_path: Path) -> None:
        frame = pd.DataFrame(
            {"id": [1, 2, 3, 3], "x": [0.5, None, 1.5, 9.0], "s": ["a", "b", None, "c"]}
        )
        frame.to_parquet(tmp_path / "a.parquet")
        frame.to_csv(tmp_path / "a.csv", index=False)
        suite = a_suite(
            expect("column_values_to_be_unique", column="id"),
            expect("column_values_to_be_between", column="x", min_value=0, max_value=2),
            expect("column_values_to_match_regex", column="s", regex="^[ab]$"),
            expect("column_values_to_not_be_null", column="s"),
        )

        documents = [
            DuckDbEngine()
            .evaluate(
                [tmp_path / f"a.{suffix}"],
                format=suffix,
                suite=suite,
                now=NOW,
                result_format=ResultFormat.SUMMARY,
            )
            .document
            for suffix in ("parquet", "csv")
        ]

        assert documents[0] == documents[1]
        assert [each["result"]["partial_unexpected_index_list"] for each in
                documents[0]["results"]] == [[2, 3], [3], [3], [2]]  # fmt: skip

    def test_categories_and_several_files_are_read_as_their_values(self, tmp_path: Path) -> None:
        for number, values in enumerate((["a", "b"], ["c", "a"])):
            pd.DataFrame({"s": pd.Categorical(values)}).to_parquet(tmp_path / f"{number}.parquet")
        table = ParquetTable([tmp_path / "0.parquet", tmp_path / "1.parquet"])
        suite = a_suite(
            expect("column_values_to_be_unique", column="s"),
            expect("column_values_to_be_in_set", column="s", value_set=["a", "b"]),
        )

        outcome = evaluate(table, suite, now=NOW)

        rows = [each.rows for each in outcome.outcomes]
        assert [[found.row for found in each.offenders] for each in rows if each] == [[0, 3], [2]]

    def test_a_suite_is_loaded_from_its_file(self, tmp_path: Path) -> None:
        path = tmp_path / "suite.json"
        path.write_text('{"name": "a", "expectations": []}', encoding="utf-8")

        assert load_suite(path).is_empty
        with pytest.raises(SuiteError, match=r"none\.json cannot be read: No such file"):
            load_suite(tmp_path / "none.json")
