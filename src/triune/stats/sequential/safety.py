"""Is the candidate safe enough for more traffic? Evidence against "unsafe", fresh at each step."""

from bisect import bisect_left
from dataclasses import dataclass, replace
from math import exp, log, log1p, sqrt
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr

from triune.stats.errors import StatsError
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.failure import ln_factors
from triune.stats.sequential.incomplete_beta import ln_beta_below
from triune.stats.sequential.mixture import Mixture

FIRST_STEP_RATIO: Final = 5.0
LATER_STEP_RATIO: Final = 2.0
LN_SUFFICIENT: Final = log(20)
"""Of the evidence that advances a rollout: an unsafe candidate reaches it in 5 % of the steps."""

_MOST_REQUESTS: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """Evidence against "the candidate's rate is at least ``ratio`` x max(champion's, ``budget``)".

    The mean of two e-processes: one compares the arms of failures, the other the candidate's rate
    with the absolute limit. Only the first sees that a champion fails as often; only the second
    shows anything where nothing fails.

    Parameters
    ----------
    relative
        Over failures, against ``ratio`` x the champion's rate.
    candidate_failures, candidate_trials, champion_failures, champion_trials
        First requests after an assignment; the candidate's are all there is to the second.
    """

    ratio: float
    budget: float
    relative: Mixture
    candidate_failures: int = 0
    candidate_trials: int = 0
    champion_failures: int = 0
    champion_trials: int = 0

    @classmethod
    def new(cls, *, ratio: float, budget: float) -> Self:
        """Return what is known at the begin of a step: nothing, E = 1.

        Parameters
        ----------
        ratio
            `FIRST_STEP_RATIO` at the first step, `LATER_STEP_RATIO` at the others.
        budget
            The error budget.
        """
        if not (ratio > 1 and 0 < ratio * budget < 1):
            raise StatsError(
                f"{ratio} x an error budget of {budget} is no limit; "
                "the ratio is above 1, and the product between 0 and 1"
            )
        components = len(_safer_ratios(ratio))
        return cls(ratio=ratio, budget=budget, relative=Mixture.new(components=components))

    @property
    def limit(self) -> float:
        """The rate that is unsafe whatever the champion does."""
        return self.ratio * self.budget

    @property
    def ln_relative(self) -> float:
        """The logarithm of the evidence from comparing the arms."""
        return self.relative.ln_e

    @property
    def ln_absolute(self) -> float:
        """The logarithm of the evidence from the candidate's rate alone."""
        return ln_below_limit(self.candidate_failures, self.candidate_trials, limit=self.limit)

    @property
    def ln_e(self) -> float:
        """The logarithm of E as it stands."""
        return _ln_evidence(self.ln_relative, self.ln_absolute)

    @property
    def is_shown(self) -> bool:
        """Whether E suffices to advance."""
        return self.ln_e >= LN_SUFFICIENT

    def after(self, on_candidate: BoolArray, failed: BoolArray, rho: FloatArray) -> Self:
        """Take in first requests after an assignment; ``rho`` is the candidate's probability."""
        trials = int(np.count_nonzero(on_candidate))
        failures = int(np.count_nonzero(on_candidate & failed))
        return replace(
            self,
            relative=self.relative.after(self._ln_factors(on_candidate[failed], rho[failed])),
            candidate_failures=self.candidate_failures + failures,
            candidate_trials=self.candidate_trials + trials,
            champion_failures=self.champion_failures + int(np.count_nonzero(failed)) - failures,
            champion_trials=self.champion_trials + len(on_candidate) - trials,
        )

    def path(self, on_candidate: BoolArray, failed: BoolArray, rho: FloatArray) -> FloatArray:
        """Return ln E after each trial that `after` would take in."""
        compared = self.relative.path(self._ln_factors(on_candidate[failed], rho[failed]))
        relative = np.append(self.ln_relative, compared)[np.cumsum(failed)]
        # Between two trials of the candidate the counts, and so the function of them, stay.
        failures = self.candidate_failures + np.append(0, np.cumsum(failed[on_candidate]))
        trials = self.candidate_trials + np.arange(len(failures))
        absolute = ln_below_limits(failures, trials, limit=self.limit)[np.cumsum(on_candidate)]
        path: FloatArray = np.logaddexp(relative, absolute) - log(2)
        return path

    def requests_to_show(self, *, rho: float, usual_rate: float) -> int | None:
        """Estimate how many more first requests until E suffices as likely as not.

        None where that takes more than ten million, because the candidate is close to the limit or
        beyond.

        Parameters
        ----------
        rho
            The share of first requests that goes to the candidate.
        usual_rate
            Of failures, on both arms. It counts as if seen in 1/budget trials of each, to which
            what was seen is added.
        """
        if self.is_shown:
            return 0
        prior = 1 / self.budget
        expected = usual_rate * prior
        candidate = (self.candidate_failures + expected) / (self.candidate_trials + prior)
        champion = (self.champion_failures + expected) / (self.champion_trials + prior)

        def suffices(more: int) -> bool:
            failures = np.array([more * rho * candidate, more * (1 - rho) * champion])
            return self._chance_after(more, failures, rho=rho) >= 0.5

        needed = bisect_left(range(1, _MOST_REQUESTS), x=True, key=suffices) + 1
        return needed if needed < _MOST_REQUESTS else None

    def _chance_after(self, more: int, failures: FloatArray, *, rho: float) -> float:
        """Return the chance that E suffices within so many requests, as if ln E were Brownian.

        ``failures`` are the expected ones, on the candidate and on the champion. ln E drifts
        between them and jumps at each: hence the mean and the variance.
        """
        ln_e = self._ln_e_after(more, failures, rho=rho)
        drift, distance = ln_e - self.ln_e, LN_SUFFICIENT - self.ln_e
        jumps = [self._ln_e_after(more, failures + one, rho=rho) - ln_e for one in np.eye(2)]
        variance = float(np.square(jumps) @ failures)
        if not variance:
            return float(drift >= distance)
        direct = log_ndtr((drift - distance) / sqrt(variance))
        returned = log_ndtr((-drift - distance) / sqrt(variance)) + 2 * drift * distance / variance
        return float(np.exp(np.logaddexp(direct, returned)))

    def _ln_e_after(self, more: int, failures: FloatArray, *, rho: float) -> float:
        gained = self._ln_factors(np.array([True, False]), np.full(2, rho)) @ failures
        absolute = ln_below_limit(
            self.candidate_failures + failures[0],
            # What is expected of few requests may be less than one failure.
            self.candidate_trials + max(more * rho, failures[0]),
            limit=self.limit,
        )
        return _ln_evidence(self.relative.after(gained[:, np.newaxis]).ln_e, absolute)

    def _ln_factors(self, on_candidate: BoolArray, rho: FloatArray) -> FloatArray:
        ratios = tuple(safer / self.ratio for safer in _safer_ratios(self.ratio))
        return ln_factors(on_candidate, rho, ratios=ratios, multiplier=self.ratio)


def trials_without_failure(*, ratio: float, budget: float) -> int:
    """Return how many of the candidate's trials show safety where nothing fails at all.

    Where the champion fails often, comparing the arms may show it with fewer.
    """
    # Comparing the arms says nothing then: E = (1 + E_abs) / 2.
    needed = log(2 * exp(LN_SUFFICIENT) - 1)
    return bisect_left(
        range(_MOST_REQUESTS),
        needed,
        key=lambda trials: ln_below_limit(0, trials, limit=ratio * budget),
    )


def ln_below_limit(failures: float, trials: float, *, limit: float) -> float:
    """Return ln E for one pair of counts; see `ln_below_limits`.

    Examples
    --------
    >>> round(ln_below_limit(0, 224, limit=0.02), 10)
    3.0106586098
    """
    return float(ln_below_limits(np.array([failures]), np.array([trials]), limit=limit)[0])


def ln_below_limits(failures: npt.ArrayLike, trials: npt.ArrayLike, *, limit: float) -> FloatArray:
    """Return ln E for counts: the mean likelihood ratio of rates below ``limit`` against it.

    The mean is over rates uniform on [0, ``limit``], so ln E is ``lnB(1+k, 1+n-k) +
    ln I_f(1+k, 1+n-k) - ln f - k ln f - (n-k) ln(1-f)``, f = ``limit``.

    References
    ----------
    H. Robbins (1970), Annals of Mathematical Statistics 41(5): 1397-1409, on mixtures of
    likelihood ratios.
    """
    failed = np.asarray(failures, dtype=np.float64)
    passed = np.asarray(trials, dtype=np.float64) - failed
    mixed = ln_beta_below(failed + 1, passed + 1, limit, rest=1 - limit)
    ratio: FloatArray = mixed - (failed + 1) * log(limit) - passed * log1p(-limit)
    return ratio


def _safer_ratios(ratio: float) -> tuple[float, ...]:
    """Return how many times the champion's rate a safe candidate's may be, as the evidence bets."""
    return (0.5, 1.0, sqrt(ratio))


def _ln_evidence(ln_relative: float, ln_absolute: float) -> float:
    return float(np.logaddexp(ln_relative, ln_absolute)) - log(2)
