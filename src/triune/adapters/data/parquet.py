"""Reads Parquet files as one table, batch by batch, with their exact types."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from triune.adapters.data.columns import Column, Values, is_categorical, merge_schemas, unsendable
from triune.domain.errors import DatasetError


class ParquetTable:
    """Parquet files, one after the other.

    Raises
    ------
    DatasetError
        A file is missing or damaged, or the files' columns differ.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files
        schemas: dict[Path, pa.Schema] = {}
        rows: dict[Path, int] = {}
        for path in files:
            with _opened(path) as file:
                schemas[path] = file.schema_arrow
                rows[path] = file.metadata.num_rows
        self.rows = sum(rows[path] for path in files)
        self.schema: pa.Schema = merge_schemas(schemas)
        # Files of several types, or orders, are made one by Arrow alone.
        are_alike = all(schema.equals(schemas[files[0]]) for schema in schemas.values())
        self.sql_files = tuple((path, rows[path]) for path in files) if are_alike else ()

    @cached_property
    def categories(self) -> dict[str, Values]:
        """The categories of each categorical column, in the order in which the files have them."""
        names = [column.name for column in self.schema if is_categorical(column)]
        seen: dict[str, dict[str, None]] = {name: {} for name in names}
        for batch in self._read(names):
            for name in names:
                column = batch.column(name)
                if isinstance(column, pa.DictionaryArray):
                    values = column.dictionary.drop_null().cast(pa.string())
                    found = [str(value) for value in values.to_pylist()]
                    if self.schema.field(name).type.ordered and seen[name]:
                        self._require_same_order(name, list(seen[name]), found)
                    seen[name].update(dict.fromkeys(found))
        return {name: pa.array(values, pa.string()) for name, values in seen.items()}

    @cached_property
    def nullable(self) -> frozenset[str]:
        """Names of the columns that lack a value, or hold one that is not a number."""
        found: set[str] = set()
        for batch in self._read(self.schema.names):
            for name in self.schema.names:
                if name not in found and _lacks_any(batch.column(name)):
                    found.add(name)
        return frozenset(found)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read columns, in the order asked for, in the types of ``schema``."""
        schema = pa.schema(self.schema.field(name) for name in columns)
        for batch in self._read(columns):
            yield pa.record_batch(
                [self._convert(batch.column(column.name), column) for column in schema],
                schema=schema,
            )

    def _require_same_order(self, name: str, one: Sequence[str], other: Sequence[str]) -> None:
        if one != other:
            files = ", ".join(str(path) for path in self._files)
            raise DatasetError(
                f"{files}: column {name!r} has ordered categories, {one} in one place and {other} "
                "in another; give them one order, or make them unordered"
            )

    def require_inputs(self, columns: Sequence[str]) -> None:
        """See that every value of some columns can travel in a request, as it is.

        Raises
        ------
        DatasetError
            One cannot; the message names file, column and value.
        """
        for path in self._files if columns else ():
            with _opened(path) as file:
                for batch in file.iter_batches(columns=list(columns)):
                    for name in columns:
                        if found := unsendable(batch.column(name)):
                            raise DatasetError(f"{path}: column {name!r} holds {found}")

    def _convert(self, values: Values, column: Column) -> Values:
        if not is_categorical(column):
            return _decoded(values).cast(column.type)
        # An Arrow file holds one dictionary for a column, where row groups and files have theirs.
        categories = self.categories[column.name]
        indices = pc.index_in(_decoded(values).cast(pa.string()), value_set=categories)
        return pa.DictionaryArray.from_arrays(indices, categories, ordered=column.type.ordered)

    def _read(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for path in self._files if columns else ():
            with _opened(path) as file:
                for batch in file.iter_batches(columns=list(columns)):
                    _require_text(batch, path)
                    yield batch


def _require_text(batch: pa.RecordBatch, path: Path) -> None:
    # Arrow takes a writer's word for it that its strings are UTF-8.
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise DatasetError(
                f"{path}: column {name!r} cannot be read: {error}; write the file again, with "
                "text in UTF-8"
            ) from error


def _lacks_any(values: Values) -> bool:
    if values.null_count:
        return True
    return pa.types.is_floating(values.type) and bool(pc.any(pc.is_nan(values)).as_py())


def _decoded(values: Values) -> Values:
    return values.dictionary_decode() if isinstance(values, pa.DictionaryArray) else values


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError as error:
        raise DatasetError(f"there is no {path}") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        cause = str(error).partition("\n")[0]
        raise DatasetError(
            f"{path} cannot be read as Parquet: {cause.rstrip('.')}; it was not written to its "
            "end, or is not what its name says: make it again"
        ) from error
