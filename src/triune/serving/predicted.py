"""What a model answered: checked, so that none passes that cannot be right."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triune.domain.manifest import Outputs

# Models that compute in single precision miss 1 by about this much.
TOLERANCE: Final = 1e-4
# So many rows are looked at faster one by one.
_FEW: Final = 4

Floats = npt.NDArray[np.float64]


class InvalidAnswerError(Exception):
    """A model answered with something that cannot be an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Answers for n rows: labels (n,), and probabilities (n, classes) where there are any."""

    labels: npt.NDArray[Any]
    probabilities: Floats | None


def check_labels(outputs: Outputs, labels: Any, *, rows: int, task: str) -> npt.NDArray[Any]:
    """Check labels for so many rows, or the numbers of a regression.

    Raises
    ------
    InvalidAnswerError
        They have the wrong shape, are not finite, or are no classes of the model.
    """
    flat = _flatten(np.asarray(labels), rows=rows)
    if task == "regression":
        return _finite(flat)
    _require_classes(outputs, flat)
    return flat


def check_probabilities(outputs: Outputs, probabilities: Any, *, rows: int) -> Floats:
    """Check the probabilities of each class for so many rows.

    Raises
    ------
    InvalidAnswerError
        They have the wrong shape, are not finite, or are no probabilities.
    """
    floats = np.asarray(probabilities, dtype=np.float64)
    shape = (rows, len(outputs.classes))
    if _are_probabilities(floats, shape=shape):
        return floats
    _require_probabilities(floats, shape=shape)
    return np.clip(floats, 0.0, 1.0)


def nothing_predicted(outputs: Outputs, *, task: str) -> Predicted:
    """Answer no rows."""
    is_regression = task == "regression"
    labels = np.empty(0) if is_regression else np.asarray(outputs.classes, dtype=None)[:0]
    return Predicted(
        labels=labels,
        probabilities=np.empty((0, len(outputs.classes))) if outputs.probabilities else None,
    )


def _are_probabilities(floats: Floats, *, shape: tuple[int, int]) -> bool:
    """Tell in a few looks what nearly always holds; NaN is neither above nor below anything."""
    if floats.shape != shape:
        return False
    if len(floats) <= _FEW:
        return all(
            all(0.0 <= each <= 1.0 for each in row) and abs(sum(row) - 1.0) <= TOLERANCE
            for row in floats.tolist()
        )
    return bool(
        floats.min(initial=1.0) >= 0.0
        and floats.max(initial=0.0) <= 1.0
        and np.abs(floats.sum(axis=1) - 1.0).max(initial=0.0) <= TOLERANCE
    )


def _require_classes(outputs: Outputs, labels: npt.NDArray[Any]) -> None:
    if not outputs.classes:
        return
    unknown = set(labels.tolist()) - set(outputs.classes)
    if unknown:
        raise InvalidAnswerError(
            f"predict answered {unknown.pop()!r}, which is none of the classes "
            f"{list(outputs.classes)}"
        )


def _flatten(labels: npt.NDArray[Any], *, rows: int) -> npt.NDArray[Any]:
    if labels.shape not in {(rows,), (rows, 1)}:
        raise InvalidAnswerError(
            f"predict answered with shape {labels.shape} for {rows} rows, instead of ({rows},)"
        )
    return labels.reshape(rows)


def _finite(labels: npt.NDArray[Any]) -> Floats:
    try:
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidAnswerError(f"predict answered with what is no number: {error}") from error
    _require_finite(numbers, "predict")
    return numbers


def _require_finite(numbers: Floats, method: str) -> None:
    wrong = np.flatnonzero(~np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1))
    if wrong.size:
        raise InvalidAnswerError(
            f"{method} answered with {numbers[wrong[0]]} for row {wrong[0]} "
            f"({wrong.size} of {len(numbers)} rows are not finite)"
        )


def _require_probabilities(probabilities: Floats, *, shape: tuple[int, int]) -> None:
    if probabilities.shape != shape:
        raise InvalidAnswerError(
            f"predict_proba answered with shape {probabilities.shape}, instead of {shape}"
        )
    _require_finite(probabilities, "predict_proba")
    outside = (probabilities < -TOLERANCE) | (probabilities > 1 + TOLERANCE)
    off = np.abs(probabilities.sum(axis=1) - 1) > TOLERANCE
    wrong = np.flatnonzero(outside.any(axis=1) | off)
    if wrong.size:
        raise InvalidAnswerError(
            f"predict_proba answered with {probabilities[wrong[0]].tolist()} for row {wrong[0]}, "
            "which are no probabilities that add up to 1"
        )
