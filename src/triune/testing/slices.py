"""Runs a test for each slice that ``triune.yaml`` names."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

import pytest

from triune.domain.errors import UsageError, nearest

F = TypeVar("F", bound=Callable[..., Any])


@overload
def for_each_slice(test: F, /) -> F: ...
@overload
def for_each_slice(*names: str) -> pytest.MarkDecorator: ...
def for_each_slice(*names: Any) -> Any:
    """Run a test once for each slice of ``model.slices``, given to it as ``slice_name``.

    Parameters
    ----------
    names
        The slices to run it for; all of them by default.

    Examples
    --------
    >>> @for_each_slice
    ... def test_no_slice_is_left_behind(candidate, slice_name):
    ...     assert_floor(candidate, "roc_auc", 0.7, where=slice_name)
    """
    # Called with a function alone, as it is without parentheses, a mark decorates that.
    return pytest.mark.for_each_slice(*names)


def find_slices(root: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Find the slices of a project, or see that these are among them.

    Raises
    ------
    ConfigError
        The project's ``triune.yaml`` cannot be used.
    UsageError
        There is no slice of one of these names.
    """
    from triune.config import load_project

    _, spec = load_project(root)
    known = [each.name for each in spec.model.slices] if spec.model else []
    for name in names:
        if name not in known:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            hint = nearest(name, known) or f"; {listed}"
            raise UsageError(f"for_each_slice: triune.yaml has no slice {name!r}{hint}")
    return tuple(names or known)
