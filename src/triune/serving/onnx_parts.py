"""Adds operators and constants to the graph that skl2onnx builds for one step of a model."""

from collections.abc import Sequence
from typing import Any

from onnx import TensorProto


class GraphParts:
    """What is added to the graph of one model, with names that are its own."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def add(
        self, op: str, *inputs: str, version: int, domain: str = "", out: str = "", **how: Any
    ) -> str:
        """Add an operator on inputs, and name its output."""
        output: str = out or self._scope.get_unique_variable_name(op.lower())
        self._container.add_node(
            op,
            list(inputs),
            [output],
            op_domain=domain,
            op_version=version,
            name=self._scope.get_unique_operator_name(op),
            **how,
        )
        return output

    def constant(self, kind: int, values: Sequence[Any], *, shape: Sequence[int]) -> str:
        """Add a constant."""
        name: str = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, kind, list(shape), list(values))
        return name

    def number(self, value: float) -> str:
        """Add a constant number."""
        return self.constant(TensorProto.DOUBLE, [value], shape=[1])
