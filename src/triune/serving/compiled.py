"""Asks a compiled model for predictions: ONNX Runtime on arrays, one thread, nothing in between."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triune.domain.errors import ModelError
from triune.domain.manifest import Outputs, Signature
from triune.domain.refusal import Refusal
from triune.serving.arrays import NO_TEXT, Column, Columns, arrays_from_arrow, arrays_from_values
from triune.serving.predicted import (
    Predicted,
    check_labels,
    check_probabilities,
    nothing_predicted,
)

MATRIX: Final = "triune_matrix"
"""The one input of a graph that takes all columns together."""

_ERRORS_ONLY: Final = 3


class Graph:
    """A compiled model: columns in, labels (or numbers) and scores out.

    Raises
    ------
    ModelError
        The bytes are no model that ONNX Runtime can run.
    """

    def __init__(self, content: bytes) -> None:
        try:
            import onnxruntime  # noqa: PLC0415 - only what the model needs is loaded
        except ModuleNotFoundError as error:
            raise ModelError(
                f"the compiled model needs {error.name}, which is not installed: "
                "`pip install 'triune[onnx]'`"
            ) from error
        try:
            self._session = onnxruntime.InferenceSession(
                content, _one_thread(onnxruntime), providers=["CPUExecutionProvider"]
            )
        # Its errors have no class in common.
        except Exception as error:
            raise ModelError(f"the compiled model cannot be run: {error}") from error
        inputs = self._session.get_inputs()
        self._inputs = [each.name for each in inputs]
        self._texts = frozenset(each.name for each in inputs if each.type == "tensor(string)")
        self._outputs = [each.name for each in self._session.get_outputs()]

    def run(self, columns: Columns, *, scores: bool) -> tuple[Column, Column | None]:
        """Answer each row: labels (n,), and ``scores`` (n, classes) where they are asked for."""
        names = self._outputs if scores else self._outputs[:1]
        answered = self._session.run(names, self._feeds(columns))
        return answered[0], answered[1] if scores else None

    def _feeds(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        if self._inputs == [MATRIX]:
            return {MATRIX: np.column_stack(list(columns.values()))}
        # By their order: a converter makes identifiers of names.
        joined = zip(self._inputs, columns.values(), strict=True)
        return {name: self._feed(name, column) for name, column in joined}

    def _feed(self, name: str, column: Column) -> Column:
        if name in self._texts and column.dtype != object:
            # Texts that are all missing look like numbers.
            column = np.full(len(column), NO_TEXT, dtype=object)
        return column.reshape(-1, 1)


class CompiledModel:
    """A model that is compiled as a whole: the original, its code and its libraries rest."""

    def __init__(self, graph: Graph, signature: Signature, *, task: str) -> None:
        self._graph = graph
        self._signature = signature
        self._task = task

    @property
    def outputs(self) -> Outputs:
        """What the model answers."""
        return self._signature.outputs

    def read_values(self, columns: dict[str, list[Any]]) -> Columns:
        """Make a table of the values of requests."""
        return arrays_from_values(columns, self._signature)

    def read_file(self, source: Path) -> Columns | Refusal:
        """Make a table of an Arrow IPC file."""
        return arrays_from_arrow(source, self._signature)

    def predict(self, table: Columns) -> Predicted:
        """Predict a table as one batch."""
        rows = len(next(iter(table.values())))
        return predict_by(self._graph, table, rows=rows, outputs=self.outputs, task=self._task)


def predict_by(
    graph: Graph, columns: Columns, *, rows: int, outputs: Outputs, task: str
) -> Predicted:
    """Predict columns by a compiled model.

    Raises
    ------
    InvalidAnswerError
        The answer cannot be right.
    Exception
        Whatever ONNX Runtime raises.
    """
    if rows == 0:
        return nothing_predicted(outputs, task=task)
    labels, scores = graph.run(columns, scores=outputs.probabilities)
    if outputs.classes and isinstance(outputs.classes[0], bool):
        # As a graph has no labels that are truths.
        labels = labels.astype(bool)
    return Predicted(
        labels=check_labels(outputs, labels, rows=rows, task=task),
        probabilities=(None if scores is None else check_probabilities(outputs, scores, rows=rows)),
    )


def _one_thread(runtime: Any) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    return options
