"""The logarithm of the incomplete beta function, also where the function itself is no float."""

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaln

from triune.stats.inputs import FloatArray

# Below this the logarithm would be of a number that has lost digits, or all of them.
_SMALL = 1e-280
_PRECISION = 1e-14


def ln_beta_below(a: FloatArray, b: FloatArray, x: float, *, rest: float) -> FloatArray:
    """Return ln of the integral of t^(a-1) (1-t)^(b-1) from 0 to ``x``, for a, b >= 1.

    Parameters
    ----------
    rest
        ``1 - x``, given so that no digit is lost where x is close to 1.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.17.22, the continued fraction; evaluated by
    W. J. Lentz (1976), Applied Optics 15(3): 668-671.
    """
    share = betainc(a, b, x)
    small = share < _SMALL
    logarithm: FloatArray = betaln(a, b) + np.log(np.where(small, 1.0, share))
    if small.any():
        a, b = a[small], b[small]
        logarithm[small] = a * np.log(x) + b * np.log(rest) - np.log(a) + np.log(_fraction(a, b, x))
    return logarithm


def _fraction(a: FloatArray, b: FloatArray, x: float) -> npt.NDArray[np.float64]:
    """Evaluate the continued fraction, which converges within a few steps that far in the tail."""
    ratio = np.ones_like(a)
    below = 1 / (1 - (a + b) * x / (a + 1))
    value = below.copy()
    step, change = 0, np.inf
    while change > _PRECISION:
        step += 1
        for term in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            below = 1 / (1 + term * below)
            ratio = 1 + term / ratio
            value = value * ratio * below
        change = float(np.abs(ratio * below - 1).max())
    return value
