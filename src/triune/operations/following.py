"""Follows what was decided on an environment until its traffic process does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from triune.domain.errors import TriuneError
from triune.domain.release import short
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Rollout, RolloutCode, Status
from triune.domain.verdict import Reason, Verdict
from triune.operations.context import Context
from triune.operations.environments import Outcome, find_environment, observe
from triune.operations.promotion import is_traffic_carried
from triune.operations.traffic import converge
from triune.ports import Progress

POLL_S: Final = 0.02
PATIENCE_S: Final = 60.0

_VERDICTS: Final = {
    Status.PROMOTED: Verdict.PASS,
    Status.ROLLED_BACK: Verdict.FAIL,
    Status.REJECTED: Verdict.FAIL,
    Status.CANCELLED: Verdict.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What became of a decision.

    ``seconds`` is how long it took until the traffic followed; None where none is carried, or it
    did not follow yet.
    """

    outcome: Outcome
    seconds: float | None


def follow(
    context: Context, outcome: Outcome, *, wait: Callable[[float], None], progress: Progress
) -> Followed:
    """Wait until the traffic does what was decided, and see to it where nobody else does.

    What needs evidence takes its time, and is not waited for.

    Parameters
    ----------
    wait
        Lets so many seconds pass.
    """
    name = outcome.standing.name
    if outcome.verdict is Verdict.FAIL or not is_traffic_carried(context, name):
        return Followed(outcome=outcome, seconds=None)
    router = context.planes.of(find_environment(context.spec, name))
    began = context.clock.now()
    said, failing = False, dict[str, str]()
    while True:
        standing = observe(context, name)
        seconds = (context.clock.now() - began).total_seconds()
        traffic = router.look()
        if _has_settled(standing):
            try:
                done = converge(context, standing, router, traffic) if traffic else None
                if done and done.is_done:
                    return Followed(outcome=_anew(outcome, standing), seconds=seconds)
                failing = {**done.failed, **done.lost} if done else {}
            except TriuneError as error:
                # The controller meets it too, and goes on trying.
                progress(str(error))
        elif not _is_awaited(standing):
            return Followed(outcome=_anew(outcome, standing), seconds=None)
        if seconds > PATIENCE_S:
            return Followed(outcome=_not_followed(outcome, standing, failing), seconds=None)
        if not said and seconds > 1:
            said = True
            progress(f"waiting for the traffic of {name} to follow")
        wait(POLL_S)


def verdict_of(rollout: Rollout) -> Verdict:
    """Say how a rollout ended; INCONCLUSIVE while it may still move."""
    return _VERDICTS.get(rollout.status, Verdict.INCONCLUSIVE)


def _has_settled(standing: Standing) -> bool:
    """Tell whether nothing is left to be decided by itself."""
    rollout = standing.leading
    return rollout is None or not rollout.has_traffic


def _is_awaited(standing: Standing) -> bool:
    """Tell whether what is open goes on at once, without evidence."""
    rollout = standing.leading
    return rollout is not None and not rollout.plan.steps[rollout.step].needs_evidence


def _not_followed(outcome: Outcome, standing: Standing, failing: Mapping[str, str]) -> Outcome:
    """Say that it is decided, and that requests do not go there yet."""
    late = _anew(outcome, standing)
    why = "".join(f"; release {short(each)} does not run: {failing[each]}" for each in failing)
    reason = Reason(
        code=RolloutCode.NOT_APPLIED,
        message=f"the traffic of {standing.name} has not followed within {PATIENCE_S:g} s{why}; "
        "see `triune rollout list`, and whether `triune up` runs",
    )
    return replace(late, verdict=Verdict.INCONCLUSIVE, reasons=(*late.reasons, reason))


def _anew(outcome: Outcome, standing: Standing) -> Outcome:
    """Say how it stands by now."""
    if outcome.rollout is None or outcome.verdict is not Verdict.INCONCLUSIVE:
        return Outcome(
            verdict=outcome.verdict,
            reasons=outcome.reasons,
            rollout=outcome.rollout,
            standing=standing,
        )
    rollout = standing.rollout(outcome.rollout.id)
    return Outcome(
        verdict=verdict_of(rollout),
        reasons=outcome.reasons
        if rollout.reason in outcome.reasons
        else (*outcome.reasons, rollout.reason),
        rollout=rollout,
        standing=standing,
    )
