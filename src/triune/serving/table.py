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
from triune.domain.refusal import InputProblem, Refusal

Value = bool | int | float | str | dt.date | dt.datetime | None

_ARROW: Final[dict[FieldType | None, pa.DataType]] = {
    None: pa.null(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.STRING: pa.string(),
    FieldType.DATE: pa.date32(),
    FieldType.TIMESTAMP: pa.timestamp("us"),
}


def frame_from_values(columns: Mapping[str, Sequence[Value]], signature: Signature) -> pd.DataFrame:
    """Build a frame from values that were checked against the signature."""
    return pd.DataFrame(
        {
            field.name: _values(pa.array(columns[field.name], _arrow(field)), field)
            for field in signature.inputs
        }
    )


def frame_from_arrow(source: Path, signature: Signature) -> pd.DataFrame | Refusal:
    """Build a frame from an Arrow IPC file that has at least the columns of the signature."""
    with pa.memory_map(str(source)) as file:
        table = pa.ipc.open_file(file).read_all()
        columns, problems = {}, []
        for field in signature.inputs:
            column = _read_column(table, field)
            if isinstance(column, InputProblem):
                problems.append(column)
            else:
                columns[field.name] = _series(column, field)
    if problems:
        return Refusal(
            status=422,
            detail="the dataset is not what the model was trained on: "
            + "; ".join(str(problem) for problem in problems),
            errors=problems,
        )
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _read_column(table: pa.Table, field: Field) -> "pa.ChunkedArray[Any] | InputProblem":
    if field.name not in table.column_names:
        return InputProblem(message="there is no such column", field=field.name)
    column = table.column(field.name)
    if column.null_count and not field.nullable:
        return InputProblem(
            message=f"{column.null_count} values are missing, where the training data had all",
            field=field.name,
        )
    try:
        return _cast(column, field)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        return InputProblem(message=f"is not {field.type or 'empty'}: {error}", field=field.name)


def _cast(column: "pa.ChunkedArray[Any]", field: Field) -> "pa.ChunkedArray[Any]":
    if field.type is None:
        if column.null_count != len(column):
            raise pa.ArrowInvalid("the training data had no value here, and this has")
        return pa.chunked_array([pa.nulls(len(column))])
    if pa.types.is_timestamp(column.type) and bool(column.type.tz) != bool(field.zone):
        had, has = ("a time zone", "none") if field.zone else ("no time zone", "one")
        raise pa.ArrowInvalid(f"the training data had {had} here, and this has {has}")
    target = _arrow(field)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # Time below a microsecond is cut off, and integers beyond 2**53 are rounded to floats, as
    # in a request; a fraction is never cut off to make an integer.
    return column.cast(target, safe=target == pa.int64())


def _arrow(field: Field) -> pa.DataType:
    return pa.timestamp("us", field.zone) if field.zone else _ARROW[field.type]


def _values(column: "pa.Array[Any]", field: Field) -> Any:
    """Give what `_series` holds, without the index that pandas would compare with all others."""
    if field.type is FieldType.NUMBER:
        return column.to_numpy(zero_copy_only=False)
    series = _series(column, field)
    return series.array if is_extension_array_dtype(series.dtype) else series.to_numpy()


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
