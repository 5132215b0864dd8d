"""What tests expect of a table: a method for each expectation that Great Expectations has.

A method is called as its expectation without ``expect_column_values_``, ``expect_column_``,
``expect_table_`` or ``expect_``, whichever comes first: `to_be_unique` is
``expect_column_values_to_be_unique``, and `mean_to_be_between` is
``expect_column_mean_to_be_between``. A method is a signature and what it says: what is asked
follows from its name and its arguments.
"""
# mypy: disable-error-code="empty-body"

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from functools import wraps
from inspect import signature
from typing import Any, Final, Self, TypeAlias, TypeVar

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

PREFIXES: Final = ("expect_column_values_", "expect_column_", "expect_table_", "expect_")

_SPELLED: Final = {"column_a": "column_A", "column_b": "column_B"}

Method = TypeVar("Method", bound=Callable[..., Any])

# What fails is the test, not what it is written with: pytest leaves these lines out.
__tracebackhide__ = True


def _asked(method: Method) -> Method:
    """Have a method ask for the expectation that it is named after, by what it is given."""
    (type_,) = [
        each + method.__name__ for each in PREFIXES if find_signature(each + method.__name__)
    ]
    taken = signature(method)

    @wraps(method)
    def ask(self: "Expectations", *args: Value, **kwargs: Value) -> "Expectations":
        # Python itself says what is wrong with the arguments, by the method's name.
        method(self, *args, **kwargs)
        given = dict(list(taken.bind(self, *args, **kwargs).arguments.items())[1:])
        return self._require(
            type_,
            {
                _SPELLED.get(name, name): _plain(value)
                for name, value in given.items()
                if value is not taken.parameters[name].default
            },
        )

    return ask  # type: ignore[return-value]


class Expectations:
    """What a table is to be: each method fails the test where it is not, and says by which rows.

    Common to the methods: ``mostly`` is the share of rows (with a value) that must be as expected,
    all of them by default; ``row_condition`` (``age > 18 and city == "Bern"``) leaves the other
    rows out; ``strict_min`` and ``strict_max`` shut out the limits themselves, of which either may
    be left out.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    @_asked
    def row_count_to_be_between(
        self,
        min_value: Bound | None = None,
        max_value: Bound | None = None,
        *,
        row_condition: str | None = None,
    ) -> Self:
        """The table has at least ``min_value`` rows, and at most ``max_value``."""

    @_asked
    def row_count_to_equal(self, value: float, *, row_condition: str | None = None) -> Self:
        """The table has ``value`` rows."""

    @_asked
    def column_count_to_be_between(
        self, min_value: Bound | None = None, max_value: Bound | None = None
    ) -> Self:
        """The table has at least ``min_value`` columns, and at most ``max_value``."""

    @_asked
    def column_count_to_equal(self, value: float) -> Self:
        """The table has ``value`` columns."""

    @_asked
    def columns_to_match_set(
        self, column_set: Collection[str], *, exact_match: bool = True
    ) -> Self:
        """The columns are those of a set, with ``exact_match=False`` perhaps among others."""

    @_asked
    def columns_to_match_ordered_list(self, column_list: Sequence[str]) -> Self:
        """The columns are those of a list, in its order."""

    @_asked
    def to_exist(self, column: str, column_index: int | None = None) -> Self:
        """There is a column of this name, at the place ``column_index`` (from 0) if given."""

    @_asked
    def to_not_be_null(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """No value is missing."""

    @_asked
    def to_be_null(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """Every value is missing."""

    @_asked
    def to_be_unique(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """No value is there twice."""

    @_asked
    def to_be_increasing(
        self,
        column: str,
        *,
        strictly: bool = False,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No value is less than the one before it, nor, ``strictly``, equal to it."""

    @_asked
    def to_be_decreasing(
        self,
        column: str,
        *,
        strictly: bool = False,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No value is greater than the one before it, nor, ``strictly``, equal to it."""

    @_asked
    def to_be_dateutil_parseable(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """Each value is text that says a date or a time."""

    @_asked
    def to_be_json_parseable(
        self, column: str, *, mostly: float | None = None, row_condition: str | None = None
    ) -> Self:
        """Each value is text that is JSON."""

    @_asked
    def to_match_json_schema(
        self,
        column: str,
        json_schema: Mapping[str, Value],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is JSON of a schema."""

    @_asked
    def to_match_strftime_format(
        self,
        column: str,
        strftime_format: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is a time as ``strftime_format`` writes it."""

    @_asked
    def to_be_in_set(
        self,
        column: str,
        value_set: Collection[Value],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each value is one of a set."""

    @_asked
    def to_not_be_in_set(
        self,
        column: str,
        value_set: Collection[Value],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No value is one of a set."""

    @_asked
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

    @_asked
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

    @_asked
    def value_lengths_to_equal(
        self,
        column: str,
        value: float,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text has ``value`` characters."""

    @_asked
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

    @_asked
    def to_be_of_type(
        self,
        column: str,
        type_: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """The column is of a type, as pandas, Arrow, SQL or Python names it."""

    @_asked
    def to_be_in_type_list(
        self,
        column: str,
        type_list: Collection[str],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """The column is of one of several types."""

    @_asked
    def to_match_regex(
        self,
        column: str,
        regex: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text holds a match of a regular expression."""

    @_asked
    def to_not_match_regex(
        self,
        column: str,
        regex: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text holds a match of a regular expression."""

    @_asked
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

    @_asked
    def to_not_match_regex_list(
        self,
        column: str,
        regex_list: Collection[str],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text matches any of several regular expressions."""

    @_asked
    def to_match_like_pattern(
        self,
        column: str,
        like_pattern: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """Each text is like a pattern of SQL."""

    @_asked
    def to_not_match_like_pattern(
        self,
        column: str,
        like_pattern: str,
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text is like a pattern of SQL."""

    @_asked
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

    @_asked
    def to_not_match_like_pattern_list(
        self,
        column: str,
        like_pattern_list: Collection[str],
        *,
        mostly: float | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No text is like any of several patterns of SQL."""

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
    def quantile_values_to_be_between(
        self,
        column: str,
        quantile_ranges: Mapping[str, Sequence[Value]],
        *,
        allow_relative_error: bool | str = False,
        row_condition: str | None = None,
    ) -> Self:
        """Each quantile is in its range: ``{"quantiles": [0.5], "value_ranges": [[1, 2]]}``."""

    @_asked
    def most_common_value_to_be_in_set(
        self,
        column: str,
        value_set: Collection[Value],
        *,
        ties_okay: bool = False,
        row_condition: str | None = None,
    ) -> Self:
        """The most common value is one of a set; with ``ties_okay`` one of them is."""

    @_asked
    def distinct_values_to_be_in_set(
        self, column: str, value_set: Collection[Value], *, row_condition: str | None = None
    ) -> Self:
        """The different values are all in a set."""

    @_asked
    def distinct_values_to_contain_set(
        self, column: str, value_set: Collection[Value], *, row_condition: str | None = None
    ) -> Self:
        """The different values hold all of a set."""

    @_asked
    def distinct_values_to_equal_set(
        self, column: str, value_set: Collection[Value], *, row_condition: str | None = None
    ) -> Self:
        """The different values are those of a set, all of them."""

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
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

    @_asked
    def compound_columns_to_be_unique(
        self,
        column_list: Sequence[str],
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No two rows hold the same in these columns."""

    @_asked
    def select_column_values_to_be_unique_within_record(
        self,
        column_list: Sequence[str],
        *,
        mostly: float | None = None,
        ignore_row_if: str | None = None,
        row_condition: str | None = None,
    ) -> Self:
        """No row holds a value twice in these columns."""

    @_asked
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

    def _require(self, name: str, kwargs: Mapping[str, Json]) -> Self:
        """Evaluate one expectation.

        Raises
        ------
        AssertionError
            It is not met, or cannot be evaluated.
        """
        expectation = Expectation(type=name, kwargs=kwargs)
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
