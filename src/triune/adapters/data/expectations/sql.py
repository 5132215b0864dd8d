"""Values and comparisons as SQL, exact where SQL's own conversions are not."""

from collections.abc import Sequence
from datetime import date, datetime
from math import ceil, floor, isinf, isnan
from typing import Any, Final

import pyarrow as pa

from triune.adapters.data.expectations.placed import (
    NUMERIC,
    TEMPORAL,
    Kind,
    PlacedColumn,
    Unanswerable,
)
from triune.adapters.data.session import as_text
from triune.domain.canonical import Json
from triune.domain.expectations.outcome import plain_datetime

TRUE: Final = "TRUE"
FALSE: Final = "FALSE"
UNKNOWN: Final = "CAST(NULL AS BOOLEAN)"
_HUGE: Final = 2**127 - 1
# What nanoseconds since 1970 can say in 64 bits, a little less on both sides.
_NANOSECOND_YEARS: Final = (1678, 2261)


def equals(column: PlacedColumn, value: Json) -> str:
    """Say that a column's value equals another; one of another kind never does."""
    return is_one_of(column, [value])


def is_one_of(column: PlacedColumn, values: Sequence[Json]) -> str:
    """Say that a column's value is one of several; those of another kind never are."""
    if column.kind is Kind.NOTHING:
        return UNKNOWN
    literals = dict.fromkeys(filter(None, (exact(column, value) for value in values)))
    return f"{column.sql} IN ({', '.join(literals)})" if literals else never(column)


def exact(column: PlacedColumn, value: Json) -> str | None:
    """Write a value in a column's own type; None where no value of the column can equal it."""
    if column.kind in TEMPORAL:
        moment = read_moment(value)
        return None if moment is None else _moment(column, moment)
    if column.kind is Kind.TEXT:
        return text(value) if isinstance(value, str) and _is_writable(value) else None
    return _exact_number(column, value)


def always(column: PlacedColumn) -> str:
    """Say what holds for any value, and is unknown where it is missing."""
    return f"{column.sql} = {column.sql}"


def never(column: PlacedColumn) -> str:
    """Say what holds for no value, and is unknown where it is missing."""
    return f"{column.sql} <> {column.sql}"


def bounded(column: PlacedColumn, operator: str, bound: Json) -> str:
    """Say that a column's value is on one side (``< <= > >=``) of a bound.

    Raises
    ------
    Unanswerable
        The bound is of another kind.
    """
    if column.kind is Kind.NOTHING:
        return UNKNOWN
    if column.kind in TEMPORAL:
        moment = read_moment(bound)
        if moment is None:
            raise _wrong_bound(column, bound, "write it as ISO 8601, such as '2024-01-31'")
        literal = _moment(column, moment)
        if literal is None:
            is_within = (moment.year < _NANOSECOND_YEARS[0]) == (operator[0] == ">")
            return always(column) if is_within else never(column)
        return f"{column.sql} {operator} {literal}"
    if column.kind is Kind.TEXT:
        if not isinstance(bound, str) or not _is_writable(bound):
            raise _wrong_bound(column, bound, "write it as text, or the column as numbers")
        return f"{column.sql} {operator} {text(bound)}"
    if not isinstance(bound, int | float):
        raise _wrong_bound(column, bound, "write it as a number")
    return _bounded_number(column, operator, bound)


def within(column: PlacedColumn, kwargs: Any) -> str:
    """Say that a column's value lies between ``min_value`` and ``max_value``."""
    sides = []
    if (low := kwargs.get("min_value")) is not None:
        sides.append(bounded(column, ">" if kwargs.get("strict_min") else ">=", low))
    if (high := kwargs.get("max_value")) is not None:
        sides.append(bounded(column, "<" if kwargs.get("strict_max") else "<=", high))
    return " AND ".join(sides)


def are_equal(left: PlacedColumn, right: PlacedColumn) -> str:
    """Say that two columns' values are equal.

    A file's column has one type: what pandas would hold as numbers beside text arrives as text.
    So text that reads as a number is compared with numbers as one.
    """
    if are_comparable(left, right):
        return _across(left, "=", right)
    if {left.kind, right.kind} <= {Kind.TEXT, Kind.INTEGER, Kind.NUMBER}:
        return f"{_read_number(left)} = {_read_number(right)}"
    return FALSE


def are_ordered(left: PlacedColumn, operator: str, right: PlacedColumn) -> str:
    """Say that one column's value is on one side of another's.

    Raises
    ------
    Unanswerable
        They hold what has no common order.
    """
    if not are_comparable(left, right):
        raise Unanswerable(
            f"column {left.name!r} holds {left.kind} and {right.name!r} {right.kind}, which have "
            "no common order; name two columns of one kind"
        )
    return _across(left, operator, right)


def are_same(left: PlacedColumn, right: PlacedColumn) -> str:
    """Say that two columns' values are equal, or both missing; those of two kinds never are."""
    both_missing = f"({left.sql} IS NULL AND {right.sql} IS NULL)"
    if not are_comparable(left, right):
        return both_missing
    return f"({both_missing} OR coalesce({_across(left, '=', right)}, FALSE))"


def are_comparable(left: PlacedColumn, right: PlacedColumn) -> bool:
    """Tell whether two columns' values are of kinds that compare with each other."""
    kinds = {left.kind, right.kind}
    return Kind.NOTHING in kinds or len(kinds) == 1 or kinds <= NUMERIC or kinds <= TEMPORAL


def reads_as(column: PlacedColumn, value: float) -> str:
    """Say that a column's text reads as a number that equals another."""
    return f"{_read_number(column)} = {number(value)}"


def count_where(condition: str) -> str:
    """Count rows that meet a condition; of no rows, 0, where SQL says nothing."""
    return f"coalesce(count_if({condition}), 0)"


def number(value: float) -> str:
    """Write a number: integers as they are, others as the double that they are."""
    if isinstance(value, bool | int):
        return f"({int(value)})"
    return f"CAST('{value!r}' AS DOUBLE)"


def text(value: str) -> str:
    """Write text, which may hold any sign."""
    return "(" + " || chr(0) || ".join(as_text(part) for part in value.split("\0")) + ")"


def read_moment(value: Json) -> datetime | None:
    """Read a moment as JSON has it: ISO 8601; None where it is none."""
    if isinstance(value, datetime):
        return plain_datetime(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as columns have it
    if isinstance(value, str):
        try:
            return plain_datetime(datetime.fromisoformat(value.strip()))
        except ValueError:
            return None
    return None


def _is_writable(value: str) -> bool:
    """Tell text from what JSON can say and UTF-8 cannot: half a pair of surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(column: PlacedColumn, moment: datetime) -> str | None:
    written = moment.isoformat(sep=" ")
    if column.stored == pa.timestamp("ns"):
        first, last = _NANOSECOND_YEARS
        return f"CAST('{written}' AS TIMESTAMP_NS)" if first <= moment.year <= last else None
    return f"CAST('{written}' AS TIMESTAMP)"


def _exact_number(column: PlacedColumn, value: Json) -> str | None:
    if not isinstance(value, int | float) or isnan(value):
        return None
    if column.kind is Kind.NUMBER:
        if isinstance(value, int) and (abs(value) > _HUGE or float(value) != value):
            return None
        return _floating(column, float(value))
    if isinf(value) or value != int(value) or abs(value) > _HUGE:
        return None
    whole = int(value)
    if column.kind is Kind.BOOLEAN:
        return {0: FALSE, 1: TRUE}.get(whole)
    return number(whole)


def _bounded_number(column: PlacedColumn, operator: str, bound: float) -> str:
    if isnan(bound):
        return never(column)
    if column.kind is Kind.NUMBER:
        return _bounded_floating(column, operator, bound)
    if abs(bound) > _HUGE:
        return always(column) if (bound < 0) == (operator[0] == ">") else never(column)
    if bound != int(bound):
        # Between two integers: the next one on the right side is in, whatever the operator.
        operator, bound = (">=", ceil(bound)) if operator[0] == ">" else ("<=", floor(bound))
    return f"{column.as_number} {operator} {number(int(bound))}"


def _bounded_floating(column: PlacedColumn, operator: str, bound: float) -> str:
    near = float(bound)
    if near != bound:
        # An integer that no double is: the nearest one lies on one side of it, or the other.
        operator = operator[0] if (near < bound) == (operator[0] == ">") else f"{operator[0]}="
    return f"{column.sql} {operator} {_floating(column, near)}"


def _floating(column: PlacedColumn, value: float) -> str:
    # In single precision where the column is: 0.1 is to equal 0.1.
    return f"CAST('{value!r}' AS {'FLOAT' if column.stored == pa.float32() else 'DOUBLE'})"


def _across(left: PlacedColumn, operator: str, right: PlacedColumn) -> str:
    kinds = {left.kind, right.kind}
    if Kind.NOTHING in kinds:
        return UNKNOWN
    if kinds <= NUMERIC:
        return f"{left.as_number} {operator} {right.as_number}"
    if kinds <= TEMPORAL and left.stored != right.stored:
        return f"{_nanoseconds(left)} {operator} {_nanoseconds(right)}"
    return f"{left.sql} {operator} {right.sql}"


def _nanoseconds(column: PlacedColumn) -> str:
    # In 128 bits, as not every moment of the coarser units fits into 64.
    if column.stored == pa.timestamp("ns"):
        return f"CAST(epoch_ns({column.sql}) AS HUGEINT)"
    return f"CAST(epoch_us(CAST({column.sql} AS TIMESTAMP)) AS HUGEINT) * 1000"


def _read_number(column: PlacedColumn) -> str:
    return f"TRY_CAST({column.sql} AS DOUBLE)" if column.kind is Kind.TEXT else column.sql


def _wrong_bound(column: PlacedColumn, bound: Json, advice: str) -> Unanswerable:
    return Unanswerable(
        f"column {column.name!r} holds {column.kind}, which cannot be compared with {bound!r}; "
        f"{advice}"
    )
