"""Simulated requests without a routing key, and what the evidence of production makes of them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from triune.domain.analysis import AnalysisRules
from triune.stats.inputs import BoolArray
from triune.stats.sequential.latency import QUANTILES
from triune.stats.sequential.rollback import RollbackEvidence, Stream, Trials
from triune.stats.sequential.safety import FIRST_STEP_RATIO, LATER_STEP_RATIO, LN_SUFFICIENT, Safety

RULES: Final = AnalysisRules()
PORTION: Final = 50_000
"""As many requests at once as stay in a processor's cache."""


class Ending(NamedTuple):
    """How a run ended: rolled back, or never safe enough at some step, or neither."""

    is_rolled_back: bool
    is_inconclusive: bool


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


def no_evidence() -> RollbackEvidence:
    """Return what is known against a candidate before the first request."""
    return RollbackEvidence.new(error_budget=RULES.error_budget, has_p99=False)


def no_safety(step: int) -> Safety:
    """Return what is known for a candidate before the first request of a step."""
    ratio = LATER_STEP_RATIO if step else FIRST_STEP_RATIO
    return Safety.new(ratio=ratio, budget=RULES.error_budget)


def is_sufficient(evidence: RollbackEvidence) -> bool:
    """Tell whether any stream suffices to roll back."""
    return any(stream.is_sufficient for stream in evidence.against(RULES.alpha))


def roll_out(portions: Iterable[tuple[int, Trials]]) -> Ending:
    """Take in requests by step to the end, whatever the evidence says on the way."""
    evidence = no_evidence()
    safety: dict[int, Safety] = {}
    shown: dict[int, bool] = {}
    for step, trials in portions:
        evidence = evidence.after(trials)
        first = trials.is_first
        safety[step] = safety.get(step, no_safety(step)).after(
            trials.on_candidate[first], trials.failed[first], trials.rho[first]
        )
        shown[step] = shown.get(step, False) or safety[step].is_shown
    is_rolled_back = is_sufficient(evidence)
    return Ending(is_rolled_back, not is_rolled_back and not all(shown.values()))


def first_sufficient(evidence: RollbackEvidence, trials: Trials) -> int | None:
    """Find the first of the requests with which failures or outage suffice to roll back."""
    thresholds = {at.stream: at.ln_threshold for at in evidence.against(RULES.alpha)}
    failing = np.flatnonzero(trials.is_blamed)
    failures = evidence.failures.path(trials.on_candidate[failing], trials.rho[failing])
    outage = evidence.outage.path(trials.on_candidate, trials.failed, trials.rho)
    found = [
        *failing[failures >= thresholds[Stream.FAILURES]][:1],
        *np.flatnonzero(outage >= thresholds[Stream.OUTAGE])[:1],
    ]
    return int(min(found)) if found else None


def first_shown(safety: Safety, trials: Trials) -> int | None:
    """Find the first of the requests with which safety is shown."""
    path = safety.path(trials.on_candidate, trials.failed, trials.rho)
    shown = np.flatnonzero(path >= LN_SUFFICIENT)
    return int(shown[0]) if len(shown) else None
