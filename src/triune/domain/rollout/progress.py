"""What a rollout does by itself, from what was seen of it: go on, stay, or go back."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from triune.domain.rollout.plan import OnDeadline
from triune.domain.rollout.routing import Applied, Breaker, FencingToken
from triune.domain.rollout.state import Move, Rollout, RolloutCode, Status, moved, stayed
from triune.domain.verdict import Reason, Verdict

if TYPE_CHECKING:
    # A command that moves a rollout judges nothing, and need not wait for the mathematics.
    from triune.domain.analysis import Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a rollout.

    Parameters
    ----------
    rollout, version
        Of which rollout, and as it stood when it was looked at.
    analysis
        Of the present step; None where none was made.
    applied
        What the traffic process says that it does; None where it does not answer, or was told
        nothing yet.
    breaker
        What the traffic process did by itself, if anything.
    latest
        The last token that was given out in the environment, read together with the rollout. A
        move is recorded only if the environment had none since: two rollouts that move at once
        would both be right by themselves.
    unable
        Why the candidate cannot be run, after repeated attempts; None where nothing says so.
    lasted_s
        For how long the step was watched while it was in force; None where nobody counts, and the
        clock alone says.
    """

    rollout: str
    version: int
    analysis: "Analysis | None"
    applied: Applied | None
    breaker: Breaker | None
    latest: FencingToken
    unable: str | None = None
    lasted_s: float | None = None


def advance(rollout: Rollout, seen: Seen, now_s: float) -> Move:
    """Decide what a rollout does next; the same of the same, so a crashed tick is repeated by any.

    What speaks against the candidate counts however old it is and also while the rollout is
    paused. What speaks for it counts only if it was seen of the rollout as it stands, with the
    wanted split in force.
    """
    move = (
        _ended(rollout)
        or _awaiting_approval(rollout)
        or _blamed(rollout, seen)
        or _fenced_off(rollout, seen)
        or _paused(rollout)
        or _stale(rollout, seen)
        or _past_deadline(rollout, seen)
        or _not_applied(rollout, seen)
        or _step_begins(rollout, now_s)
        or _not_compared(rollout, now_s)
        or _judged(rollout, seen, now_s)
    )
    after = move.rollout
    is_done = _newest(seen) > after.token or seen.applied == after.awaited
    return replace(move, to_apply=None if is_done else after.routing)


def settle(rollout: Rollout, seen: Seen, now_s: float) -> Move:
    """Let a promoted release serve alone, once the champion before it was kept for long enough.

    Where there was none before, or it cannot be run any more, at once: what a rollback goes to is
    then laid out anew.
    """
    if rollout.status is not Status.PROMOTED or rollout.is_settled:
        return stayed(rollout, verdict=rollout.verdict, reason=rollout.reason)
    since_s = now_s - (rollout.promoted_at_s or 0.0)
    is_kept = since_s < rollout.plan.keep_warm_seconds and seen.unable is None
    if _newest(seen) > rollout.token or (rollout.champion is not None and is_kept):
        return stayed(rollout, verdict=rollout.verdict, reason=rollout.reason)
    before = "" if rollout.champion is None else f"; {rollout.champion[:12]} is kept in the store"
    return moved(
        rollout,
        replace(rollout, is_settled=True),
        verdict=rollout.verdict,
        reason=Reason(
            code=RolloutCode.SETTLED,
            message=f"release {rollout.release[:12]} serves alone{before}",
        ),
    )


def _newest(seen: Seen) -> FencingToken:
    return seen.latest if seen.applied is None else max(seen.latest, seen.applied.token)


def _ended(rollout: Rollout) -> Move | None:
    if rollout.is_open:
        return None
    return stayed(rollout, verdict=rollout.verdict, reason=rollout.reason)


def _awaiting_approval(rollout: Rollout) -> Move | None:
    if rollout.has_traffic:
        return None
    return _stay(
        rollout,
        RolloutCode.AWAITING_APPROVAL,
        f"{len(rollout.approvals)} of {rollout.plan.approvals.required} people have approved "
        f"release {rollout.release[:12]}; `triune approve {rollout.id}`",
    )


def _blamed(rollout: Rollout, seen: Seen) -> Move | None:
    if seen.breaker is not None and seen.breaker.rollout == rollout.id:
        return _roll_back(
            rollout,
            Verdict.FAIL,
            Reason(
                code=RolloutCode.LOCAL_BREAKER,
                message="the traffic process sent everything back to the champion by itself: "
                f"{seen.breaker.failures:,} of {seen.breaker.requests:,} requests failed on the "
                "candidate",
            ),
        )
    if (
        seen.analysis is not None
        and seen.rollout == rollout.id
        and seen.analysis.verdict is Verdict.FAIL
    ):
        return _roll_back(rollout, Verdict.FAIL, seen.analysis.reason)
    if seen.unable is not None:
        return _roll_back(
            rollout,
            Verdict.FAIL,
            Reason(
                code=RolloutCode.NOT_STARTED,
                message=f"release {rollout.release[:12]} cannot be run: {seen.unable}",
            ),
        )
    return None


def _fenced_off(rollout: Rollout, seen: Seen) -> Move | None:
    newest = _newest(seen)
    if newest <= rollout.token:
        return None
    return _stay(
        rollout,
        RolloutCode.FENCED_OFF,
        f"the traffic of {rollout.environment} is in other hands: token {newest}, this rollout's "
        f"is {rollout.token}; abort it with `triune rollout abort {rollout.id}` and open another",
    )


def _paused(rollout: Rollout) -> Move | None:
    if rollout.status is not Status.PAUSED:
        return None
    return _stay(
        rollout,
        RolloutCode.PAUSED,
        f"paused at {rollout.split.candidate:g} %; `triune rollout resume {rollout.id}`",
    )


def _stale(rollout: Rollout, seen: Seen) -> Move | None:
    if (seen.rollout, seen.version) == (rollout.id, rollout.version):
        return None
    return _stay(
        rollout,
        RolloutCode.STALE,
        f"what was seen is of {seen.rollout} at version {seen.version}, which is not "
        f"{rollout.id} at version {rollout.version}; look again",
    )


def _past_deadline(rollout: Rollout, seen: Seen) -> Move | None:
    analysis = seen.analysis
    pace, step = rollout.plan.pace, rollout.plan.steps[rollout.step]
    if analysis is None or not (step.needs_evidence and analysis.is_past_deadline):
        return None
    if pace.on_deadline is OnDeadline.HOLD or analysis.verdict is Verdict.PASS:
        return None
    # The analysis may have a more telling reason than the deadline, as that nobody asks anything.
    return _roll_back(
        rollout,
        Verdict.INCONCLUSIVE,
        Reason(
            code=RolloutCode.DEADLINE,
            message=f"the step's {pace.deadline_seconds:,.0f} s are over, and it may "
            f"not wait for longer: {analysis.reason.message}",
        ),
    )


def _not_applied(rollout: Rollout, seen: Seen) -> Move | None:
    if seen.applied == rollout.awaited:
        return None
    wanted = f"{rollout.split.candidate:g} % for the candidate by token {rollout.token}"
    if seen.applied is None:
        found = "the traffic process does not say what it does"
    else:
        found = (
            f"the traffic process has {seen.applied.split.candidate:g} % by token "
            f"{seen.applied.token}"
        )
    return _stay(
        rollout, RolloutCode.NOT_APPLIED, f"{found}, and {wanted} is wanted; it is told again"
    )


def _step_begins(rollout: Rollout, now_s: float) -> Move | None:
    """Start the step's clock anew: what passed while its split was on the way shows nothing."""
    if rollout.is_step_in_force:
        return None
    return moved(
        rollout,
        replace(rollout, is_step_in_force=True, step_began_at_s=now_s),
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason(
            code=RolloutCode.STEP_BEGAN,
            message=f"step {rollout.step + 1} of {len(rollout.plan.steps)} is in force: "
            f"{rollout.split.candidate:g} % for the candidate",
        ),
    )


def _not_compared(rollout: Rollout, now_s: float) -> Move | None:
    if rollout.plan.steps[rollout.step].needs_evidence:
        return None
    why = "there was no champion" if rollout.champion is None else "the plan asks for none"
    return _forward(
        rollout,
        Reason(
            code=RolloutCode.NOTHING_COMPARED, message=f"all traffic without a comparison: {why}"
        ),
        now_s,
    )


def _judged(rollout: Rollout, seen: Seen, now_s: float) -> Move:
    analysis = seen.analysis
    if analysis is None:
        return _stay(rollout, RolloutCode.NOT_ANALYSED, "nothing was analysed yet at this step")
    if analysis.verdict is not Verdict.PASS:
        return stayed(rollout, verdict=analysis.verdict, reason=analysis.reason)
    lasted_s = now_s - rollout.step_began_at_s if seen.lasted_s is None else seen.lasted_s
    left_s = rollout.plan.pace.bake_seconds - lasted_s
    if rollout.plan.is_last(rollout.step) and left_s > 0:
        return _stay(
            rollout,
            RolloutCode.BAKING,
            f"{analysis.reason.message}; watched for {left_s:,.0f} s more before it is promoted",
        )
    return _forward(rollout, analysis.reason, now_s)


def _stay(rollout: Rollout, code: RolloutCode, message: str) -> Move:
    return stayed(rollout, verdict=Verdict.INCONCLUSIVE, reason=Reason(code=code, message=message))


def _forward(rollout: Rollout, reason: Reason, now_s: float) -> Move:
    if rollout.plan.is_last(rollout.step):
        after = replace(rollout, status=Status.PROMOTED, verdict=Verdict.PASS, promoted_at_s=now_s)
    else:
        after = replace(
            rollout,
            step=rollout.step + 1,
            step_began_at_s=now_s,
            is_step_in_force=False,
            verdict=Verdict.PASS,
        )
    return moved(rollout, after, verdict=Verdict.PASS, reason=reason)


def _roll_back(rollout: Rollout, verdict: Verdict, reason: Reason) -> Move:
    if rollout.champion is None:
        return stayed(
            rollout,
            verdict=verdict,
            reason=Reason(
                code=RolloutCode.NO_CHAMPION,
                message=f"{reason.message}; there is no champion to go back to: "
                f"`triune rollout abort {rollout.id}` stops it, and nothing answers until another "
                "release is promoted",
            ),
        )
    after = replace(rollout, status=Status.ROLLED_BACK, paused_at_s=None, verdict=verdict)
    return moved(rollout, after, verdict=verdict, reason=reason)
