"""What moved between two profiles of the same bins, beyond what chance explains."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil, inf, isfinite
from typing import Final

from triune.domain.canonical import Json
from triune.domain.drift import ColumnProfile, DriftProfile
from triune.stats.psi import (
    chance_quantile,
    occupied_bins,
    population_stability_index,
    rows_needed,
    rows_needed_on_both_sides,
)

ALPHA: Final = 0.01
"""The chance that any feature of a comparison is said to drift where none does."""


class DriftVerdict(StrEnum):
    """What a comparison says of a feature."""

    DRIFT = "DRIFT"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_DRIFT = "NO DRIFT"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """How far one feature moved: its index, and what chance alone would explain.

    ``rows_needed`` is from how many rows on it could be told, in the new data; None where the
    reference has too few itself, which then needs ``reference_needed``.
    """

    name: str
    psi: float
    by_chance: float
    verdict: DriftVerdict
    rows_needed: int | None
    reference_needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """What became of each feature, in the order of the profile."""

    reference_rows: int
    rows: int
    threshold: float
    features: tuple[FeatureDrift, ...]

    @property
    def document(self) -> dict[str, Json]:
        """The report as a JSON object."""
        return {
            "reference_rows": self.reference_rows,
            "rows": self.rows,
            "psi_max": self.threshold,
            "features": [
                {
                    "name": feature.name,
                    "verdict": str(feature.verdict),
                    "psi": feature.psi,
                    "by_chance": feature.by_chance if isfinite(feature.by_chance) else None,
                    "rows_needed": feature.rows_needed,
                    "reference_needed": feature.reference_needed,
                }
                for feature in self.features
            ],
        }

    def of(self, verdict: DriftVerdict) -> tuple[FeatureDrift, ...]:
        """List the features of a verdict, those that moved most first."""
        return tuple(
            sorted(
                (feature for feature in self.features if feature.verdict is verdict),
                key=lambda feature: -feature.psi,
            )
        )


def compare_profiles(
    reference: DriftProfile, current: DriftProfile, *, threshold: float, alpha: float = ALPHA
) -> DriftReport:
    """Compare the columns of a profile with those of another, of the same bins.

    Parameters
    ----------
    reference, current
        What the bins were made for, and what was counted into them.
    threshold
        The population stability index that counts as drift.
    alpha
        The chance that any feature is said to drift where none does.

    Raises
    ------
    ValueError
        The profiles are not of the same columns and bins.
    """
    counted = {column.name: column for column in current.columns}
    pairs = [(column, counted.get(column.name)) for column in reference.columns]
    features = []
    for before, after in pairs:
        if after is None or _bins_of(before) != _bins_of(after):
            raise ValueError(f"column {before.name!r} was not counted into the same bins")
        features.append(
            _compare(
                before,
                after,
                rows=(reference.rows, current.rows),
                threshold=threshold,
                share=(alpha, len(pairs)),
            )
        )
    return DriftReport(
        reference_rows=reference.rows,
        rows=current.rows,
        threshold=threshold,
        features=tuple(features),
    )


def _compare(
    before: ColumnProfile,
    after: ColumnProfile,
    *,
    rows: tuple[int, int],
    threshold: float,
    share: tuple[float, int],
) -> FeatureDrift:
    psi = population_stability_index(before.bins, after.bins)
    alpha, features = share
    bins = max(1, occupied_bins(before.bins, after.bins))
    quantile = chance_quantile(bins, features=features, alpha=alpha)
    n, m = rows
    by_chance = quantile * (1 / n + 1 / m) if n and m else inf
    if psi >= max(threshold, by_chance):
        verdict = DriftVerdict.DRIFT
    elif by_chance > threshold:
        verdict = DriftVerdict.INCONCLUSIVE
    else:
        verdict = DriftVerdict.NO_DRIFT
    needed = rows_needed(quantile, threshold=threshold, reference=n)
    return FeatureDrift(
        name=before.name,
        psi=psi,
        by_chance=by_chance,
        verdict=verdict,
        rows_needed=ceil(needed) if isfinite(needed) else None,
        reference_needed=ceil(rows_needed_on_both_sides(quantile, threshold=threshold)),
    )


def _bins_of(column: ColumnProfile) -> tuple[Json, ...]:
    return (column.kind, column.edges, column.categories, len(column.counts))
