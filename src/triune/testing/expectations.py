"""What tests expect of a table: a method for each expectation of Great Expectations that is known.

A method is called as its expectation without ``expect_column_values_``, ``expect_column_``,
``expect_table_`` or ``expect_``, whichever comes first: `to_be_unique` is
``expect_column_values_to_be_unique``, and `mean_to_be_between` is
``expect_column_mean_to_be_between``.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Self, TypeAlias

import numpy as np

from triune.domain.canonical import Json
from triune.domain.expectations.catalogue import Shape, find_signature
from triune.domain.expectations.findings import find_breaches
from triune.domain.expectations.outcome import ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Expectation, Suite
from triune.domain.verdict import Verdict
from triune.testing.tables import Table

Value: TypeAlias = Any
"""A value that a column may hold."""

Bound: TypeAlias = float | str | date
"""A limit; texts and times have their order too."""


# What fails is the test, not what it is written with: pytest leaves these lines out.
__tracebackhide__ = True


class Expectations:
    """What a table is to be: each method fails the test where it is not, and says by which rows.

    Common to the methods: ``mostly`` is the share of rows (with a value) that must be as expected,
    all of them by default; ``row_condition`` (``age > 18 and city == "Bern"``) leaves the other
    rows out; ``strict_min`` and ``strict_max`` shut out the limits themselves, of which either may
    be left out.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def row_count_to_be_between(
        self,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        row_condition: str | None = None,
    ) -> Self:
        """The table has at least ``min_value`` rows, and at most ``max_value``."""
        return self._require(
            "expect_table_row_count_to_be_between",
            min_value=min_value,
            max_value=max_value,
            row_condition=row_condition,
        )

    def row_count_to_equal(self, value: float, *, row_condition: str | None = None) -> Self:
        """The table has ``value`` rows."""
        return self._require(
            "expect_table_row_count_to_equal", value=value, row_condition=row_condition
        )

    def column_count_to_be_between(
        self, min_value: Bound | None = None, max_value: Bound | None = None
    ) -> Self:
        """The table has at least ``min_value`` columns, and at most ``max_value``."""
        return self._require(
            "expect_table_column_count_to_be_between", min_value=min_value, max_value=max_value
        )

    def column_count_to_equal(self, value: float) -> Self:
        """The table has ``value`` columns."""
        return self._require("expect_table_column_count_to_equal", value=value)

    def columns_to_match_set(
        self, column_set: Collection[str], *, exact_match: bool = True
    ) -> Self:
        """The columns are those of a set, with ``exact_match=False`` perhaps among others."""
        return self._require(
            "expect_table_columns_to_match_set", column_set=column_set, exact_match=exact_match
        )

    def columns_to_match_ordered_list(self, column_list: Sequence[str]) -> Self:
        """The columns are those of a list, in its order."""
        return self._require("expect_table_columns_to_match_ordered_list", column_list=column_list)

    def to_exist(self, column: str, column_index: int | None = None) -> Self:
        """There is a column of this name, at the place ``column_index`` (from 0) if given."""
        return self._require("expect_column_to_exist", column=column, column_index=column_index)

    def to_not_be_null(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """No value is missing."""
        return self._require(
            "expect_column_values_to_not_be_null",
            column=column,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_null(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """Every value is missing."""
        return self._require(
            "expect_column_values_to_be_null",
            column=column,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_unique(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """No value is there twice."""
        return self._require(
            "expect_column_values_to_be_unique",
            column=column,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_increasing(
        self,
        column: str,
        *,
        strictly: bool = False,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No value is less than the one before it, nor, ``strictly``, equal to it."""
        return self._require(
            "expect_column_values_to_be_increasing",
            column=column,
            strictly=strictly or None,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_decreasing(
        self,
        column: str,
        *,
        strictly: bool = False,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No value is greater than the one before it, nor, ``strictly``, equal to it."""
        return self._require(
            "expect_column_values_to_be_decreasing",
            column=column,
            strictly=strictly or None,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_dateutil_parseable(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """Each value is text that says a date or a time."""
        return self._require(
            "expect_column_values_to_be_dateutil_parseable",
            column=column,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_json_parseable(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """Each value is text that is JSON."""
        return self._require(
            "expect_column_values_to_be_json_parseable",
            column=column,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_match_json_schema(
        self,
        column: str,
        json_schema: Mapping[str, Value],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is JSON of a schema."""
        return self._require(
            "expect_column_values_to_match_json_schema",
            column=column,
            json_schema=json_schema,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_match_strftime_format(
        self,
        column: str,
        strftime_format: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is a time as ``strftime_format`` writes it."""
        return self._require(
            "expect_column_values_to_match_strftime_format",
            column=column,
            strftime_format=strftime_format,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_in_set(
        self,
        column: str,
        value_set: Collection[Value],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is one of a set."""
        return self._require(
            "expect_column_values_to_be_in_set",
            column=column,
            value_set=value_set,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_not_be_in_set(
        self,
        column: str,
        value_set: Collection[Value],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No value is one of a set."""
        return self._require(
            "expect_column_values_to_not_be_in_set",
            column=column,
            value_set=value_set,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_values_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            mostly=mostly,
            row_condition=row_condition,
        )

    def value_lengths_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text has at least ``min_value`` characters, and at most ``max_value``."""
        return self._require(
            "expect_column_value_lengths_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            mostly=mostly,
            row_condition=row_condition,
        )

    def value_lengths_to_equal(
        self,
        column: str,
        value: float,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text has ``value`` characters."""
        return self._require(
            "expect_column_value_lengths_to_equal",
            column=column,
            value=value,
            mostly=mostly,
            row_condition=row_condition,
        )

    def value_z_scores_to_be_less_than(
        self,
        column: str,
        threshold: float,
        *,
        double_sided: bool = True,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is within ``threshold`` standard deviations of the mean."""
        return self._require(
            "expect_column_value_z_scores_to_be_less_than",
            column=column,
            threshold=threshold,
            double_sided=double_sided,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_of_type(
        self,
        column: str,
        type_: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """The column is of a type, as pandas, Arrow, SQL or Python names it."""
        return self._require(
            "expect_column_values_to_be_of_type",
            column=column,
            type_=type_,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_be_in_type_list(
        self,
        column: str,
        type_list: Collection[str],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """The column is of one of several types."""
        return self._require(
            "expect_column_values_to_be_in_type_list",
            column=column,
            type_list=type_list,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_match_regex(
        self,
        column: str,
        regex: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text holds a match of a regular expression."""
        return self._require(
            "expect_column_values_to_match_regex",
            column=column,
            regex=regex,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_not_match_regex(
        self,
        column: str,
        regex: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text holds a match of a regular expression."""
        return self._require(
            "expect_column_values_to_not_match_regex",
            column=column,
            regex=regex,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_match_regex_list(
        self,
        column: str,
        regex_list: Collection[str],
        *,
        match_on: str | None = None,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text matches ``match_on`` any (the default) or all of several expressions."""
        return self._require(
            "expect_column_values_to_match_regex_list",
            column=column,
            regex_list=regex_list,
            match_on=match_on,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_not_match_regex_list(
        self,
        column: str,
        regex_list: Collection[str],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text matches any of several regular expressions."""
        return self._require(
            "expect_column_values_to_not_match_regex_list",
            column=column,
            regex_list=regex_list,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_match_like_pattern(
        self,
        column: str,
        like_pattern: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text is like a pattern of SQL."""
        return self._require(
            "expect_column_values_to_match_like_pattern",
            column=column,
            like_pattern=like_pattern,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_not_match_like_pattern(
        self,
        column: str,
        like_pattern: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text is like a pattern of SQL."""
        return self._require(
            "expect_column_values_to_not_match_like_pattern",
            column=column,
            like_pattern=like_pattern,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_match_like_pattern_list(
        self,
        column: str,
        like_pattern_list: Collection[str],
        *,
        match_on: str | None = None,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text is like ``match_on`` any (the default) or all of several patterns."""
        return self._require(
            "expect_column_values_to_match_like_pattern_list",
            column=column,
            like_pattern_list=like_pattern_list,
            match_on=match_on,
            mostly=mostly,
            row_condition=row_condition,
        )

    def to_not_match_like_pattern_list(
        self,
        column: str,
        like_pattern_list: Collection[str],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text is like any of several patterns of SQL."""
        return self._require(
            "expect_column_values_to_not_match_like_pattern_list",
            column=column,
            like_pattern_list=like_pattern_list,
            mostly=mostly,
            row_condition=row_condition,
        )

    def min_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The least value is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_min_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def max_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The greatest value is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_max_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def mean_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The mean is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_mean_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def median_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The median is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_median_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def stdev_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The standard deviation is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_stdev_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def sum_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The sum is at least ``min_value``, and at most ``max_value``."""
        return self._require(
            "expect_column_sum_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def unique_value_count_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """There are at least ``min_value`` different values, and at most ``max_value``."""
        return self._require(
            "expect_column_unique_value_count_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def proportion_of_unique_values_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """Different values have at least this share of all, and at most that."""
        return self._require(
            "expect_column_proportion_of_unique_values_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def proportion_of_non_null_values_to_be_between(
        self,
        column: str,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        strict_min: bool = False,
        strict_max: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """Present values have at least this share of all, and at most that."""
        return self._require(
            "expect_column_proportion_of_non_null_values_to_be_between",
            column=column,
            min_value=min_value,
            max_value=max_value,
            strict_min=strict_min or None,
            strict_max=strict_max or None,
            row_condition=row_condition,
        )

    def quantile_values_to_be_between(
        self,
        column: str,
        quantile_ranges: Mapping[str, Sequence[Value]],
        *,
        allow_relative_error: bool | str = False,
        row_condition: str | None = None,
    ) -> Self:
        """Each quantile is in its range: ``{"quantiles": [0.5], "value_ranges": [[1, 2]]}``."""
        return self._require(
            "expect_column_quantile_values_to_be_between",
            column=column,
            quantile_ranges=quantile_ranges,
            allow_relative_error=allow_relative_error or None,
            row_condition=row_condition,
        )

    def most_common_value_to_be_in_set(
        self,
        column: str,
        value_set: Collection[Value],
        *,
        ties_okay: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The most common value is one of a set; with ``ties_okay`` one of them is."""
        return self._require(
            "expect_column_most_common_value_to_be_in_set",
            column=column,
            value_set=value_set,
            ties_okay=ties_okay or None,
            row_condition=row_condition,
        )

    def distinct_values_to_be_in_set(
        self, column: str, value_set: Collection[Value], *, row_condition: str | None = None
    ) -> Self:
        """The different values are all in a set."""
        return self._require(
            "expect_column_distinct_values_to_be_in_set",
            column=column,
            value_set=value_set,
            row_condition=row_condition,
        )

    def distinct_values_to_contain_set(
        self, column: str, value_set: Collection[Value], *, row_condition: str | None = None
    ) -> Self:
        """The different values hold all of a set."""
        return self._require(
            "expect_column_distinct_values_to_contain_set",
            column=column,
            value_set=value_set,
            row_condition=row_condition,
        )

    def distinct_values_to_equal_set(
        self, column: str, value_set: Collection[Value], *, row_condition: str | None = None
    ) -> Self:
        """The different values are those of a set, all of them."""
        return self._require(
            "expect_column_distinct_values_to_equal_set",
            column=column,
            value_set=value_set,
            row_condition=row_condition,
        )

    def kl_divergence_to_be_less_than(
        self,
        column: str,
        partition_object: Mapping[str, Value],
        threshold: float,
        *,
        tail_weight_holdout: float = 0,
        internal_weight_holdout: float = 0,
        bucketize_data: bool = True,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """The column diverges from a partition by less than ``threshold`` (Kullback-Leibler)."""
        return self._require(
            "expect_column_kl_divergence_to_be_less_than",
            column=column,
            partition_object=partition_object,
            threshold=threshold,
            tail_weight_holdout=tail_weight_holdout,
            internal_weight_holdout=internal_weight_holdout,
            bucketize_data=bucketize_data,
            min_value=min_value,
            max_value=max_value,
            row_condition=row_condition,
        )

    def pair_values_to_be_equal(
        self,
        column_a: str,
        column_b: str,
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Two columns hold the same in each row."""
        return self._require(
            "expect_column_pair_values_to_be_equal",
            column_A=column_a,
            column_B=column_b,
            mostly=mostly,
            ignore_row_if=ignore_row_if,
            row_condition=row_condition,
        )

    def pair_values_a_to_be_greater_than_b(
        self,
        column_a: str,
        column_b: str,
        *,
        or_equal: bool = False,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """One column is greater than another in each row, or, ``or_equal``, equal to it."""
        return self._require(
            "expect_column_pair_values_a_to_be_greater_than_b",
            column_A=column_a,
            column_B=column_b,
            or_equal=or_equal or None,
            mostly=mostly,
            ignore_row_if=ignore_row_if,
            row_condition=row_condition,
        )

    def pair_values_to_be_in_set(
        self,
        column_a: str,
        column_b: str,
        value_pairs_set: Collection[tuple[Value, Value]],
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """What two columns hold is one of several pairs, in each row."""
        return self._require(
            "expect_column_pair_values_to_be_in_set",
            column_A=column_a,
            column_B=column_b,
            value_pairs_set=value_pairs_set,
            mostly=mostly,
            ignore_row_if=ignore_row_if,
            row_condition=row_condition,
        )

    def compound_columns_to_be_unique(
        self,
        column_list: Sequence[str],
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No two rows hold the same in these columns."""
        return self._require(
            "expect_compound_columns_to_be_unique",
            column_list=column_list,
            mostly=mostly,
            ignore_row_if=ignore_row_if,
            row_condition=row_condition,
        )

    def select_column_values_to_be_unique_within_record(
        self,
        column_list: Sequence[str],
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No row holds a value twice in these columns."""
        return self._require(
            "expect_select_column_values_to_be_unique_within_record",
            column_list=column_list,
            mostly=mostly,
            ignore_row_if=ignore_row_if,
            row_condition=row_condition,
        )

    def multicolumn_sum_to_equal(
        self,
        column_list: Sequence[str],
        sum_total: float,
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """These columns add up to ``sum_total`` in each row."""
        return self._require(
            "expect_multicolumn_sum_to_equal",
            column_list=column_list,
            sum_total=sum_total,
            mostly=mostly,
            ignore_row_if=ignore_row_if,
            row_condition=row_condition,
        )

    def _require(self, name: str, /, **kwargs: Value) -> Self:
        """Evaluate one expectation, whose arguments are those that are given.

        Raises
        ------
        AssertionError
            It is not met, or cannot be evaluated.
        """
        given = {name: _plain(value) for name, value in kwargs.items() if value is not None}
        expectation = Expectation(type=name, kwargs=given)
        outcome = self._table.evaluate(
            Suite(name="", expectations=(expectation,)), result_format=ResultFormat.SUMMARY
        )
        if problem := _find_problem(outcome, name):
            raise AssertionError(f"{self._table}: {problem}")
        return self


def _find_problem(outcome: SuiteOutcome, type_: str) -> str | None:
    (only,) = outcome.outcomes
    if only.verdict is not Verdict.PASS:
        (breach,) = find_breaches(outcome)
        return breach.message
    signature = find_signature(type_)
    # A table without rows meets whatever is said of rows, and so would say nothing.
    if not outcome.rows and signature and signature.shape is not Shape.TABLE:
        return f"{type_}: there is no row to judge; see what the rows were taken from"
    return None


def _plain(value: Value) -> Json:
    """Write an argument as a suite in a file would have it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(held) for name, held in value.items()}
    if isinstance(value, np.ndarray):
        return [_plain(each) for each in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Collection) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value
