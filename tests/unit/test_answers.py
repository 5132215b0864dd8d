from collections.abc import Sequence

import pytest

from triune.domain.answers import AnswerChanges, Answers, compare_answers
from triune.domain.canonical import Json


def numbers(*values: float) -> Answers:
    answers = [{"prediction": value} for value in values]
    return Answers.parse(answers, classes=(), is_regression=True)


def labels(*answers: dict[str, Json], classes: Sequence[Json]) -> Answers:
    return Answers.parse(answers, classes=classes, is_regression=False)


def chance(probability: float) -> dict[str, Json]:
    return {"prediction": int(probability > 0.5), "probability": probability}


def weather(**chances: float) -> dict[str, Json]:
    return {"prediction": max(chances, key=lambda name: chances[name]), "probabilities": chances}


def test_numbers_of_a_regression_differ_by_their_absolute_gap() -> None:
    changes = compare_answers(numbers(10.0, -2.0, 5.0), numbers(10.0, 1.5, 4.0))

    assert changes == AnswerChanges(compared=3, differing=2, relabelled=None, largest=3.5)


def test_whole_numbers_of_a_regression_differ_like_any_others() -> None:
    assert compare_answers(numbers(1, 2), numbers(1.5, 2)).largest == 0.5


def test_a_binary_model_differs_by_labels_and_by_the_gap_of_its_probability() -> None:
    before = labels(chance(0.4), chance(0.75), classes=(0, 1))
    after = labels(chance(0.6), chance(0.75), classes=(0, 1))

    changes = compare_answers(before, after)

    assert (changes.compared, changes.differing, changes.relabelled) == (2, 1, 1)
    assert changes.largest == pytest.approx(0.2)


def test_many_classes_differ_by_the_largest_gap_of_any_of_them() -> None:
    classes = ("rain", "snow", "sun")
    before = labels(
        weather(rain=0.5, snow=0.3, sun=0.2), weather(rain=0.1, snow=0.1, sun=0.8), classes=classes
    )
    after = labels(
        weather(rain=0.3, snow=0.6, sun=0.1),
        weather(rain=0.15, snow=0.1, sun=0.75),
        classes=classes,
    )

    changes = compare_answers(before, after)

    assert (changes.differing, changes.relabelled) == (2, 1)
    assert changes.largest == pytest.approx(0.3)


def test_classes_in_another_order_are_compared_by_name_and_a_new_one_with_nothing() -> None:
    before = labels(weather(rain=0.75, sun=0.25), classes=("rain", "sun"))
    turned = labels(weather(sun=0.25, rain=0.75), classes=("sun", "rain"))
    wider = labels(weather(rain=0.5, sun=0.25, snow=0.25), classes=("rain", "snow", "sun"))

    assert compare_answers(before, turned).largest == 0.0
    assert compare_answers(before, wider).largest == 0.25


@pytest.mark.parametrize(("gap", "differing"), [(9e-7, 0), (2e-6, 1)])
def test_answers_within_a_millionth_are_equal(gap: float, differing: int) -> None:
    binary = [labels(chance(0.75 + by), classes=(0, 1)) for by in (0, gap)]

    assert compare_answers(numbers(1.0), numbers(1.0 + gap)).differing == differing
    assert compare_answers(*binary).differing == differing


def test_labels_without_probabilities_have_no_gap() -> None:
    before = labels({"prediction": "a"}, {"prediction": "b"}, classes=("a", "b"))
    after = labels({"prediction": "a"}, {"prediction": "a"}, classes=("a", "b"))

    changes = compare_answers(before, after)

    assert changes == AnswerChanges(compared=2, differing=1, relabelled=1, largest=None)


def test_numbers_and_labels_are_compared_as_what_they_say() -> None:
    changes = compare_answers(numbers(1.5), labels({"prediction": "a"}, classes=("a", "b")))

    assert changes == AnswerChanges(compared=1, differing=1, relabelled=1, largest=None)
