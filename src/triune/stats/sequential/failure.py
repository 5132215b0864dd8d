"""Do failures befall the candidate more often than the champion? One e-process over failures alone.

Successes do not enter. Given that a request failed, the arm it was on is a coin with a known bias
as long as both arms fail alike, however much the common rate moves.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.mixture import Mixture

RISK_RATIOS: Final = (1.5, 2.5, 5.0, 10.0, 30.0, 100.0)
RESTART_EVERY: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureStream:
    """Evidence against "the candidate never fails more than ``multiplier`` x as often".

    Parameters
    ----------
    on_candidate, on_champion
        How many failures entered, by arm.
    ln_peak
        The highest ln E so far: evidence that was sufficient once stays so.
    """

    multiplier: float
    mixture: Mixture
    on_candidate: int = 0
    on_champion: int = 0
    ln_peak: float = 0.0

    @classmethod
    def new(cls, *, multiplier: float = 1.0) -> Self:
        """Return the stream before its first failure."""
        mixture = Mixture.new(components=len(RISK_RATIOS), every=RESTART_EVERY)
        return cls(multiplier=multiplier, mixture=mixture)

    @property
    def ln_e(self) -> float:
        """The logarithm of E as it stands."""
        return self.mixture.ln_e

    def after(self, on_candidate: BoolArray, rho: FloatArray) -> Self:
        """Take in failures, in assignment order.

        Parameters
        ----------
        on_candidate
            Whether each was on the candidate.
        rho
            The probability of that at its assignment. Where it was certain, nothing enters.
        """
        enters = is_open(rho)
        arms = on_candidate[enters]
        mixture, peak = self.mixture.after_peak(
            ln_factors(arms, rho[enters], ratios=RISK_RATIOS, multiplier=self.multiplier),
            above=self.ln_peak,
        )
        blamed = int(np.count_nonzero(arms))
        return replace(
            self,
            mixture=mixture,
            on_candidate=self.on_candidate + blamed,
            on_champion=self.on_champion + len(arms) - blamed,
            ln_peak=peak,
        )

    def path(self, on_candidate: BoolArray, rho: FloatArray) -> FloatArray:
        """Return ln E after each failure that `after` would take in, of those not certain."""
        enters = is_open(rho)
        return self.mixture.path(
            ln_factors(
                on_candidate[enters], rho[enters], ratios=RISK_RATIOS, multiplier=self.multiplier
            )
        )


def is_open(rho: FloatArray) -> BoolArray:
    """Tell for which requests both arms were possible: the only ones that can compare the two."""
    possible: BoolArray = (rho > 0) & (rho < 1)
    return possible


def ln_factors(
    on_candidate: BoolArray, rho: FloatArray, *, ratios: tuple[float, ...], multiplier: float
) -> FloatArray:
    """Return the logarithm of each failure's factor, an array (ratios, failures).

    For the ratio r it is the likelihood of the failure's arm under a candidate that fails
    ``multiplier`` m times r as often as the champion, over that under m times:
    ``r^B (1 - rho + rho m) / (1 - rho + rho m r)``, B = 1 on the candidate. Its mean is 1 where the
    candidate's rate is m times the champion's, and less on the side that r does not bet on.

    References
    ----------
    A. Wald (1945), Annals of Mathematical Statistics 16(2): 117-186, on products of likelihood
    ratios; J. Przyborowski, H. Wilenski (1940), Biometrika 31(3-4): 313-323, on comparing two rates
    given their sum.
    """
    column = np.array(ratios)[:, np.newaxis]
    expected = (1 - rho + rho * multiplier) / (1 - rho + rho * multiplier * column)
    factors: FloatArray = np.log(expected) + np.log(column) * on_candidate
    return factors
