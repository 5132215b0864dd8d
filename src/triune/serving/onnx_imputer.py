"""Converts scikit-learn's SimpleImputer, whose operator ONNX Runtime has for singles alone."""

from math import isnan
from typing import Any

import numpy as np
from onnx import TensorProto
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType
from sklearn.impute import SimpleImputer

from triune.serving.arrays import NO_TEXT
from triune.serving.onnx_parts import GraphParts


def register_imputer() -> None:
    """Have skl2onnx convert SimpleImputer as this module does."""
    update_registered_converter(SimpleImputer, "TriuneSimpleImputer", _describe_outputs, _convert)


def _describe_outputs(operator: Any) -> None:
    model = operator.raw_operator
    width = len(model.statistics_)
    if model.indicator_ is not None:
        width += len(model.indicator_.features_)
    rows = operator.inputs[0].get_first_dimension()
    kind = StringTensorType if _is_text(operator) else DoubleTensorType
    operator.outputs[0].type = kind([rows, width])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    model, graph, is_text = operator.raw_operator, GraphParts(scope, container), _is_text(operator)
    sought = model.missing_values
    if not (sought is None or (isinstance(sought, float) and isnan(sought))):
        raise NotImplementedError(f"it looks for {sought!r} as what is missing")
    if is_text and model.indicator_ is not None:
        raise NotImplementedError("it adds indicators to texts")
    fills = list(model.statistics_)
    if not is_text and np.isnan(np.asarray(fills, dtype=np.float64)).any():
        raise NotImplementedError("it drops columns that had no value")
    names = [each.full_name for each in operator.inputs]
    seen = names[0] if len(names) == 1 else graph.add("Concat", *names, version=13, axis=1)
    out = operator.outputs[0].full_name
    if is_text:
        none = graph.constant(TensorProto.STRING, [NO_TEXT.encode()], shape=[1])
        texts = [str(each).encode() for each in fills]
        missing = graph.add("Equal", seen, none, version=19)
        filled = graph.constant(TensorProto.STRING, texts, shape=[1, len(texts)])
        graph.add("Where", missing, filled, seen, version=16, out=out)
        return
    seen = graph.add("Cast", seen, version=13, to=TensorProto.DOUBLE)
    missing = graph.add("IsNaN", seen, version=13)
    numbers = np.asarray(fills, dtype=np.float64).tolist()
    filled = graph.constant(TensorProto.DOUBLE, numbers, shape=[1, len(numbers)])
    if model.indicator_ is None:
        graph.add("Where", missing, filled, seen, version=16, out=out)
        return
    values = graph.add("Where", missing, filled, seen, version=16)
    features = [int(each) for each in model.indicator_.features_]
    places = graph.constant(TensorProto.INT64, features, shape=[len(features)])
    flags = graph.add("Gather", missing, places, version=13, axis=1)
    flags = graph.add("Cast", flags, version=13, to=TensorProto.DOUBLE)
    graph.add("Concat", values, flags, version=13, out=out, axis=1)


def _is_text(operator: Any) -> bool:
    return isinstance(operator.inputs[0].type, StringTensorType)
