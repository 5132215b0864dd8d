"""Counts a column's values for a divergence: by value, or by bins."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import ceil, inf, log2
from typing import Any, TypeVar

from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import NUMERIC, SOURCE, PlacedColumn, Unanswerable
from triune.adapters.data.expectations.quantiles import read_quantiles
from triune.adapters.data.expectations.questions import (
    Asked,
    Observed,
    Question,
    count_present,
    require_kind,
)
from triune.adapters.data.expectations.sql import bounded
from triune.domain.canonical import Json
from triune.domain.expectations.divergence import (
    BinCounts,
    Divergence,
    Holdouts,
    PartitionError,
    compare_bins,
    compare_values,
    is_categorical,
    read_holdouts,
)
from triune.domain.expectations.outcome import Method

T = TypeVar("T")


def diverge(asked: Asked, column: PlacedColumn) -> Question:
    """Compare a column's distribution with a partition, or, without one, with its own."""
    kwargs = asked.kwargs
    partition = kwargs["partition_object"]
    by_bins = kwargs.get("bucketize_data", True)
    holdouts = _refusing(lambda: read_holdouts(kwargs))
    if partition is None:
        return _diverge_from_itself(asked, column, holdouts, by_bins=bool(by_bins))
    if _refusing(lambda: is_categorical(partition)):
        return _diverge_by_values(asked, column, partition, holdouts)
    if not by_bins:
        raise Unanswerable(
            "'bucketize_data' is false, and 'partition_object' has bins; give it values, or leave "
            "'bucketize_data' out"
        )
    # Found wrong before anything is read, whatever the counts.
    empty = BinCounts(inside=[0] * len(partition["weights"]), below=0, above=0, total=0)
    _refusing(lambda: compare_bins(partition, empty, holdouts))
    bins = partition["bins"]

    def conclude(answers: Sequence[Any], _: Passes) -> Observed:
        counts = _as_counts(answers)
        return _conclude(
            asked, _refusing(lambda: compare_bins(partition, counts, holdouts)), Method.SCAN
        )

    return Question(
        columns=asked.reads(column), asks=_ask_bins(asked, column, bins), conclude=conclude
    )


def _diverge_by_values(
    asked: Asked, column: PlacedColumn, partition: Mapping[str, Json], holdouts: Holdouts
) -> Question:
    _refusing(lambda: compare_values({"values": [], "weights": []}, [], holdouts))

    def conclude(_: Sequence[Any], passes: Passes) -> Observed:
        counts = _count_values(asked, column, passes)
        found = _refusing(lambda: compare_values(partition, counts, holdouts))
        return _conclude(asked, found, Method.SECOND_PASS)

    return Question(conclude=conclude)


def _diverge_from_itself(
    asked: Asked, column: PlacedColumn, holdouts: Holdouts, *, by_bins: bool
) -> Question:
    """Observe a distribution, for a partition to be made of it."""

    def conclude(answers: Sequence[Any], passes: Passes) -> Observed:
        count = answers[1]
        if not count:
            raise Unanswerable(
                f"column {column.name!r} holds no value to make a partition of; give one as "
                "'partition_object'"
            )
        if not by_bins:
            counts = _count_values(asked, column, passes)
            own: dict[str, Json] = {
                "values": [value for value, _ in counts],
                "weights": [number / count for _, number in counts],
            }
            found = _refusing(lambda: compare_values(own, counts, holdouts))
        else:
            bins = _make_bins(asked, column, count, passes)
            asks = ", ".join(_ask_bins(asked, column, bins))
            answer = passes.ask(asked.reads(column), f"SELECT {asks} FROM {SOURCE}")[0]  # noqa: S608 - no name of theirs
            binned = _as_counts(answer)
            weights = [number / count for number in binned.inside]
            own = {"bins": bins, "weights": weights, "tail_weights": [0.0, 0.0]}
            found = _refusing(lambda: compare_bins(own, binned, holdouts))
        return _conclude(asked, found, Method.SECOND_PASS)

    return Question(
        columns=asked.reads(column), asks=count_present(asked, column), conclude=conclude
    )


def _make_bins(asked: Asked, column: PlacedColumn, count: int, passes: Passes) -> list[float]:
    """Choose bins as numpy does by default: by Sturges, or by the quartiles if those give more."""
    require_kind(column, NUMERIC, "numbers, as bins count")
    low, lower, upper, high = (
        float(value)
        for value in read_quantiles(
            asked, column, (0.0, 0.25, 0.75, 1.0), count=count, method="nearest", passes=passes
        )
    )
    number = ceil(log2(count + 1))
    if upper - lower >= 1e-10:
        number = max(number, ceil((high - low) / (2 * (upper - lower) / count ** (1 / 3))))
    return [low + (high - low) * at / number for at in range(number)] + [high]


def _ask_bins(asked: Asked, column: PlacedColumn, bins: Sequence[float]) -> tuple[str, ...]:
    """Ask for the values below bins, in each, above them, and in all; the last one is closed."""
    require_kind(column, NUMERIC, "numbers, as bins count")
    asks = [asked.count(bounded(column, "<", bins[0]))]
    for number, (low, high) in enumerate(pairwise(bins), start=2):
        closing = "<=" if number == len(bins) else "<"
        asks.append(asked.count(bounded(column, ">=", low), bounded(column, closing, high)))
    asks.append(asked.count(bounded(column, ">", bins[-1])))
    return (*asks, count_present(asked, column)[1])


def _as_counts(answers: Sequence[Any]) -> BinCounts:
    below, *inside, above, count = answers
    return BinCounts(inside=inside, below=below, above=above, total=count)


def _count_values(asked: Asked, column: PlacedColumn, passes: Passes) -> list[tuple[Json, int]]:
    rows = passes.ask(
        asked.reads(column),
        f"SELECT {column.sql} AS v, count(*) FROM {SOURCE} "  # noqa: S608 - no name of theirs
        f"WHERE {asked.among(f'{column.sql} IS NOT NULL')} GROUP BY v ORDER BY v",
    )
    return [(value, count) for value, count in rows]


def _conclude(asked: Asked, found: Divergence, method: Method) -> Observed:
    threshold = asked.kwargs["threshold"]
    return Observed(
        is_met=threshold is None or found.value <= threshold,
        told={
            "observed_value": None if found.value == inf else found.value,
            "details": {
                "observed_partition": found.observed,
                "expected_partition": found.expected,
            },
        },
        method=method,
    )


def _refusing(step: Callable[[], T]) -> T:
    try:
        return step()
    except PartitionError as error:
        raise Unanswerable(str(error)) from error
