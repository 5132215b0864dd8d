"""Names of types as suites have them: numpy's, pandas', Python's, and those of databases."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import types

from triune.adapters.data.expectations.placed import Kind, PlacedColumn, Unanswerable
from triune.domain.errors import nearest

# Of text and dates, which pandas holds as objects, and of what numpy has no name for.
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "str": frozenset(
        {
            "str", "string", "string_types", "String", "StringDtype", "StringType", "STRING",
            "TEXT", "VARCHAR", "large_string", "category", "CategoricalDtype",
        }
    ),
    "date": frozenset({"date", "date32", "DATE", "DateType"}),
    "bool": frozenset({"boolean", "BooleanDtype", "BooleanType", "BOOLEAN", "BOOL"}),
    "int8": frozenset({"Int8", "Int8Dtype", "TINYINT", "ByteType"}),
    "int16": frozenset({"Int16", "Int16Dtype", "SMALLINT", "ShortType"}),
    "int32": frozenset({"Int32", "Int32Dtype", "INTEGER", "INT", "IntegerType"}),
    "int64": frozenset({"Int64", "Int64Dtype", "BIGINT", "LongType"}),
    "uint8": frozenset({"UInt8", "UInt8Dtype", "UTINYINT"}),
    "uint16": frozenset({"UInt16", "UInt16Dtype", "USMALLINT"}),
    "uint32": frozenset({"UInt32", "UInt32Dtype", "UINTEGER"}),
    "uint64": frozenset({"UInt64", "UInt64Dtype", "UBIGINT"}),
    "float32": frozenset({"Float32", "Float32Dtype", "REAL", "FLOAT", "FloatType"}),
    "float64": frozenset({"Float64", "Float64Dtype", "DOUBLE", "DOUBLE_PRECISION", "DoubleType"}),
    "datetime64": frozenset({"TIMESTAMP", "DATETIME", "TimestampType", "TimestampNTZType"}),
    "Timestamp": frozenset({"Timestamp", "DatetimeTZDtype", "TIMESTAMPTZ"}),
}  # fmt: skip
_OBJECT: Final = frozenset({"object", "object_", "O"})


def name_type(column: PlacedColumn) -> str:
    """Name what a column holds, as numpy and pandas name it."""
    held = column.arrow
    if types.is_timestamp(held):
        return "datetime64" if held.tz is None else "Timestamp"
    names = {Kind.TEXT: "str", Kind.DATE: "date", Kind.NOTHING: "object_"}
    if column.kind in names:
        return names[column.kind]
    # A decimal, and a dictionary of numbers, are read as what stands for them.
    plain = held.value_type if types.is_dictionary(held) else held
    return np.dtype((pa.float64() if types.is_decimal(plain) else plain).to_pandas_dtype()).name


def is_object(column: PlacedColumn) -> bool:
    """Tell a column that pandas has as objects, each of a type of its own."""
    return column.kind in {Kind.TEXT, Kind.DATE, Kind.NOTHING}


def means_object(name: str | None) -> bool:
    """Tell the names of pandas' objects."""
    return name is None or name in _OBJECT


def is_of_type(column: PlacedColumn, names: Iterable[str]) -> bool:
    """Tell whether one of some names is that of what a column holds.

    Raises
    ------
    Unanswerable
        None of them is the name of any type.
    """
    wanted = list(names)
    known = [name for name in wanted if name in _OBJECT or _meant(name)]
    if not known and wanted:
        every = {"int64", "float64", "datetime64"}.union(*_NAMES.values(), _NAMES)
        hint = nearest(wanted[0], every) or "; use a name of numpy's, such as 'int64'"
        raise Unanswerable(f"{wanted[0]!r} is no name of a type{hint}")
    own = name_type(column)
    return any(_meant(name) == own for name in known)


def _meant(name: str) -> str | None:
    """Find our word for what a name means."""
    for own, names in _NAMES.items():
        if name == own or name in names:
            return own
    try:
        meant = np.dtype(name)
    except (TypeError, ValueError):
        return None
    return "datetime64" if meant.kind == "M" else meant.name if meant.kind in "biuf" else None
