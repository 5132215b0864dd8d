"""What a step of a rollout still needs: requests, and time."""

from dataclasses import dataclass

from triune.domain.analysis import Analysis
from triune.domain.rollout.state import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is between a rollout and its next step.

    Parameters
    ----------
    lasted_s
        For how long the step was watched while it was in force.
    least_s
        How long it lasts at least, the bake of the last step included.
    requests
        How many more it takes, as likely as not and at the least; None where no number would do.
    seconds
        How long that takes at the rate seen, and not less than is left of ``least_s``; None where
        no time would do, or nobody asks.
    deadline_s
        How long until the step's deadline; negative once it has passed.
    """

    lasted_s: float
    least_s: float
    requests: int | None
    seconds: float | None
    deadline_s: float


def outlook_of(rollout: Rollout, analysis: Analysis, *, lasted_s: float) -> Outlook:
    """Say what the present step of a rollout still needs."""
    step, pace = rollout.step_rules, rollout.plan.pace
    least_s = step.min_seconds
    if rollout.plan.is_last(rollout.step):
        least_s = max(least_s, pace.bake_seconds)
    requests = seconds = None
    if analysis.requests_needed is not None:
        requests = max(analysis.requests_needed, step.min_requests - analysis.requests, 0)
        left_s = max(least_s - lasted_s, 0.0)
        if requests == 0:
            seconds = left_s
        elif analysis.requests and lasted_s:
            seconds = max(left_s, requests * lasted_s / analysis.requests)
    return Outlook(
        lasted_s=lasted_s,
        least_s=least_s,
        requests=requests,
        seconds=seconds,
        deadline_s=step.deadline_seconds - lasted_s,
    )
