"""Expectations about a column as a whole: what it amounts to, and what occurs in it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from math import isclose, isfinite, nan
from typing import Any, Final

from triune.adapters.data.expectations import types
from triune.adapters.data.expectations.histograms import diverge
from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import (
    NUMERIC,
    SOURCE,
    TEMPORAL,
    Kind,
    PlacedColumn,
    Unanswerable,
)
from triune.adapters.data.expectations.quantiles import read_quantiles
from triune.adapters.data.expectations.questions import (
    Asked,
    Counted,
    Observed,
    Question,
    count_present,
    only_value,
    require_kind,
)
from triune.adapters.data.expectations.row_rules import Rule
from triune.adapters.data.expectations.sql import exact, is_one_of, read_moment
from triune.domain.canonical import Json
from triune.domain.expectations.outcome import PARTIAL_COUNT, Method, Offender


def minimum(asked: Asked) -> Question:
    """Bound the least value."""
    return _extreme(asked, "min")


def maximum(asked: Asked) -> Question:
    """Bound the greatest value."""
    return _extreme(asked, "max")


def mean(asked: Asked) -> Question:
    """Bound the mean."""
    count = f"count({asked.only(asked.column.sql)})"
    return _observe_sum(asked, (count,), lambda sum_, count: sum_ / count if count else nan)


def total(asked: Asked) -> Question:
    """Bound the sum, which of no values is 0."""
    return _observe_sum(asked, (), lambda sum_: sum_)


def median(asked: Asked) -> Question:
    """Bound the median."""
    value = asked.only(_numbers(asked).as_number)
    return _observe(asked, (f"median({value})",), _number_or_nan)


def deviation(asked: Asked) -> Question:
    """Bound the standard deviation of the sample, which takes two values at least."""
    value = f"CAST({asked.only(_numbers(asked).as_number)} AS DOUBLE)"
    finite = f"CASE WHEN isfinite({value}) THEN {value} END"

    def observe(answers: Sequence[Any], _: Passes) -> Any:
        found, finite_count, count = answers
        return nan if found is None or finite_count < count else found

    return _observe(
        asked, (f"stddev_samp({finite})", f"count({finite})", f"count({value})"), observe
    )


def distinct_count(asked: Asked) -> Question:
    """Bound how many different values there are."""
    value = asked.only(asked.column.sql)
    return _observe(asked, (f"count(DISTINCT {value})",), lambda answers, _: answers[0])


def distinct_share(asked: Asked) -> Question:
    """Bound how many different values there are, as a share of all."""
    value = asked.only(asked.column.sql)
    return _observe(
        asked,
        (f"count(DISTINCT {value})", f"count({value})"),
        lambda answers, _: answers[0] / answers[1] if answers[1] else 0,
    )


def present_share(asked: Asked) -> Question:
    """Bound how many rows hold a value, as a share of all."""
    return _observe(
        asked,
        count_present(asked, asked.column),
        lambda answers, _: answers[1] / answers[0] if answers[0] else 0,
    )


def quantiles(asked: Asked) -> Question:
    """Bound quantiles."""
    column = _numbers(asked)
    ranges = asked.kwargs["quantile_ranges"]
    method = asked.kwargs.get("allow_relative_error") or "nearest"

    def conclude(answers: Sequence[Any], passes: Passes) -> Observed:
        values = read_quantiles(
            asked, column, ranges["quantiles"], count=answers[1], method=method, passes=passes
        )
        within = [
            value is not None and _is_near(value, *limits)
            for value, limits in zip(values, ranges["value_ranges"], strict=True)
        ]
        return Observed(
            is_met=all(within),
            told={
                "observed_value": {"quantiles": ranges["quantiles"], "values": values},
                "details": {"success_details": within},
            },
            method=Method.SECOND_PASS,
        )

    return Question(
        columns=asked.reads(column), asks=count_present(asked, column), conclude=conclude
    )


def most_common(asked: Asked) -> Question:
    """Require the most frequent value to be one of some."""
    column = asked.column
    values = asked.kwargs["value_set"]

    def conclude(_: Sequence[Any], passes: Passes) -> Observed:
        value = column.sql
        where = asked.among(f"{value} IS NOT NULL")
        member = "TRUE" if values is None else is_one_of(column, values)
        counted = passes.ask(
            asked.reads(column),
            f"SELECT {value}, coalesce({member}, FALSE) FROM ("  # noqa: S608 - no name of theirs
            f"SELECT {value}, count(*) AS n FROM {SOURCE} WHERE {where} "
            f"GROUP BY {value}) QUALIFY n = max(n) OVER () ORDER BY {value}",
        )
        fitting = sum(fits for _, fits in counted)
        return Observed(
            is_met=fitting > 0 if asked.kwargs.get("ties_okay") else len(counted) == fitting == 1,
            told={"observed_value": [value for value, _ in counted]},
            method=Method.SECOND_PASS,
        )

    return Question(conclude=conclude)


def distinct_in_set(asked: Asked) -> Question:
    """Require that nothing occurs but some values."""
    return _occurring(asked, unexpected=True, missing=False)


def distinct_contain_set(asked: Asked) -> Question:
    """Require that each of some values occurs."""
    return _occurring(asked, unexpected=False, missing=True)


def distinct_equal_set(asked: Asked) -> Question:
    """Require that each of some values occurs, and nothing else."""
    return _occurring(asked, unexpected=True, missing=True)


def divergence(asked: Asked) -> Question:
    """Bound the distance of the distribution from an expected one."""
    return diverge(asked, asked.column)


def be_of_type(asked: Asked) -> Question:
    """Require a type."""
    wanted = asked.kwargs["type_"]
    if wanted is not None and not isinstance(wanted, str):
        raise Unanswerable(f"'type_' is {wanted!r}; it is to be the name of a type, as text")
    return _of_type(asked, [wanted])


def be_in_type_list(asked: Asked) -> Question:
    """Require one of some types."""
    return _of_type(asked, asked.kwargs["type_list"] or [None])


def _of_type(asked: Asked, wanted: Sequence[str | None]) -> Question:
    column = asked.column
    names = [name for name in wanted if name is not None]
    fits = types.is_of_type(column, names) or len(names) < len(wanted)
    if not types.is_object(column) or any(types.means_object(name) for name in wanted):
        anything = types.is_object(column) and any(types.means_object(name) for name in wanted)
        observed = "object_" if types.is_object(column) else types.name_type(column)
        return Question(
            conclude=lambda *_: Observed(is_met=fits or anything, told={"observed_value": observed})
        )

    def conclude(answers: Sequence[Any], passes: Passes) -> Counted:
        rows, present = answers
        # pandas judges these one by one; here, a column's values are all of one type.
        offenders: tuple[Offender, ...] = ()
        if present and not fits:
            limit = "" if passes.limit is None else f"LIMIT {passes.limit}"
            where = asked.among(f"{column.sql} IS NOT NULL")
            shown = passes.ask(
                asked.reads(column),
                f"SELECT r, {column.sql} FROM {SOURCE} WHERE {where} ORDER BY r {limit}",  # noqa: S608 - no name of theirs
            )
            offenders = tuple(Offender(row=row, value=value) for row, value in shown)
        return Counted(
            total=rows,
            present=present,
            unexpected=0 if fits else present,
            method=Method.SCAN,
            offenders=offenders,
        )

    return Question(
        columns=asked.reads(column), asks=count_present(asked, column), conclude=conclude
    )


def _extreme(asked: Asked, function: str) -> Question:
    column = asked.column
    kwargs = asked.kwargs
    if column.kind in TEMPORAL:
        kwargs = {**kwargs, **{name: _moment(column, kwargs, name) for name in _LIMITS}}
    elif column.kind is not Kind.NOTHING:
        wanted = str if column.kind is Kind.TEXT else int | float
        for name in _LIMITS:
            if kwargs.get(name) is not None and not isinstance(kwargs[name], wanted):
                raise Unanswerable(
                    f"column {column.name!r} holds {column.kind}, which cannot be compared with "
                    f"{name} {kwargs[name]!r}; write it as what the column holds"
                )

    def value(answers: Sequence[Any], _: Passes) -> Any:
        if column.kind in TEMPORAL and isinstance(answers[0], str):
            raise Unanswerable(
                f"column {column.name!r} holds {answers[0]}, which is beyond what can be compared; "
                "correct it, or write it as missing"
            )
        return answers[0]

    asks = (f"{function}({asked.only(column.as_number)})",)
    return _observe(asked, asks, value, kwargs=kwargs)


_LIMITS: Final = ("min_value", "max_value")


def _moment(column: PlacedColumn, kwargs: Mapping[str, Json], name: str) -> Json:
    bound = kwargs.get(name)
    moment = read_moment(bound)
    if bound is not None and moment is None:
        raise Unanswerable(
            f"column {column.name!r} holds {column.kind}, which cannot be compared with {name} "
            f"{bound!r}; write it as ISO 8601, such as '2024-01-31'"
        )
    return moment


def _numbers(asked: Asked) -> PlacedColumn:
    return require_kind(asked.column, NUMERIC, "numbers")


def _observe_sum(asked: Asked, asks: tuple[str, ...], value: Callable[..., Any]) -> Question:
    """Observe what a sum, exact of integers and compensated of others, and more amount to."""
    column = _numbers(asked)
    is_whole = column.kind in {Kind.INTEGER, Kind.BOOLEAN}
    added = asked.only(column.as_number)
    if not is_whole:
        added = f"CAST({added} AS DOUBLE)"

    def observe(answers: Sequence[Any], passes: Passes) -> Any:
        sum_, *others = answers
        if sum_ is not None and not isfinite(sum_):
            # Compensated, a sum with infinity in it is not a number; plain, it is infinite.
            (sum_,) = passes.scan(asked.reads(column), [f"sum({added})"])
        return value(0 if sum_ is None else sum_, *others)

    return _observe(asked, (f"{'sum' if is_whole else 'fsum'}({added})", *asks), observe)


def _number_or_nan(answers: Sequence[Any], _: Passes) -> Any:
    return nan if answers[0] is None else answers[0]


def _observe(
    asked: Asked,
    asks: tuple[str, ...],
    value: Callable[[Sequence[Any], Passes], Any],
    *,
    kwargs: Mapping[str, Json] | None = None,
) -> Question:
    """Ask for one value, and compare it with the bounds."""

    def conclude(answers: Sequence[Any], passes: Passes) -> Observed:
        observed = value(answers, passes)
        return Observed(
            is_met=is_within(observed, kwargs or asked.kwargs), told={"observed_value": observed}
        )

    return Question(columns=asked.reads(asked.column), asks=asks, conclude=conclude)


def is_within(value: Any, kwargs: Mapping[str, Json]) -> bool:
    """Tell whether a value, if there is one, lies within the bounds."""
    if value is None:
        return False
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    held = read_moment(value) if isinstance(value, date) else value
    if low is not None and not (held > low if kwargs.get("strict_min") else held >= low):
        return False
    return high is None or bool(held < high if kwargs.get("strict_max") else held <= high)


def _is_near(value: float, low: float | None, high: float | None) -> bool:
    """Tell whether a quantile lies within its limits, or very near to one of them."""
    if any(limit is not None and isclose(value, limit, rel_tol=1e-4) for limit in (low, high)):
        return True
    return (low is None or low <= value) and (high is None or value <= high)


def _occurring(asked: Asked, *, unexpected: bool, missing: bool) -> Question:
    column = asked.column
    wanted: dict[str, Json] = {}
    never: list[Json] = []
    for value in asked.kwargs["value_set"]:
        # Nothing equals a missing value, so that one among the others is never found.
        is_possible = column.kind is not Kind.NOTHING and value is not None
        literal = exact(column, value) if is_possible else None
        if literal is None:
            never.append(value)
        else:
            wanted[literal] = value
    member = f"{column.sql} IN ({', '.join(wanted)})" if wanted else "FALSE"
    others = asked.only(f"CASE WHEN NOT ({member}) THEN {column.sql} END")
    found = asked.only(f"CASE WHEN {member} THEN {column.sql} END")

    def conclude(answers: Sequence[Any], passes: Passes) -> Observed:
        other_count, found_count = answers
        told: dict[str, Json] = {"observed_value": None}
        is_met = True
        if unexpected:
            told["unexpected_count"] = other_count
            told["partial_unexpected_list"] = (
                _distinct(asked, column, others, passes) if other_count else []
            )
            is_met = not other_count
        if missing:
            lacking = never + (_lacking(asked, wanted, passes) if found_count < len(wanted) else [])
            told["missing_count"] = len(lacking)
            told["partial_missing_list"] = lacking[:PARTIAL_COUNT]
            is_met = is_met and not lacking
        return Observed(is_met=is_met, told=told)

    return Question(
        columns=asked.reads(column),
        asks=(f"count(DISTINCT {others})", f"count(DISTINCT {found})"),
        conclude=conclude,
    )


def _distinct(asked: Asked, column: PlacedColumn, value: str, passes: Passes) -> list[Json]:
    rows = passes.ask(
        asked.reads(column),
        f"SELECT DISTINCT {value} AS v FROM {SOURCE} WHERE v IS NOT NULL "  # noqa: S608 - no name of theirs
        f"ORDER BY v LIMIT {PARTIAL_COUNT}",
    )
    return [only_value(row) for row in rows]


def _lacking(asked: Asked, wanted: Mapping[str, Json], passes: Passes) -> list[Json]:
    column = asked.column
    found = passes.ask(
        asked.reads(column),
        f"SELECT {', '.join(asked.count(f'{column.sql} = {literal}') for literal in wanted)} "  # noqa: S608 - no name of theirs
        f"FROM {SOURCE}",
    )[0]
    return [value for value, count in zip(wanted.values(), found, strict=True) if not count]


VALUE_RULES: Final[Mapping[str, Rule]] = {
    "expect_column_min_to_be_between": minimum,
    "expect_column_max_to_be_between": maximum,
    "expect_column_mean_to_be_between": mean,
    "expect_column_median_to_be_between": median,
    "expect_column_stdev_to_be_between": deviation,
    "expect_column_sum_to_be_between": total,
    "expect_column_unique_value_count_to_be_between": distinct_count,
    "expect_column_proportion_of_unique_values_to_be_between": distinct_share,
    "expect_column_proportion_of_non_null_values_to_be_between": present_share,
    "expect_column_quantile_values_to_be_between": quantiles,
    "expect_column_most_common_value_to_be_in_set": most_common,
    "expect_column_distinct_values_to_be_in_set": distinct_in_set,
    "expect_column_distinct_values_to_contain_set": distinct_contain_set,
    "expect_column_distinct_values_to_equal_set": distinct_equal_set,
    "expect_column_kl_divergence_to_be_less_than": divergence,
    "expect_column_values_to_be_of_type": be_of_type,
    "expect_column_values_to_be_in_type_list": be_in_type_list,
}
