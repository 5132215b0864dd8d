"""Arrays as the statistics take them: of one length, of finite numbers, of known labels."""

from typing import Any

import numpy as np
import numpy.typing as npt

from triune.stats.errors import StatsError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def finite(values: npt.ArrayLike, *, name: str, dimensions: int = 1) -> FloatArray:
    """Take finite numbers, as float64.

    Raises
    ------
    StatsError
        Where one is NaN or infinite, or the shape is another.
    """
    array = np.asarray(values, dtype=np.float64)
    _require_dimensions(array, name, dimensions)
    if not np.isfinite(array).all():
        rows = np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))
        raise StatsError(
            f"{name} has {len(rows)} row(s) that are not finite, the first at index {rows[0]}; "
            "mend what produced them"
        )
    return array


def probabilities(values: npt.ArrayLike, *, name: str, dimensions: int = 1) -> FloatArray:
    """Take numbers within [0, 1].

    Raises
    ------
    StatsError
        Where one lies outside, or is NaN.
    """
    array = finite(values, name=name, dimensions=dimensions)
    if array.size and (array.min() < 0 or array.max() > 1):
        raise StatsError(
            f"{name} reaches from {array.min()} to {array.max()}; probabilities lie within [0, 1]"
        )
    return array


def binary(values: npt.ArrayLike, *, name: str) -> BoolArray:
    """Take labels that are 0 and 1, or booleans; True is the positive class.

    Raises
    ------
    StatsError
        Where another value occurs.
    """
    array: npt.NDArray[Any] = np.asarray(values)
    _require_dimensions(array, name, 1)
    if array.dtype == np.bool_:
        return array
    positive: BoolArray = array == 1
    strange = np.flatnonzero(~(positive | (array == 0)))
    if len(strange):
        raise StatsError(
            f"{name} has {array[strange[0]]!r} at index {strange[0]}; "
            "encode binary labels as 0 and 1, 1 being the positive class"
        )
    return positive


def codes(values: npt.ArrayLike, *, name: str, below: int | None = None) -> IntArray:
    """Take classes as integers from 0, and below ``below`` where that is given.

    Raises
    ------
    StatsError
        Where a value is no such integer.
    """
    array: npt.NDArray[Any] = np.asarray(values)
    _require_dimensions(array, name, 1)
    whole = array.dtype.kind in "iu"
    if not whole or (len(array) and (array.min() < 0 or (below and array.max() >= below))):
        raise StatsError(
            f"{name} is not class codes (integers from 0"
            f"{f' to {below - 1}' if below else ''}); encode the classes first"
        )
    return array.astype(np.int64)


def require_length(array: npt.NDArray[Any], rows: int, *, name: str) -> None:
    """Refuse arrays of different lengths.

    Raises
    ------
    StatsError
        Unless ``array`` has ``rows`` rows.
    """
    if len(array) != rows:
        raise StatsError(
            f"{name} has {len(array)} rows where there are {rows}; score each row once"
        )


def _require_dimensions(array: npt.NDArray[Any], name: str, dimensions: int) -> None:
    if array.ndim != dimensions:
        raise StatsError(
            f"{name} has shape {array.shape}; give an array of {dimensions} dimension(s)"
        )
