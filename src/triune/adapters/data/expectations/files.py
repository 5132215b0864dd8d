"""Files that SQL reads itself, instead of being handed their rows: Parquet with plain columns.

That takes half of the time, and holds only what a query needs. Which columns it may read so is for
SQL to say: those that it has in the very types in which their rows would be handed to it.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import accumulate
from typing import Final

import duckdb
import pyarrow as pa
from pyarrow import types

from triune.adapters.data.expectations.placed import ROW, SOURCE, PlacedColumn, PlacedTable
from triune.adapters.data.session import Session, as_text

# SQL looks at all columns of a file for each query, however few of them it names.
_MOST_COLUMNS: Final = 500
_SQL_TYPES: Final = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.timestamp("s"): "TIMESTAMP",
    pa.timestamp("ms"): "TIMESTAMP",
    pa.timestamp("us"): "TIMESTAMP",
    pa.timestamp("ns"): "TIMESTAMP_NS",
}


class FileScan:
    """Files as the table `SOURCE`, of which each column that is read must be looked over first.

    For not a number is a missing value, and to ask of each value whether it is one takes longer
    than to ask once whether there may be any.
    """

    def __init__(self, session: Session, table: PlacedTable, rows: Sequence[int]) -> None:
        self._database = session.database
        self._columns = tuple(table.columns.values())
        self._from = _read_files(session.names, self._columns)
        self._row = _row_number(rows)
        described = session.database.execute(f"DESCRIBE SELECT * FROM {self._from}").fetchall()  # noqa: S608 - no name of theirs
        self._readable = {
            column.name
            for column, (_, type_, *_) in zip(self._columns, described, strict=True)
            if _SQL_TYPES.get(column.stored) == type_
        }
        self._with_nan: set[str] = set()
        self._looked_over: set[str] = set()
        self._define()

    def reads(self, names: Iterable[str]) -> bool:
        """Tell whether SQL has columns as they are."""
        return self._readable.issuperset(names)

    def not_looked_over(self, names: Collection[str]) -> list[PlacedColumn]:
        """List the columns that may hold what is not a number, for all that is known."""
        return [
            column
            for column in self._columns
            if column.name in names
            and types.is_floating(column.stored)
            and column.name not in self._looked_over
        ]

    def look_over(self, columns: Sequence[PlacedColumn], may_have: Sequence[bool | None]) -> bool:
        """Take note of what columns may hold; tell whether any reads otherwise from now on."""
        found = {column.name for column, may in zip(columns, may_have, strict=True) if may}
        self._looked_over |= {column.name for column in columns}
        self._with_nan |= found
        if found:
            self._define()
        return bool(found)

    def _define(self) -> None:
        values = [
            f"CASE WHEN isnan({column.sql}) THEN NULL ELSE {column.sql} END AS {column.sql}"
            if column.name in self._with_nan
            else column.sql
            for column in self._columns
        ]
        self._database.execute(
            f"CREATE OR REPLACE VIEW {SOURCE} AS "  # noqa: S608 - no name of theirs
            f"SELECT {', '.join(values)}, {self._row} AS {ROW} FROM {self._from}"
        )


def open_files(session: Session, table: PlacedTable, rows: Sequence[int]) -> FileScan | None:
    """Open the files of a session as a table, each with so many ``rows``; None if SQL cannot."""
    if not session.names or len(table.columns) > _MOST_COLUMNS:
        return None
    try:
        return FileScan(session, table, rows)
    except duckdb.Error:
        return None


def ask_for_nan(column: PlacedColumn) -> str:
    """Ask whether a column may hold what is not a number: it does, or both infinities."""
    # A sum is what aggregates do fastest, and keeps what is not a number.
    return f"isnan(sum({column.sql}))"


def _read_files(names: Sequence[str], columns: Sequence[PlacedColumn]) -> str:
    places = ", ".join(column.sql for column in columns)
    listed = ", ".join(as_text(name) for name in names)
    return f"read_parquet([{listed}], hive_partitioning = false) AS files({places})"


def _row_number(rows: Sequence[int]) -> str:
    """Write the number of a row, which goes on from file to file."""
    if len(rows) == 1:
        return "file_row_number"
    starts = ", ".join(str(start) for start in accumulate(rows[:-1], initial=0))
    return f"[{starts}][CAST(file_index AS BIGINT) + 1] + file_row_number"
