"""Divergences are those of information theory, and holdouts go where they are due."""

from math import inf
from typing import Any

import numpy as np
import pytest
from scipy.stats import entropy

from triune.domain.expectations.divergence import (
    BinCounts,
    Holdouts,
    PartitionError,
    compare_bins,
    compare_values,
    is_categorical,
    read_holdouts,
)

NONE = Holdouts(tail=0, internal=0)


def counted(inside: list[int], *, below: int = 0, above: int = 0) -> BinCounts:
    return BinCounts(inside=inside, below=below, above=above, total=sum(inside) + below + above)


def test_values_diverge_as_shares_do() -> None:
    partition = {"values": ["a", "b", "c"], "weights": [0.5, 0.3, 0.2]}

    found = compare_values(partition, [("a", 7), ("b", 2), ("c", 1)], NONE)

    assert found.value == pytest.approx(entropy([0.7, 0.2, 0.1], [0.5, 0.3, 0.2]), rel=1e-12)
    assert found.observed == {"values": ["a", "b", "c"], "weights": [0.7, 0.2, 0.1]}


def test_values_that_are_not_expected_are_infinitely_far_but_for_what_is_held_out() -> None:
    partition = {"values": ["a", "b"], "weights": [0.6, 0.4]}
    counts = [("a", 2), ("b", 1), ("c", 1)]

    assert compare_values(partition, counts, NONE).value == inf
    found = compare_values(partition, counts, Holdouts(tail=0.1, internal=0))
    assert found.value == pytest.approx(entropy([0.5, 0.25, 0.25], [0.54, 0.36, 0.1]), rel=1e-12)


def test_bins_diverge_with_their_tails() -> None:
    partition = {"bins": [0, 1, 2], "weights": [0.5, 0.5]}
    holdouts = Holdouts(tail=0.1, internal=0)

    found = compare_bins(partition, counted([4, 4], below=1, above=1), holdouts)

    expected = entropy([0.1, 0.4, 0.4, 0.1], [0.05, 0.45, 0.45, 0.05])
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.observed["tail_weights"] == [0.1, 0.1]


def test_what_is_held_out_inside_fills_bins_without_weight() -> None:
    partition = {"bins": [0, 1, 2, 3], "weights": [0.5, 0.0, 0.5]}

    assert compare_bins(partition, counted([4, 1, 5]), NONE).value == inf
    found = compare_bins(partition, counted([4, 1, 5]), Holdouts(tail=0, internal=0.2))
    assert found.value == pytest.approx(entropy([0.4, 0.1, 0.5], [0.4, 0.2, 0.4]), rel=1e-12)


def test_an_open_bin_is_its_own_tail() -> None:
    partition = {"bins": [-inf, 0, 1], "weights": [0.4, 0.6]}

    found = compare_bins(partition, counted([4, 5], above=1), Holdouts(tail=0.1, internal=0))

    expected = entropy([0.4, 0.5, 0.1], [0.36, 0.54, 0.1])
    assert found.value == pytest.approx(expected, rel=1e-12)
    assert found.observed["bins"] == [0, 1]


def test_random_shares_agree_with_scipy() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        bins = int(random.integers(2, 9))
        weights = random.dirichlet(np.ones(bins))
        counts = random.integers(0, 50, bins)
        counts[0] += 1

        partition = {"bins": list(range(bins + 1)), "weights": weights.tolist()}
        found = compare_bins(partition, counted(counts.tolist()), NONE)

        assert found.value == pytest.approx(entropy(counts, weights), rel=1e-9)


@pytest.mark.parametrize(
    ("partition", "message"),
    [
        (None, "no list 'weights'"),
        ({"values": ["a"], "weights": [0.5]}, "add up to 0.5"),
        ({"values": ["a"], "weights": [1.5, -0.5]}, "shares"),
        ({"values": ["a"], "weights": [0.5, 0.5]}, "one weight for each"),
        ({"bins": [0, 1], "weights": [0.5, 0.5]}, "one more than weights"),
        ({"bins": [0, 2, 1], "weights": [0.5, 0.5]}, "do not ascend"),
        ({"bins": [0, "1"], "weights": [1]}, "the bins .* are to be numbers"),
        ({"weights": ["1"]}, "the weights .* are to be numbers"),
    ],
)
def test_a_partition_that_is_none_is_refused(partition: Any, message: str) -> None:
    with pytest.raises(PartitionError, match=message):
        is_categorical(partition)


@pytest.mark.parametrize(
    ("partition", "tail"),
    [
        ({"bins": [-inf, 0, inf], "weights": [0.5, 0.5]}, 0.1),
        ({"bins": [0, 1], "weights": [0.8], "tail_weights": [0.1, 0.1]}, 0.1),
        ({"bins": [-inf, 1], "weights": [0.8], "tail_weights": [0.1, 0.1]}, 0),
        ({"bins": [0, 1], "weights": [0.9], "tail_weights": [0.1]}, 0),
    ],
)
def test_tails_are_given_once(partition: Any, tail: float) -> None:
    holdouts = Holdouts(tail=tail, internal=0)

    with pytest.raises(PartitionError, match="tail_weight"):
        compare_bins(partition, counted([0] * len(partition["weights"])), holdouts)


def test_holdouts_are_shares() -> None:
    assert read_holdouts({"tail_weight_holdout": 0.1}) == Holdouts(tail=0.1, internal=0)
    for value in (-0.1, 2, "0.1", None, True):
        with pytest.raises(PartitionError, match="'internal_weight_holdout' is"):
            read_holdouts({"internal_weight_holdout": value})
    with pytest.raises(PartitionError, match="for bins, not for values"):
        compare_values({"values": [], "weights": []}, [], Holdouts(tail=0, internal=0.1))
