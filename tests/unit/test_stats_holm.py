import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.stats.errors import StatsError
from triune.stats.holm import holm_adjusted


def by_steps(p_values: list[float], level: float) -> list[bool]:
    """Reject the smallest p as long as each is below its share of the level."""
    rejected = [False] * len(p_values)
    for step, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > level / (len(p_values) - step):
            break
        rejected[index] = True
    return rejected


def test_holm_gives_the_published_values() -> None:
    adjusted = holm_adjusted([0.01, 0.04, 0.03, 0.005])

    assert adjusted == pytest.approx((0.03, 0.06, 0.06, 0.02))


@given(p_values=st.lists(st.floats(0, 1), max_size=12), level=st.floats(0.001, 0.5))
def test_an_adjusted_p_is_below_a_level_where_the_steps_reject(
    p_values: list[float], level: float
) -> None:
    adjusted = holm_adjusted(p_values)

    clear = [abs(each - level) > 1e-12 for each in adjusted]
    rejected = [each <= level for each in adjusted]
    assert [r for r, c in zip(rejected, clear, strict=True) if c] == [
        r for r, c in zip(by_steps(p_values, level), clear, strict=True) if c
    ]
    assert all(p <= each <= 1 for p, each in zip(p_values, adjusted, strict=True))


def test_what_is_no_p_value_is_refused() -> None:
    with pytest.raises(StatsError, match=r"these are \[0.5, nan\]"):
        holm_adjusted([0.5, float("nan")])
