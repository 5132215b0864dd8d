"""What the evidence of production makes of simulated requests."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from triune.domain.rules import AnalysisRules
from triune.stats.sequential.rollback import RollbackEvidence, Trials
from triune.stats.sequential.safety import FIRST_STEP_RATIO, LATER_STEP_RATIO, Safety

RULES: Final = AnalysisRules()
PORTION: Final = 50_000
"""As many requests at once as stay in a processor's cache."""


class Ending(NamedTuple):
    """How a run ended: rolled back, or never safe enough at some step, or neither."""

    is_rolled_back: bool
    is_inconclusive: bool


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
