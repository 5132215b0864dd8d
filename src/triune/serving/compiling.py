"""Compiles a fitted pipeline to ONNX: as a whole, or its last steps and as many as can be.

What a converter makes of a step is not believed: it has to answer rows as the original does, rows
of the training data and such with values that training never had. Steps of which it does not are
left in Python. The same model gives the same bytes: the graph's name is fixed, and the operators'
versions are.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from skl2onnx.sklapi import CastTransformer
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.pipeline import Pipeline

from triune.domain.answers import gaps_beyond
from triune.domain.errors import ModelError
from triune.domain.manifest import FieldType, Signature
from triune.domain.refusal import Refusal
from triune.serving.arrays import (
    NO_TEXT,
    Columns,
    NotConvertibleError,
    arrays_from_features,
    arrays_from_values,
)
from triune.serving.arrow_columns import read_columns
from triune.serving.compiled import MATRIX, CompiledModel, Graph
from triune.serving.frame_model import CompiledTail, FrameModel
from triune.serving.loading import Estimator
from triune.serving.model import Model, is_pipeline, transform_by
from triune.serving.onnx_imputer import register_imputer
from triune.serving.onnx_trees import register_trees
from triune.serving.predicted import Predicted

GRAPH: Final = "triune"
OPSETS: Final = {"": 19, "ai.onnx.ml": 3}
"""Versions of operators that every ONNX Runtime since 1.17 has."""

_ROWS: Final = 500
_CHANGED: Final = 20

_Steps = Sequence[tuple[str, Estimator]]
_Values = dict[str, list[Any]]

# What compares in single precision by itself, and is converted so.
_SINGLE: Final = (GradientBoostingClassifier, GradientBoostingRegressor)
_STRANGE_TEXTS: Final = ("\u2060never seen", "", NO_TEXT)
_STRANGE_NUMBERS: Final = (0.0, 0.5, -1.0, 16_777_217.0, 1e12)
_STRANGE_INTEGERS: Final = (0, -1, 16_777_217, 2**40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The bytes of a graph; the steps that it is made of, and those that are left in Python."""

    content: bytes
    compiled: tuple[str, ...]
    python: tuple[str, ...]


def compile_model(
    estimator: Estimator, source: Path, *, signature: Signature, task: str
) -> Compiled:
    """Compile the longest tail of a model that answers the rows of an Arrow IPC file as it does.

    Raises
    ------
    ModelError
        Not even the last step can be compiled, or there are no rows to try it on.
    """
    register_imputer()
    register_trees()
    model = Model(estimator, task=task)
    signature = replace(signature, outputs=model.outputs)
    original = FrameModel(model, signature)
    values = _read_values(source, signature)
    tried = [(probe, _answer(original, probe)) for probe in _probes(values, signature)]
    steps = _steps_of(estimator)
    for start in range(len(steps)):
        try:
            content = _compile_tail(estimator, steps, start, values, signature, task)
            _require_parity(_predictor(estimator, start, content, signature, task), tried)
        # A converter may raise anything of what it does not know.
        except Exception as error:  # noqa: BLE001 - as said above
            problem = error
            print(f"{steps[start][0]} and what follows stay in Python: {error}", file=sys.stderr)
            continue
        names = [name for name, _ in steps]
        return Compiled(content=content, compiled=tuple(names[start:]), python=tuple(names[:start]))
    name, last = steps[-1]
    raise ModelError(
        f"step {name!r} ({type(last).__name__}), the last one of the model, cannot be compiled to "
        f"ONNX: {_first_line(problem)}; remove `compile` from `model` in triune.yaml, or end the "
        "pipeline with a step that can be"
    )


def _compile_tail(  # noqa: PLR0913, PLR0917 - one tail of one model
    estimator: Estimator,
    steps: _Steps,
    start: int,
    values: _Values,
    signature: Signature,
    task: str,
) -> bytes:
    """Convert, in double precision where that can be done, else the last step in single."""
    frames = FrameModel(Model(estimator, task=task), signature)
    if start:
        columns = arrays_from_features(transform_by(steps[:start], frames.read_values(values)))
    else:
        columns = arrays_from_values(values, signature)
    inputs = _inputs(columns, steps[start][1], width=None if start else len(signature.inputs))
    if isinstance(steps[-1][1], _SINGLE):
        return _convert(steps[start:], inputs, single=True)
    try:
        content = _convert(steps[start:], inputs, single=False)
        Graph(content)
    except Exception:  # noqa: BLE001 - whatever it was, the other way may do
        return _convert(steps[start:], inputs, single=True)
    return content


def _inputs(columns: Columns, first: Estimator, *, width: int | None) -> list[tuple[str, Any]]:
    """Say what a graph takes: each column by itself, or all in one where a step wants numbers."""
    if isinstance(first, ColumnTransformer):
        return [(name, _type(column)([None, 1])) for name, column in columns.items()]
    if width is not None and len(columns) != width:
        raise NotConvertibleError("it takes moments, or columns without a value")
    kinds = {_type(column) for column in columns.values()}
    if len(kinds) == 1:
        return [(MATRIX, kinds.pop()([None, len(columns)]))]
    return [(name, _type(column)([None, 1])) for name, column in columns.items()]


def _type(column: Any) -> Any:
    return StringTensorType if column.dtype == object else DoubleTensorType


def _convert(steps: _Steps, inputs: list[tuple[str, Any]], *, single: bool) -> bytes:
    *first, last = steps
    rounded = [("triune_cast", CastTransformer(dtype=np.float32))] if single else []
    whole = [*first, *rounded, last]
    pipeline = Pipeline(whole) if len(whole) > 1 else last[1]
    graph = convert_sklearn(
        pipeline,
        GRAPH,
        initial_types=inputs,
        # Probabilities as an array, and not as a list of mappings.
        options={id(last[1]): {"zipmap": False}} if hasattr(last[1], "classes_") else None,
        target_opset=OPSETS,
    )
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def _predictor(
    estimator: Estimator, start: int, content: bytes, signature: Signature, task: str
) -> CompiledModel | FrameModel:
    graph = Graph(content)
    if not start:
        return CompiledModel(graph, signature, task=task)
    first = estimator.steps[:start]
    tail = CompiledTail(first, graph, outputs=signature.outputs, task=task)
    return FrameModel(tail, signature)


def _require_parity(
    compiled: CompiledModel | FrameModel, tried: Sequence[tuple[_Values, Predicted | None]]
) -> None:
    for values, expected in tried:
        found = _answer(compiled, values)
        if (found is None) != (expected is None):
            either = "it raises" if found is None else "the original raises"
            raise NotConvertibleError(f"{either} on rows that the other one answers")
        if found is None or expected is None:
            continue
        beyond = gaps_beyond(
            labels=(expected.labels, found.labels),
            probabilities=(expected.probabilities, found.probabilities),
        )
        if beyond.any():
            at = int(np.flatnonzero(beyond)[0])
            row = {name: column[at] for name, column in values.items()}
            raise NotConvertibleError(f"it answers the row {row} otherwise than the original")


def _answer(model: CompiledModel | FrameModel, values: _Values) -> Predicted | None:
    """Answer rows; None where the model raises."""
    try:
        return model.predict(model.read_values(values))  # type: ignore[arg-type]
    # The release's code may raise anything.
    except Exception:  # noqa: BLE001 - as said above
        return None


def _read_values(source: Path, signature: Signature) -> _Values:
    table = read_columns(source, signature)
    if isinstance(table, Refusal):
        raise ModelError(table.detail)
    if not table.num_rows:
        raise ModelError("the training data has no rows to try a compiled model on")
    places = np.unique(np.linspace(0, table.num_rows - 1, _ROWS).astype(np.int64))
    values: _Values = table.take(places).to_pydict()
    return values


def _probes(values: _Values, signature: Signature) -> Iterator[_Values]:
    """Give rows as they are; then some of them with one column changed to what may come too."""
    yield values
    few = {name: column[:_CHANGED] for name, column in values.items()}
    for field in signature.inputs:
        strange: list[Any] = [None] if field.nullable else []
        if field.type is FieldType.STRING:
            strange += _STRANGE_TEXTS
        elif field.type is FieldType.NUMBER:
            strange += _STRANGE_NUMBERS
        elif field.type is FieldType.INTEGER:
            strange += _STRANGE_INTEGERS
        for value in strange:
            yield {**few, field.name: [value] * len(few[field.name])}


def _steps_of(estimator: Estimator) -> _Steps:
    if is_pipeline(estimator):
        return list(estimator.steps)
    return [(type(estimator).__name__, estimator)]


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return said[0][:300] if said else type(error).__name__
