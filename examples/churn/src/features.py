"""Turns customers into features, each row by itself and by what was learned in training.

This travels in a release beside the model, whose pickle names `src.features.ChurnFeatures`.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

NUMBERS = ("tenure", "monthly_spend", "total_spend", "is_enterprise", "support_tickets")
REGION = "region"
MOMENTS = ("signup_at", "last_login_at")
CATEGORIES = ("contract_type", "payment_method")
INPUTS = (*NUMBERS, REGION, *MOMENTS, *CATEGORIES)

UNKNOWN = "unknown"
HOURS_PER_DAY, MONTHS_PER_YEAR = 24, 12


class ChurnFeatures(TransformerMixin, BaseEstimator):
    """Features of customers, with a value in each cell whatever is missing in the input.

    A missing number, and the days since a missing date, take the median of the training data (0
    if it has none); their column ``<name>_missing`` says so to the model. A missing category is
    a category, ``unknown``. Dtypes do not matter: a column may be null throughout, and a whole
    number may come as a float.

    Parameters
    ----------
    reference
        The moment up to which days are counted. By default the latest one in the training data:
        never today, by which the same customer would score differently tomorrow.
    """

    def __init__(self, reference: str | None = None) -> None:
        self.reference = reference

    def fit(self, customers: pd.DataFrame, y: object = None) -> Self:
        """Learn medians, the regions' frequencies, and the moment up to which days are counted."""
        _check_columns(customers)
        self.feature_names_in_ = np.array(INPUTS, dtype=object)
        moments = {name: as_moments(customers[name]) for name in MOMENTS}
        self.reference_ = (
            max(column.max() for column in moments.values())
            if self.reference is None
            else as_moments(pd.Series([self.reference])).iloc[0]
        )
        self.region_frequency_ = frequencies(customers[REGION])
        self.medians_ = {
            **{name: _median(as_numbers(customers[name])) for name in NUMBERS},
            **{name: _median(days_until(self.reference_, moments[name])) for name in MOMENTS},
        }
        return self

    def transform(self, customers: pd.DataFrame) -> pd.DataFrame:
        """Make the features of each row, in the order of `get_feature_names_out`."""
        check_is_fitted(self)
        _check_columns(customers)
        features: dict[str, np.ndarray | pd.Series] = {}
        for name in NUMBERS:
            features |= self._filled(name, as_numbers(customers[name]))
        features["region_frequency"] = frequency_encode(customers[REGION], self.region_frequency_)
        features["region_missing"] = customers[REGION].isna().to_numpy(dtype="float64")
        for name in MOMENTS:
            features |= self._of_moments(name, as_moments(customers[name]))
        for name in CATEGORIES:
            features[name] = as_categories(customers[name])
        return pd.DataFrame(features, index=customers.index)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Name the columns that `transform` makes, in their order."""
        numbers = [column for name in NUMBERS for column in (name, f"{name}_missing")]
        moments = [
            f"{name}_{part}"
            for name in MOMENTS
            for part in ("days", "missing", "hour_sin", "hour_cos", "month_sin", "month_cos")
        ]
        columns = [*numbers, "region_frequency", "region_missing", *moments, *CATEGORIES]
        return np.array(columns, dtype=object)

    def _filled(self, name: str, values: np.ndarray, *, suffix: str = "") -> dict[str, np.ndarray]:
        missing = np.isnan(values)
        return {
            f"{name}{suffix}": np.where(missing, self.medians_[name], values),
            f"{name}_missing": missing.astype("float64"),
        }

    def _of_moments(self, name: str, moments: pd.Series) -> dict[str, np.ndarray]:
        hour = (moments.dt.hour + moments.dt.minute / 60).to_numpy(dtype="float64")
        month = (moments.dt.month - 1).to_numpy(dtype="float64")
        hour_sin, hour_cos = cyclical(hour, period=HOURS_PER_DAY)
        month_sin, month_cos = cyclical(month, period=MONTHS_PER_YEAR)
        return {
            **self._filled(name, days_until(self.reference_, moments), suffix="_days"),
            f"{name}_hour_sin": hour_sin,
            f"{name}_hour_cos": hour_cos,
            f"{name}_month_sin": month_sin,
            f"{name}_month_cos": month_cos,
        }


def cyclical(values: np.ndarray, *, period: float) -> tuple[np.ndarray, np.ndarray]:
    """Place values on a circle, where the end of a period is its beginning: sine and cosine.

    A missing value is at the centre, as near to one hour as to any other.

    Examples
    --------
    >>> sine, cosine = cyclical(np.array([0.0, 6.0, 24.0]), period=24)
    >>> sine.round(3).tolist(), cosine.round(3).tolist()
    ([0.0, 1.0, 0.0], [1.0, 0.0, 1.0])
    """
    angle = 2 * np.pi * np.mod(values, period) / period
    return np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))


def frequencies(column: pd.Series) -> dict[str, float]:
    """Count how common each value is among those that are known: shares that add up to 1."""
    shares = as_categories(column.dropna()).value_counts(normalize=True)
    return {str(value): float(shares[value]) for value in sorted(shares.index)}


def frequency_encode(column: pd.Series, shares: Mapping[str, float]) -> np.ndarray:
    """Replace each value by its share in the training data; one unseen or missing has 0."""
    return np.array([shares.get(value, 0.0) for value in as_categories(column)], dtype="float64")


def days_until(reference: pd.Timestamp, moments: pd.Series) -> np.ndarray:
    """Count days, with their fraction, from each moment to the reference; NaN where missing.

    A moment after the reference counts as 0: training has seen no such.
    """
    days = (reference - moments) / pd.Timedelta(days=1)
    return days.clip(lower=0).to_numpy(dtype="float64")


def as_numbers(column: pd.Series) -> np.ndarray:
    """Read numbers of any dtype as floats, missing ones as NaN; text that is no number raises."""
    return pd.to_numeric(column.astype(object).where(column.notna(), np.nan)).to_numpy("float64")


def as_moments(column: pd.Series) -> pd.Series:
    """Read moments of any dtype and time zone as UTC, in microseconds and without a zone."""
    moments = pd.to_datetime(column.where(column.notna(), pd.NaT), utc=True, format="ISO8601")
    return moments.dt.tz_localize(None).dt.as_unit("us")


def as_categories(column: pd.Series) -> pd.Series:
    """Read categories as text in a column of objects, the same in every version of pandas."""
    known = column.notna()
    return column.astype(object).where(known, UNKNOWN).map(str).astype(object)


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else 0.0


def _check_columns(customers: pd.DataFrame) -> None:
    absent = [name for name in INPUTS if name not in customers.columns]
    if absent:
        raise ValueError(f"the customers lack the columns {', '.join(absent)}")
