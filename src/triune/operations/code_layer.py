"""The code layer: the checks of the project's code that ``triune.yaml`` asks for."""

from typing import cast

from triune.domain.evidence import Layer
from triune.domain.project import CodeCheckSpec
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.ports import Preset, Tool


def code_checks(context: Context) -> tuple[Check, ...]:
    """Make the checks of the code, in the order in which they are asked for."""
    tools = (_tool(context, spec) for spec in context.spec.checks)
    return tuple(
        Check(
            layer=Layer.CODE,
            name=tool.name,
            digest=tool.digest,
            judge=tool.judge,
            is_reusable=tool.is_reusable,
            surroundings=tool.surroundings,
        )
        for tool in tools
    )


def _tool(context: Context, spec: CodeCheckSpec) -> Tool:
    if spec.command is not None:
        return context.tools.command(spec.command, name=spec.name, timeout_s=spec.timeout_s)
    return context.tools.preset(
        cast("Preset", spec.name),
        coverage_min=context.spec.coverage_min,
        timeout_s=spec.timeout_s,
    )
