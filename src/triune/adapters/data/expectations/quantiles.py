"""Reads quantiles exactly: the values at their places among the sorted ones."""

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import SOURCE, PlacedColumn
from triune.adapters.data.expectations.questions import Asked


def read_quantiles(  # noqa: PLR0913 - each says another thing
    asked: Asked,
    column: PlacedColumn,
    quantiles: Sequence[float],
    *,
    count: int,
    method: str,
    passes: Passes,
) -> list[Any]:
    """Read quantiles of ``count`` values, as numpy's ``method`` has them; None of no values."""
    if not count:
        return [None] * len(quantiles)
    places = [_places((count - 1) * quantile, method) for quantile in quantiles]
    wanted = sorted({place for pair in places for place in pair})
    # In the middle between two ranks, so that rounding cannot lead to the next value.
    ranks = ", ".join(f"CAST('{(place + 0.5) / count!r}' AS DOUBLE)" for place in wanted)
    found = passes.ask(
        asked.reads(column),
        f"SELECT quantile_disc({asked.only(column.as_number)}, [{ranks}]) FROM {SOURCE}",  # noqa: S608 - no name of theirs
    )[0][0]
    values = dict(zip(wanted, found, strict=True))
    return [
        _join(values[low], values[high], (count - 1) * quantile - low, method)
        for (low, high), quantile in zip(places, quantiles, strict=True)
    ]


def _places(exact: float, method: str) -> tuple[int, int]:
    """Tell the two values, by their places from 0, that a quantile is made of."""
    match method:
        case "nearest":
            # Python rounds halves to even, as numpy does.
            return round(exact), round(exact)
        case "lower":
            return floor(exact), floor(exact)
        case "higher":
            return ceil(exact), ceil(exact)
        case _:
            return floor(exact), ceil(exact)


def _join(low: Any, high: Any, beyond: float, method: str) -> Any:
    if method in {"nearest", "lower", "higher"} or low == high:
        return low
    return low + (high - low) * (0.5 if method == "midpoint" else beyond)
