"""Measures releases on a labelled holdout: how good one is, and how much better than another.

Whoever lets predictions meet the labels here has reserved the look before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from triune.domain.errors import ConditionError, DatasetError, UsageError
from triune.domain.manifest import DatasetRef, Manifest, Outputs
from triune.domain.project import SliceSpec
from triune.domain.wording import counted
from triune.operations.context import Context
from triune.operations.scoring import dataset_of, lay_out_dataset
from triune.ports import Predictions
from triune.stats.errors import StatsError
from triune.stats.estimate import Estimate, PairedComparison
from triune.stats.inputs import BoolArray, FloatArray, IntArray
from triune.stats.interval import USUAL, Question
from triune.stats.measure import compare_metric, estimate_metric
from triune.stats.metric_names import Task
from triune.stats.metrics import Needs, find_metric

HOLDOUT: Final = "holdout"

_Array: TypeAlias = npt.NDArray[Any]
_Class: TypeAlias = str | int | float | bool

Answers: TypeAlias = tuple[Outputs, Predictions]
"""What a model answers at all, and what it answers for the rows of the holdout."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HoldoutSlice:
    """A subpopulation, and which rows of the holdout are in it: shape (rows,)."""

    spec: SliceSpec
    rows: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Holdout:
    """The labels of a release's holdout, and what belongs together in it.

    Attributes
    ----------
    labels
        As the dataset has them: shape (rows,).
    groups
        A number for each row, of shape (rows,), where rows share their subject: the project's key,
        or without one where they are the same in every column. None where no two rows do.
    subjects
        How many different ones there are.
    judged
        The project's slices by name, each as its rows or as what is wrong with its condition.
    """

    task: Task
    target: str
    labels: _Array
    groups: IntArray | None
    subjects: int
    judged: Mapping[str, HoldoutSlice | ConditionError]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return len(self.labels)

    @property
    def slices(self) -> dict[str, HoldoutSlice]:
        """The project's slices by name.

        Raises
        ------
        ConditionError
            A slice's condition cannot be used.
        """
        return {name: self.slice_of(name) for name in self.judged}

    def slice_of(self, name: str) -> HoldoutSlice:
        """Find a slice by its name.

        Raises
        ------
        ConditionError
            Its condition cannot be used.
        """
        found = self.judged[name]
        if isinstance(found, ConditionError):
            raise found
        return found

    def truth(self, classes: Sequence[_Class]) -> IntArray | FloatArray:
        """Write the labels as metrics take them: the place of each class, or numbers.

        Raises
        ------
        DatasetError
            A row has no label, or one that is none of the classes, or no finite number.
        """
        missing = np.flatnonzero(is_missing(self.labels))
        if len(missing):
            raise DatasetError(
                f"{_rows_of(missing)} of the holdout without a value in the target "
                f"{self.target!r}; label them, or leave them out"
            )
        if self.task == "regression":
            return _as_numbers(self.labels, self.target)
        return _as_codes(self.labels, self.target, classes)

    def estimate(
        self,
        metric_name: str,
        *,
        answers: Answers,
        rows: BoolArray | None = None,
        question: Question = USUAL,
    ) -> Estimate:
        """Bound a metric of one model, on all rows or on some.

        Raises
        ------
        TooFewRowsError
            The rows, or those of a class, are too few.
        StatsError, UsageError
            The metric does not go with the task, the labels or what the model answers.
        """
        metric = find_metric(metric_name, task=self.task)
        classes = answers[0].classes
        taken = slice(None) if rows is None else rows
        return estimate_metric(
            metric,
            self.truth(classes)[taken],
            self._take(metric.needs, metric_name, answers, classes)[taken],
            groups=self._groups(rows),
            question=question,
        )

    def compare(
        self,
        metric_name: str,
        *,
        champion: Answers,
        candidate: Answers,
        rows: BoolArray | None = None,
        question: Question = USUAL,
    ) -> PairedComparison:
        """Compare two models by a metric on the same rows, all or some.

        Raises
        ------
        TooFewRowsError
            The rows, or those of a class, are too few.
        StatsError, UsageError
            The metric does not go with the task, the labels or what a model answers.
        """
        metric = find_metric(metric_name, task=self.task)
        classes = _common_classes(self.task, champion[0], candidate[0])
        taken = slice(None) if rows is None else rows
        return compare_metric(
            metric,
            self.truth(classes)[taken],
            champion=self._take(metric.needs, metric_name, champion, classes)[taken],
            candidate=self._take(metric.needs, metric_name, candidate, classes)[taken],
            groups=self._groups(rows),
            question=question,
        )

    def _take(
        self, needs: Needs, metric_name: str, answers: Answers, classes: Sequence[_Class]
    ) -> _Array:
        outputs, predictions = answers
        if len(predictions.labels) != self.rows:
            raise StatsError(
                f"there are {len(predictions.labels)} predictions for the {self.rows} rows of the "
                "holdout; score each row once"
            )
        if needs in {Needs.SCORES, Needs.PROBABILITIES} and predictions.probabilities is None:
            raise UsageError(
                f"{metric_name} needs probabilities, and this model gives none; give it a "
                "predict_proba, or use a metric of its labels such as accuracy"
            )
        return take(needs, predictions, outputs, classes=classes)

    def _groups(self, rows: BoolArray | None) -> IntArray | None:
        return self.groups if self.groups is None or rows is None else self.groups[rows]


def load_holdout(context: Context, manifest: Manifest) -> Holdout:
    """Load the labels of a release's holdout, and find the rows of the project's slices.

    Raises
    ------
    DatasetError
        There is no holdout, or it lacks a column that the release names.
    """
    model = manifest.model
    if model is None:
        raise UsageError("this release holds no model, so that there is nothing to measure")
    dataset = dataset_of(manifest, HOLDOUT)
    with context.scratch.folder() as folder:
        files = lay_out_dataset(context, dataset, folder)
        labels = context.data.arrays(files, format=dataset.format, columns=[model.target])
        members = _members(context, files, dataset, key=model.key)
        judged = {
            spec.name: _find_rows(context, files, dataset, spec)
            for spec in (context.spec.model.slices if context.spec.model else ())
        }
    subjects = len(np.unique(members))
    return Holdout(
        task=cast("Task", model.task),
        target=model.target,
        labels=labels[model.target],
        groups=members if subjects < len(members) else None,
        subjects=subjects,
        judged=judged,
    )


def take(
    needs: Needs, predictions: Predictions, outputs: Outputs, *, classes: Sequence[_Class]
) -> _Array:
    """Take from predictions what a metric looks at, classes in the order of ``classes``.

    A class that the model does not know has a probability of 0.
    """
    match needs:
        case Needs.VALUES:
            return predictions.labels.astype(np.float64)
        case Needs.LABELS:
            return encode(predictions.labels, classes)
    assert predictions.probabilities is not None
    placed = np.zeros((len(predictions.labels), len(classes)))
    for column, each in enumerate(outputs.classes):
        placed[:, classes.index(each)] = predictions.probabilities[:, column]
    return placed[:, 1] if len(classes) == 2 else placed


def encode(labels: _Array, classes: Sequence[_Class]) -> IntArray:
    """Write labels as the places of their classes; -1 for one that is none of them."""
    places = {each: place for place, each in enumerate(classes)}
    different, inverse = np.unique(labels, return_inverse=True)
    codes = np.array([places.get(each, -1) for each in different.tolist()], dtype=np.int64)
    return codes[inverse] if len(codes) else np.empty(0, dtype=np.int64)


def is_missing(values: _Array) -> BoolArray:
    """Tell which values of a column, as the data engine gives them, are missing."""
    match values.dtype.kind:
        case "f":
            return np.isnan(values)
        case "M":
            return np.isnat(values)
        case "O":
            return np.array([value is None for value in values], dtype=np.bool_)
    return np.zeros(len(values), dtype=np.bool_)


def _members(
    context: Context, files: Sequence[Path], dataset: DatasetRef, *, key: str | None
) -> IntArray:
    """Give each row the number of its subject."""
    if key is None:
        names = [each.name for each in context.data.fields(files, format=dataset.format)]
        digests = context.data.row_digests(files, format=dataset.format, columns=names)
        return np.unique(digests, return_inverse=True)[1].astype(np.int64)
    keys = context.data.arrays(files, format=dataset.format, columns=[key])[key]
    # Of whom a row without a key is, nobody knows: each is a subject of its own.
    missing = is_missing(keys)
    members = np.empty(len(keys), dtype=np.int64)
    different, members[~missing] = np.unique(keys[~missing], return_inverse=True)
    members[missing] = len(different) + np.arange(missing.sum())
    return members


def _find_rows(
    context: Context, files: Sequence[Path], dataset: DatasetRef, spec: SliceSpec
) -> HoldoutSlice | ConditionError:
    try:
        rows = context.data.matching(files, format=dataset.format, where=spec.where)
    except ConditionError as error:
        return error
    return HoldoutSlice(spec=spec, rows=rows)


def _common_classes(task: Task, champion: Outputs, candidate: Outputs) -> tuple[_Class, ...]:
    if task == "binary" and set(champion.classes) != set(candidate.classes):
        raise UsageError(
            f"the champion's classes are {list(champion.classes)} and the candidate's "
            f"{list(candidate.classes)}, so that they answer different questions; train the "
            "candidate on labels written as the champion's are"
        )
    return tuple(dict.fromkeys((*candidate.classes, *champion.classes)))


def _as_numbers(labels: _Array, target: str) -> FloatArray:
    try:
        numbers = labels.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"the target {target!r} of the holdout holds {labels[0]!r}, say, and a regression "
            "predicts numbers; correct model.task or model.target in triune.yaml"
        ) from error
    infinite = np.flatnonzero(~np.isfinite(numbers))
    if len(infinite):
        raise DatasetError(
            f"{_rows_of(infinite)} of the holdout whose target {target!r} is not finite; mend "
            "what produced them"
        )
    return numbers


def _as_codes(labels: _Array, target: str, classes: Sequence[_Class]) -> IntArray:
    codes = encode(labels, classes)
    outside = np.flatnonzero(codes < 0)
    if len(outside):
        strange = sorted({repr(value) for value in labels[outside].tolist()})
        shown = ", ".join(strange[:5]) + (", ..." if len(strange) > 5 else "")
        raise DatasetError(
            f"{_rows_of(outside)} of the holdout whose target {target!r} is {shown}, which is "
            f"none of the model's classes {list(classes)}; correct the labels, or train the model "
            "on rows of each class"
        )
    return codes


def _rows_of(places: IntArray) -> str:
    verb = "is" if len(places) == 1 else "are"
    where = "" if len(places) == 1 else "the first at "
    return f"there {verb} {counted(len(places), 'row')} ({where}row {places[0]})"
