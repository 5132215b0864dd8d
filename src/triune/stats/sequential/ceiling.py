"""Is a rate above what is allowed? An e-process without a champion beside it to compare with."""

from dataclasses import dataclass, replace
from math import log, log1p
from typing import Self

import numpy as np
import numpy.typing as npt

from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.incomplete_beta import ln_beta_below


@dataclass(frozen=True, slots=True, kw_only=True)
class CeilingStream:
    """Evidence against "the rate is at most ``allowed``", whatever else fails at the same time.

    Parameters
    ----------
    ln_peak
        The highest ln E so far: evidence that was sufficient once stays so.
    """

    allowed: float
    failures: int = 0
    trials: int = 0
    ln_peak: float = 0.0

    @property
    def ln_e(self) -> float:
        """The logarithm of E as it stands."""
        return ln_ceiling(self.failures, self.trials, allowed=self.allowed)

    def after(self, failed: BoolArray) -> Self:
        """Take in first requests after an assignment, in assignment order."""
        if not len(failed):
            return self
        path = self.path(failed)
        return replace(
            self,
            failures=self.failures + int(np.count_nonzero(failed)),
            trials=self.trials + len(failed),
            ln_peak=max(self.ln_peak, float(path.max())),
        )

    def path(self, failed: BoolArray) -> FloatArray:
        """Return ln E after each trial that `after` would take in."""
        failures = self.failures + np.cumsum(failed)
        trials = self.trials + np.arange(1, len(failed) + 1)
        return ln_ceilings(failures, trials, allowed=self.allowed)


def allowed_rate(error_budget: float) -> float:
    """Return the rate of failures above which a candidate is rolled back by itself."""
    return max(0.02, 4 * error_budget)


def ln_ceiling(failures: int, trials: int, *, allowed: float) -> float:
    """Return ln E for one pair of counts; see `ln_ceilings`.

    Examples
    --------
    >>> round(ln_ceiling(2, 2, allowed=0.02), 10)
    6.7456284295
    """
    return float(ln_ceilings(np.array([failures]), np.array([trials]), allowed=allowed)[0])


def ln_ceilings(failures: npt.ArrayLike, trials: npt.ArrayLike, *, allowed: float) -> FloatArray:
    """Return ln E for counts: the mean likelihood ratio of rates above ``allowed`` against it.

    The mean is over rates uniform on (``allowed``, 1], so ln E is ``lnB(1+k, 1+n-k) +
    ln(1 - I_p(1+k, 1+n-k)) - ln(1-p) - k ln p - (n-k) ln(1-p)``, p = ``allowed``.

    References
    ----------
    H. Robbins (1970), Annals of Mathematical Statistics 41(5): 1397-1409, on mixtures of
    likelihood ratios; J. Ville (1939), "Etude critique de la notion de collectif".
    """
    failed = np.asarray(failures, dtype=np.float64)
    passed = np.asarray(trials, dtype=np.float64) - failed
    mixed = ln_beta_below(passed + 1, failed + 1, 1 - allowed, rest=allowed)
    ratio: FloatArray = mixed - failed * log(allowed) - (passed + 1) * log1p(-allowed)
    return ratio
