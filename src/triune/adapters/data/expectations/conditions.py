"""Row conditions as SQL; as in pandas, a comparison with a missing value is false, ``!=`` true."""

from triune.adapters.data.expectations.placed import Kind, PlacedColumn, PlacedTable, Unanswerable
from triune.adapters.data.expectations.sql import (
    are_equal,
    are_ordered,
    bounded,
    equals,
    is_one_of,
    reads_as,
)
from triune.domain.expectations.row_condition import (
    All,
    AnyOf,
    Column,
    Comparison,
    Condition,
    Holds,
    Literal,
    Membership,
    Missing,
    Not,
)


def as_sql(condition: Condition, table: PlacedTable) -> str:  # noqa: PLR0911 - one for each node
    """Write a row condition, which is never unknown.

    Raises
    ------
    Unanswerable
        It names no column of the table, or compares what has no order.
    """
    match condition:
        case All(conditions=held):
            return "(" + " AND ".join(as_sql(each, table) for each in held) + ")"
        case AnyOf(conditions=held):
            return "(" + " OR ".join(as_sql(each, table) for each in held) + ")"
        case Not(condition=each):
            return f"(NOT {as_sql(each, table)})"
        case Missing(column=column):
            return f"({table.column(column.name).sql} IS NULL)"
        case Holds(column=column):
            return _holds(table.column(column.name))
        case Membership(column=column, values=values):
            membership = is_one_of(table.column(column.name), [each.value for each in values])
            return f"coalesce({membership}, FALSE)"
        case Comparison():
            return _compare(condition, table)


def _holds(column: PlacedColumn) -> str:
    if column.kind is not Kind.BOOLEAN:
        raise Unanswerable(
            f"row_condition takes column {column.name!r} for booleans, and it holds "
            f"{column.kind}; compare it with a value"
        )
    return f"coalesce({column.sql}, FALSE)"


def _compare(comparison: Comparison, table: PlacedTable) -> str:
    assert isinstance(comparison.left, Column)
    column = table.column(comparison.left.name)
    if comparison.operator == "!=":
        return f"(NOT coalesce({_equal(column, comparison, table)}, FALSE))"
    if comparison.operator == "==":
        return f"coalesce({_equal(column, comparison, table)}, FALSE)"
    match comparison.right:
        case Column(name=name):
            ordered = are_ordered(column, comparison.operator, table.column(name))
        case Literal(value=value):
            ordered = bounded(column, comparison.operator, value)
    return f"coalesce({ordered}, FALSE)"


def _equal(column: PlacedColumn, comparison: Comparison, table: PlacedTable) -> str:
    match comparison.right:
        case Column(name=name):
            other = table.column(name)
            return f"{column.sql} = {other.sql}" if column == other else are_equal(column, other)
        case Literal(value=value):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if column.kind is Kind.TEXT and is_number:
                return reads_as(column, float(value))
            return equals(column, value)
