"""Expectations that judge row by row."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from triune.adapters.data.expectations.judges import (
    Judge,
    has_format,
    is_date,
    is_json,
    meets_schema,
    searches,
)
from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import (
    NUMERIC,
    SOURCE,
    TEMPORAL,
    Kind,
    PlacedColumn,
    Unanswerable,
)
from triune.adapters.data.expectations.questions import (
    Answer,
    Asked,
    Counted,
    Flagged,
    Question,
    as_pair,
    count_present,
    count_rows,
    only_value,
    present_values,
    require_kind,
)
from triune.adapters.data.expectations.regex import translate
from triune.adapters.data.expectations.sql import (
    FALSE,
    TRUE,
    always,
    are_equal,
    are_ordered,
    are_same,
    count_where,
    equals,
    is_one_of,
    number,
    text,
    within,
)
from triune.domain.canonical import Json
from triune.domain.expectations.outcome import Method, Offender

Rule: TypeAlias = Callable[[Asked], Question]


def be_null(asked: Asked) -> Question:
    """No value in any row."""
    return _count_missing(asked, breaks="IS NOT NULL", unexpected=lambda _, present: present)


def not_be_null(asked: Asked) -> Question:
    """Require a value in each row."""
    return _count_missing(asked, breaks="IS NULL", unexpected=lambda rows, present: rows - present)


def be_between(asked: Asked) -> Question:
    """Values within bounds."""
    return _judge(asked, within(asked.column, asked.kwargs))


def be_in_set(asked: Asked) -> Question:
    """Values of a list; without one, any."""
    values = asked.kwargs["value_set"]
    column = asked.column
    return _judge(asked, always(column) if values is None else is_one_of(column, values))


def not_be_in_set(asked: Asked) -> Question:
    """Values that a list does not have."""
    values = asked.kwargs["value_set"]
    column = asked.column
    return _judge(asked, always(column) if values is None else f"NOT {is_one_of(column, values)}")


def have_length_between(asked: Asked) -> Question:
    """Text with a number of characters within bounds."""
    low, high = asked.kwargs.get("min_value"), asked.kwargs.get("max_value")
    length = _length(asked)
    sides = []
    if low is not None:
        sides.append(f"{length} {'>' if asked.kwargs.get('strict_min') else '>='} {number(low)}")
    if high is not None:
        sides.append(f"{length} {'<' if asked.kwargs.get('strict_max') else '<='} {number(high)}")
    return _judge(asked, " AND ".join(sides))


def have_length(asked: Asked) -> Question:
    """Text with a number of characters."""
    return _judge(asked, f"{_length(asked)} = {number(asked.kwargs['value'])}")


def match_like(asked: Asked) -> Question:
    """Text like a pattern of SQL's."""
    return _like(asked, [asked.kwargs["like_pattern"]])


def not_match_like(asked: Asked) -> Question:
    """Text unlike a pattern of SQL's."""
    return _like(asked, [asked.kwargs["like_pattern"]], negated=True)


def match_like_list(asked: Asked) -> Question:
    """Text like any of some patterns of SQL's, or all."""
    join = " AND " if asked.kwargs.get("match_on") == "all" else " OR "
    return _like(asked, asked.kwargs["like_pattern_list"], join=join)


def not_match_like_list(asked: Asked) -> Question:
    """Text unlike each of some patterns of SQL's."""
    return _like(asked, asked.kwargs["like_pattern_list"], negated=True)


def match_regex(asked: Asked) -> Question:
    """Text in which a regular expression is found."""
    return _search(asked, [asked.kwargs["regex"]], any)


def not_match_regex(asked: Asked) -> Question:
    """Text in which a regular expression is not found."""
    return _search(asked, [asked.kwargs["regex"]], _none)


def match_regex_list(asked: Asked) -> Question:
    """Text in which any of some regular expressions is found, or all."""
    join = all if asked.kwargs.get("match_on") == "all" else any
    return _search(asked, asked.kwargs["regex_list"], join)


def not_match_regex_list(asked: Asked) -> Question:
    """Text in which none of some regular expressions is found."""
    return _search(asked, asked.kwargs["regex_list"], _none)


def match_format(asked: Asked) -> Question:
    """Text that reads as a moment in a format."""
    return _by_value(asked, _require_text(asked), has_format(asked.kwargs["strftime_format"]))


def be_dates(asked: Asked) -> Question:
    """Text that dateutil takes for a date."""
    return _by_value(asked, _require_text(asked), is_date())


def be_json(asked: Asked) -> Question:
    """Text that is JSON."""
    return _by_value(asked, _require_text(asked), is_json)


def match_schema(asked: Asked) -> Question:
    """Text that is JSON as a schema describes it."""
    return _by_value(asked, _require_text(asked), meets_schema(asked.kwargs["json_schema"]))


def increase(asked: Asked) -> Question:
    """Values none of which is less than the one before it (strictly: or as much)."""
    return _ordered(asked, "<=" if asked.kwargs.get("strictly") else "<")


def decrease(asked: Asked) -> Question:
    """Values none of which is more than the one before it (strictly: or as much)."""
    return _ordered(asked, ">=" if asked.kwargs.get("strictly") else ">")


def be_unique(asked: Asked) -> Question:
    """Values that occur once."""
    column = asked.column
    return _unrepeated(asked, (column,), present=f"{column.sql} IS NOT NULL", label=only_value)


def be_unique_together(asked: Asked) -> Question:
    """Rows whose values, taken together, occur once."""
    columns = _listed(asked)
    return _unrepeated(
        asked, columns, present=_list_present(asked, columns), label=_as_record(columns)
    )


def be_near_mean(asked: Asked) -> Question:
    """Numbers less than some standard deviations from the mean."""
    column = _require_numbers(asked)
    value = asked.only(column.as_number)
    present = f"{column.sql} IS NOT NULL"

    def conclude(answers: Sequence[Any], passes: Passes) -> Counted:
        total, count, mean, deviation, infinite = answers
        # Of a single value, of equal ones or infinite ones there is no distance to be too great.
        breaks = FALSE
        if count > 1 and deviation and not infinite:
            distance = f"({column.as_number} - {number(float(mean))}) / {number(float(deviation))}"
            threshold = float(asked.kwargs["threshold"])
            if asked.kwargs.get("double_sided", True):
                distance, threshold = f"abs({distance})", abs(threshold)
            breaks = asked.among(present, f"NOT ({distance} < {number(threshold)})")
        reads = asked.reads(column)
        query = f"SELECT {count_where(breaks)} FROM {SOURCE}"  # noqa: S608 - no name of theirs
        return Counted(
            total=total,
            present=count,
            unexpected=passes.ask(reads, query)[0][0] if breaks != FALSE else 0,
            method=Method.SECOND_PASS,
            offenders=Flagged(sql=breaks, columns=reads, shown=(column,), label=only_value),
        )

    finite = f"CASE WHEN isfinite(CAST({value} AS DOUBLE)) THEN CAST({value} AS DOUBLE) END"
    return Question(
        columns=asked.reads(column),
        asks=(
            *count_present(asked, column),
            f"favg({finite})",
            f"stddev_samp({finite})",
            count_where(f"isinf(CAST({value} AS DOUBLE))"),
        ),
        conclude=conclude,
    )


def pair_be_equal(asked: Asked) -> Question:
    """Two columns with the same values."""
    left, right = _pair(asked)
    return _judge_pair(asked, left, right, are_equal(left, right))


def pair_be_ordered(asked: Asked) -> Question:
    """Require greater values of one column than of another."""
    left, right = _pair(asked)
    operator = ">=" if asked.kwargs.get("or_equal") else ">"
    return _judge_pair(asked, left, right, are_ordered(left, operator, right))


def pair_be_in_set(asked: Asked) -> Question:
    """Two columns whose values are one of some pairs."""
    left, right = _pair(asked)
    pairs = asked.kwargs["value_pairs_set"]
    if pairs is None:
        return _judge_pair(asked, left, right, TRUE)
    allowed = [f"({_is(left, one)} AND {_is(right, other)})" for one, other in pairs]
    return _judge_pair(asked, left, right, " OR ".join(allowed) or FALSE)


def differ_within_row(asked: Asked) -> Question:
    """Columns that differ from each other in each row; two that are missing do not."""
    columns = _listed(asked)
    same = [are_same(left, right) for left, right in combinations(columns, 2)]
    return _judge_list(asked, columns, f"NOT ({' OR '.join(same)})")


def sum_to(asked: Asked) -> Question:
    """Numbers that add up to a total in each row."""
    columns = _listed(asked)
    for column in columns:
        require_kind(column, NUMERIC, "numbers")
    whole = all(column.kind in {Kind.INTEGER, Kind.BOOLEAN} for column in columns)
    # In 128 bits: the sum of two integers may have more than 64.
    added = "HUGEINT" if whole else "DOUBLE"
    total = " + ".join(f"CAST({column.as_number} AS {added})" for column in columns)
    return _judge_list(asked, columns, f"{total} = {number(asked.kwargs['sum_total'])}")


def _count_missing(asked: Asked, *, breaks: str, unexpected: Callable[[int, int], int]) -> Question:
    column = asked.column
    return count_rows(
        asked,
        column,
        asks=count_present(asked, column),
        breaks=f"{column.sql} {breaks}",
        label=only_value,
        unexpected=unexpected,
    )


def _judge(asked: Asked, expected: str) -> Question:
    """Judge values by what is unknown where one is missing, and nowhere else."""
    column = asked.column
    return count_rows(
        asked,
        column,
        asks=count_present(asked, column),
        breaks=f"NOT ({expected})",
        label=only_value,
    )


def _judge_pair(asked: Asked, left: PlacedColumn, right: PlacedColumn, expected: str) -> Question:
    both = [f"{column.sql} IS NOT NULL" for column in (left, right)]
    present = {
        "either_value_is_missing": " AND ".join(both),
        "neither": "TRUE",
    }.get(asked.kwargs.get("ignore_row_if") or "", " OR ".join(both))
    return _judge_together(asked, left, right, present=present, expected=expected, label=as_pair)


def _judge_list(asked: Asked, columns: Sequence[PlacedColumn], expected: str) -> Question:
    present, label = _list_present(asked, columns), _as_record(columns)
    return _judge_together(asked, *columns, present=present, expected=expected, label=label)


def _judge_together(
    asked: Asked,
    *columns: PlacedColumn,
    present: str,
    expected: str,
    label: Callable[[Sequence[Any]], Json],
) -> Question:
    """Judge rows of several columns; one of which it is unknown is not as expected."""
    return count_rows(
        asked,
        *columns,
        asks=(asked.count(), asked.count(present)),
        breaks=f"({present}) AND ({expected}) IS NOT TRUE",
        label=label,
    )


def _list_present(asked: Asked, columns: Sequence[PlacedColumn]) -> str:
    held = [f"{column.sql} IS NOT NULL" for column in columns]
    return {
        "any_value_is_missing": " AND ".join(held),
        "never": "TRUE",
    }.get(asked.kwargs.get("ignore_row_if") or "", " OR ".join(held))


def _as_record(columns: Sequence[PlacedColumn]) -> Callable[[Sequence[Any]], Json]:
    return lambda values: {
        column.name: value for column, value in zip(columns, values, strict=True)
    }


def _pair(asked: Asked) -> tuple[PlacedColumn, PlacedColumn]:
    return asked.table.column(asked.kwargs["column_A"]), asked.table.column(
        asked.kwargs["column_B"]
    )


def _listed(asked: Asked) -> tuple[PlacedColumn, ...]:
    return tuple(asked.table.column(name) for name in asked.kwargs["column_list"])


def _is(column: PlacedColumn, value: Json) -> str:
    return f"{column.sql} IS NULL" if value is None else equals(column, value)


def _length(asked: Asked) -> str:
    return f"length(CAST({_require_text(asked).sql} AS VARCHAR))"


def _require_text(asked: Asked) -> PlacedColumn:
    return require_kind(asked.column, {Kind.TEXT, Kind.NOTHING}, "text")


def _require_numbers(asked: Asked) -> PlacedColumn:
    return require_kind(asked.column, NUMERIC, "numbers")


def _like(
    asked: Asked, patterns: Sequence[str], *, negated: bool = False, join: str = " OR "
) -> Question:
    column = _require_text(asked)
    if column.kind is Kind.NOTHING:
        return _judge(asked, always(column))
    likes = join.join(f"{column.sql} LIKE {text(pattern)}" for pattern in patterns)
    return _judge(asked, f"NOT ({likes})" if negated else likes)


def _search(asked: Asked, patterns: Sequence[str], join: Callable[[Any], bool]) -> Question:
    """Search in SQL where that finds the same as Python, otherwise value by value."""
    column = asked.column
    judge = searches(patterns, join=join)
    translated = [translate(pattern) for pattern in patterns]
    # Others than these are written in other ways by Python than by SQL.
    if column.kind not in {Kind.TEXT, Kind.INTEGER}:
        return _by_value(asked, column, judge)
    written = column.sql if column.kind is Kind.TEXT else f"CAST({column.sql} AS VARCHAR)"
    matches = []
    for each in translated:
        if each is None or not asked.passes.understands(text(each.pattern)):
            return _by_value(asked, column, judge)
        matches.append(f"regexp_matches({written}, {text(each.pattern)})")
    expected = {any: " OR ".join(matches), all: " AND ".join(matches)}.get(
        join, f"NOT ({' OR '.join(matches)})"
    )
    scanned = _judge(asked, expected)
    if column.kind is not Kind.TEXT or not any(each and each.ascii_only for each in translated):
        return scanned
    foreign = asked.count(f"strlen({column.sql}) <> length({column.sql})")

    def conclude(answers: Sequence[Any], passes: Passes) -> Answer:
        *counts, foreign_count = answers
        if not foreign_count:
            return scanned.conclude(counts, passes)
        by_value = _by_value(asked, column, judge)
        return by_value.conclude(counts[: len(by_value.asks)], passes)

    return Question(columns=scanned.columns, asks=(*scanned.asks, foreign), conclude=conclude)


def _none(found: Any) -> bool:
    return not any(found)


def _by_value(asked: Asked, column: PlacedColumn, judge: Judge) -> Question:
    """Judge value by value, in Python."""

    def conclude(answers: Sequence[Any], passes: Passes) -> Counted:
        total, present = answers
        unexpected, offenders = _judge_values(asked, column, judge, passes) if present else (0, ())
        return Counted(
            total=total,
            present=present,
            unexpected=unexpected,
            method=Method.PYTHON,
            offenders=offenders,
        )

    return Question(
        columns=asked.reads(column), asks=count_present(asked, column), conclude=conclude
    )


def _judge_values(
    asked: Asked, column: PlacedColumn, judge: Judge, passes: Passes
) -> tuple[int, tuple[Offender, ...]]:
    unexpected = 0
    offenders: list[Offender] = []
    for batch in passes.stream(asked.reads(column), present_values(asked, column)):
        # Each value once a batch, however often it occurs.
        encoded = batch.column(1).dictionary_encode()
        values = as_python(encoded.dictionary)
        fits = np.array([_judged(judge, value, column) for value in values], bool)
        breaking = np.flatnonzero(~fits[encoded.indices.to_numpy()])
        unexpected += len(breaking)
        lacking = None if passes.limit is None else passes.limit - len(offenders)
        for at in breaking[:lacking]:
            row, place = batch.column(0)[int(at)].as_py(), encoded.indices[int(at)].as_py()
            offenders.append(Offender(row=row, value=values[place]))
    return unexpected, tuple(offenders)


def _judged(judge: Judge, value: Any, column: PlacedColumn) -> bool:
    try:
        return judge(value)
    except Unanswerable as error:
        raise Unanswerable(f"column {column.name!r}: {error}") from error


def as_python(values: Any) -> list[Any]:
    """Take values as Python has them: moments to the microsecond, what lies beyond as text."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us"), safe=False)
    try:
        taken: list[Any] = values.to_pylist()
    except (ValueError, OverflowError):
        taken = values.cast(pa.string()).to_pylist()
    return taken


def _ordered(asked: Asked, breaks: str) -> Question:
    column = require_kind(asked.column, NUMERIC | TEMPORAL, "numbers, dates or moments")

    def conclude(answers: Sequence[Any], passes: Passes) -> Counted:
        total, present = answers
        query = (
            f"SELECT r, v FROM (SELECT r, v, lag(v) OVER (ORDER BY r) AS before "  # noqa: S608 - no name of theirs
            f"FROM ({present_values(asked, column)})) WHERE v {breaks} before ORDER BY r"
        )
        unexpected = 0
        offenders: list[Offender] = []
        for batch in passes.stream(asked.reads(column), query) if present else ():
            unexpected += batch.num_rows
            lacking = batch.num_rows if passes.limit is None else passes.limit - len(offenders)
            shown = batch.slice(0, max(lacking, 0))
            offenders += [
                Offender(row=row, value=value)
                for row, value in zip(
                    as_python(shown.column(0)), as_python(shown.column(1)), strict=True
                )
            ]
        return Counted(
            total=total,
            present=present,
            unexpected=unexpected,
            method=Method.SECOND_PASS,
            offenders=tuple(offenders),
        )

    return Question(
        columns=asked.reads(column), asks=count_present(asked, column), conclude=conclude
    )


def _unrepeated(
    asked: Asked,
    columns: Sequence[PlacedColumn],
    *,
    present: str,
    label: Callable[[Sequence[Any]], Json],
) -> Question:
    reads = asked.reads(*columns)
    places = ", ".join(column.sql for column in columns)
    where = asked.among(present)

    def conclude(answers: Sequence[Any], passes: Passes) -> Counted:
        total, count = answers
        # A GROUP BY takes missing values for equal to each other, as pandas does.
        kept = passes.keep(
            reads,
            f"SELECT {places}, count(*) AS n FROM {SOURCE} WHERE {where} "  # noqa: S608 - no name of theirs
            f"GROUP BY {places} HAVING count(*) > 1",
        )
        repeated = passes.look(f"SELECT coalesce(sum(n), 0) FROM {kept}")[0][0]  # noqa: S608 - a name of ours
        same = " AND ".join(
            f"{kept}.{column.sql} IS NOT DISTINCT FROM {SOURCE}.{column.sql}" for column in columns
        )
        found = f"EXISTS (SELECT 1 FROM {kept} WHERE {same})"  # noqa: S608 - a name of ours
        return Counted(
            total=total,
            present=count,
            unexpected=int(repeated),
            method=Method.SECOND_PASS,
            offenders=Flagged(
                sql=asked.among(present, found), columns=reads, shown=tuple(columns), label=label
            ),
        )

    return Question(columns=reads, asks=(asked.count(), asked.count(present)), conclude=conclude)


ROW_RULES: Final[Mapping[str, Rule]] = {
    "expect_column_values_to_be_null": be_null,
    "expect_column_values_to_not_be_null": not_be_null,
    "expect_column_values_to_be_between": be_between,
    "expect_column_values_to_be_in_set": be_in_set,
    "expect_column_values_to_not_be_in_set": not_be_in_set,
    "expect_column_values_to_be_unique": be_unique,
    "expect_column_values_to_be_increasing": increase,
    "expect_column_values_to_be_decreasing": decrease,
    "expect_column_value_lengths_to_be_between": have_length_between,
    "expect_column_value_lengths_to_equal": have_length,
    "expect_column_value_z_scores_to_be_less_than": be_near_mean,
    "expect_column_values_to_match_like_pattern": match_like,
    "expect_column_values_to_not_match_like_pattern": not_match_like,
    "expect_column_values_to_match_like_pattern_list": match_like_list,
    "expect_column_values_to_not_match_like_pattern_list": not_match_like_list,
    "expect_column_values_to_match_regex": match_regex,
    "expect_column_values_to_not_match_regex": not_match_regex,
    "expect_column_values_to_match_regex_list": match_regex_list,
    "expect_column_values_to_not_match_regex_list": not_match_regex_list,
    "expect_column_values_to_match_strftime_format": match_format,
    "expect_column_values_to_be_dateutil_parseable": be_dates,
    "expect_column_values_to_be_json_parseable": be_json,
    "expect_column_values_to_match_json_schema": match_schema,
    "expect_column_pair_values_to_be_equal": pair_be_equal,
    "expect_column_pair_values_a_to_be_greater_than_b": pair_be_ordered,
    "expect_column_pair_values_to_be_in_set": pair_be_in_set,
    "expect_compound_columns_to_be_unique": be_unique_together,
    "expect_select_column_values_to_be_unique_within_record": differ_within_row,
    "expect_multicolumn_sum_to_equal": sum_to,
}
