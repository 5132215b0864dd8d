"""Asks an estimator for predictions, and lets none pass that cannot be right."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from triune.domain.errors import ModelError
from triune.domain.manifest import Outputs
from triune.serving.loading import Estimator

# Models that compute in single precision miss 1 by about this much.
TOLERANCE: Final = 1e-4

Floats = npt.NDArray[np.float64]


class InvalidAnswerError(Exception):
    """A model answered with something that cannot be an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """Answers for n rows: labels (n,), and probabilities (n, classes) where there are any."""

    labels: npt.NDArray[Any]
    probabilities: Floats | None


class Model:
    """An estimator, and what it answers: ``outputs``.

    Raises
    ------
    ModelError
        The estimator does not answer what the task needs.
    """

    def __init__(self, estimator: Estimator, *, task: str) -> None:
        self._estimator = estimator
        self.outputs = _describe(estimator, task=task)
        self._is_regression = task == "regression"
        self._is_pipeline = self.outputs.probabilities and _is_pipeline(estimator)

    def predict(self, frame: pd.DataFrame) -> Predicted:
        """Predict a frame as one batch.

        Raises
        ------
        InvalidAnswerError
            The answer has the wrong shape, is not finite, or is no probability or class.
        Exception
            Whatever the release's own code raises.
        """
        rows = len(frame)
        if rows == 0:
            return self._predict_nothing()
        seen, head = self._prepare(frame)
        answered = np.asarray(head.predict(seen))
        labels = _flatten(answered, rows=rows)
        if self._is_regression:
            return Predicted(labels=_finite(labels), probabilities=None)
        self._require_classes(labels)
        if not self.outputs.probabilities:
            return Predicted(labels=labels, probabilities=None)
        probabilities = np.asarray(head.predict_proba(seen), dtype=np.float64)
        _require_probabilities(probabilities, shape=(rows, len(self.outputs.classes)))
        return Predicted(labels=labels, probabilities=np.clip(probabilities, 0.0, 1.0))

    def _prepare(self, frame: pd.DataFrame) -> tuple[Any, Estimator]:
        """Transform the input once for both questions, where the estimator is a pipeline."""
        if not self._is_pipeline:
            return frame, self._estimator
        return self._estimator[:-1].transform(frame), self._estimator[-1]

    def _predict_nothing(self) -> Predicted:
        labels = (
            np.empty(0) if self._is_regression else np.asarray(self.outputs.classes, dtype=None)[:0]
        )
        classes = len(self.outputs.classes)
        return Predicted(
            labels=labels,
            probabilities=np.empty((0, classes)) if self.outputs.probabilities else None,
        )

    def _require_classes(self, labels: npt.NDArray[Any]) -> None:
        if not self.outputs.classes:
            return
        unknown = set(labels.tolist()) - set(self.outputs.classes)
        if unknown:
            raise InvalidAnswerError(
                f"predict answered {unknown.pop()!r}, which is none of the classes "
                f"{list(self.outputs.classes)}"
            )


def _is_pipeline(estimator: Estimator) -> bool:
    """Tell scikit-learn's own pipeline, whose predict is to transform and let the last one answer.

    A class derived from it may do otherwise.
    """
    kind = type(estimator)
    return (
        (kind.__module__, kind.__qualname__) == ("sklearn.pipeline", "Pipeline")
        and len(estimator) > 1
        and estimator[-1] not in {None, "passthrough"}
    )


def _describe(estimator: Estimator, *, task: str) -> Outputs:
    if task == "regression":
        return Outputs()
    found = getattr(estimator, "classes_", None)
    if found is None:
        raise ModelError(
            f"{type(estimator).__name__} has no classes_, which a {task} model needs; "
            "set it when the model is fitted, as scikit-learn's classifiers do"
        )
    classes = tuple(value.item() if isinstance(value, np.generic) else value for value in found)
    if not all(isinstance(value, str | int | float) for value in classes):
        raise ModelError(
            f"the classes of {type(estimator).__name__} are not strings or numbers: {classes}"
        )
    if task == "binary" and len(classes) != 2:
        raise ModelError(
            f"model.task is binary, and the model has {len(classes)} classes: {list(classes)}; "
            "say multiclass in triune.yaml, or look at the target that it was trained on"
        )
    return Outputs(
        classes=classes, probabilities=callable(getattr(estimator, "predict_proba", None))
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
