"""Reads a table again and again, each time for one query: by SQL itself where it can be."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from triune.adapters.data.expectations.files import ask_for_nan, open_files
from triune.adapters.data.expectations.placed import SOURCE, PlacedTable, Table
from triune.adapters.data.session import Session

_BATCH_ROWS: Final = 1 << 16


class Passes:
    """A table's columns, for queries; it is called `SOURCE` in them.

    ``limit`` is how many offending rows are shown, None for all of them. The session is one of the
    table's own files, where SQL is to read them itself.
    """

    def __init__(
        self, session: Session, table: Table, placed: PlacedTable, *, limit: int | None
    ) -> None:
        self._database = session.database
        self._table = placed
        self._files = open_files(session, placed, [rows for _, rows in table.sql_files])
        self._kept = 0
        self.limit = limit

    def scan(self, columns: Collection[str], asks: Sequence[str]) -> Sequence[Any]:
        """Answer aggregates, in one scan: what is to be looked over is so beside them."""
        if self._files is None or not self.reads_files(columns):
            return self.ask(columns, _select(asks))[0]
        unknown = self._files.not_looked_over(columns)
        probes = [ask_for_nan(column) for column in unknown]
        try:
            with self._cursor() as cursor:
                row = cursor.execute(_select([*asks, *probes])).fetchall()[0]
        except duckdb.Error:
            return self.ask(columns, _select(asks))[0]
        if self._files.look_over(unknown, row[len(asks) :]):
            return self.ask(columns, _select(asks))[0]
        return row[: len(asks)]

    def ask(self, columns: Collection[str], query: str) -> list[tuple[Any, ...]]:
        """Answer a query whole."""
        try:
            with self._opened(columns) as cursor:
                return cursor.execute(query).fetchall()
        except duckdb.Error:
            if not self.leave_files(columns):
                raise
        return self.ask(columns, query)

    def stream(self, columns: Collection[str], query: str) -> Iterator[pa.RecordBatch]:
        """Answer a query batch by batch, as long as batches are asked for."""
        with self._opened(columns) as cursor:
            yield from cursor.sql(query).to_arrow_reader(_BATCH_ROWS)

    def keep(self, columns: Collection[str], query: str) -> str:
        """Keep what a query answers as a table for later ones, and return its name."""
        self._kept += 1
        name = f"kept{self._kept}"
        self.ask(columns, f"CREATE TABLE {name} AS {query}")
        return name

    def look(self, query: str) -> list[tuple[Any, ...]]:
        """Answer a query about what was kept."""
        with self._cursor() as cursor:
            return cursor.execute(query).fetchall()

    def array(self, columns: Collection[str], query: str) -> npt.NDArray[Any]:
        """Answer a query for one column of numbers, none of them missing: shape (rows,).

        It is about ``columns``, or with none of them about what was kept. Not a number is a value
        here, wherever the files have it.
        """
        try:
            with self._cursor() as cursor:
                if columns and not self.reads_files(columns):
                    cursor.register(SOURCE, self._table.reader(columns))
                (values,) = cursor.execute(query).fetchnumpy().values()
        except duckdb.Error:
            if not columns or not self.leave_files(columns):
                raise
            return self.array(columns, query)
        return np.asarray(values)

    def understands(self, pattern: str) -> bool:
        """Tell whether SQL can match a regular expression (written as SQL)."""
        try:
            self.look(f"SELECT regexp_matches('', {pattern})")
        except duckdb.Error:
            return False
        return True

    def reads_files(self, columns: Collection[str]) -> bool:
        """Tell whether SQL reads columns itself, and so again at little cost."""
        return self._files is not None and self._files.reads(columns)

    def leave_files(self, columns: Collection[str]) -> bool:
        """Hand rows to SQL from now on, as a query failed; tell whether that is any different."""
        was_read = self.reads_files(columns)
        self._files = None
        return was_read

    def require_readable(self, columns: Collection[str]) -> None:
        """Read columns to their end.

        Raises
        ------
        DatasetError
            They cannot be: a file is damaged inside, say.
        """
        self._table.require_readable(columns)

    def _opened(self, columns: Collection[str]) -> duckdb.DuckDBPyConnection:
        cursor = self._cursor()
        if self._files is None or not self._files.reads(columns):
            cursor.register(SOURCE, self._table.reader(columns))
        elif unknown := self._files.not_looked_over(columns):
            probes = [ask_for_nan(column) for column in unknown]
            self._files.look_over(unknown, cursor.execute(_select(probes)).fetchall()[0])
        return cursor

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        # One for each query: a result that failed, or was left unread, bars its connection.
        return self._database.cursor()


def _select(asks: Sequence[str]) -> str:
    return f"SELECT {', '.join(asks)} FROM {SOURCE}"  # noqa: S608 - no name of theirs
