import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from triune.stats.errors import StatsError
from triune.stats.power import rows_to_settle, smallest_detectable


def test_the_smallest_detectable_difference_is_detected_as_often_as_asked() -> None:
    rng = np.random.default_rng(1)
    error = 0.013

    smallest = smallest_detectable(error, alpha=0.01, power=0.8)
    observed = rng.normal(smallest, error, 40_000)

    assert np.mean(observed - ndtri(0.99) * error > 0) == pytest.approx(0.8, abs=0.01)


def test_with_the_rows_that_settle_it_a_bound_clears_as_often_as_asked() -> None:
    gap, error, rows = 0.01, 0.02, 500

    needed = rows_to_settle(gap, standard_error=error, rows=rows)

    assert needed is not None
    shrunk = error * (rows / needed) ** 0.5
    assert ndtr(gap / shrunk - ndtri(0.975)) == pytest.approx(0.8, abs=1e-3)
    assert rows_to_settle(-gap, standard_error=error, rows=rows) == needed


def test_no_rows_settle_what_lies_on_the_border() -> None:
    assert rows_to_settle(0.0, standard_error=0.02, rows=500) is None
    assert rows_to_settle(0.01, standard_error=float("inf"), rows=500) is None


def test_a_power_or_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(StatsError, match=r"power is 0\.5; give a number above \.5"):
        smallest_detectable(0.01, power=0.5)
    with pytest.raises(StatsError, match=r"alpha is 0\.0"):
        rows_to_settle(0.01, standard_error=0.02, rows=500, alpha=0.0)
