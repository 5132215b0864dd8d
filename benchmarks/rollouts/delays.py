"""How soon a candidate that is worse is rolled back, against the least that any test could take."""

from collections.abc import Callable
from math import log
from typing import Final, NamedTuple

import numpy as np
from benchmarks.rollouts.figures import Figure, generators, mean
from benchmarks.rollouts.requests import PORTION, RULES, is_sufficient, no_evidence

from triune.domain.rollout.forecast import draw, first_sufficient

CHAMPION: Final = 0.005
CANDIDATES: Final = (0.01, 0.02, 0.05, 0.2, 1.0)
WEIGHTS: Final = (0.05, 0.25)
MOST: Final = 40
"""Times the bound a run goes on without a rollback before it is inconclusive."""


class Delay(NamedTuple):
    """How many requests it took, and how many of them the candidate had."""

    requests: int
    on_candidate: int
    is_inconclusive: bool


def rows(runs: int, progress: Callable[[str], None]) -> list[Figure]:
    """Simulate every row of delays, at a champion that fails in 0.5 %."""
    figures = []
    totals = []
    for weight in WEIGHTS:
        for rate in CANDIDATES:
            bound = walds_bound(weight=weight, champion=CHAMPION, candidate=rate)
            what = f"fails in {rate:.0%}, weight {weight:.0%} (bound {bound:,.0f} requests)"
            progress(what)
            delays = [
                until_rollback(rng, weight=weight, candidate=rate, most=int(MOST * bound))
                for rng in generators(what, runs)
            ]
            inconclusive = [delay.is_inconclusive for delay in delays]
            figures.append(
                mean(
                    what,
                    np.array([delay.requests for delay in delays]) / bound,
                    unit="x bound",
                    goal=1.9,
                    inconclusive=inconclusive,
                )
            )
            if rate == 1:
                totals.append(
                    mean(
                        f"total outage from the first request, weight {weight:.0%}",
                        [delay.on_candidate for delay in delays],
                        unit="candidate requests",
                        goal={0.05: 3.0, 0.25: 4.0}[weight],
                        inconclusive=inconclusive,
                    )
                )
    return figures + totals


def until_rollback(
    rng: np.random.Generator, *, weight: float, candidate: float, most: int
) -> Delay:
    """Send requests until the evidence suffices, or to the most."""
    evidence = no_evidence()
    requests = on_candidate = 0
    while requests < most:
        trials = draw(
            rng,
            min(PORTION, max(200, most // 20)),
            weight=weight,
            champion=CHAMPION,
            candidate=candidate,
        )
        at = first_sufficient(evidence, trials, alpha=RULES.alpha)
        evidence = evidence.after(trials)
        if (at is not None) != is_sufficient(evidence):
            raise SystemExit("the path of the evidence and its state disagree")
        if at is not None:
            return Delay(
                requests=requests + at + 1,
                on_candidate=on_candidate + int(trials.on_candidate[: at + 1].sum()),
                is_inconclusive=False,
            )
        requests += len(trials.on_candidate)
        on_candidate += int(trials.on_candidate.sum())
    return Delay(requests=requests, on_candidate=on_candidate, is_inconclusive=True)


def walds_bound(*, weight: float, champion: float, candidate: float) -> float:
    """Return the least mean number of requests at the level alpha: ln(1/alpha) over information.

    References
    ----------
    A. Wald (1945), Annals of Mathematical Statistics 16(2): 117-186.
    """
    null = weight * candidate + (1 - weight) * champion
    information = weight * _kullback_leibler(candidate, null) + (1 - weight) * _kullback_leibler(
        champion, null
    )
    return -log(RULES.alpha) / information


def _kullback_leibler(rate: float, null: float) -> float:
    failing = rate * log(rate / null)
    return failing + ((1 - rate) * log((1 - rate) / (1 - null)) if rate < 1 else 0.0)
