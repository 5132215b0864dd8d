"""Expectations about the table: its rows and its columns, not what they hold."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.questions import Asked, Observed, Question
from triune.adapters.data.expectations.row_rules import Rule
from triune.adapters.data.expectations.value_rules import is_within


def row_count_between(asked: Asked) -> Question:
    """Bound the number of rows."""
    return _rows(asked, asked.kwargs)


def row_count(asked: Asked) -> Question:
    """Require a number of rows."""
    value = asked.kwargs["value"]
    return _rows(asked, {"min_value": value, "max_value": value})


def column_count_between(asked: Asked) -> Question:
    """Bound the number of columns."""
    return _columns(asked, asked.kwargs)


def column_count(asked: Asked) -> Question:
    """Require a number of columns."""
    value = asked.kwargs["value"]
    return _columns(asked, {"min_value": value, "max_value": value})


def column_exists(asked: Asked) -> Question:
    """Require a column, and its place if that is given."""
    names = list(asked.table.columns)
    name, place = asked.kwargs["column"], asked.kwargs.get("column_index")
    exists = name in names and (place is None or names.index(name) == place)
    return _known(Observed(is_met=exists))


def columns_match_set(asked: Asked) -> Question:
    """Require columns, in any order: exactly these, or these at least."""
    names = list(asked.table.columns)
    wanted = asked.kwargs["column_set"] or []
    unexpected = sorted(set(names) - set(wanted))
    missing = sorted(set(wanted) - set(names))
    is_exact = asked.kwargs.get("exact_match") in {None, True}
    mismatched = {"unexpected": unexpected, "missing": missing}
    return _known(
        Observed(
            is_met=not missing and not (is_exact and unexpected),
            told={
                "observed_value": sorted(names),
                "details": {"mismatched": {key: held for key, held in mismatched.items() if held}},
            },
        )
    )


def columns_match_list(asked: Asked) -> Question:
    """Require exactly these columns in this order; without a list, any."""
    names = list(asked.table.columns)
    wanted = asked.kwargs["column_list"]
    if wanted is None or wanted == names:
        return _known(Observed(is_met=True, told={"observed_value": names}))
    mismatched = [
        {"Expected Column Position": place, "Expected": expected, "Found": found}
        for place, (expected, found) in enumerate(zip_longest(wanted, names))
        if expected != found
    ]
    return _known(
        Observed(
            is_met=False, told={"observed_value": names, "details": {"mismatched": mismatched}}
        )
    )


def _rows(asked: Asked, bounds: Mapping[str, Any]) -> Question:
    if not asked.domain:
        return _known(_within(asked.table.rows, bounds))

    def conclude(answers: Sequence[Any], _: Passes) -> Observed:
        return _within(answers[0], bounds)

    return Question(columns=asked.domain_columns, asks=(asked.count(),), conclude=conclude)


def _columns(asked: Asked, bounds: Mapping[str, Any]) -> Question:
    return _known(_within(len(asked.table.columns), bounds))


def _within(count: int, bounds: Mapping[str, Any]) -> Observed:
    return Observed(is_met=is_within(count, bounds), told={"observed_value": count})


def _known(answer: Observed) -> Question:
    return Question(conclude=lambda *_: answer)


TABLE_RULES: Final[Mapping[str, Rule]] = {
    "expect_table_row_count_to_be_between": row_count_between,
    "expect_table_row_count_to_equal": row_count,
    "expect_table_column_count_to_be_between": column_count_between,
    "expect_table_column_count_to_equal": column_count,
    "expect_table_columns_to_match_set": columns_match_set,
    "expect_table_columns_to_match_ordered_list": columns_match_list,
    "expect_column_to_exist": column_exists,
}
