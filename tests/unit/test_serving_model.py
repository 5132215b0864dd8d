"""What a model may answer, and what of it reaches a client."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from triune.domain.errors import ModelError
from triune.domain.manifest import Outputs
from triune.serving.answers import to_answers
from triune.serving.model import Model
from triune.serving.predicted import InvalidAnswerError

FRAME = pd.DataFrame({"x": [-2.0, -1.0, 1.0, 2.0]})


class AModel:
    """Answers whatever it is told to."""

    def __init__(
        self, labels: Any, probabilities: Any = None, classes: Any = ("no", "yes")
    ) -> None:
        self._labels, self._probabilities = labels, probabilities
        if classes is not None:
            self.classes_ = np.array(classes)
        if probabilities is not None:
            self.predict_proba = lambda _: np.array(probabilities)

    def predict(self, frame: pd.DataFrame) -> Any:
        return self._labels


def answers(estimator: Any, task: str, frame: pd.DataFrame = FRAME) -> list[dict[str, Any]]:
    model = Model(estimator, task=task)
    return to_answers(model.predict(frame), model.outputs)


def test_a_binary_model_answers_with_the_probability_of_its_second_class() -> None:
    estimator = LogisticRegression().fit(FRAME, ["no", "no", "yes", "yes"])

    first, *_, last = answers(estimator, "binary")

    assert (first["prediction"], last["prediction"]) == ("no", "yes")
    assert last["probability"] == estimator.predict_proba(FRAME)[-1, 1] > 0.5


def test_a_multiclass_model_answers_with_a_probability_for_each_class() -> None:
    estimator = LogisticRegression().fit(FRAME, [0, 1, 2, 2])

    answer = answers(estimator, "multiclass")[0]

    assert isinstance(answer["prediction"], int)
    assert list(answer["probabilities"]) == ["0", "1", "2"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_a_model_without_probabilities_answers_its_prediction_alone() -> None:
    estimator = LinearSVC().fit(FRAME, ["no", "no", "yes", "yes"])

    assert answers(estimator, "binary")[0] == {"prediction": "no"}
    assert Model(estimator, task="binary").outputs == Outputs(classes=("no", "yes"))


def test_a_regression_answers_a_number() -> None:
    estimator = LinearRegression().fit(FRAME, [[1.0], [2.0], [4.0], [5.0]])

    assert answers(estimator, "regression")[0]["prediction"] == pytest.approx(1.0)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_nothing_is_answered_for_no_rows_without_asking_the_model(task: str) -> None:
    model = Model(AModel(labels="not asked", probabilities=[[1, 0]]), task=task)

    predicted = model.predict(FRAME.iloc[:0])

    assert to_answers(predicted, model.outputs) == []


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (["no"], [[1, 0]], "shape (1,) for 4 rows"),
        ([["no", "no"]] * 4, [[1, 0]] * 4, "shape (4, 2)"),
        (["no", "no", "no", "perhaps"], [[1, 0]] * 4, "'perhaps', which is none of the classes"),
        (["no"] * 4, [[1, 0, 0]] * 4, "shape (4, 3), instead of (4, 2)"),
        (["no"] * 4, [[1, 0], [1, 0], [np.nan, 1], [1, 0]], "for row 2 (1 of 4 rows"),
        (["no"] * 4, [[1.5, -0.5]] * 4, "no probabilities that add up to 1"),
        (["no"] * 4, [[0.5, 0.4]] * 4, "no probabilities that add up to 1"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(
    labels: Any, probabilities: Any, message: str
) -> None:
    model = Model(AModel(labels, probabilities), task="binary")

    with pytest.raises(InvalidAnswerError) as caught:
        model.predict(FRAME)

    assert message in str(caught.value)


@pytest.mark.parametrize("labels", [[1, 2, 3, np.inf], [1, 2, 3, np.nan], ["a"] * 4])
def test_a_regression_that_answers_no_finite_number_is_refused(labels: Any) -> None:
    with pytest.raises(InvalidAnswerError):
        Model(AModel(labels), task="regression").predict(FRAME)


def test_probabilities_in_single_precision_are_taken_and_kept_within_bounds() -> None:
    probabilities = np.array([[1.0000001, -1e-7]] * 4, dtype=np.float32)

    (answer, *_) = answers(AModel(["no"] * 4, probabilities), "binary")

    assert answer["probability"] == 0.0


@pytest.mark.parametrize(
    ("classes", "task", "message"),
    [
        (None, "binary", "has no classes_"),
        ([0, 1, 2], "binary", "say multiclass in triune.yaml"),
        ([[0, 1], [0, 1]], "multiclass", "are not strings or numbers"),
    ],
)
def test_a_model_that_does_not_fit_its_task_is_refused(
    classes: Any, task: str, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Model(AModel([], classes=classes), task=task)


class ACountingScaler(StandardScaler):  # type: ignore[misc]
    """Counts how often it transforms."""

    transformed = 0

    def transform(self, X: Any, copy: Any = None) -> Any:  # noqa: N803 - scikit-learn's name
        self.transformed += 1
        return super().transform(X, copy)


class ADerivedPipeline(Pipeline):  # type: ignore[misc]
    """Answers otherwise than its parts would."""

    def predict(self, X: Any, **params: Any) -> Any:  # noqa: N803 - scikit-learn's name
        return 1 - super().predict(X, **params)


def a_fitted(kind: type[Pipeline], frame: pd.DataFrame) -> Pipeline:
    pipeline = kind([("scaled", ACountingScaler()), ("model", LogisticRegression())])
    return pipeline.fit(frame, [0, 0, 1, 1])


def test_a_pipeline_transforms_once_and_answers_as_it_would_itself() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    pipeline = a_fitted(Pipeline, frame)
    labels, chances = pipeline.predict(frame), pipeline.predict_proba(frame)
    before = pipeline[0].transformed

    predicted = Model(pipeline, task="binary").predict(frame)

    assert pipeline[0].transformed == before + 1
    assert predicted.labels.tolist() == labels.tolist()
    assert predicted.probabilities is not None
    assert predicted.probabilities.tolist() == chances.tolist()


def test_a_class_derived_from_a_pipeline_is_asked_itself() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    pipeline = a_fitted(ADerivedPipeline, frame)

    predicted = Model(pipeline, task="binary").predict(frame)

    assert predicted.labels.tolist() == [1, 1, 0, 0]


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc] # its bases have no types
    """A step that learns nothing."""

    def fit(self, frame: pd.DataFrame, target: Any = None) -> "Doubled":
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame * 2


def test_a_step_that_learns_nothing_may_stand_before_the_last_one() -> None:
    pipeline = Pipeline([("doubled", Doubled()), ("model", LogisticRegression())])
    pipeline.fit(FRAME, [0, 0, 1, 1])

    last = answers(pipeline, "binary")[-1]

    assert last["probability"] == pipeline.predict_proba(FRAME)[-1, 1]
