"""Builds the frame that a model sees; a row's dtypes and values are the same whatever its batch.

Requests and datasets meet in Arrow: both become arrays of the type that the signature says, and
only those become pandas columns.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_extension_array_dtype

from triune.domain.manifest import Field, FieldType, Signature
from triune.domain.refusal import Refusal
from triune.serving.arrow_columns import arrow_type, read_columns

Value = bool | int | float | str | dt.date | dt.datetime | None


def frame_from_values(columns: Mapping[str, Sequence[Value]], signature: Signature) -> pd.DataFrame:
    """Build a frame from values that were checked against the signature."""
    held = {
        field.name: _values(pa.array(columns[field.name], arrow_type(field)), field)
        for field in signature.inputs
    }
    rows = len(next(iter(columns.values()), ()))
    # Every column is its own and may be written to, so none is copied.
    return pd.DataFrame(held, index=pd.RangeIndex(rows), copy=False)


def frame_from_arrow(source: Path, signature: Signature) -> pd.DataFrame | Refusal:
    """Build a frame from an Arrow IPC file that has at least the columns of the signature."""
    table = read_columns(source, signature)
    if isinstance(table, Refusal):
        return table
    columns = {field.name: _series(table.column(field.name), field) for field in signature.inputs}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _values(column: "pa.Array[Any]", field: Field) -> Any:
    """Give what `_series` holds, without the index that pandas would compare with all others."""
    if field.type is FieldType.NUMBER:
        return column.to_numpy(zero_copy_only=False, writable=True)
    if field.type is FieldType.STRING and field.categories is None and _TEXT is not None:
        return _TEXT.__from_arrow__(column)
    series = _series(column, field)
    return series.array if is_extension_array_dtype(series.dtype) else series.to_numpy(copy=True)


def _text_dtype() -> Any:
    """Find the dtype of its own that pandas makes of texts; None where they are objects."""
    dtype = pa.array([], pa.string()).to_pandas().dtype
    return dtype if hasattr(dtype, "__from_arrow__") else None


_TEXT: Final = _text_dtype()


def _series(column: "pa.Array[Any] | pa.ChunkedArray[Any]", field: Field) -> pd.Series:
    if field.type is None:
        return pd.Series([None] * len(column), dtype=object)
    if field.categories is not None:
        categories = pa.array(field.categories, pa.string())
        indices: Any = pc.index_in(column, value_set=categories)
        column = pa.DictionaryArray.from_arrays(
            indices.combine_chunks() if isinstance(indices, pa.ChunkedArray) else indices,
            categories,
            ordered=field.ordered,
        )
        return pd.Series(column.to_pandas())
    if field.nullable and field.type is FieldType.INTEGER:
        column = column.cast(pa.float64(), safe=False)
    series = column.to_pandas()
    if field.nullable and field.type is FieldType.BOOLEAN:
        return series.astype(object)
    return series
