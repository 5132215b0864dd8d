"""What a plan means at a rate of traffic: how long it takes, what it catches, and at what price.

Simulated requests are judged by the code that judges real ones. Each counts by itself, as requests
without a routing key do; where keys come back, it takes more of them.
"""

from dataclasses import dataclass, fields
from math import ceil
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from triune.domain.analysis import RolloutEvidence, requests_to_advance
from triune.domain.rollout.plan import Plan
from triune.domain.rules import AnalysisRules
from triune.stats.inputs import BoolArray
from triune.stats.sequential.latency import QUANTILES
from triune.stats.sequential.rollback import RollbackEvidence, Stream, Trials
from triune.stats.sequential.safety import LN_SUFFICIENT, Safety

RUNS: Final = 100
_FEWEST_RUNS: Final = 20
_MOST_REQUESTS: Final = 200_000
"""Of a step: by then nearly every candidate is found out or shown, and more takes only longer."""
_MOST_WORK: Final = 2_000_000
"""Requests for one failure rate, less than a second's worth."""
_PORTIONS: Final = (500, 16_000)
"""At first, and at most: what is bad is found out soon, and few requests at once take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepForecast:
    """What a step asks of a good release, one that fails as often as the budget allows.

    Parameters
    ----------
    requests
        With as many it is promoted as likely as not; None where safety takes more than ten million,
        or none is shown (a shadow step).
    hours
        Its minimum included, and the bake of the last step.
    requests_by_deadline
        How many there are at the given rate.
    """

    candidate_pct: float
    is_shadow: bool
    requests: int | None
    hours: float | None
    requests_by_deadline: int

    @property
    def is_too_slow(self) -> bool:
        """Whether a good release is rather still there at the deadline."""
        return not self.is_shadow and (
            self.requests is None or self.requests > self.requests_by_deadline
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of candidates that fail at one rate.

    Parameters
    ----------
    caught_by_step
        The share that is rolled back by the end of each step.
    promoted
        The share that reaches the end; the others are undecided at a deadline.
    exposed
        The median number of requests on the candidate until it was rolled back; None where it
        never was.
    """

    failure_rate: float
    runs: int
    caught_by_step: tuple[float, ...]
    promoted: float
    exposed: float | None


def forecast_steps(
    plan: Plan, rules: AnalysisRules, *, requests_per_s: float
) -> tuple[StepForecast, ...]:
    """Tell how long each step of a plan takes a good release."""
    pace = plan.pace
    found = []
    for at, step in enumerate(plan.steps):
        requests = None
        if not step.is_shadow:
            shown = requests_to_advance(rules, step=at, weight=plan.split_at(at).weight)
            requests = None if shown is None else max(shown, pace.min_requests)
        least_s = max(pace.min_seconds, pace.bake_seconds if plan.is_last(at) else 0)
        found.append(
            StepForecast(
                candidate_pct=plan.split_at(at).candidate,
                is_shadow=step.is_shadow,
                requests=requests,
                hours=None if requests is None else max(least_s, requests / requests_per_s) / 3600,
                requests_by_deadline=int(pace.deadline_seconds * requests_per_s),
            )
        )
    return tuple(found)


def forecast_fate(
    plan: Plan,
    rules: AnalysisRules,
    *,
    failure_rate: float,
    requests_per_s: float,
    rng: np.random.Generator,
) -> Fate:
    """Simulate candidates that fail at a rate, beside a champion that uses its error budget."""

    def simulate() -> _Run:
        return _roll_out(
            plan, rules, failure_rate=failure_rate, requests_per_s=requests_per_s, rng=rng
        )

    first = [simulate() for _ in range(_FEWEST_RUNS)]
    usual = max(1.0, float(np.mean([run.requests for run in first])))
    more = min(RUNS, int(_MOST_WORK / usual)) - _FEWEST_RUNS
    runs = [*first, *(simulate() for _ in range(more))]
    caught = np.array([len(plan.steps) if run.caught_at is None else run.caught_at for run in runs])
    exposed = [run.on_candidate for run in runs if run.caught_at is not None]
    return Fate(
        failure_rate=failure_rate,
        runs=len(runs),
        caught_by_step=tuple(float(np.mean(caught <= at)) for at in range(len(plan.steps))),
        promoted=float(np.mean([run.is_promoted for run in runs])),
        exposed=float(np.median(exposed)) if exposed else None,
    )


class _Run(NamedTuple):
    requests: int
    on_candidate: int
    caught_at: int | None = None
    is_promoted: bool = False


def _roll_out(
    plan: Plan,
    rules: AnalysisRules,
    *,
    failure_rate: float,
    requests_per_s: float,
    rng: np.random.Generator,
) -> _Run:
    evidence = RolloutEvidence.new(rules)
    rollback = evidence.rollback
    requests = on_candidate = 0
    for at, step in enumerate(plan.steps):
        if step.is_shadow:
            continue
        safety = evidence.at_step(at, rules).safety
        least, most = _bounds(plan, at, requests_per_s)
        begun = requests
        is_shown = False
        portion, largest = _PORTIONS
        while not is_shown and requests - begun < most:
            trials = draw(
                rng,
                min(portion, most - (requests - begun)),
                weight=plan.split_at(at).weight,
                champion=rules.error_budget,
                candidate=failure_rate,
            )
            bad = first_sufficient(rollback, trials, alpha=rules.alpha)
            good = first_shown(safety, trials, least=least - (requests - begun))
            is_caught = bad is not None and (good is None or bad <= good)
            last = bad if is_caught else good
            trials = trials if last is None else _until(trials, last + 1)
            rollback = rollback.after(trials)
            safety = safety.after(trials.on_candidate, trials.failed, trials.rho)
            requests += len(trials.failed)
            on_candidate += int(np.count_nonzero(trials.on_candidate))
            if is_caught:
                return _Run(requests, on_candidate, caught_at=at)
            is_shown = good is not None
            portion = min(2 * portion, largest)
        if not is_shown:
            return _Run(requests, on_candidate)
    return _Run(requests, on_candidate, is_promoted=True)


def _bounds(plan: Plan, at: int, requests_per_s: float) -> tuple[int, int]:
    """Return how many requests a step takes at least, and how many there are by its deadline."""
    pace = plan.pace
    least_s = max(pace.min_seconds, pace.bake_seconds if plan.is_last(at) else 0)
    least = max(pace.min_requests, ceil(least_s * requests_per_s))
    most = int(pace.deadline_seconds * requests_per_s)
    return (min(least, _MOST_REQUESTS), _MOST_REQUESTS) if most > _MOST_REQUESTS else (least, most)


def draw(
    rng: np.random.Generator,
    count: int,
    *,
    weight: float,
    champion: npt.ArrayLike,
    candidate: npt.ArrayLike,
) -> Trials:
    """Draw requests, each a unit of its own, that fail at the rate of the arm they are on."""
    on_candidate = rng.random(count, dtype=np.float32) < weight
    failed = rng.random(count, dtype=np.float32) < np.where(on_candidate, candidate, champion)
    return Trials(
        on_candidate=on_candidate,
        rho=np.full(count, weight),
        is_first=np.ones(count, dtype=np.bool_),
        failed=failed,
        is_blamed=failed,
        slower=none_slower(count),
        is_alone=np.zeros(count, dtype=np.bool_),
        is_late=np.zeros(count, dtype=np.bool_),
    )


def none_slower(count: int) -> BoolArray:
    """Say of so many requests that none was slow."""
    return np.zeros((len(QUANTILES), count), dtype=np.bool_)


def first_sufficient(evidence: RollbackEvidence, trials: Trials, *, alpha: float) -> int | None:
    """Find the first of the requests with which failures or outage suffice to roll back."""
    thresholds = {at.stream: at.ln_threshold for at in evidence.against(alpha)}
    failing = np.flatnonzero(trials.is_blamed)
    failures = evidence.failures.path(trials.on_candidate[failing], trials.rho[failing])
    outage = evidence.outage.path(trials.on_candidate, trials.failed, trials.rho)
    found = [
        *failing[failures >= thresholds[Stream.FAILURES]][:1],
        *np.flatnonzero(outage >= thresholds[Stream.OUTAGE])[:1],
    ]
    return int(min(found)) if found else None


def first_shown(safety: Safety, trials: Trials, *, least: int = 0) -> int | None:
    """Find the first of the requests with which safety is shown, once ``least`` of them are in."""
    path = safety.path(trials.on_candidate, trials.failed, trials.rho)
    begin = max(0, least - 1)
    shown = np.flatnonzero(path[begin:] >= LN_SUFFICIENT)
    return begin + int(shown[0]) if len(shown) else None


def _until(trials: Trials, count: int) -> Trials:
    columns = {field.name: getattr(trials, field.name) for field in fields(trials)}
    return Trials(**{name: column[..., :count] for name, column in columns.items()})
