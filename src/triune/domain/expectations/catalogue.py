"""The expectations that are known, what each takes, and what is wrong with arguments."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from math import isnan
from typing import Final, TypeAlias

from triune.domain.canonical import Json
from triune.domain.errors import nearest
from triune.domain.expectations.suite import Expectation

Arguments: TypeAlias = Mapping[str, Json]
Check: TypeAlias = Callable[[Arguments], str | None]


class Shape(StrEnum):
    """What an expectation is about; those with ROWS judge each row for itself."""

    TABLE = "table"
    COLUMN = "column"
    COLUMN_ROWS = "column_rows"
    PAIR_ROWS = "pair_rows"
    LIST_ROWS = "list_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What an expectation takes beside what all of its shape take."""

    shape: Shape
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()


_OF_SHAPE: Final[Mapping[Shape, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    Shape.TABLE: ((), ()),
    Shape.COLUMN: (("column",), ()),
    Shape.COLUMN_ROWS: (("column",), ("mostly",)),
    Shape.PAIR_ROWS: (("column_A", "column_B"), ("mostly", "ignore_row_if")),
    Shape.LIST_ROWS: (("column_list",), ("mostly", "ignore_row_if")),
}
_CONDITION: Final = ("row_condition", "condition_parser")
# What Great Expectations keeps beside the arguments, and has no say in the outcome.
_BESIDE: Final = frozenset(
    {
        "auto", "batch_id", "catch_exceptions", "description", "id", "include_config", "meta",
        "notes", "profiler_config", "rendered_content", "result_format", "severity", "table",
        "windows",
    }
)  # fmt: skip
# Of 0.x: what they ask for is not done here, unless they ask for nothing.
_RETIRED: Final = frozenset(
    {"allow_cross_type_comparisons", "output_strftime_format", "parse_strings_as_datetimes"}
)
_FLAGS: Final = (
    "bucketize_data", "double_sided", "exact_match", "or_equal", "strict_max", "strict_min",
    "strictly", "ties_okay",
)  # fmt: skip
_IGNORED: Final = {
    Shape.PAIR_ROWS: ("both_values_are_missing", "either_value_is_missing", "neither"),
    Shape.LIST_ROWS: ("all_values_are_missing", "any_value_is_missing", "never"),
}
_INTERPOLATIONS: Final = ("nearest", "linear", "lower", "higher", "midpoint")
_LARGEST: Final = 10**308
_ELSEWHERE: Final = "`pip install 'triune[gx]'` and run it with Great Expectations itself"


def find_signature(type_: str) -> Signature | None:
    """Find what an expectation takes, by its type in either dialect."""
    return _SIGNATURES.get(canonical_type(type_))


def nearest_type(type_: str) -> str:
    """Name the type that is spelt most like another."""
    return get_close_matches(type_, list(_SIGNATURES), n=1, cutoff=0.0)[0]


def canonical_type(type_: str) -> str:
    """Name a type as Great Expectations 1.x does."""
    return _RENAMED.get(type_, type_)


def find_problem(expectation: Expectation, kwargs: Arguments) -> str | None:
    """Tell what keeps an expectation from being evaluated, and what to do; None if nothing does.

    Parameters
    ----------
    expectation
        For its type.
    kwargs
        Its arguments, with values in the place of parameters.
    """
    signature = find_signature(expectation.type)
    if signature is None:
        return _unknown(expectation.type)
    required, optional = _OF_SHAPE[signature.shape]
    required += signature.required
    optional += signature.optional
    if lacking := [name for name in required if name not in kwargs]:
        return f"it lacks {_quote(lacking)}; add what {expectation.type} needs to its kwargs"
    known = {*required, *optional, *_CONDITION, *_BESIDE}
    for name, value in kwargs.items():
        if name in _RETIRED:
            if value:
                return (
                    f"{name!r} of Great Expectations 0.x is not supported; leave it out, and write "
                    "the values in the column's own type"
                )
        elif name not in known:
            hint = nearest(name, known) or f"; it takes {_quote(sorted({*required, *optional}))}"
            return f"{expectation.type} takes no {name!r}{hint}; rename it, or leave it out"
    for check in (_sizes, *_shape_checks(signature.shape), _flags, *signature.checks):
        if problem := check(kwargs):
            return problem
    return None


def find_contradiction(kwargs: Arguments) -> str | None:
    """Tell what no data can meet, and what to do; None if some can.

    Such an expectation can be evaluated, and says nothing about the data.
    """
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None and low > high:
        return f"min_value {low!r} is greater than max_value {high!r}; exchange them"
    return None


def _unknown(type_: str) -> str:
    if type_ in _NEEDS_MORE:
        return f"{type_} {_NEEDS_MORE[type_]}; {_ELSEWHERE}"
    return (
        f"there is no expectation {type_!r} here; the nearest is {nearest_type(type_)!r}; correct "
        f"it, or, if it is one of your own, {_ELSEWHERE}"
    )


def _sizes(kwargs: Arguments) -> str | None:
    for name, held in kwargs.items():
        if _is_endless(held):
            return (
                f"{name!r} holds an integer of more than 308 digits, which compares with no "
                "number of a column; write a smaller one"
            )
    return None


def _is_endless(held: Json) -> bool:
    if isinstance(held, Mapping):
        return any(_is_endless(each) for each in held.values())
    if isinstance(held, list):
        return any(_is_endless(each) for each in held)
    return isinstance(held, int) and abs(held) > _LARGEST


def _shape_checks(shape: Shape) -> tuple[Check, ...]:
    match shape:
        case Shape.TABLE:
            return ()
        case Shape.COLUMN:
            return (_text("column"),)
        case Shape.COLUMN_ROWS:
            return (_text("column"), _mostly)
        case Shape.PAIR_ROWS:
            return (_text("column_A"), _text("column_B"), _mostly, _ignoring(shape))
        case Shape.LIST_ROWS:
            return (_column_list, _mostly, _ignoring(shape))


def _text(name: str) -> Check:
    def check(kwargs: Arguments) -> str | None:
        held = kwargs.get(name)
        return None if isinstance(held, str) else f"{name!r} is {held!r}; it is to be text"

    return check


def _whole(name: str) -> Check:
    def check(kwargs: Arguments) -> str | None:
        held = kwargs.get(name)
        if isinstance(held, int | float) and _is_number(held) and held >= 0 and held % 1 == 0:
            return None
        return f"{name!r} is {held!r}; it is to be a whole number, 0 or more"

    return check


def _number(name: str) -> Check:
    def check(kwargs: Arguments) -> str | None:
        held = kwargs.get(name)
        return None if _is_number(held) else f"{name!r} is {held!r}; it is to be a number"

    return check


def _list(name: str, *, least: int = 0, texts: bool = False) -> Check:
    """Require a list; one that is null, as a suite may have it, asks for nothing."""

    def check(kwargs: Arguments) -> str | None:
        held = kwargs.get(name)
        if held is None and not least:
            return None
        if not isinstance(held, list) or (texts and not all(isinstance(v, str) for v in held)):
            return f"{name!r} is {held!r}; it is to be a list{' of text' if texts else ''}"
        return f"{name!r} is empty; list at least {least}" if len(held) < least else None

    return check


def _choice(name: str, choices: tuple[Json, ...]) -> Check:
    def check(kwargs: Arguments) -> str | None:
        held = kwargs.get(name)
        if held is None or held in choices:
            return None
        return f"{name!r} is {held!r}; use {', '.join(str(choice) for choice in choices)}"

    return check


def _flags(kwargs: Arguments) -> str | None:
    for name in _FLAGS:
        if not isinstance(held := kwargs.get(name), bool | None):
            return f"{name!r} is {held!r}; it is to be true or false"
    return None


def _mostly(kwargs: Arguments) -> str | None:
    held = kwargs.get("mostly")
    if held is None or (_is_number(held) and 0 <= held <= 1):
        return None
    return f"'mostly' is {held!r}; it is to be a number from 0 to 1"


def _ignoring(shape: Shape) -> Check:
    return _choice("ignore_row_if", _IGNORED[shape])


def _column_list(kwargs: Arguments) -> str | None:
    held = kwargs.get("column_list")
    if not isinstance(held, list) or not all(isinstance(name, str) for name in held):
        return f"'column_list' is {held!r}; it is to be a list of names of columns"
    if len(set(held)) < 2 or len(set(held)) < len(held):
        return f"'column_list' is {held!r}; list two columns or more, each once"
    return None


def _bounds(kwargs: Arguments) -> str | None:
    for name in ("min_value", "max_value"):
        if isinstance(kwargs.get(name), list | Mapping):
            return f"{name!r} is {kwargs[name]!r}; it is to be a single value"
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None:
        try:
            _ = low > high
        except TypeError:
            return f"min_value {low!r} and max_value {high!r} are of two types; write both as one"
    return None


def _number_bounds(kwargs: Arguments) -> str | None:
    for name in ("min_value", "max_value"):
        held = kwargs.get(name)
        if held is not None and not _is_number(held):
            return f"{name!r} is {held!r}; it is to be a number"
    return None


def _a_bound(kwargs: Arguments) -> str | None:
    if kwargs.get("min_value") is None and kwargs.get("max_value") is None:
        return "neither min_value nor max_value is given, so nothing is expected; give one of them"
    return None


def _regexes(name: str) -> Check:
    def check(kwargs: Arguments) -> str | None:
        held = kwargs[name]
        for pattern in held if isinstance(held, list) else [held]:
            try:
                re.compile(pattern)
            except re.error as error:
                return f"{name!r} {pattern!r} is no regular expression: {error}; correct it"
        return None

    return check


def _quantile_ranges(kwargs: Arguments) -> str | None:
    held = kwargs.get("quantile_ranges")
    asked = "it is to be {'quantiles': [0.5], 'value_ranges': [[low, high]]}"
    if not isinstance(held, Mapping):
        return f"'quantile_ranges' is {held!r}; {asked}"
    quantiles, ranges = held.get("quantiles"), held.get("value_ranges")
    if not isinstance(quantiles, list) or not isinstance(ranges, list):
        return f"'quantile_ranges' lacks 'quantiles' or 'value_ranges'; {asked}"
    if not quantiles or len(quantiles) != len(ranges):
        return f"{len(quantiles)} quantiles have {len(ranges)} value_ranges; give each one its own"
    if not all(_is_number(quantile) and 0 <= quantile <= 1 for quantile in quantiles):
        return f"'quantiles' is {quantiles!r}; they are to be numbers from 0 to 1"
    problems = (_range_problem(limits, asked) for limits in ranges)
    return next((problem for problem in problems if problem), None)


def _range_problem(limits: Json, asked: str) -> str | None:
    if not isinstance(limits, list) or len(limits) != 2:
        return f"value range {limits!r} is no pair; {asked}"
    given = [limit for limit in limits if limit is not None]
    if not all(_is_number(limit) for limit in given):
        return f"value range {limits!r} holds what is no number; {asked}"
    if given != sorted(given):
        return f"value range {limits!r} is the wrong way round; exchange its limits"
    return None


def _pairs(kwargs: Arguments) -> str | None:
    held = kwargs.get("value_pairs_set")
    if held is None:
        return None
    if not isinstance(held, list) or any(not isinstance(v, list) or len(v) != 2 for v in held):
        return f"'value_pairs_set' is {held!r}; it is to be a list of pairs [a, b]"
    return None


def _schema(kwargs: Arguments) -> str | None:
    held = kwargs.get("json_schema")
    if isinstance(held, Mapping | bool):
        return None
    return f"'json_schema' is {held!r}; it is to be a JSON Schema: an object"


def _threshold(kwargs: Arguments) -> str | None:
    held = kwargs.get("threshold")
    if held is None or (_is_number(held) and held >= 0):
        return None
    return f"'threshold' is {held!r}; it is to be a number, 0 or more"


def _is_number(held: Json) -> bool:
    return isinstance(held, int | float) and not isinstance(held, bool) and not isnan(held)


def _quote(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


_BETWEEN: Final = ("min_value", "max_value")
_STRICT: Final = ("strict_min", "strict_max")


def _column_between(*checks: Check) -> Signature:
    return Signature(shape=Shape.COLUMN, optional=(*_BETWEEN, *_STRICT), checks=(_bounds, *checks))


def _rows(*required: str, optional: tuple[str, ...] = (), checks: tuple[Check, ...]) -> Signature:
    return Signature(shape=Shape.COLUMN_ROWS, required=required, optional=optional, checks=checks)


_MATCH_ON: Final = _choice("match_on", ("any", "all"))
_PLAIN: Final = _rows(checks=())
_NUMBERS: Final = _column_between(_number_bounds)
_VALUE_SET: Final = _list("value_set")
_DISTINCT: Final = Signature(
    shape=Shape.COLUMN, required=("value_set",), checks=(_list("value_set", least=1),)
)
_ORDERED: Final = _rows(optional=("strictly",), checks=())
_REGEX_LIST: Final = (_list("regex_list", least=1, texts=True), _regexes("regex_list"))
_REGEX: Final = (_text("regex"), _regexes("regex"))
_LIKE_LIST: Final = _list("like_pattern_list", least=1, texts=True)
_LIST_ROWS: Final = Signature(shape=Shape.LIST_ROWS)
_COUNTED: Final = Signature(shape=Shape.TABLE, optional=_BETWEEN, checks=(_number_bounds, _bounds))
_COUNT: Final = Signature(shape=Shape.TABLE, required=("value",), checks=(_whole("value"),))

_SIGNATURES: Final[Mapping[str, Signature]] = {
    "expect_table_row_count_to_be_between": _COUNTED,
    "expect_table_row_count_to_equal": _COUNT,
    "expect_table_column_count_to_be_between": _COUNTED,
    "expect_table_column_count_to_equal": _COUNT,
    "expect_table_columns_to_match_set": Signature(
        shape=Shape.TABLE,
        required=("column_set",),
        optional=("exact_match",),
        checks=(_list("column_set", texts=True),),
    ),
    "expect_table_columns_to_match_ordered_list": Signature(
        shape=Shape.TABLE, required=("column_list",), checks=(_list("column_list", texts=True),)
    ),
    "expect_column_to_exist": Signature(shape=Shape.COLUMN, optional=("column_index",)),
    "expect_column_values_to_not_be_null": _PLAIN,
    "expect_column_values_to_be_null": _PLAIN,
    "expect_column_values_to_be_unique": _PLAIN,
    "expect_column_values_to_be_increasing": _ORDERED,
    "expect_column_values_to_be_decreasing": _ORDERED,
    "expect_column_values_to_be_dateutil_parseable": _PLAIN,
    "expect_column_values_to_be_json_parseable": _PLAIN,
    "expect_column_values_to_match_json_schema": _rows("json_schema", checks=(_schema,)),
    "expect_column_values_to_match_strftime_format": _rows(
        "strftime_format", checks=(_text("strftime_format"),)
    ),
    "expect_column_values_to_be_in_set": _rows("value_set", checks=(_VALUE_SET,)),
    "expect_column_values_to_not_be_in_set": _rows("value_set", checks=(_VALUE_SET,)),
    "expect_column_values_to_be_between": _rows(
        optional=(*_BETWEEN, *_STRICT), checks=(_a_bound, _bounds)
    ),
    "expect_column_value_lengths_to_be_between": _rows(
        optional=(*_BETWEEN, *_STRICT), checks=(_a_bound, _number_bounds, _bounds)
    ),
    "expect_column_value_lengths_to_equal": _rows("value", checks=(_number("value"),)),
    "expect_column_value_z_scores_to_be_less_than": _rows(
        "threshold", optional=("double_sided",), checks=(_number("threshold"),)
    ),
    "expect_column_values_to_be_of_type": _rows("type_", checks=()),
    "expect_column_values_to_be_in_type_list": _rows(
        "type_list", checks=(_list("type_list", texts=True),)
    ),
    "expect_column_values_to_match_regex": _rows("regex", checks=_REGEX),
    "expect_column_values_to_not_match_regex": _rows("regex", checks=_REGEX),
    "expect_column_values_to_match_regex_list": _rows(
        "regex_list", optional=("match_on",), checks=(*_REGEX_LIST, _MATCH_ON)
    ),
    "expect_column_values_to_not_match_regex_list": _rows("regex_list", checks=_REGEX_LIST),
    "expect_column_values_to_match_like_pattern": _rows(
        "like_pattern", checks=(_text("like_pattern"),)
    ),
    "expect_column_values_to_not_match_like_pattern": _rows(
        "like_pattern", checks=(_text("like_pattern"),)
    ),
    "expect_column_values_to_match_like_pattern_list": _rows(
        "like_pattern_list", optional=("match_on",), checks=(_LIKE_LIST, _MATCH_ON)
    ),
    "expect_column_values_to_not_match_like_pattern_list": _rows(
        "like_pattern_list", checks=(_LIKE_LIST,)
    ),
    # The minimum and the maximum alone refuse to be observed without a bound.
    "expect_column_min_to_be_between": _column_between(_a_bound),
    "expect_column_max_to_be_between": _column_between(_a_bound),
    "expect_column_mean_to_be_between": _NUMBERS,
    "expect_column_median_to_be_between": _NUMBERS,
    "expect_column_stdev_to_be_between": _NUMBERS,
    "expect_column_sum_to_be_between": _NUMBERS,
    "expect_column_unique_value_count_to_be_between": _NUMBERS,
    "expect_column_proportion_of_unique_values_to_be_between": _NUMBERS,
    "expect_column_proportion_of_non_null_values_to_be_between": _NUMBERS,
    "expect_column_quantile_values_to_be_between": Signature(
        shape=Shape.COLUMN,
        required=("quantile_ranges",),
        optional=("allow_relative_error",),
        checks=(
            _quantile_ranges,
            _choice("allow_relative_error", (False, *_INTERPOLATIONS)),
        ),
    ),
    "expect_column_most_common_value_to_be_in_set": Signature(
        shape=Shape.COLUMN, required=("value_set",), optional=("ties_okay",), checks=(_VALUE_SET,)
    ),
    "expect_column_distinct_values_to_be_in_set": _DISTINCT,
    "expect_column_distinct_values_to_contain_set": _DISTINCT,
    "expect_column_distinct_values_to_equal_set": _DISTINCT,
    "expect_column_kl_divergence_to_be_less_than": Signature(
        shape=Shape.COLUMN,
        required=("partition_object", "threshold"),
        optional=(
            "tail_weight_holdout", "internal_weight_holdout", "bucketize_data",
            "min_value", "max_value",
        ),
        checks=(_threshold, _bounds),
    ),
    "expect_column_pair_values_to_be_equal": Signature(shape=Shape.PAIR_ROWS),
    "expect_column_pair_values_a_to_be_greater_than_b": Signature(
        shape=Shape.PAIR_ROWS, optional=("or_equal",)
    ),
    "expect_column_pair_values_to_be_in_set": Signature(
        shape=Shape.PAIR_ROWS, required=("value_pairs_set",), checks=(_pairs,)
    ),
    "expect_compound_columns_to_be_unique": _LIST_ROWS,
    "expect_select_column_values_to_be_unique_within_record": _LIST_ROWS,
    "expect_multicolumn_sum_to_equal": Signature(
        shape=Shape.LIST_ROWS, required=("sum_total",), checks=(_number("sum_total"),)
    ),
}  # fmt: skip

_RENAMED: Final = {
    "expect_column_pair_values_A_to_be_greater_than_B": (
        "expect_column_pair_values_a_to_be_greater_than_b"
    ),
    "expect_multicolumn_values_to_be_unique": (
        "expect_select_column_values_to_be_unique_within_record"
    ),
}

_NEEDS_MORE: Final = {
    "expect_table_row_count_to_equal_other_table": "needs a second table",
    "expect_query_results_to_match_comparison": "needs a second source of data",
    "unexpected_rows_expectation": "executes SQL of its own, which is not done here",
}
