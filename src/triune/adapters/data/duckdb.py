"""Reads, samples, exports and compares datasets with Arrow and DuckDB."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from triune.adapters.data.columns import Column, Values, field_type, is_categorical
from triune.adapters.data.conditions import columns_of, rows_where
from triune.adapters.data.csv import CsvTable
from triune.adapters.data.expectations.engine import evaluate
from triune.adapters.data.parquet import ParquetTable
from triune.adapters.data.profiles import count_into, profile, summarise
from triune.adapters.data.session import ANYWHERE, Workspace, open_session
from triune.adapters.whole_files import written_aside
from triune.domain.canonical import Json
from triune.domain.comparison import DatasetChange
from triune.domain.drift import DriftProfile
from triune.domain.errors import DatasetError, StoreError, nearest
from triune.domain.expectations.outcome import ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Suite
from triune.domain.manifest import Field, FieldType
from triune.domain.profile import DatasetProfile

_NUMERIC: Final = {FieldType.INTEGER, FieldType.NUMBER}
_EMPTY: Final = "empty"


class _Table(Protocol):
    """Files of one format as one table; ``categories`` has those of categorical columns."""

    rows: int
    schema: pa.Schema

    @property
    def nullable(self) -> frozenset[str]: ...

    @property
    def sql_files(self) -> Sequence[tuple[Path, int]]: ...

    @property
    def categories(self) -> Mapping[str, Values]: ...

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]: ...

    def require_inputs(self, columns: Sequence[str]) -> None: ...


class DuckDbEngine:
    """Parquet by Arrow, with exact types and categories; CSV and comparing by DuckDB.

    Rows stream through in batches, so that a dataset need not fit in memory.

    Parameters
    ----------
    workspace
        Where what does not fit in memory is put, and what may be held at once.
    """

    def __init__(self, *, workspace: Workspace = ANYWHERE) -> None:
        self._workspace = workspace

    def fields(self, files: Sequence[Path], *, format: str) -> tuple[Field, ...]:
        """Tell the columns: type, whether any value is missing, categories.

        Raises
        ------
        DatasetError
            A file cannot be read as what it is said to be, or the files' columns differ.
        """
        table = self._open(files, format)
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
                ordered=is_categorical(column) and column.type.ordered,
                zone=column.type.tz if pa.types.is_timestamp(column.type) else None,
            )
            for column in table.schema
        )

    def require_inputs(self, files: Sequence[Path], *, format: str, columns: Sequence[str]) -> None:
        """See that every value of some columns can travel in a request, as it is.

        Raises
        ------
        DatasetError
            One cannot; the message names file, column and value.
        """
        table = self._open(files, format)
        _require_columns(table, columns, files)
        table.require_inputs(columns)

    def sample(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str], count: int
    ) -> list[dict[str, Json]]:
        """Take at most ``count`` rows, evenly spaced, as a client would send them in JSON.

        Missing values are null, dates and times are ISO 8601.
        """
        table = self._open(files, format)
        _require_columns(table, columns, files)
        taken = min(count, table.rows)
        wanted = [number * table.rows // taken for number in range(taken)]
        return [
            {name: _as_json(value) for name, value in row.items()}
            for batch in _take(table.batches(columns), wanted)
            for row in _in_microseconds(batch).to_pylist()
        ]

    def values(
        self, files: Sequence[Path], *, format: str, column: str, limit: int
    ) -> tuple[Json, ...]:
        """List at most ``limit`` different values of a column, as they come, without missing ones.

        Raises
        ------
        DatasetError
            The column is missing, or a file cannot be read.
        """
        table = self._open(files, format)
        _require_columns(table, [column], files)
        seen: dict[Json, None] = {}
        for batch in table.batches([column]):
            distinct = pa.record_batch([batch.column(0).unique()], names=[column])
            listed = _in_microseconds(distinct).column(0).to_pylist()
            seen |= dict.fromkeys(_as_json(value) for value in listed)
            seen.pop(None, None)
            if len(seen) >= limit:
                break
        return tuple(seen)[:limit]

    def arrays(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str]
    ) -> dict[str, npt.NDArray[Any]]:
        """Read columns whole, each of shape (rows,), in the order of the rows.

        A missing value is NaN among floating-point numbers, NaT among times, else None.
        """
        table = self._open(files, format)
        _require_columns(table, columns, files)
        held = _bare_table(table, columns)
        return {name: _as_numpy(held.column(name)) for name in columns}

    def matching(self, files: Sequence[Path], *, format: str, where: str) -> npt.NDArray[np.bool_]:
        """Tell of each row whether a condition of SQL holds for it: shape (rows,).

        Raises
        ------
        ConditionError
            It is no condition, asks for more than one may, or does not go with the columns.
        DatasetError
            A file cannot be read.
        """
        table = self._open(files, format)
        return rows_where(where, _bare_table(table, columns_of(where, table.schema.names)))

    def export(
        self,
        files: Sequence[Path],
        *,
        format: str,
        columns: Sequence[str],
        destination: Path,
        replace: Mapping[str, Json] = MappingProxyType({}),
    ) -> None:
        """Write columns as one Arrow IPC file, in the order of the rows.

        Raises
        ------
        DatasetError
            A column is missing, or cannot hold the value that is to replace its own.
        StoreError
            The file cannot be written; nothing of it is left.
        """
        table = self._open(files, format)
        _require_columns(table, [*columns, *replace], files)
        constants = {
            name: _constant(value, table.schema.field(name), files)
            for name, value in replace.items()
        }
        schema = pa.schema(
            pa.field(name, constants[name].type) if name in constants else table.schema.field(name)
            for name in columns
        )
        with written_aside(destination) as draft:
            _write(
                draft,
                schema,
                (_replace(batch, constants, schema) for batch in table.batches(columns)),
            )

    def compare(
        self, before: Sequence[Path], after: Sequence[Path], *, formats: tuple[str, str]
    ) -> DatasetChange:
        """Compare two datasets row by row and column by column.

        Rows are counted exactly, and streamed; a missing value equals a missing value.
        """
        old, new = self._open(before, formats[0]), self._open(after, formats[1])
        old_types, new_types = _types(old), _types(new)
        common = [name for name in old_types if name in new_types]
        retyped = [name for name in common if old_types[name] != new_types[name]]
        as_text = {name for name in common if _compares_as_text(old_types[name], new_types[name])}
        added, removed = _count_changes(old, new, common, as_text, self._workspace)
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

    def row_digests(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str]
    ) -> npt.NDArray[np.uint64]:
        """Digest each row by its values in ``columns``, of any order: shape (rows,).

        Values count as they are written, so that a dataset has the same digests in either format.
        """
        table = self._open(files, format)
        _require_columns(table, columns, files)
        return _digest_rows(table, sorted(columns), files, self._workspace)

    def evaluate(  # noqa: PLR0913 - each says another thing
        self,
        files: Sequence[Path],
        *,
        format: str,
        suite: Suite,
        now: datetime,
        result_format: ResultFormat,
        key: str | None = None,
    ) -> SuiteOutcome:
        """Evaluate a suite of expectations; ``now`` is what its parameter ``now()`` stands for.

        What cannot be evaluated, a column that is missing among it, is an outcome that says why.
        ``key`` is the column that tells whose a row is, for the rows that are shown.
        """
        return evaluate(
            self._open(files, format),
            suite,
            now=now,
            result_format=result_format,
            key=key,
            workspace=self._workspace,
        )

    def summarise(self, files: Sequence[Path], *, format: str) -> DatasetProfile:
        """Tell what every column holds, and how it is distributed, in one pass."""
        return summarise(self._open(files, format), workspace=self._workspace)

    def drift_profile(
        self, files: Sequence[Path], *, format: str, columns: Sequence[str]
    ) -> DriftProfile:
        """Freeze bins for columns, and count their values into them, in one pass.

        Raises
        ------
        DatasetError
            A column is missing, or a file cannot be read.
        """
        return profile(self._open(files, format), columns, workspace=self._workspace)

    def count_into(
        self, files: Sequence[Path], *, format: str, reference: DriftProfile
    ) -> DriftProfile:
        """Count values into the bins of a profile, in one scan.

        Raises
        ------
        DatasetError
            A column of the profile is missing or of another kind, or a file cannot be read.
        """
        return count_into(self._open(files, format), reference, workspace=self._workspace)

    def _open(self, files: Sequence[Path], format: str) -> _Table:
        if not files:
            raise DatasetError("a dataset without a file cannot be read")
        match format:
            case "parquet":
                return ParquetTable(files)
            case "csv":
                return CsvTable(files, workspace=self._workspace)
            case _:
                raise DatasetError(f"{files[0]}: there is no format {format!r}; use parquet or csv")


def _require_columns(table: _Table, columns: Sequence[str], files: Sequence[Path]) -> None:
    names = table.schema.names
    for name in columns:
        if name not in names:
            hint = nearest(name, names) or f"; its columns are {', '.join(names)}"
            raise DatasetError(f"{files[0]} has no column {name!r}{hint}")


def _bare_table(table: _Table, columns: Sequence[str]) -> pa.Table:
    """Read columns whole, without dictionaries and time zones."""
    return _reader(table, columns).read_all().rename_columns(list(columns))


def _as_numpy(values: "pa.ChunkedArray[Any]") -> npt.NDArray[Any]:
    if pa.types.is_integer(values.type) and values.null_count:
        # Not as floating-point numbers, which keys may be too large for.
        return np.array(values.to_pylist(), dtype=object)
    return values.to_numpy()


def _constant(value: Json, column: Column, files: Sequence[Path]) -> Values:
    """Write a value as a column would hold it, once."""
    held = pa.string() if is_categorical(column) else column.type
    try:
        given = pa.array([value])
        is_fraction = pa.types.is_floating(given.type) and not float(value).is_integer()
        is_open = pa.types.is_null(held) or (
            # What happens to be whole numbers here may be others in the training data.
            pa.types.is_integer(held) and is_fraction
        )
        return given if is_open else given.cast(held)
    except (pa.ArrowException, OverflowError) as error:
        raise DatasetError(
            f"{files[0]}: column {column.name!r} holds {held}, which {value!r} cannot be: {error}"
        ) from error


def _replace(
    batch: pa.RecordBatch, constants: Mapping[str, Values], schema: pa.Schema
) -> pa.RecordBatch:
    first = np.zeros(batch.num_rows, dtype=np.int64)
    return pa.record_batch(
        [
            constants[name].take(first) if name in constants else batch.column(name)
            for name in schema.names
        ],
        schema=schema,
    )


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
    old: _Table,
    new: _Table,
    common: Sequence[str],
    as_text: Collection[str],
    workspace: Workspace,
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
    with open_session(workspace=workspace) as session:
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


def _digest_rows(
    table: _Table, columns: Sequence[str], files: Sequence[Path], workspace: Workspace
) -> npt.NDArray[np.uint64]:
    types = _types(table)
    texts = [_digested(number, types[name]) for number, name in enumerate(columns)]
    # Lengths keep values apart: ("a", "bc") is not ("ab", "c"), and a null is no text at all.
    parts = ", ".join(f"coalesce(length({text}) || ':' || {text}, '-')" for text in texts)
    with open_session(workspace=workspace) as session:
        session.database.register("dataset", _reader(table, columns))
        try:
            found = session.database.execute(
                f"SELECT md5_number_lower(concat({parts})) AS digest FROM dataset"  # noqa: S608 - no name of theirs
            ).fetchnumpy()
        except duckdb.Error as error:
            cause = str(error).partition("\n")[0]
            raise DatasetError(f"{files[0]}: {cause}; make the file again") from error
    return np.asarray(found["digest"], dtype=np.uint64)


def _digested(number: int, type_: FieldType | None) -> str:
    """Write a column's value as text, alike for all types that hold it."""
    if type_ not in _NUMERIC:
        return f"CAST(c{number} AS VARCHAR)"
    # Whole numbers become floats as soon as one is missing, and NaN is what pandas has for that.
    value = f"CAST(c{number} AS DOUBLE)"
    return f"CAST(CASE WHEN isnan({value}) THEN NULL ELSE {value} END AS VARCHAR)"


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
