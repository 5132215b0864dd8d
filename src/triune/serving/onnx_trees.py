"""Converts scikit-learn's trees so that each row takes the very branches that the original takes.

The converters of skl2onnx compare and add in single precision, and leave out where a missing value
goes: thresholds that fall between two such numbers send rows elsewhere, and what is undecided comes
out decided. Here thresholds and leaves keep their double precision, and so does the sum over the
trees, of which the operator answers a single; features are rounded where the original rounds them.

References
----------
ONNX-ML, operator ``TreeEnsembleRegressor``, version 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, numpy_helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import (
    DoubleTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from triune.serving.onnx_parts import GraphParts

_Array = npt.NDArray[Any]

_TEXT: Final = "UO"
_CLASSIFIER: Final = {"zipmap": [True, False], "nocl": [True, False]}
_SINGLE_TREES: Final = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
_FORESTS: Final = (
    RandomForestClassifier,
    RandomForestRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
)
_BOOSTED: Final = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def register_trees() -> None:
    """Have skl2onnx convert trees, forests and histogram boosting as this module does."""
    for kind in (*_SINGLE_TREES, *_FORESTS, *_BOOSTED):
        update_registered_converter(
            kind,
            f"Triune{kind.__name__}",
            _describe_outputs,
            _convert,
            # By this it tells classifiers from others.
            options=_CLASSIFIER if hasattr(kind, "predict_proba") else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """One tree of n nodes: each array is of shape (n,), ``values`` of shape (n, targets).

    A row goes ``left`` where its feature is at most the threshold. A leaf adds its values to as
    many targets, from ``target`` on.
    """

    feature: _Array
    threshold: _Array
    missing_goes_left: _Array
    left: _Array
    right: _Array
    is_leaf: _Array
    values: _Array
    target: int


def _describe_outputs(operator: Any) -> None:
    """Say what comes out: a number, or a label and the probability of each class."""
    model = operator.raw_operator
    rows = operator.inputs[0].get_first_dimension()
    if not hasattr(model, "classes_"):
        operator.outputs[0].type = DoubleTensorType([rows, 1])
        return
    is_text = np.asarray(model.classes_).dtype.kind in _TEXT
    operator.outputs[0].type = StringTensorType([rows]) if is_text else Int64TensorType([rows])
    operator.outputs[1].type = DoubleTensorType([rows, len(model.classes_)])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    model, graph = operator.raw_operator, GraphParts(scope, container)
    if getattr(model, "n_outputs_", 1) > 1:
        raise NotImplementedError("it predicts several targets")
    name = operator.inputs[0].full_name
    if not isinstance(model, _BOOSTED):
        # As the original does: it compares singles with thresholds of double precision.
        name = graph.add("Cast", name, version=13, to=TensorProto.FLOAT)
    name = graph.add("Cast", name, version=13, to=TensorProto.DOUBLE)
    name = graph.add(
        "TreeEnsembleRegressor",
        name,
        version=3,
        domain="ai.onnx.ml",
        **_attributes(list(_trees_of(model))),
    )
    name = graph.add("Cast", name, version=13, to=TensorProto.DOUBLE)
    if isinstance(model, _FORESTS):
        name = graph.add("Div", name, graph.number(len(model.estimators_)), version=14)
    if isinstance(model, _BOOSTED):
        baseline = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()  # noqa: SLF001 - it has no other name
        start = graph.constant(TensorProto.DOUBLE, baseline.tolist(), shape=[1, baseline.size])
        name = graph.add("Add", name, start, version=14)
    outputs = [output.full_name for output in operator.outputs]
    if hasattr(model, "classes_"):
        label, probabilities = outputs
        _add_probabilities(graph, model, name, probabilities)
        _add_labels(graph, model, probabilities, label)
    else:
        _add_number(graph, model, name, *outputs)


def _add_probabilities(graph: GraphParts, model: Any, summed: str, out: str) -> None:
    if not isinstance(model, _BOOSTED):
        graph.add("Identity", summed, version=14, out=out)
    elif len(model.classes_) > 2:
        graph.add("Softmax", summed, version=13, out=out, axis=1)
    else:
        second = graph.add("Sigmoid", summed, version=13)
        first = graph.add("Sub", graph.number(1.0), second, version=14)
        graph.add("Concat", first, second, version=13, out=out, axis=1)


def _add_labels(graph: GraphParts, model: Any, probabilities: str, out: str) -> None:
    """Answer the first of the most probable classes, as scikit-learn does."""
    place = graph.add("ArgMax", probabilities, version=13, axis=1, keepdims=0)
    classes = np.asarray(model.classes_)
    if classes.dtype.kind in _TEXT:
        kind, values = TensorProto.STRING, [str(each).encode() for each in classes]
    elif np.array_equal(classes, classes.astype(np.int64)):
        kind, values = TensorProto.INT64, classes.astype(np.int64).tolist()
    else:
        raise NotImplementedError(f"its classes {classes.tolist()} are no integers")
    named = graph.constant(kind, values, shape=[len(values)])
    graph.add("Gather", named, place, version=13, out=out, axis=0)


def _add_number(graph: GraphParts, model: Any, summed: str, out: str) -> None:
    link = "IdentityLink"
    if isinstance(model, _BOOSTED):
        link = type(model._loss.link).__name__  # noqa: SLF001 - it has no other name
    if link not in {"IdentityLink", "LogLink"}:
        raise NotImplementedError(f"its loss has the link {link}")
    graph.add("Exp" if link == "LogLink" else "Identity", summed, version=13, out=out)


def _trees_of(model: Any) -> Iterator[_Tree]:
    if isinstance(model, _BOOSTED):
        for trees in model._predictors:  # noqa: SLF001 - they have no other name
            yield from (_boosted_tree(tree, target) for target, tree in enumerate(trees))
    elif isinstance(model, _FORESTS):
        yield from (_tree(each) for each in model.estimators_)
    else:
        yield _tree(model)


def _tree(estimator: Any) -> _Tree:
    tree = estimator.tree_
    return _Tree(
        feature=tree.feature,
        threshold=tree.threshold,
        missing_goes_left=tree.missing_go_to_left,
        left=tree.children_left,
        right=tree.children_right,
        is_leaf=tree.children_left < 0,
        values=tree.value[:, 0, :],
        target=0,
    )


def _boosted_tree(predictor: Any, target: int) -> _Tree:
    nodes = predictor.nodes
    if nodes["is_categorical"].any():
        raise NotImplementedError(
            "it splits by categories of its own; encode them by a step before it (OrdinalEncoder)"
        )
    return _Tree(
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_goes_left=nodes["missing_go_to_left"],
        left=nodes["left"],
        right=nodes["right"],
        is_leaf=nodes["is_leaf"].astype(bool),
        values=nodes["value"][:, np.newaxis],
        target=target,
    )


def _attributes(trees: Sequence[_Tree]) -> dict[str, Any]:
    """Write trees as the operator has them: all nodes in a row, and all values of leaves."""
    sizes = [len(tree.feature) for tree in trees]
    nodes = [np.arange(size) for size in sizes]
    leaves = [np.flatnonzero(tree.is_leaf) for tree in trees]
    widths = [tree.values.shape[1] for tree in trees]

    def inner(values: Sequence[_Array]) -> list[int]:
        """Take what a leaf has no use for as 0."""
        joined = zip(values, trees, strict=True)
        return np.concatenate([np.where(tree.is_leaf, 0, each) for each, tree in joined]).tolist()  # type: ignore[no-any-return]

    is_leaf = np.concatenate([tree.is_leaf for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    weights = np.concatenate(
        [tree.values[at].ravel() for tree, at in zip(trees, leaves, strict=True)]
    )
    each_leaf = list(zip(trees, leaves, widths, strict=True))
    return {
        "n_targets": max(tree.target + tree.values.shape[1] for tree in trees),
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "nodes_treeids": np.repeat(np.arange(len(trees)), sizes).tolist(),
        "nodes_nodeids": np.concatenate(nodes).tolist(),
        "nodes_featureids": inner([tree.feature for tree in trees]),
        "nodes_modes": np.where(is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_values_as_tensor": _doubles(np.where(is_leaf, 0.0, thresholds)),
        "nodes_truenodeids": inner([tree.left for tree in trees]),
        "nodes_falsenodeids": inner([tree.right for tree in trees]),
        "nodes_missing_value_tracks_true": inner([tree.missing_goes_left for tree in trees]),
        "target_treeids": np.repeat(
            np.arange(len(trees)), [len(at) * width for _, at, width in each_leaf]
        ).tolist(),
        "target_nodeids": np.concatenate(
            [np.repeat(at, width) for _, at, width in each_leaf]
        ).tolist(),
        "target_ids": np.concatenate(
            [np.tile(np.arange(width) + tree.target, len(at)) for tree, at, width in each_leaf]
        ).tolist(),
        "target_weights_as_tensor": _doubles(weights),
    }


def _doubles(values: _Array) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float64))
