"""Reads, samples, exports and compares datasets with Arrow and DuckDB."""

import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from triune.adapters.data.columns import Column, Values, field_type, is_categorical
from triune.adapters.data.csv import CsvTable
from triune.adapters.data.expectations.engine import evaluate
from triune.adapters.data.parquet import ParquetTable
from triune.adapters.data.session import open_session
from triune.domain.canonical import Json
from triune.domain.comparison import DatasetChange
from triune.domain.errors import DatasetError, StoreError, nearest
from triune.domain.expectations.outcome import ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Suite
from triune.domain.manifest import Field, FieldType

_NUMERIC: Final = {FieldType.INTEGER, FieldType.NUMBER}
_EMPTY: Final = "empty"


class _Table(Protocol):
    """Files of one format as one table; ``categories`` has those of categorical columns."""

    rows: int
    schema: pa.Schema

    @property
    def nullable(self) -> frozenset[str]: ...

    @property
    def categories(self) -> Mapping[str, Values]: ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...


class DuckDbEngine:
    """Parquet by Arrow, with exact types and categories; CSV and comparing by DuckDB.

    Rows stream through in batches, so that a dataset need not fit in memory.
    """

    def fields(self, files: Sequence[Path], *, format: str) -> tuple[Field, ...]:
        """Tell the columns: type, whether any value is missing, categories.

        Raises
        ------
        DatasetError
            A file cannot be read as what it is said to be, or the files' columns differ.
        """
        table = _open(files, format)
        return tuple(
            Field(
                name=column.name,
                type=field_type(column),
                nullable=column.name in table.nullable,
                categories=(
                    tuple(str(value) for value in table.categories[column.name].to_pylist())
                    if is_categorical(column)
                    else None
                ),
            )
            for column in table.schema
        )

    def rows(self, files: Sequence[Path], *, format: str) -> int:
        """Count the rows."""
        return _open(files, format).rows

    def sample(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str], count: int
    ) -> list[dict[str, Json]]:
        """Take at most ``count`` rows, evenly spaced, as a client would send them in JSON.

        Missing values are null, dates and times are ISO 8601.
        """
        table = _open(files, format)
        _require_columns(table, columns, files)
        taken = min(count, table.rows)
        wanted = [number * table.rows // taken for number in range(taken)]
        return [
            {name: _as_json(value) for name, value in row.items()}
            for batch in _take(table.batches(columns), wanted)
            for row in _in_microseconds(batch).to_pylist()
        ]

    def export(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str], destination: Path
    ) -> None:
        """Write columns as one Arrow IPC file, in the order of the rows.

        Raises
        ------
        DatasetError
            A column is missing.
        StoreError
            The file cannot be written; nothing of it is left.
        """
        table = _open(files, format)
        _require_columns(table, columns, files)
        schema = pa.schema(table.schema.field(name) for name in columns)
        partial = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}")
        try:
            _write(partial, schema, table.batches(columns))
            partial.replace(destination)
        finally:
            partial.unlink(missing_ok=True)

    def compare(
        self, before: Sequence[Path], after: Sequence[Path], *, formats: tuple[str, str]
    ) -> DatasetChange:
        """Compare two datasets row by row and column by column.

        Rows are counted exactly, and streamed; a missing value equals a missing value.
        """
        old, new = _open(before, formats[0]), _open(after, formats[1])
        old_types, new_types = _types(old), _types(new)
        common = [name for name in old_types if name in new_types]
        retyped = [name for name in common if old_types[name] != new_types[name]]
        as_text = {name for name in common if _compares_as_text(old_types[name], new_types[name])}
        added, removed = _count_changes(old, new, common, as_text)
        return DatasetChange(
            rows_before=old.rows,
            rows_after=new.rows,
            rows_added=added,
            rows_removed=removed,
            columns_added=tuple(name for name in new_types if name not in old_types),
            columns_removed=tuple(name for name in old_types if name not in new_types),
            columns_retyped=tuple(
                (name, old_types[name] or _EMPTY, new_types[name] or _EMPTY) for name in retyped
            ),
        )

    def evaluate(
        self,
        files: Sequence[Path],
        *,
        format: str,
        suite: Suite,
        now: datetime,
        result_format: ResultFormat,
    ) -> SuiteOutcome:
        """Evaluate a suite of expectations; ``now`` is what its parameter ``now()`` stands for.

        What cannot be evaluated, a column that is missing among it, is an outcome that says why.
        """
        return evaluate(_open(files, format), suite, now=now, result_format=result_format)


def _open(files: Sequence[Path], format: str) -> _Table:
    if not files:
        raise DatasetError("a dataset without a file cannot be read")
    match format:
        case "parquet":
            return ParquetTable(files)
        case "csv":
            return CsvTable(files)
        case _:
            raise DatasetError(f"{files[0]}: there is no format {format!r}; use parquet or csv")


def _require_columns(table: _Table, columns: Sequence[str], files: Sequence[Path]) -> None:
    names = table.schema.names
    for name in columns:
        if name not in names:
            hint = nearest(name, names) or f"; its columns are {', '.join(names)}"
            raise DatasetError(f"{files[0]} has no column {name!r}{hint}")


def _types(table: _Table) -> dict[str, FieldType | None]:
    return {column.name: field_type(column) for column in table.schema}


def _take(batches: Iterable[pa.RecordBatch], wanted: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Take rows by their numbers, which ascend."""
    start, at = 0, 0
    for batch in batches:
        end, first = start + batch.num_rows, at
        while at < len(wanted) and wanted[at] < end:
            at += 1
        if first < at:
            yield batch.take(pa.array([number - start for number in wanted[first:at]]))
        if at == len(wanted):
            return
        start = end


def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Round times down to what Python, and so JSON as we write it, can hold."""
    columns = [
        values.cast(pa.timestamp("us", values.type.tz), safe=False)
        if pa.types.is_timestamp(values.type)
        else values
        for values in batch.columns
    ]
    return pa.record_batch(columns, names=batch.schema.names)


def _as_json(value: Json) -> Json:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def _write(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    try:
        with pa.OSFile(os.fspath(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    except OSError as error:
        raise StoreError(
            f"cannot write {path.parent}: {error}; free space there, or make it writable"
        ) from error


def _count_changes(
    old: _Table, new: _Table, common: Sequence[str], as_text: Collection[str]
) -> tuple[int, int]:
    """Count rows added and removed, as multisets over the common columns."""
    if not common:
        return new.rows, old.rows
    columns = ", ".join(
        f"CAST(c{number} AS VARCHAR) AS c{number}" if name in as_text else f"c{number}"
        for number, name in enumerate(common)
    )
    places = ", ".join(f"c{number}" for number in range(len(common)))
    # A GROUP BY takes nulls, and NaN, for equal to their like.
    query = (
        "SELECT coalesce(sum(greatest(extra, 0)), 0), coalesce(sum(greatest(-extra, 0)), 0) "  # noqa: S608 - no name of theirs
        "FROM (SELECT sum(side) AS extra FROM ("
        f"SELECT {columns}, 1 AS side FROM after UNION ALL "
        f"SELECT {columns}, -1 AS side FROM before) "
        f"GROUP BY {places})"
    )
    with open_session() as session:
        session.database.register("before", _reader(old, common))
        session.database.register("after", _reader(new, common))
        try:
            counts = session.database.execute(query).fetchone()
        except duckdb.Error as error:
            # A file that is damaged inside shows only now, and its error arrives as DuckDB's.
            cause = str(error).partition("\n")[0]
            raise DatasetError(
                f"the datasets cannot be compared: {cause}; make the damaged one again"
            ) from error
    assert counts is not None
    return int(counts[0]), int(counts[1])


def _compares_as_text(was: FieldType | None, became: FieldType | None) -> bool:
    """Tell whether values of two types are compared as they are written."""
    return was != became and None not in {was, became} and not {was, became} <= _NUMERIC


def _reader(table: _Table, columns: Sequence[str]) -> pa.RecordBatchReader:
    """Stream columns, named by place, in types that DuckDB compares by value.

    That is, without dictionaries and time zones. DuckDB takes names that differ in case only for
    one, hence the places.
    """
    bare = [_bare(table.schema.field(name)) for name in columns]
    schema = pa.schema((f"c{number}", type_) for number, type_ in enumerate(bare))
    batches = (
        pa.record_batch(
            [values.cast(type_) for values, type_ in zip(batch.columns, bare, strict=True)],
            schema=schema,
        )
        for batch in table.batches(columns)
    )
    return pa.RecordBatchReader.from_batches(schema, batches)


def _bare(column: Column) -> pa.DataType:
    if is_categorical(column):
        return pa.string()
    if pa.types.is_timestamp(column.type):
        return pa.timestamp(column.type.unit)
    bare: pa.DataType = column.type
    return bare
