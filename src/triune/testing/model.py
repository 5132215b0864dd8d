"""A release that tests ask for predictions, which it makes in a worker process of its own."""

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from triune.domain.canonical import Json
from triune.domain.errors import UsageError, WorkerError, nearest
from triune.domain.manifest import Manifest, Outputs, Signature
from triune.domain.model_checks import misfit
from triune.domain.projection import ReleaseRecord
from triune.domain.release import short
from triune.operations.context import Context
from triune.operations.releases import running
from triune.ports import Predictions, Worker
from triune.testing.tables import Table

if TYPE_CHECKING:
    from triune.testing.holdout import Holdout

Rows: TypeAlias = Any
"""A DataFrame of pandas or Polars, an Arrow table, or a list of rows, each a dictionary."""


class Model:
    """A release under test; its code and its libraries never enter the process of the tests.

    A list of rows is answered as a client's request is over HTTP: values as JSON has them, checked
    against the signature. Of a frame, columns that are no inputs are left aside.
    """

    def __init__(
        self,
        context: Context,
        record: ReleaseRecord,
        manifest: Manifest,
        *,
        holdout: "Callable[[], Holdout]",
    ) -> None:
        self._context = context
        self._manifest = manifest
        self._holdout = holdout
        self._stack = ExitStack()
        self._worker: Worker | None = None
        self._record = record

    def __repr__(self) -> str:
        return f"release {short(self.release)}"

    @property
    def release(self) -> str:
        """The release's id: 64 hexadecimal digits."""
        return self._record.id

    @property
    def record(self) -> ReleaseRecord:
        """What is known of the release."""
        return self._record

    @property
    def outputs(self) -> Outputs:
        """What the model answers: its classes, and whether it gives probabilities."""
        return self._signature.outputs

    @property
    def holdout(self) -> "Holdout":
        """The candidate's holdout, on which every model of the session is measured."""
        return self._holdout()

    def predict(self, rows: Rows) -> npt.NDArray[Any]:
        """Predict the label of each row: shape (rows,)."""
        return self.score(rows).labels

    def predict_proba(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Predict the probability of each class: shape (rows, classes), as ``outputs`` has them.

        Raises
        ------
        UsageError
            The model gives none.
        """
        probabilities = self.score(rows).probabilities
        if probabilities is None:
            raise UsageError(
                f"{self} gives no probabilities, so ask it to predict() alone, or give the model a "
                "predict_proba"
            )
        return probabilities

    def score(self, rows: Rows, *, replace: Mapping[str, Json] | None = None) -> Predictions:
        """Predict rows, each of which is given the values of ``replace`` before.

        Raises
        ------
        DatasetError
            A column that the model needs is missing, or cannot hold a value.
        UsageError
            ``rows`` is no table.
        WorkerError
            The model refused the rows, raised, or answered with something invalid.
        """
        given = replace or {}
        self._require_fitting(given)
        try:
            if isinstance(rows, list):
                return self._answer([{**row, **given} for row in rows])
            return self._score(rows, given)
        except WorkerError:
            # It may have died of it, which must not be the next test's fault.
            self.close()
            raise

    def close(self) -> None:
        """End the worker; the next question starts another."""
        self._worker = None
        self._stack.close()

    def _require_fitting(self, values: Mapping[str, Json]) -> None:
        """See that the model looks at these columns, and could be given these values."""
        inputs = {each.name: each for each in self._signature.inputs}
        for name, value in values.items():
            if name not in inputs:
                hint = nearest(name, inputs) or f"; its inputs are {', '.join(inputs)}"
                raise UsageError(f"the model has no input {name!r}{hint}")
            if problem := misfit(inputs[name], value):
                raise UsageError(f"{name} = {value!r} cannot be given to the model: {problem}")

    def _answer(self, rows: Sequence[Mapping[str, Any]]) -> Predictions:
        if not rows:
            raise UsageError("there is no row to predict; give one or more")
        requests = [{name: _as_json(value) for name, value in row.items()} for row in rows]
        answers = self._running().predict(requests)
        return Predictions(
            labels=np.array([each["prediction"] for each in answers]),
            probabilities=self._probabilities(answers),
        )

    def _probabilities(
        self, answers: Sequence[Mapping[str, Json]]
    ) -> npt.NDArray[np.float64] | None:
        if not self.outputs.probabilities:
            return None
        if len(self.outputs.classes) == 2:
            second = np.array([each["probability"] for each in answers], dtype=np.float64)
            return np.column_stack([1 - second, second])
        names = [str(each) for each in self.outputs.classes]
        return np.array([[each["probabilities"][name] for name in names] for each in answers])

    def _score(self, rows: Rows, replace: Mapping[str, Json]) -> Predictions:
        table = Table(rows, root=Path())
        with self._context.scratch.folder() as folder, table.files() as (files, written_as):
            source = folder / "rows.arrow"
            self._context.data.export(
                files,
                format=written_as,
                columns=[each.name for each in self._signature.inputs],
                destination=source,
                replace=replace,
            )
            return self._running().score(source)

    def _running(self) -> Worker:
        if self._worker is None:
            self._worker = self._stack.enter_context(running(self._context, self._manifest))
        return self._worker

    @property
    def _signature(self) -> Signature:
        if self._manifest.signature is None:
            raise UsageError(
                f"{self} holds no model, so that there is nothing to ask; say where it is under "
                "`model:` in triune.yaml, and `triune run`"
            )
        return self._manifest.signature


def _as_json(value: Any) -> Json:
    """Write a value as a client would send it."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else value
    # What pandas has for a missing time is no time at all, and says so by being unlike itself.
    if isinstance(value, dt.date):
        return value.isoformat() if value == value else None  # noqa: PLR0124 - NaT is not itself
    return value
