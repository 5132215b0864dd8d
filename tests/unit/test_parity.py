"""Whether a compiled model answers as the original does, and which rows tell that it does not."""

import numpy as np
import pytest

from triune.domain.answers import TOLERANCE
from triune.domain.parity import judge_parity
from triune.domain.verdict import Verdict

LABELS = np.array([0, 1, 1])
CHANCES = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])


def test_answers_within_the_tolerance_are_the_same() -> None:
    near = CHANCES + np.array([TOLERANCE / 2, -TOLERANCE / 2])

    judged = judge_parity(labels=(LABELS, LABELS), probabilities=(CHANCES, near))

    assert judged.verdict is Verdict.PASS
    assert judged.figures["rows"] == 3
    assert judged.figures["largest_gap"] == pytest.approx(TOLERANCE / 2)


def test_rows_beyond_the_tolerance_are_named_the_worst_first() -> None:
    off = CHANCES.copy()
    off[0] += (-0.01, 0.01)
    off[2] += (0.1, -0.1)

    judged = judge_parity(labels=(LABELS, LABELS), probabilities=(CHANCES, off))

    assert judged.verdict is Verdict.FAIL
    assert [finding.row for finding in judged.findings] == [2, 0]
    assert judged.findings[0].message == (
        "the original answers 1 (0.2, 0.8), the compiled model 1 (0.3, 0.7)"
    )
    assert "2 of 3 rows" in judged.reason.message


def test_another_label_fails_whatever_the_probabilities_are() -> None:
    judged = judge_parity(labels=(LABELS, np.array([1, 1, 1])), probabilities=(CHANCES, CHANCES))

    assert judged.verdict is Verdict.FAIL
    assert [finding.row for finding in judged.findings] == [0]


def test_numbers_are_compared_by_their_relative_gap() -> None:
    numbers = np.array([1e6, 0.5])

    near = judge_parity(
        labels=(numbers, numbers + np.array([0.5, 0.0])), probabilities=(None, None)
    )
    far = judge_parity(
        labels=(numbers, numbers + np.array([0.0, 1e-5])), probabilities=(None, None)
    )

    assert (near.verdict, far.verdict) == (Verdict.PASS, Verdict.FAIL)


@pytest.mark.parametrize("given", [np.nan, np.inf])
def test_what_is_no_number_is_never_the_same(given: float) -> None:
    off = CHANCES.copy()
    off[1, 1] = given

    judged = judge_parity(labels=(LABELS, LABELS), probabilities=(CHANCES, off))

    assert judged.verdict is Verdict.FAIL


def test_texts_are_compared_as_they_are() -> None:
    words = np.array(["no", "yes"], dtype=object)

    judged = judge_parity(
        labels=(words, np.array(["no", "no"], dtype=object)), probabilities=(None, None)
    )

    assert [finding.row for finding in judged.findings] == [1]
