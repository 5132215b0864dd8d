"""What tests of a project are written with: fixtures by themselves, and these helpers.

The pytest plugin gives tests of a project ``candidate``, ``champion``, ``holdout``,
``production_sample``, ``expect`` and ``base_url``. Names are imported from here when they are
used, as every run of pytest loads this package where Triune is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triune.testing.assertions import assert_directional, assert_floor, assert_invariant
    from triune.testing.expect import Expect
    from triune.testing.holdout import Holdout
    from triune.testing.model import Model
    from triune.testing.slices import for_each_slice
    from triune.testing.validation import validate

__all__ = [
    "Expect",
    "Holdout",
    "Model",
    "assert_directional",
    "assert_floor",
    "assert_invariant",
    "for_each_slice",
    "validate",
]

_HOMES = {
    "Expect": "expect",
    "Holdout": "holdout",
    "Model": "model",
    "assert_directional": "assertions",
    "assert_floor": "assertions",
    "assert_invariant": "assertions",
    "for_each_slice": "slices",
    "validate": "validation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
