"""A model that is asked with frames: the original, or one whose last steps are compiled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from triune.domain.manifest import Outputs, Signature
from triune.domain.refusal import Refusal
from triune.serving.arrays import arrays_from_features
from triune.serving.compiled import Graph, predict_by
from triune.serving.loading import Estimator
from triune.serving.model import transform_by
from triune.serving.predicted import Predicted
from triune.serving.table import frame_from_arrow, frame_from_values


class Predicts(Protocol):
    """What a frame is given to."""

    @property
    def outputs(self) -> Outputs:
        """What it answers."""

    def predict(self, frame: pd.DataFrame) -> Predicted:
        """Predict a frame as one batch."""


class FrameModel:
    """A model with the signature that its frames keep to."""

    def __init__(self, model: Predicts, signature: Signature) -> None:
        self._model = model
        self._signature = signature

    @property
    def outputs(self) -> Outputs:
        """What the model answers."""
        return self._model.outputs

    def read_values(self, columns: dict[str, list[Any]]) -> pd.DataFrame:
        """Make a table of the values of requests."""
        return frame_from_values(columns, self._signature)

    def read_file(self, source: Path) -> pd.DataFrame | Refusal:
        """Make a table of an Arrow IPC file."""
        return frame_from_arrow(source, self._signature)

    def predict(self, table: pd.DataFrame) -> Predicted:
        """Predict a table as one batch."""
        return self._model.predict(table)


class CompiledTail:
    """A pipeline of which the first steps are left in Python, and the others compiled."""

    def __init__(
        self,
        first: Sequence[tuple[str, Estimator]],
        graph: Graph,
        *,
        outputs: Outputs,
        task: str,
    ) -> None:
        self._first = first
        self._graph = graph
        self._task = task
        self.outputs = outputs

    def predict(self, frame: pd.DataFrame) -> Predicted:
        """Predict a frame as one batch."""
        columns = arrays_from_features(transform_by(self._first, frame)) if len(frame) else {}
        return predict_by(
            self._graph, columns, rows=len(frame), outputs=self.outputs, task=self._task
        )
