"""Counts a table's values into bins: into deciles and categories of its own, or frozen ones.

Each column is read from the files once: one by one where SQL reads them itself, else a few at a
time, which are kept for as long as there is something to ask.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt

from triune.adapters.data.columns import field_type
from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import (
    NUMERIC,
    SOURCE,
    TEMPORAL,
    Kind,
    PlacedColumn,
    PlacedTable,
    Table,
    Unanswerable,
)
from triune.adapters.data.expectations.sql import count_where, number, text
from triune.adapters.data.expectations.types import name_type
from triune.adapters.data.session import ANYWHERE, Session, Workspace, open_session
from triune.domain.canonical import Json
from triune.domain.drift import (
    MOST_CATEGORIES,
    ColumnKind,
    ColumnProfile,
    DriftProfile,
    decile_places,
    freeze_edges,
)
from triune.domain.errors import DatasetError
from triune.domain.manifest import FieldType
from triune.domain.profile import MOST_VALUES, ColumnSummary, DatasetProfile

# What is held at once; it is spilled where even that is too much.
_CELLS: Final = 1 << 26
_COLUMNS: Final = 32
# SQL takes ever longer to plan queries of more.
_ASKS_A_QUERY: Final = 256


def summarise(table: Table, *, workspace: Workspace = ANYWHERE) -> DatasetProfile:
    """Tell what every column of a table holds.

    Raises
    ------
    DatasetError
        The table cannot be read to its end.
    """
    with _opened(table, workspace) as session:
        placed = PlacedTable(table)
        types = {column.name: field_type(column) for column in table.schema}
        summaries = []
        for kept in _kept(Passes(session, table, placed, limit=0), placed, list(placed.columns)):
            drifts = kept.profile()
            summaries += [
                kept.summarise(column, types[column.name], drift)
                for column, drift in zip(kept.columns, drifts, strict=True)
            ]
    return DatasetProfile(rows=table.rows, columns=tuple(summaries))


def profile(
    table: Table, columns: Sequence[str], *, workspace: Workspace = ANYWHERE
) -> DriftProfile:
    """Freeze bins for columns of a table, and count their values into them.

    Raises
    ------
    DatasetError
        The table cannot be read to its end, or lacks a column.
    """
    with _opened(table, workspace) as session:
        placed = PlacedTable(table)
        passes = Passes(session, table, placed, limit=0)
        if passes.reads_files(columns):
            named = [_column(placed, name) for name in columns]
            profiles = _Held(passes, SOURCE, named, table.rows).profile()
        else:
            profiles = [each for kept in _kept(passes, placed, columns) for each in kept.profile()]
    return DriftProfile(rows=table.rows, columns=tuple(profiles))


def count_into(
    table: Table, reference: DriftProfile, *, workspace: Workspace = ANYWHERE
) -> DriftProfile:
    """Count a table's values into the bins of a profile, in one scan.

    Raises
    ------
    DatasetError
        The table cannot be read to its end, lacks a column, or has one of another kind.
    """
    with _opened(table, workspace) as session:
        placed = PlacedTable(table)
        passes = Passes(session, table, placed, limit=0)
        counted = []
        for chunk in _chunks([(_column(placed, each.name), each) for each in reference.columns]):
            asks = [_asks(column, each) for column, each in chunk]
            answers = iter(
                _ask(passes, [column for column, _ in chunk], [ask for own in asks for ask in own])
            )
            for (_, each), own in zip(chunk, asks, strict=True):
                counted.append(_counted(each, [next(answers) for _ in own], rows=table.rows))
    return DriftProfile(rows=table.rows, columns=tuple(counted))


class _Held:
    """Some columns of a table: in its files (`SOURCE`), or read into the database."""

    def __init__(
        self, passes: Passes, name: str, columns: Sequence[PlacedColumn], rows: int
    ) -> None:
        self._passes = passes
        self._name = name
        self._rows = rows
        self.columns = columns

    def profile(self) -> list[ColumnProfile]:
        """Freeze bins for the columns and count into them, by one query for each."""
        return [self._profile(column) for column in self.columns]

    def summarise(
        self, column: PlacedColumn, type_: FieldType | None, drift: ColumnProfile
    ) -> ColumnSummary:
        """Tell what a column holds."""
        value = column.sql
        asks = [f"count({value})", f"count(DISTINCT {value})", f"min({value})", f"max({value})"]
        if column.kind in NUMERIC:
            finite = f"CASE WHEN isfinite({_scale(column)}) THEN {_scale(column)} END"
            asks += [f"favg({finite})", f"stddev_samp({finite})"]
        present, distinct, low, high, *moments = self._ask(column, asks)
        mean, stdev = moments or (None, None)
        return ColumnSummary(
            name=column.name,
            type=type_,
            type_name=None if column.kind is Kind.NOTHING else name_type(column),
            present=present,
            distinct=distinct,
            low=low,
            high=high,
            mean=mean,
            stdev=stdev,
            values=self._values(column) if distinct <= MOST_VALUES else (),
            drift=drift,
        )

    def _profile(self, column: PlacedColumn) -> ColumnProfile:
        kind = _kind(column)
        framed = ColumnProfile(name=column.name, kind=kind, counts=(), missing=0)
        if kind is ColumnKind.NUMBER:
            return self._profile_numbers(column, framed)
        if kind is ColumnKind.CATEGORY:
            return self._profile_categories(column, framed)
        return _counted(framed, self._ask(column, [f"count({column.sql})"]), rows=self._rows)

    def _profile_numbers(self, column: PlacedColumn, framed: ColumnProfile) -> ColumnProfile:
        values = self._numbers(column)
        values.sort()
        # What is not a number comes last.
        values = values[: np.searchsorted(values, np.inf, side="right")]
        deciles = values[list(decile_places(len(values)))].tolist()
        # The other zero is written as itself: a profile is to have one digest.
        framed = replace(framed, edges=freeze_edges(tuple(decile + 0.0 for decile in deciles)))
        ends = np.searchsorted(values, framed.edges, side="right").tolist()
        return _counted(framed, [len(values), *ends], rows=self._rows)

    def _profile_categories(self, column: PlacedColumn, framed: ColumnProfile) -> ColumnProfile:
        # First the missing ones, which are a group like others.
        groups = self._look(
            column,
            f"SELECT {column.sql}, count(*) FROM {self._name} GROUP BY 1 "  # noqa: S608 - no name of theirs
            f"ORDER BY {column.sql} IS NOT NULL, 2 DESC, 1 LIMIT {MOST_CATEGORIES + 1}",
        )
        missing = sum(count for value, count in groups if value is None)
        found = [(value, count) for value, count in groups if value is not None]
        common = dict(sorted(found[:MOST_CATEGORIES]))
        framed = replace(framed, categories=tuple(common))
        return _counted(framed, [self._rows - missing, *common.values()], rows=self._rows)

    def _values(self, column: PlacedColumn) -> tuple[Json, ...]:
        found = self._look(
            column,
            f"SELECT DISTINCT {column.sql} FROM {self._name} "  # noqa: S608 - no name of theirs
            f"WHERE {column.sql} IS NOT NULL ORDER BY 1",
        )
        return tuple(value for (value,) in found)

    def _ask(self, column: PlacedColumn, asks: Sequence[str]) -> Sequence[Any]:
        return self._look(column, f"SELECT {', '.join(asks)} FROM {self._name}")[0]  # noqa: S608 - no name of theirs

    def _look(self, column: PlacedColumn, query: str) -> list[tuple[Any, ...]]:
        if self._name != SOURCE:
            return self._passes.look(query)
        with _told_of_damage(self._passes, [column.name]):
            return self._passes.ask([column.name], query)

    def _numbers(self, column: PlacedColumn) -> npt.NDArray[np.float64]:
        query = f"SELECT {_scale(column)} FROM {self._name} WHERE {column.sql} IS NOT NULL"  # noqa: S608 - no name of theirs
        if self._name != SOURCE:
            return self._passes.array((), query)
        with _told_of_damage(self._passes, [column.name]):
            return self._passes.array([column.name], query)


def _opened(table: Table, workspace: Workspace) -> AbstractContextManager[Session]:
    return open_session([path for path, _ in table.sql_files], workspace=workspace)


def _kept(passes: Passes, placed: PlacedTable, names: Sequence[str]) -> Iterator[_Held]:
    """Read columns into the database, a few at a time, each gone when the next ones come."""
    columns = [_column(placed, name) for name in names]
    width = max(1, min(_COLUMNS, _CELLS // max(1, placed.rows)))
    for start in range(0, len(columns), width):
        chunk = columns[start : start + width]
        listed = ", ".join(column.sql for column in chunk)
        own = [column.name for column in chunk]
        with _told_of_damage(passes, own):
            name = passes.keep(own, f"SELECT {listed} FROM {SOURCE}")  # noqa: S608 - no name of theirs
        yield _Held(passes, name, chunk, placed.rows)
        passes.look(f"DROP TABLE {name}")


@contextmanager
def _told_of_damage(passes: Passes, names: Sequence[str]) -> Iterator[None]:
    """Raise a `DatasetError` for a query that failed, if columns cannot be read to their end."""
    try:
        yield
    except duckdb.Error:
        passes.require_readable(names)
        raise


def _column(placed: PlacedTable, name: str) -> PlacedColumn:
    try:
        return placed.column(name)
    except Unanswerable as error:
        raise DatasetError(str(error)) from error


def _kind(column: PlacedColumn) -> ColumnKind:
    if column.kind in TEMPORAL:
        return ColumnKind.MOMENT
    # Of a column without a value nothing is known: whatever comes is new.
    return ColumnKind.NUMBER if column.kind in NUMERIC - {Kind.NOTHING} else ColumnKind.CATEGORY


def _scale(column: PlacedColumn) -> str:
    """Write a column as the number that is put into bins."""
    return f"CAST({column.as_number} AS DOUBLE)"


def _asks(column: PlacedColumn, framed: ColumnProfile) -> list[str]:
    """Count missing values, and those up to each edge, or of each category."""
    present = f"count({column.sql})"
    if framed.kind is ColumnKind.CATEGORY:
        if framed.categories and column.kind not in {Kind.TEXT, Kind.NOTHING}:
            raise _mismatch(column, "text")
        if column.kind is Kind.NOTHING:
            return [present, *("0" for _ in framed.categories)]
        return [
            present,
            *(count_where(f"{column.sql} = {text(value)}") for value in framed.categories),
        ]
    kinds = NUMERIC if framed.kind is ColumnKind.NUMBER else {*TEMPORAL, Kind.NOTHING}
    if column.kind not in kinds:
        raise _mismatch(column, "numbers" if framed.kind is ColumnKind.NUMBER else "moments")
    scale = _scale(column) if framed.edges else ""
    return [present, *(count_where(f"{scale} <= {number(edge)}") for edge in framed.edges)]


def _mismatch(column: PlacedColumn, wanted: str) -> DatasetError:
    return DatasetError(
        f"column {column.name!r} holds {column.kind}, where what it is compared with holds "
        f"{wanted}; write both as one type"
    )


def _counted(framed: ColumnProfile, answers: Sequence[Any], *, rows: int) -> ColumnProfile:
    present, *found = (int(answer) for answer in answers)
    if framed.kind is ColumnKind.CATEGORY:
        counts = (*found, present - sum(found))
    else:
        ends = (*found, present)
        counts = tuple(end - start for start, end in zip((0, *found), ends, strict=True))
    return ColumnProfile(
        name=framed.name,
        kind=framed.kind,
        counts=counts,
        missing=rows - present,
        edges=framed.edges,
        categories=framed.categories,
    )


def _ask(passes: Passes, columns: Sequence[PlacedColumn], asks: Sequence[str]) -> Sequence[Any]:
    names = [column.name for column in columns]
    with _told_of_damage(passes, names):
        return passes.scan(names, asks)


def _chunks(
    pairs: Sequence[tuple[PlacedColumn, ColumnProfile]],
) -> Iterator[list[tuple[PlacedColumn, ColumnProfile]]]:
    chunk: list[tuple[PlacedColumn, ColumnProfile]] = []
    asks = 0
    for column, framed in pairs:
        own = 1 + len(framed.edges) + len(framed.categories)
        if chunk and asks + own > _ASKS_A_QUERY:
            yield chunk
            chunk, asks = [], 0
        chunk.append((column, framed))
        asks += own
    if chunk:
        yield chunk
