"""Reads the figures of a training out of a document."""

from collections.abc import Iterator
from math import isfinite

from triune.domain.canonical import Json


def flatten(document: Json, name: str = "") -> Iterator[tuple[str, float]]:
    """List the numbers of nested mappings by dotted name; what is no finite number is left out."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from flatten(value, f"{name}.{key}" if name else str(key))
    elif (
        isinstance(document, int | float) and not isinstance(document, bool) and isfinite(document)
    ):
        yield name, float(document)
