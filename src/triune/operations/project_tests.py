"""Checks of the project's own tests of a layer: pytest in its folder, where that holds any."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from triune.domain.evidence import Layer
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.operations.locating import TESTS

_NAMES: Final = ("test_*.py", "*_test.py")


def layer_tests(
    context: Context, layer: Layer, *, environment: Mapping[str, str] = MappingProxyType({})
) -> tuple[Check, ...]:
    """Make the check of the tests in ``tests/<layer>``; none where there are none.

    Parameters
    ----------
    environment
        Variables that say what they are about.
    """
    path = find_layer_tests(context, layer)
    if path is None:
        return ()
    tool = context.tools.layer_tests(path, environment=environment)
    return (
        Check(
            layer=layer,
            name=tool.name,
            digest=tool.digest,
            judge=tool.judge,
            # They may look at whatever they like.
            is_reusable=False,
        ),
    )


def find_layer_tests(context: Context, layer: Layer) -> str | None:
    """Find the folder of a layer's tests, as a path within the project; None where it has none."""
    path = f"{TESTS}/{layer}"
    folder = context.root / path
    return path if any(next(folder.rglob(name), None) for name in _NAMES) else None
