"""Quantiles of chi-squared with whole degrees of freedom, whose tail is a finite sum.

They are asked for wherever columns are compared, where to load `scipy.special` takes longer than to
count a million rows.
"""

from math import erfc, exp, fsum, lgamma, log, sqrt


def chi_squared_quantile(freedom: int, *, tail: float) -> float:
    """Find what chi-squared exceeds with probability ``tail``, within (0, 1).

    Examples
    --------
    >>> round(chi_squared_quantile(9, tail=0.01), 3)
    21.666
    """
    low, high = 0.0, float(freedom)
    while _upper_tail(high, freedom) > tail:
        low, high = high, 2 * high
    # Until no number lies between the two.
    while low < (middle := (low + high) / 2) < high:
        if _upper_tail(middle, freedom) > tail:
            low = middle
        else:
            high = middle
    return high


def _upper_tail(value: float, freedom: int) -> float:
    """Tell how probable a greater value than ``value > 0`` is.

    References
    ----------
    Abramowitz and Stegun (1964), Handbook of Mathematical Functions: 26.4.4 and 26.4.5.
    """
    half = value / 2
    # Halves for an odd number of degrees, whose sum begins with the tail of one degree.
    powers = (number + freedom % 2 / 2 for number in range(freedom // 2))
    terms = (exp(power * log(half) - half - lgamma(power + 1)) for power in powers)
    return fsum(terms) + (erfc(sqrt(half)) if freedom % 2 else 0.0)
