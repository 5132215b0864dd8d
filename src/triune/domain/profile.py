"""What the columns of a dataset hold, and the suite of expectations that follows from it.

A suite is proposed for a person to edit: the dataset that it was made from meets it, with slack.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil, floor, isfinite, log10, sqrt
from typing import Final

from triune.domain.canonical import Json
from triune.domain.drift import ColumnProfile, DriftProfile
from triune.domain.expectations.outcome import as_json
from triune.domain.manifest import FieldType

MOST_VALUES: Final = 20
"""Different values that may make a set."""

_MOST_NUMBERS: Final = 5
_ROWS_A_VALUE: Final = 5
_RANGE_SLACK: Final = 0.1
_MEAN_SLACK: Final = 0.25
_SIGMAS: Final = 4
_NULL_SLACK: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSummary:
    """What one column holds.

    ``type_name`` is its type as suites name it, None for a column without a value. ``values``
    are all different ones, ascending, where they are few. ``mean`` and ``stdev`` are of numbers
    that are finite.
    """

    name: str
    type: FieldType | None
    type_name: str | None
    present: int
    distinct: int
    low: Json
    high: Json
    mean: float | None
    stdev: float | None
    values: tuple[Json, ...]
    drift: ColumnProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetProfile:
    """What the columns of a dataset hold, seen in one pass."""

    rows: int
    columns: tuple[ColumnSummary, ...]

    @property
    def drift(self) -> DriftProfile:
        """How the columns are distributed."""
        return DriftProfile(rows=self.rows, columns=tuple(column.drift for column in self.columns))


def propose_suite(profile: DatasetProfile, *, name: str) -> dict[str, Json]:
    """Write a suite that a dataset meets, as Great Expectations 1.x does."""
    expectations = [*_of_table(profile)]
    for column in profile.columns:
        expectations += _of_column(column, profile.rows)
    return {
        "name": name,
        "expectations": [
            {"type": type_, "kwargs": as_json(kwargs), "meta": {"seen": as_json(seen)}}
            for type_, kwargs, seen in expectations
        ],
        "meta": {"proposed_by": "triune data profile", "rows": profile.rows},
    }


_Proposal = tuple[str, dict[str, Json], Json]


def _of_table(profile: DatasetProfile) -> Iterator[_Proposal]:
    names = [column.name for column in profile.columns]
    yield "expect_table_columns_to_match_set", {"column_set": names, "exact_match": True}, names
    if profile.rows:
        yield (
            "expect_table_row_count_to_be_between",
            {"min_value": max(1, profile.rows // 2)},
            profile.rows,
        )


def _of_column(column: ColumnSummary, rows: int) -> Iterator[_Proposal]:
    named = {"column": column.name}
    if not column.present:
        return
    if column.type_name is not None:
        type_ = "expect_column_values_to_be_of_type"
        yield type_, {**named, "type_": column.type_name}, column.type_name
    yield from _missing(column, rows)
    is_identifier = _is_identifier(column, rows)
    if is_identifier:
        yield "expect_column_values_to_be_unique", dict(named), column.distinct
    elif _is_set(column):
        yield (
            "expect_column_values_to_be_in_set",
            {**named, "value_set": list(column.values)},
            list(column.values),
        )
    elif bounds := _range(column):
        seen = [column.low, column.high]
        yield "expect_column_values_to_be_between", {**named, **bounds}, seen
    if not is_identifier and (bounds := _mean(column)):
        yield "expect_column_mean_to_be_between", {**named, **bounds}, column.mean


def _missing(column: ColumnSummary, rows: int) -> Iterator[_Proposal]:
    rate = 1 - column.present / rows
    named: dict[str, Json] = {"column": column.name}
    if not rate:
        yield "expect_column_values_to_not_be_null", named, 0.0
        return
    slack = max(_NULL_SLACK, _SIGMAS * sqrt(rate * (1 - rate) / rows))
    mostly = floor((1 - rate - slack) * 100) / 100
    if mostly > 0:
        yield "expect_column_values_to_not_be_null", {**named, "mostly": mostly}, rate


def _is_identifier(column: ColumnSummary, rows: int) -> bool:
    # Measurements are different by nature, and that says nothing of them.
    is_countable = column.type in {FieldType.INTEGER, FieldType.STRING}
    return is_countable and column.distinct == column.present == rows > 1


def _is_set(column: ColumnSummary) -> bool:
    most = {FieldType.STRING: MOST_VALUES, FieldType.INTEGER: _MOST_NUMBERS}
    is_known = 0 < len(column.values) <= most.get(column.type or FieldType.NUMBER, 0)
    return is_known and column.present >= _ROWS_A_VALUE * len(column.values)


def _range(column: ColumnSummary) -> dict[str, Json] | None:
    if column.type in {FieldType.DATE, FieldType.TIMESTAMP}:
        # What is observed later is later: only the beginning is a bound.
        return {"min_value": _earlier(column.low, column.high)}
    if column.type not in {FieldType.INTEGER, FieldType.NUMBER}:
        return None
    low, high = column.low, column.high
    if not isfinite(low) or not isfinite(high):
        return None
    slack = (high - low or abs(high)) * _RANGE_SLACK
    # A bound beyond the largest double is none.
    if not isfinite(low - slack) or not isfinite(high + slack):
        return None
    bounds = _outward(low - slack, high + slack, column.type, step=slack)
    # What was never negative is seldom to become so, and the other way round.
    least, most = (max(bounds[0], 0) if low >= 0 else bounds[0]), bounds[1]
    return {"min_value": least, "max_value": min(most, 0) if high <= 0 else most}


def _mean(column: ColumnSummary) -> dict[str, Json] | None:
    if column.type not in {FieldType.INTEGER, FieldType.NUMBER}:
        return None
    if column.mean is None or column.stdev is None or not column.stdev:
        return None
    if not isfinite(column.low) or not isfinite(column.high):
        return None
    slack = column.stdev * (_MEAN_SLACK + _SIGMAS / sqrt(column.present))
    if not isfinite(column.mean - slack) or not isfinite(column.mean + slack):
        return None
    low, high = _outward(column.mean - slack, column.mean + slack, FieldType.NUMBER, step=slack)
    return {"min_value": low, "max_value": high}


def _outward(low: float, high: float, type_: FieldType, *, step: float) -> tuple[float, float]:
    """Round bounds away from each other, to two digits of what they leave as slack."""
    digits = 1 - floor(log10(step)) if step > 0 else 0
    if type_ is FieldType.INTEGER:
        if digits >= 0:
            return floor(low), ceil(high)
        unit = 10**-digits
        return floor(low) // unit * unit, -(-ceil(high) // unit * unit)
    if not -300 < digits < 300:
        return low, high
    scale = 10.0**digits
    rounded = floor(low * scale) / scale, ceil(high * scale) / scale
    # Of what is large against its slack, rounding may lead inward.
    return min(low, rounded[0]), max(high, rounded[1])


def _earlier(low: Json, high: Json) -> Json:
    span = high - low
    days = max(1, ceil(span / timedelta(days=1) * _RANGE_SLACK))
    try:
        start = low - timedelta(days=days)
    except OverflowError:
        return low
    # By whole days: a bound is for a person to read.
    return (
        start.replace(hour=0, minute=0, second=0, microsecond=0)
        if (isinstance(start, datetime))
        else date(start.year, start.month, start.day)
    )
