"""Of each answer before and after a change, the number that a behaviour is about."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from triune.domain.errors import ConfigError
from triune.domain.project import BehaviourSpec
from triune.operations.model_layer import comparable
from triune.ports import Predictions


def a_behaviour(expect: Literal["increase", "decrease", "same"]) -> BehaviourSpec:
    return BehaviourSpec(name="more", set={"n": 2}, against={"n": 1}, expect=expect)


def answers(classes: Sequence[str], chances: Any) -> Predictions:
    columns = np.asarray(chances, dtype=np.float64)
    return Predictions(
        labels=np.array(classes)[columns.argmax(axis=1)],
        probabilities=columns,
    )


def test_of_two_classes_it_is_the_chance_of_the_second() -> None:
    before = answers(["no", "yes"], [[0.7, 0.3], [0.4, 0.6]])
    after = answers(["no", "yes"], [[0.5, 0.5], [0.3, 0.7]])

    against, given, shown = comparable(a_behaviour("increase"), before, after)

    assert (against.tolist(), given.tolist(), shown) == ([0.3, 0.6], [0.5, 0.7], None)


def test_of_more_classes_it_is_the_one_that_was_answered_or_the_one_that_changes_most() -> None:
    before = answers(["a", "b", "c"], [[0.5, 0.3, 0.2]])
    after = answers(["a", "b", "c"], [[0.6, 0.0, 0.4]])

    directed = comparable(a_behaviour("increase"), before, after)
    same = comparable(a_behaviour("same"), before, after)

    assert (directed[0].tolist(), directed[1].tolist()) == ([0.5], [0.6])
    assert (same[0].tolist(), same[1].tolist()) == ([0.3], [0.0])


def test_of_a_regression_it_is_the_number() -> None:
    before = Predictions(labels=np.array([1.5, 2.0]), probabilities=None)
    after = Predictions(labels=np.array([2.5, 2.0]), probabilities=None)

    against, given, shown = comparable(a_behaviour("increase"), before, after)

    assert (against.tolist(), given.tolist(), shown) == ([1.5, 2.0], [2.5, 2.0], None)


def test_labels_alone_can_stay_the_same_and_do_nothing_else() -> None:
    before = Predictions(labels=np.array(["no", "yes"]), probabilities=None)
    after = Predictions(labels=np.array(["yes", "yes"]), probabilities=None)

    against, given, shown = comparable(a_behaviour("same"), before, after)

    assert (against.tolist(), given.tolist()) == ([0, 0], [1, 0])
    assert shown is not None
    assert (shown[0].tolist(), shown[1].tolist()) == (["no", "yes"], ["yes", "yes"])
    with pytest.raises(ConfigError, match="gives no probabilities"):
        comparable(a_behaviour("increase"), before, after)
