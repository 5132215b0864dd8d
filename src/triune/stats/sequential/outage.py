"""Does the candidate fail as a whole where the champion does not? An e-process over all requests.

Successes count, so that a total outage is seen after very few requests.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.failure import is_open
from triune.stats.sequential.mixture import Mixture

RATES: Final = ((0.01, 0.3), (0.01, 0.97))
"""Of failure, on the champion and on the candidate: the outages that the evidence bets on."""
RESTART_EVERY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageStream:
    """Evidence against "at every time the candidate's rate is at most the champion's".

    Parameters
    ----------
    candidate_failures, candidate_trials, champion_failures, champion_trials
        What entered.
    ln_peak
        The highest ln E so far: evidence that was sufficient once stays so.
    """

    mixture: Mixture
    candidate_failures: int = 0
    candidate_trials: int = 0
    champion_failures: int = 0
    champion_trials: int = 0
    ln_peak: float = 0.0

    @classmethod
    def new(cls) -> Self:
        """Return the stream before its first trial."""
        return cls(mixture=Mixture.new(components=len(RATES), every=RESTART_EVERY))

    @property
    def ln_e(self) -> float:
        """The logarithm of E as it stands."""
        return self.mixture.ln_e

    def after(self, on_candidate: BoolArray, failed: BoolArray, rho: FloatArray) -> Self:
        """Take in first requests after an assignment, in assignment order.

        Parameters
        ----------
        rho
            The probability of the candidate at each one's assignment. Where the arm was certain,
            nothing enters.
        """
        enters = is_open(rho)
        arms, fates = on_candidate[enters], failed[enters]
        mixture, peak = self.mixture.after_peak(
            ln_factors(arms, fates, rho[enters]), above=self.ln_peak
        )
        trials, failures = int(np.count_nonzero(arms)), int(np.count_nonzero(arms & fates))
        return replace(
            self,
            mixture=mixture,
            candidate_failures=self.candidate_failures + failures,
            candidate_trials=self.candidate_trials + trials,
            champion_failures=self.champion_failures + int(np.count_nonzero(fates)) - failures,
            champion_trials=self.champion_trials + len(arms) - trials,
            ln_peak=peak,
        )

    def path(self, on_candidate: BoolArray, failed: BoolArray, rho: FloatArray) -> FloatArray:
        """Return ln E after each trial that `after` would take in, of those not certain."""
        enters = is_open(rho)
        return self.mixture.path(ln_factors(on_candidate[enters], failed[enters], rho[enters]))


def ln_factors(
    on_candidate: BoolArray, failed: BoolArray, rho: FloatArray, *, multiplier: float = 1.0
) -> FloatArray:
    """Return the logarithm of each trial's factor, an array (pairs of `RATES`, trials).

    With (t_b, t_c) a pair of rates, t_a the one of the trial's arm, and m the multiplier:
    ``t_a / D1`` for a failure and ``(1 - t_a) / D0`` for a success, where
    ``D0 = rho (1 - t_c) + (1 - rho)(1 - t_b)``, ``b0 = (1 - t_b) / D0`` and
    ``D1 = (rho m t_c + (1 - rho) t_b) / (m - (1 - rho)(m - 1) b0)``. The mean is 1 wherever the
    candidate's rate is m times the champion's, whatever that is.

    References
    ----------
    A. Wald (1945), Annals of Mathematical Statistics 16(2): 117-186; the denominators make his
    ratio free of the rate that both arms share, as conditioning does in `failure`.
    """
    if len(rho) and (rho == rho[0]).all():
        # One probability for all is usual, and saves all the logarithms but eight.
        rho = rho[:1]
    champion, candidate = (np.array(rates)[:, np.newaxis] for rates in zip(*RATES, strict=True))
    success = rho * (1 - candidate) + (1 - rho) * (1 - champion)
    scale = multiplier - (1 - rho) * (multiplier - 1) * (1 - champion) / success
    failure = (rho * multiplier * candidate + (1 - rho) * champion) / scale
    factors: FloatArray = np.where(
        failed,
        np.where(on_candidate, np.log(candidate / failure), np.log(champion / failure)),
        np.where(on_candidate, np.log((1 - candidate) / success), np.log((1 - champion) / success)),
    )
    return factors
