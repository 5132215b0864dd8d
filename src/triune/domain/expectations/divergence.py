"""How far a column's distribution is from an expected one: Kullback and Leibler's divergence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, inf, isclose, isinf, log
from typing import TypeAlias

from triune.domain.canonical import Json

Weights: TypeAlias = Sequence[float]


class PartitionError(ValueError):
    """A partition, or what is held out of it, makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdouts:
    """Weight kept for what a partition gives none: outside of it, and inside."""

    tail: float
    internal: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """How far the two are apart, and the two as they were compared."""

    value: float
    observed: Mapping[str, Json]
    expected: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class BinCounts:
    """How many values each bin holds, how many lie outside, and how many there are."""

    inside: Sequence[int]
    below: int
    above: int
    total: int


def read_holdouts(kwargs: Mapping[str, Json]) -> Holdouts:
    """Read the holdouts among an expectation's arguments.

    Raises
    ------
    PartitionError
        One is no share.
    """
    held = {}
    for name in ("tail_weight_holdout", "internal_weight_holdout"):
        value = kwargs.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise PartitionError(f"{name!r} is {value!r}; it is to be a number from 0 to 1")
        held[name] = float(value)
    return Holdouts(tail=held["tail_weight_holdout"], internal=held["internal_weight_holdout"])


def is_categorical(partition: Json) -> bool:
    """Tell a partition of values from one of bins.

    Raises
    ------
    PartitionError
        It is neither, or its weights do not add up to 1.
    """
    if not isinstance(partition, Mapping) or not isinstance(partition.get("weights"), list):
        raise PartitionError(
            "'partition_object' has no list 'weights'; it is to have weights, and values or bins"
        )
    weights = [*partition["weights"], *partition.get("tail_weights", [])]
    _require_numbers("weights", weights)
    if any(weight < 0 for weight in weights) or not isclose(
        fsum(weights), 1, rel_tol=1e-5, abs_tol=1e-8
    ):
        raise PartitionError(
            f"the weights of 'partition_object' add up to {fsum(weights):g}; they are to be shares "
            "that add up to 1"
        )
    if isinstance(partition.get("values"), list):
        if len(partition["values"]) != len(partition["weights"]):
            raise PartitionError("'partition_object' has not one weight for each of its values")
        return True
    bins = partition.get("bins")
    if not isinstance(bins, list) or len(bins) != len(partition["weights"]) + 1:
        raise PartitionError(
            "'partition_object' is to have values, one for each weight, or bins, one more than "
            "weights"
        )
    _require_numbers("bins", bins)
    if any(low >= high for low, high in pairwise(bins)):
        raise PartitionError("the bins of 'partition_object' do not ascend; sort them")
    return False


def compare_values(
    partition: Mapping[str, Json], counts: Sequence[tuple[Json, int]], holdouts: Holdouts
) -> Divergence:
    """Compare how often values occur with how often they are expected to.

    Raises
    ------
    PartitionError
        Weight is held out inside, where there is nothing between values.
    """
    if holdouts.internal:
        raise PartitionError("'internal_weight_holdout' is for bins, not for values; leave it out")
    total = sum(count for _, count in counts)
    observed = {value: count / total for value, count in counts}
    expected = dict(zip(partition["values"], map(float, partition["weights"]), strict=True))
    if new := [value for value in observed if value not in expected]:
        expected = {value: weight * (1 - holdouts.tail) for value, weight in expected.items()}
        expected |= dict.fromkeys(new, holdouts.tail / len(new))
    seen = [observed.get(value, 0.0) for value in expected]
    values = list(expected)
    return Divergence(
        value=_entropy(seen, list(expected.values())),
        observed={"values": values, "weights": seen},
        expected={"values": values, "weights": list(expected.values())},
    )


def compare_bins(
    partition: Mapping[str, Json], counts: BinCounts, holdouts: Holdouts
) -> Divergence:
    """Compare how many values bins hold with how many they are expected to.

    Raises
    ------
    PartitionError
        Weight is held out of tails that have some already.
    """
    bins = list(partition["bins"])
    tails = partition.get("tail_weights")
    if tails is not None and len(tails) != 2:
        raise PartitionError(f"'tail_weights' is {tails!r}; give the lower tail's and the upper's")
    if holdouts.tail and tails is not None:
        raise PartitionError("'tail_weight_holdout' is for partitions without tail_weights")
    open_below, open_above = bins[0] == -inf, bins[-1] == inf
    if tails is not None and (open_below or open_above):
        raise PartitionError("'tail_weights' is for partitions whose bins are all finite")
    if holdouts.tail and open_below and open_above:
        raise PartitionError("'tail_weight_holdout' is for partitions with a finite end")
    seen = [_share(count, counts.total) for count in counts.inside]
    wanted = _fill(partition["weights"], holdouts)
    # A tail that a bin reaches into is that bin; the other gets what is held out.
    if tails is None:
        both = not (open_below or open_above)
        tails = [holdouts.tail / 2] * 2 if both else [holdouts.tail] * 2
    below, above = _share(counts.below, counts.total), _share(counts.above, counts.total)
    if not open_below:
        seen, wanted = [below, *seen], [tails[0], *wanted]
    if not open_above:
        seen, wanted = [*seen, above], [*wanted, tails[1]]
    finite = [edge for edge in bins if not isinf(edge)]
    return Divergence(
        value=_entropy(seen, wanted), observed=_told(finite, seen), expected=_told(finite, wanted)
    )


def _fill(weights: Weights, holdouts: Holdouts) -> list[float]:
    """Scale weights to what is not held out, and share what is held out inside."""
    scaled = [weight * (1 - holdouts.tail - holdouts.internal) for weight in weights]
    empty = scaled.count(0)
    return [weight or holdouts.internal / empty for weight in scaled]


def _told(bins: list[float], weights: list[float]) -> dict[str, Json]:
    return {"bins": bins, "weights": weights[1:-1], "tail_weights": [weights[0], weights[-1]]}


def _entropy(observed: Weights, expected: Weights) -> float:
    """Divergence of ``observed`` from ``expected``, both scaled to shares."""
    seen, wanted = fsum(observed), fsum(expected)
    if not seen or not wanted:
        return inf
    terms = []
    for weight, other in zip(observed, expected, strict=True):
        if weight:
            if not other:
                return inf
            terms.append(weight / seen * log((weight / seen) / (other / wanted)))
    return fsum(terms)


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0


def _require_numbers(name: str, held: Sequence[Json]) -> None:
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in held):
        raise PartitionError(f"the {name} of 'partition_object' are to be numbers")
