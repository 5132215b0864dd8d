"""Quantiles of chi-squared, against published ones and another implementation."""

import pytest
from scipy.special import chdtri

from triune.stats.chi_squared import chi_squared_quantile


@pytest.mark.parametrize(
    ("freedom", "tail", "published"),
    [
        (1, 0.05, 3.841),
        (2, 0.01, 9.210),
        (9, 0.01, 21.666),
        (50, 0.05, 67.505),
        (100, 0.99, 70.065),
    ],
)
def test_quantiles_are_those_of_the_tables(freedom: int, tail: float, published: float) -> None:
    assert chi_squared_quantile(freedom, tail=tail) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("freedom", [*range(1, 60), 499, 5000])
@pytest.mark.parametrize("tail", [0.999, 0.5, 0.01, 1e-5, 1e-12, 1e-200])
def test_quantiles_are_those_of_another_implementation(freedom: int, tail: float) -> None:
    assert chi_squared_quantile(freedom, tail=tail) == pytest.approx(
        float(chdtri(freedom, tail)), rel=1e-11
    )
