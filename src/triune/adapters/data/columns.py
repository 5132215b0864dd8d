"""What Arrow's types mean in our words, and how columns of several files become one."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from triune.domain.errors import DatasetError
from triune.domain.manifest import FieldType

INFINITE: Final = (
    "an infinity, which JSON does not have; write a number in its place, or leave the value out"
)
_LARGEST: Final = 2**63 - 1
_EXACT_DIGITS: Final = 15  # any decimal of so many is what its nearest double is written as

# Generic for type checkers alone.
Column: TypeAlias = "pa.Field[Any]"
Values: TypeAlias = "pa.Array[Any]"


def field_type(column: Column) -> FieldType | None:  # noqa: PLR0911 - one return for each type
    """Name the type of a plain column; None for one that holds no value at all.

    Raises
    ------
    DatasetError
        It holds what no JSON client could send as one value: lists, structs, bytes, times of day.
    """
    held = column.type
    if types.is_dictionary(held):
        return field_type(column.with_type(held.value_type))
    if types.is_null(held):
        return None
    if types.is_boolean(held):
        return FieldType.BOOLEAN
    if types.is_integer(held):
        return FieldType.INTEGER
    if types.is_floating(held) or types.is_decimal(held):
        return FieldType.NUMBER
    if types.is_string(held) or types.is_large_string(held) or types.is_string_view(held):
        return FieldType.STRING
    if types.is_date(held):
        return FieldType.DATE
    if types.is_timestamp(held):
        return FieldType.TIMESTAMP
    raise DatasetError(
        f"column {column.name!r} holds {held}, which no model input can be; use numbers, strings, "
        "booleans, dates or timestamps, or leave the column out"
    )


def is_categorical(column: Column) -> bool:
    """Tell whether a plain column keeps its categories."""
    return bool(types.is_dictionary(column.type))


def plain(column: Column) -> Column:
    """Reduce a column to the one type that stands for all with its meaning.

    Decimals become floating-point numbers, as they are in JSON. Dictionaries of strings stay, as
    pandas has them for categoricals; those of anything else become their values.
    """
    held = column.type
    if types.is_dictionary(held):
        values = plain(column.with_type(held.value_type)).type
        held = pa.dictionary(pa.int32(), values, held.ordered) if values == pa.string() else values
    elif types.is_large_string(held) or types.is_string_view(held):
        held = pa.string()
    elif types.is_decimal(held):
        held = pa.float64()
    elif types.is_date64(held):
        held = pa.date32()
    return pa.field(column.name, held)


def unsendable(values: Values) -> str | None:
    """Describe a value that no request could carry exactly, and what to do; None without one."""
    held = values.type
    if types.is_floating(held):
        return INFINITE if bool(pc.any(pc.is_inf(values)).as_py()) else None
    if types.is_uint64(held):
        largest = pc.max(values).as_py() or 0
        return too_wide(largest) if largest > _LARGEST else None
    if types.is_decimal(held) and held.precision > _EXACT_DIGITS:
        decimals: list[Any] = values.drop_null().unique().to_pylist()
        for value in decimals:
            if Decimal(repr(float(value))) != value:
                return (
                    f"{value}, which has more digits than the numbers of JSON; round it, or write "
                    "it as a string"
                )
    return None


def too_wide(value: object) -> str:
    """Describe an integer that is none of 64 bits."""
    return (
        f"{value}, beyond the integers of 64 bits (at most {_LARGEST}); write the column as "
        "strings, or as floating-point numbers"
    )


def merge_schemas(schemas: Mapping[Path, pa.Schema]) -> pa.Schema:
    """Find the plain schema that files share, in the first one's order of columns.

    Numbers widen as they do when pandas joins frames; a column without a value takes any type.

    Raises
    ------
    DatasetError
        A file lacks a column that another has, or holds what cannot go together with it.
    """
    require_same_columns({path: schema.names for path, schema in schemas.items()})
    (first, merged), *rest = ((path, _plain_schema(path, s)) for path, s in schemas.items())
    for path, schema in rest:
        merged = pa.schema(
            _merge(merged.field(name), schema.field(name), first=first, path=path)
            for name in merged.names
        )
    return merged


def require_same_columns(columns: Mapping[Path, Sequence[str]]) -> None:
    """See that each file names each column once, and that all files name the same.

    Raises
    ------
    DatasetError
        They do not; the message names file and column.
    """
    for path, names in columns.items():
        if repeated := sorted({name for name in names if list(names).count(name) > 1}):
            raise DatasetError(f"{path} has several columns {_quote(repeated)}; rename them")
    (first, expected), *rest = columns.items()
    for path, names in rest:
        if lacking := [name for name in expected if name not in names]:
            raise DatasetError(f"{path} lacks {_quote(lacking)}, which {first} has")
        if surplus := [name for name in names if name not in expected]:
            raise DatasetError(f"{first} lacks {_quote(surplus)}, which {path} has")


def _plain_schema(path: Path, schema: pa.Schema) -> pa.Schema:
    for column in schema:
        try:
            field_type(column)
        except DatasetError as error:
            raise DatasetError(f"{path}: {error}") from None
    return pa.schema(plain(column) for column in schema)


def _merge(one: Column, other: Column, *, first: Path, path: Path) -> Column:
    if {one.type, other.type} >= {pa.string()} and (is_categorical(one) or is_categorical(other)):
        return one.with_type(pa.string())
    try:
        joined = pa.unify_schemas(
            [pa.schema([one]), pa.schema([other])], promote_options="permissive"
        )
    except pa.ArrowException:
        raise DatasetError(
            f"column {one.name!r} holds {one.type} in {first} and {other.type} in {path}; write "
            "both as one type"
        ) from None
    return joined.field(0)


def _quote(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
