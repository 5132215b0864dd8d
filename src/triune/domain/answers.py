"""How far two models' answers to the same rows lie apart, whatever their task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from triune.domain.canonical import Json

TOLERANCE: Final = 1e-6
"""Answers that lie no further apart are equal: sums may be taken in another order."""

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChanges:
    """How many rows two models answered, and in how many of them they differ.

    Parameters
    ----------
    relabelled
        Rows that are given another label; None where the answers are numbers.
    largest
        The largest gap between two probabilities of a class, or two numbers; None where there is
        no gap to tell, as either side gives neither.
    """

    compared: int
    differing: int
    relabelled: int | None
    largest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A model's answers for n rows, in their order.

    Parameters
    ----------
    labels
        Of shape (n,): labels, or the numbers of a regression.
    probabilities
        Of shape (n, classes), None where the model gives none.
    """

    labels: npt.NDArray[np.generic]
    probabilities: Numbers | None
    classes: tuple[str, ...]
    is_regression: bool

    @classmethod
    def parse(
        cls, answers: Sequence[Mapping[str, Json]], *, classes: Sequence[Json], is_regression: bool
    ) -> Self:
        """Read what a client is answered."""
        labels = np.array([answer["prediction"] for answer in answers])
        names = tuple(str(value) for value in classes)
        probabilities = None
        if all("probability" in answer for answer in answers):
            second = np.array([answer["probability"] for answer in answers], dtype=float)
            probabilities = np.column_stack([1 - second, second])
        elif all("probabilities" in answer for answer in answers):
            probabilities = np.array(
                [[answer["probabilities"][name] for name in names] for answer in answers],
                dtype=float,
            )
        return cls(
            labels=labels,
            probabilities=probabilities,
            classes=names,
            is_regression=is_regression,
        )


def compare_answers(before: Answers, after: Answers) -> AnswerChanges:
    """Compare answers to the same rows; a class that one side does not know it gives 0."""
    if before.is_regression and after.is_regression:
        gaps = np.abs(before.labels.astype(float) - after.labels.astype(float))
        return AnswerChanges(
            compared=len(gaps),
            differing=int((gaps > TOLERANCE).sum()),
            relabelled=None,
            largest=float(gaps.max(initial=0.0)),
        )
    relabelled = _relabelled(before, after)
    gaps_or_none = _probability_gaps(before, after)
    moved = gaps_or_none is not None and gaps_or_none > TOLERANCE
    return AnswerChanges(
        compared=len(relabelled),
        differing=int((relabelled | moved).sum()),
        relabelled=int(relabelled.sum()),
        largest=None if gaps_or_none is None else float(gaps_or_none.max(initial=0.0)),
    )


def gaps_beyond(
    *,
    labels: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]],
    probabilities: tuple[Numbers | None, Numbers | None],
    tolerance: float = TOLERANCE,
) -> Flags:
    """Tell the rows that one model answers otherwise than another with the same classes.

    Labels must be equal, and probabilities lie no further apart than ``tolerance``; nor may the
    numbers of a regression, of which those beyond 1 are compared by their relative gap.

    Parameters
    ----------
    labels
        Of shape (n,) each: the one's, and the other's.
    probabilities
        Of shape (n, classes) each, or None.
    """
    one, other = labels
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        old, new = one.astype(float), other.astype(float)
        return np.asarray(
            ~(np.abs(old - new) <= tolerance * np.maximum(1.0, np.abs(old))), dtype=np.bool_
        )
    beyond = np.asarray(
        [each != new for each, new in zip(one.tolist(), other.tolist(), strict=True)],
        dtype=np.bool_,
    )
    first, second = probabilities
    if first is not None and second is not None:
        beyond |= ~(np.abs(first - second) <= tolerance).all(axis=1)
    return beyond


def _relabelled(before: Answers, after: Answers) -> Flags:
    old, new = before.labels, after.labels
    if not all(np.issubdtype(each.dtype, np.number) for each in (old, new)):
        # As text: numpy compares no number with a string.
        old, new = (np.array([str(label) for label in each.tolist()]) for each in (old, new))
    return np.asarray(old != new, dtype=np.bool_)


def _probability_gaps(before: Answers, after: Answers) -> Numbers | None:
    """Tell each row's largest gap over all classes that either side knows."""
    if before.probabilities is None or after.probabilities is None:
        return None
    names = tuple(dict.fromkeys((*before.classes, *after.classes)))
    gaps: Numbers = np.abs(_spread(before, names) - _spread(after, names)).max(axis=1, initial=0.0)
    return gaps


def _spread(answers: Answers, names: Sequence[str]) -> Numbers:
    assert answers.probabilities is not None
    spread = np.zeros((len(answers.labels), len(names)))
    for index, name in enumerate(answers.classes):
        spread[:, names.index(name)] = answers.probabilities[:, index]
    return spread
