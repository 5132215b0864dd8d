"""A table as SQL sees it: columns named by their place, so that no name is ever part of a query.

Not a number is a missing value, here as in pandas; categories are their values, and moments with a
zone are moments in UTC.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from triune.adapters.data.columns import Values
from triune.domain.errors import nearest

ROW: Final = "r"
SOURCE: Final = "data"
_BATCH_ROWS: Final = 1 << 16
_LISTED_NAMES: Final = 20


class Table(Protocol):
    """Rows in order, of columns with plain types, each name once."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def schema(self) -> pa.Schema:
        """The columns, in their order."""

    @property
    def sql_files(self) -> Sequence[tuple[Path, int]]:
        """Files of Parquet, each with its rows, if all have these very columns; else none."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read columns from the first row on, in the order asked for."""


class Unanswerable(Exception):  # noqa: N818 - a refusal, which becomes an outcome
    """An expectation cannot be evaluated on this table; the message says what to do."""


class Kind(StrEnum):
    """What a column's values are; NOTHING is a column without any."""

    BOOLEAN = "booleans"
    INTEGER = "integers"
    NUMBER = "numbers"
    TEXT = "text"
    DATE = "dates"
    MOMENT = "moments"
    NOTHING = "no values"


NUMERIC: Final = frozenset({Kind.BOOLEAN, Kind.INTEGER, Kind.NUMBER, Kind.NOTHING})
TEMPORAL: Final = frozenset({Kind.DATE, Kind.MOMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedColumn:
    """A column: its name, the one that SQL has for it, and what it holds.

    ``arrow`` is its type in the file, ``stored`` the one that SQL reads.
    """

    name: str
    sql: str
    kind: Kind
    arrow: pa.DataType
    stored: pa.DataType

    @property
    def as_number(self) -> str:
        """The column in SQL, as something that can be added."""
        return f"CAST({self.sql} AS INTEGER)" if self.kind is Kind.BOOLEAN else self.sql


class PlacedTable:
    """Streams a table's columns to DuckDB, with the numbers of the rows."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.rows = table.rows
        self.columns = {
            column.name: _place(column.name, number, column.type)
            for number, column in enumerate(table.schema)
        }

    def column(self, name: str) -> PlacedColumn:
        """Find a column.

        Raises
        ------
        Unanswerable
            There is none of this name.
        """
        if name in self.columns:
            return self.columns[name]
        names = list(self.columns)
        listed = ", ".join(repr(each) for each in names[:_LISTED_NAMES])
        more = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
        hint = nearest(name, names) or f"; the columns are {listed}{more}"
        raise Unanswerable(f"the data has no column {name!r}{hint}; correct the name")

    def reader(self, names: Iterable[str]) -> pa.RecordBatchReader:
        """Read columns from the first row on, as SQL has them; one at least."""
        columns = [column for name, column in self.columns.items() if name in set(names)]
        schema = pa.schema(
            [*((column.sql, column.stored) for column in columns), (ROW, pa.int64())]
        )
        return pa.RecordBatchReader.from_batches(schema, self._batches(columns, schema))

    def _batches(
        self, columns: Sequence[PlacedColumn], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in self._table.batches([column.name for column in columns]):
            end = start + batch.num_rows
            values = [_store(*pair) for pair in zip(batch.columns, columns, strict=True)]
            yield pa.record_batch([*values, pa.array(np.arange(start, end))], schema=schema)
            start = end

    def require_readable(self, columns: Iterable[str]) -> None:
        """Read columns to their end.

        Raises
        ------
        DatasetError
            They cannot be: a file is damaged inside, say.
        """
        # SQL reports the table's own refusal as a fault of the query; here it comes as it is.
        for _ in self.reader(columns):
            pass


def _place(name: str, number: int, held: pa.DataType) -> PlacedColumn:
    kind, stored = _store_as(held)
    return PlacedColumn(name=name, sql=f"c{number}", kind=kind, arrow=held, stored=stored)


def _store_as(held: pa.DataType) -> tuple[Kind, pa.DataType]:  # noqa: PLR0911 - one for each type
    if types.is_dictionary(held):
        return _store_as(held.value_type)
    if types.is_null(held):
        return Kind.NOTHING, pa.float64()
    if types.is_boolean(held):
        return Kind.BOOLEAN, held
    if types.is_integer(held):
        return Kind.INTEGER, held
    if types.is_decimal(held):
        return Kind.NUMBER, pa.float64()
    if types.is_floating(held):
        return Kind.NUMBER, pa.float32() if types.is_float16(held) else held
    if types.is_date(held):
        return Kind.DATE, pa.date32()
    if types.is_timestamp(held):
        return Kind.MOMENT, pa.timestamp(held.unit)
    return Kind.TEXT, pa.string()


def _store(values: Values, column: PlacedColumn) -> Values:
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    if values.type != column.stored:
        values = values.cast(column.stored)
    if types.is_floating(values.type):
        not_numbers = pc.is_nan(values)
        if pc.any(not_numbers).as_py():
            numbers: Values = pc.if_else(not_numbers, pa.scalar(None, values.type), values)
            return numbers
    return values
