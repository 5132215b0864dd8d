import pytest

from triune.stats.errors import StatsError
from triune.stats.looks import accumulated_bound, accumulated_chance, spent_level


def test_the_first_looks_spend_most() -> None:
    levels = [spent_level(look) for look in (1, 2, 3, 32)]

    assert levels == pytest.approx([0.025, 0.05 / 6, 0.05 / 12, 0.05 / 1056])


def test_all_looks_ever_spend_no_more_than_the_total() -> None:
    spent = accumulated_bound(spent_level(look) for look in range(1, 10_001))

    assert spent == pytest.approx(0.05 * (1 - 1 / 10_001))
    assert spent < 0.05


def test_counted_looks_add_up() -> None:
    levels = [0.025] * 32

    assert accumulated_chance(levels) == pytest.approx(1 - 0.975**32)
    assert accumulated_bound(levels) == pytest.approx(0.8)
    assert accumulated_bound(levels * 2) == 1
    assert (accumulated_chance([]), accumulated_bound([])) == (0, 0)


def test_looks_are_counted_from_one() -> None:
    with pytest.raises(StatsError, match="look is 0; looks are counted from 1"):
        spent_level(0)
