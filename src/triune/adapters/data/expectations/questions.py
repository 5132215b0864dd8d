"""What an expectation asks of the shared scan, and how it concludes from the answers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from triune.adapters.data.expectations.conditions import as_sql
from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import (
    SOURCE,
    Kind,
    PlacedColumn,
    PlacedTable,
    Unanswerable,
)
from triune.adapters.data.expectations.sql import count_where
from triune.domain.canonical import Json
from triune.domain.expectations.outcome import Method, Offender
from triune.domain.expectations.row_condition import (
    Condition,
    RowConditionError,
    columns_of,
    read_row_condition,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """Rows that break an expectation, as a condition in SQL, to be shown in one pass with others.

    ``shown`` are the columns to show of them; ``label`` makes one value of theirs.
    """

    sql: str
    columns: frozenset[str]
    shown: tuple[PlacedColumn, ...]
    label: Callable[[Sequence[Any]], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Rows counted; those that break the expectation are flagged, or listed already."""

    total: int
    present: int | None
    unexpected: int
    method: Method
    offenders: Flagged | tuple[Offender, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A value observed, and whether it is as expected; ``told`` is what a document says of it."""

    is_met: bool
    told: Mapping[str, Json] = field(default_factory=dict)
    method: Method = Method.SCAN


Answer: TypeAlias = Counted | Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Aggregates in SQL that an expectation needs, and what follows from their values."""

    conclude: Callable[[Sequence[Any], Passes], Answer]
    asks: tuple[str, ...] = ()
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An expectation's arguments on a table, and the rows that it is about."""

    type: str
    kwargs: Mapping[str, Json]
    table: PlacedTable
    passes: Passes
    domain: str | None
    domain_columns: frozenset[str]

    @property
    def column(self) -> PlacedColumn:
        """The column that it is about."""
        return self.table.column(self.kwargs["column"])

    def reads(self, *columns: PlacedColumn) -> frozenset[str]:
        """Name columns and those that tell the rows."""
        return self.domain_columns | {column.name for column in columns}

    def among(self, *conditions: str) -> str:
        """Say that a row is one of those that it is about, and meets conditions."""
        held = [condition for condition in (self.domain, *conditions) if condition]
        return " AND ".join(f"({condition})" for condition in held) or "TRUE"

    def only(self, value: str) -> str:
        """Write a value that is missing outside the rows that it is about."""
        return f"CASE WHEN {self.domain} THEN {value} END" if self.domain else value

    def count(self, *conditions: str) -> str:
        """Count the rows that it is about and that meet conditions."""
        return count_where(self.among(*conditions)) if self.domain or conditions else "count(*)"


def ask(type_: str, kwargs: Mapping[str, Json], table: PlacedTable, passes: Passes) -> Asked:
    """Read which rows an expectation is about.

    Raises
    ------
    Unanswerable
        Its row condition is not understood.
    """
    written = kwargs.get("row_condition")
    condition: Condition | None = None
    if written is not None:
        try:
            condition = read_row_condition(written, parser=kwargs.get("condition_parser"))
        except RowConditionError as error:
            raise Unanswerable(str(error)) from error
    return Asked(
        type=type_,
        kwargs=kwargs,
        table=table,
        passes=passes,
        domain=None if condition is None else as_sql(condition, table),
        domain_columns=frozenset() if condition is None else columns_of(condition),
    )


def count_rows(
    asked: Asked,
    *shown: PlacedColumn,
    asks: tuple[str, str],
    breaks: str,
    label: Callable[[Sequence[Any]], Json],
    unexpected: Callable[[int, int], int] | None = None,
) -> Question:
    """Count the rows that break an expectation, in the scan.

    Parameters
    ----------
    asked, shown
        What is asked, and the columns that it is about.
    asks
        Count the rows, and those with something to judge.
    breaks
        What holds for a row that is not as expected, in SQL.
    label
        Makes one value of the values shown.
    unexpected
        Tells how many rows break it from the counts asked for; without it, they are counted too.
    """
    broken = asked.among(breaks)
    flagged = Flagged(sql=broken, columns=asked.reads(*shown), shown=shown, label=label)

    def conclude(answers: Sequence[Any], _: Passes) -> Counted:
        total, present = answers[:2]
        return Counted(
            total=total,
            present=None if unexpected else present,
            unexpected=unexpected(total, present) if unexpected else answers[2],
            method=Method.SCAN,
            offenders=flagged,
        )

    return Question(
        columns=asked.reads(*shown),
        asks=asks if unexpected else (*asks, count_where(broken)),
        conclude=conclude,
    )


def count_present(asked: Asked, column: PlacedColumn) -> tuple[str, str]:
    """Count the rows that it is about, and those of them that hold a value."""
    return asked.count(), f"count({asked.only(column.sql)})"


def only_value(values: Sequence[Any]) -> Json:
    """Show the one column's value."""
    return values[0]


def as_pair(values: Sequence[Any]) -> Json:
    """Show two columns' values."""
    return list(values)


def present_values(asked: Asked, column: PlacedColumn) -> str:
    """Select a column's values, with the numbers of their rows."""
    where = asked.among(f"{column.sql} IS NOT NULL")
    return f"SELECT r, {column.sql} AS v FROM {SOURCE} WHERE {where}"  # noqa: S608 - no name of theirs


def require_kind(column: PlacedColumn, kinds: Collection[Kind], wanted: str) -> PlacedColumn:
    """Return a column that holds what is wanted.

    Raises
    ------
    Unanswerable
        It holds something else.
    """
    if column.kind not in kinds:
        raise Unanswerable(
            f"column {column.name!r} holds {column.kind} and is to hold {wanted}; name another "
            "column, or leave the expectation out"
        )
    return column
