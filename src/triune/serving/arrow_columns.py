"""Reads a dataset's columns from Arrow, each in the type that the signature says."""

from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from triune.domain.manifest import Field, FieldType, Signature
from triune.domain.refusal import InputProblem, Refusal

_TYPES: Final[dict[FieldType | None, pa.DataType]] = {
    None: pa.null(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.STRING: pa.string(),
    FieldType.DATE: pa.date32(),
    FieldType.TIMESTAMP: pa.timestamp("us"),
}


def arrow_type(field: Field) -> pa.DataType:
    """Tell the type in which an input is held, whatever it comes from."""
    return pa.timestamp("us", field.zone) if field.zone else _TYPES[field.type]


def read_columns(source: Path, signature: Signature) -> pa.Table | Refusal:
    """Read the inputs from an Arrow IPC file that has at least the columns of the signature."""
    with pa.memory_map(str(source)) as file:
        table = pa.ipc.open_file(file).read_all()
        columns, problems = [], []
        for field in signature.inputs:
            column = _read_column(table, field)
            if isinstance(column, InputProblem):
                problems.append(column)
            else:
                columns.append(column)
    if problems:
        return Refusal(
            status=422,
            detail="the dataset is not what the model was trained on: "
            + "; ".join(str(problem) for problem in problems),
            errors=problems,
        )
    return pa.table(columns, names=[field.name for field in signature.inputs])


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
    target = arrow_type(field)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    # Time below a microsecond is cut off, and integers beyond 2**53 are rounded to floats, as
    # in a request; a fraction is never cut off to make an integer.
    return column.cast(target, safe=target == pa.int64())
