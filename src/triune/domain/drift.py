"""How the columns of a dataset are distributed: counts over bins that were frozen.

A profile is a plain value. Two with the same bins are compared without their data, by
`domain.drift_report`; counts of the same bins merge by addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isfinite, nextafter
from typing import Final, Self

from triune.domain.canonical import Json, canonical_json, parse_json, sha256

FORMAT: Final = 1
MOST_CATEGORIES: Final = 50
"""Categories that have a bin of their own; rarer ones share that of unseen ones."""


class ColumnKind(StrEnum):
    """How a column's values are put into bins.

    Moments share one: data that is observed later has later ones, which is the calendar and no
    drift. That they are missing more often is.
    """

    NUMBER = "number"
    MOMENT = "moment"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """Counts of one column's values.

    ``edges`` part numbers into ``len(edges) + 1`` bins, each up to its edge and including it; the
    outer ones reach to infinity. Categories have a bin each, and one more for all others.
    ``missing`` is a bin too.
    """

    name: str
    kind: ColumnKind
    counts: tuple[int, ...]
    missing: int
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def bins(self) -> tuple[int, ...]:
        """All counts, those of missing values last."""
        return (*self.counts, self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftProfile:
    """How the columns of a dataset are distributed over ``rows``."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    @property
    def document(self) -> dict[str, Json]:
        """The profile as a JSON object."""
        return {
            "format": FORMAT,
            "rows": self.rows,
            "columns": [
                {
                    "name": column.name,
                    "kind": str(column.kind),
                    "edges": list(column.edges),
                    "categories": list(column.categories),
                    "counts": list(column.counts),
                    "missing": column.missing,
                }
                for column in self.columns
            ],
        }

    @property
    def content(self) -> bytes:
        """The canonical JSON that is stored with a release."""
        return canonical_json(self.document)

    @property
    def digest(self) -> str:
        """Digest of the content: 64 hexadecimal digits."""
        return sha256(self.content)

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read what `content` wrote.

        Raises
        ------
        ValueError
            The bytes are no profile, or one of a later format.
        """
        document = parse_json(content)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError("not a drift profile of a format that this version reads")
        return cls(
            rows=document["rows"],
            columns=tuple(_parse_column(column) for column in document["columns"]),
        )


def decile_places(values: int) -> tuple[int, ...]:
    """Tell where the deciles are among so many values that ascend, from 0: each is one of them."""
    return tuple(-(-values * tenth // 10) - 1 for tenth in range(1, 10)) if values else ()


def freeze_edges(deciles: tuple[float, ...]) -> tuple[float, ...]:
    """Make edges of a column's deciles, which ascend.

    A value that more than one decile falls on is a bin of its own: without an edge below it, what
    is less would count as the same.
    """
    edges: set[float] = set()
    for decile in deciles:
        if isfinite(decile):
            edges.add(decile)
            below = nextafter(decile, -inf)
            if deciles.count(decile) > 1 and isfinite(below):
                edges.add(below)
    return tuple(sorted(edges))


def _parse_column(document: Mapping[str, Json]) -> ColumnProfile:
    return ColumnProfile(
        name=document["name"],
        kind=ColumnKind(document["kind"]),
        # The shortest way to write some of them is that of an integer.
        edges=tuple(float(edge) for edge in document["edges"]),
        categories=tuple(document["categories"]),
        counts=tuple(document["counts"]),
        missing=document["missing"],
    )
