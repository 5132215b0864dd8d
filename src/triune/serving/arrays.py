"""Gives the columns that a compiled model is asked with: doubles and texts, without a frame.

Every number is a double, as scikit-learn makes one of it; a missing one is NaN. A missing text is
`NO_TEXT`, which is how a category that is missing is written in a compiled encoder; a text that
reads so where others are missing is marked, so as not to be taken for one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from triune.domain.manifest import Field, FieldType, Signature
from triune.domain.refusal import Refusal

if TYPE_CHECKING:
    import pandas as pd

NO_TEXT: Final = "nan"
_SAID: Final = f"\u2060{NO_TEXT}"

Column = npt.NDArray[Any]
Columns = Mapping[str, Column]
"""By name, of shape (n,): of float64, or of objects that are all texts."""

_NUMBERS: Final = frozenset({FieldType.BOOLEAN, FieldType.INTEGER, FieldType.NUMBER})


class NotConvertibleError(Exception):
    """A compiled model cannot be asked with this, or be made of this."""


def arrays_from_values(columns: Mapping[str, Sequence[Any]], signature: Signature) -> Columns:
    """Make arrays of values that were checked against the signature.

    Moments, and columns that were always empty, are no input of a compiled model.
    """
    return {
        field.name: _array(columns[field.name], field)
        for field in signature.inputs
        if field.type in _NUMBERS or field.type is FieldType.STRING
    }


def arrays_from_arrow(source: Path, signature: Signature) -> Columns | Refusal:
    """Make arrays of an Arrow IPC file that has at least the columns of the signature."""
    # Requests are answered without it.
    from triune.serving.arrow_columns import read_columns  # noqa: PLC0415 - as said above

    table = read_columns(source, signature)
    if isinstance(table, Refusal):
        return table
    columns: dict[str, Any] = {}
    for field in signature.inputs:
        column = table.column(field.name)
        is_number = field.type is FieldType.NUMBER
        columns[field.name] = column.to_numpy() if is_number else column.to_pylist()
    return arrays_from_values(columns, signature)


def arrays_from_features(features: Any) -> Columns:
    """Make arrays of what the steps before a compiled one give.

    Raises
    ------
    NotConvertibleError
        It is a sparse matrix, or holds neither numbers nor texts.
    """
    if hasattr(features, "columns"):
        names = [str(name) for name in features.columns]
        if len(set(names)) < len(names):
            raise NotConvertibleError("columns share a name")
        return {name: _plain(_held(features.iloc[:, at]), name) for at, name in enumerate(names)}
    if not isinstance(features, np.ndarray) or features.ndim != 2:
        raise NotConvertibleError(f"what comes before it gives a {type(features).__name__}")
    return {str(at): _plain(features[:, at], str(at)) for at in range(features.shape[1])}


def _array(values: Sequence[Any], field: Field) -> Column:
    if field.type in _NUMBERS:
        return np.array(values, dtype=np.float64)
    if field.categories is not None:
        # A category that training never had is missing, as it is in a frame.
        known = frozenset(field.categories)
        values = [value if value in known else NO_TEXT for value in values]
    elif field.nullable:
        values = _filled(values)
    return np.array(values, dtype=object)


def _filled(values: Sequence[str | None]) -> list[str]:
    return [NO_TEXT if value is None else _SAID if value == NO_TEXT else value for value in values]


def _held(series: "pd.Series[Any]") -> Column:
    if series.dtype.kind in "fiub":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    return series.astype(object).where(series.notna(), None).to_numpy()


def _plain(column: Column, name: str) -> Column:
    """Make doubles or texts of a column whose values may be of any type."""
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    values = column.tolist()
    if all(isinstance(value, bool | int | float) or value is None for value in values):
        return np.array(values, dtype=np.float64)
    if all(isinstance(value, str) or value is None for value in values):
        return np.array(_filled(values), dtype=object)
    raise NotConvertibleError(f"column {name} holds neither numbers nor texts alone")
