"""Asks an estimator for predictions, and lets none pass that cannot be right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from triune.domain.errors import ModelError
from triune.domain.manifest import Outputs
from triune.serving.loading import Estimator
from triune.serving.predicted import (
    Predicted,
    check_labels,
    check_probabilities,
    nothing_predicted,
)


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
        self._task = task
        self._is_pipeline = self.outputs.probabilities and is_pipeline(estimator)

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
            return nothing_predicted(self.outputs, task=self._task)
        seen, head = self._prepare(frame)
        labels = check_labels(self.outputs, head.predict(seen), rows=rows, task=self._task)
        if not self.outputs.probabilities:
            return Predicted(labels=labels, probabilities=None)
        probabilities = check_probabilities(self.outputs, head.predict_proba(seen), rows=rows)
        return Predicted(labels=labels, probabilities=probabilities)

    def _prepare(self, frame: pd.DataFrame) -> tuple[Any, Estimator]:
        """Transform the input once for both questions, where the estimator is a pipeline."""
        if not self._is_pipeline:
            return frame, self._estimator
        return transform_by(self._estimator.steps[:-1], frame), self._estimator[-1]


def transform_by(steps: Sequence[tuple[str, Estimator]], frame: Any) -> Any:
    """Transform by the first steps of a pipeline, one after the other.

    A part of the pipeline would do the same, but not where its last step has learned nothing: that
    would pass for one that was not fitted.
    """
    for _, step in steps:
        if step is not None and step != "passthrough":
            frame = step.transform(frame)
    return frame


def is_pipeline(estimator: Estimator) -> bool:
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
