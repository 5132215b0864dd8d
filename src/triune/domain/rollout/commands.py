"""What people do to a rollout: approve, reject, pause, resume, abort, roll back.

Whoever commands says what they have seen. A command that was given before changes nothing, and so
does one given on what is no longer so; both say it.
"""

from dataclasses import dataclass, replace

from triune.domain.rollout.approval import Approval, Person
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.state import Move, Rollout, RolloutCode, Status, moved, stayed
from triune.domain.verdict import Reason, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Who commands, on what they have seen, and why.

    Parameters
    ----------
    version
        Of the rollout, as the person has seen it.
    latest
        The last token that was given out in the environment, read together with the rollout.
    because
        For people; may be empty.
    """

    by: Person
    version: int
    latest: FencingToken
    because: str = ""


def approve(rollout: Rollout, command: Command, *, release: str, now_s: float) -> Move:
    """Consent to a release; with the quorum complete its first step begins.

    Parameters
    ----------
    release
        What the person consents to.
    """
    if rollout.is_open and command.by.is_among(
        approval.by.subject for approval in rollout.approvals
    ):
        return _already(
            rollout,
            RolloutCode.ALREADY_APPROVED,
            f"{command.by.subject} has approved before, and each person counts once",
        )
    refusal = (
        _refuse_stale(rollout, command)
        or _refuse_followed(rollout, command)
        or _refuse_unless(rollout, Status.AWAITING_APPROVAL, verb="approve")
        or _refuse_approval(rollout, command.by, release=release)
    )
    if refusal is not None:
        return refusal
    approval = Approval(by=command.by, release=release, at_s=now_s)
    after = replace(rollout, approvals=(*rollout.approvals, approval))
    if after.has_quorum:
        after = replace(after, status=Status.RUNNING, step_began_at_s=now_s)
    return _done(
        rollout,
        after,
        RolloutCode.APPROVED,
        f"approved by {command.by}, {len(after.approvals)} of "
        f"{rollout.plan.approvals.required} people",
        command,
    )


def reject(rollout: Rollout, command: Command) -> Move:
    """Refuse consent: one person suffices, and the rollout is over."""
    if rollout.status is Status.REJECTED:
        return _already_so(rollout)
    refusal = _refuse_stale(rollout, command) or _refuse_unless(
        rollout, Status.AWAITING_APPROVAL, verb="reject"
    )
    if refusal is not None:
        return refusal
    after = replace(rollout, status=Status.REJECTED, verdict=Verdict.FAIL)
    return _done(rollout, after, RolloutCode.REJECTED, f"rejected by {command.by}", command)


def pause(rollout: Rollout, command: Command, *, now_s: float) -> Move:
    """Keep the split as it is: nothing advances, but a bad candidate still goes back."""
    if rollout.status is Status.PAUSED:
        return _already_so(rollout)
    refusal = _refuse_stale(rollout, command) or _refuse_unless(
        rollout, Status.RUNNING, verb="pause"
    )
    if refusal is not None:
        return refusal
    after = replace(rollout, status=Status.PAUSED, paused_at_s=now_s)
    return _done(rollout, after, RolloutCode.PAUSED, f"paused by {command.by}", command)


def resume(rollout: Rollout, command: Command, *, now_s: float) -> Move:
    """Go on where it was paused; the pause counts neither for the step nor for its deadline."""
    if rollout.status is Status.RUNNING:
        return _already_so(rollout)
    refusal = (
        _refuse_stale(rollout, command)
        or _refuse_followed(rollout, command)
        or _refuse_unless(rollout, Status.PAUSED, verb="resume")
    )
    if refusal is not None:
        return refusal
    assert rollout.paused_at_s is not None
    # A clock that was set back must not make the step older than it is.
    away_s = max(0.0, now_s - rollout.paused_at_s)
    after = replace(
        rollout,
        status=Status.RUNNING,
        paused_at_s=None,
        step_began_at_s=rollout.step_began_at_s + away_s,
    )
    return _done(rollout, after, RolloutCode.RESUMED, f"resumed by {command.by}", command)


def abort(rollout: Rollout, command: Command) -> Move:
    """End a rollout before it is promoted: all traffic goes to the champion."""
    if rollout.status is Status.CANCELLED:
        return _already_so(rollout)
    refusal = _refuse_stale(rollout, command)
    if refusal is not None:
        return refusal
    if not rollout.is_open:
        return _refuse_status(rollout, verb="abort")
    after = replace(
        rollout, status=Status.CANCELLED, paused_at_s=None, verdict=Verdict.INCONCLUSIVE
    )
    return _done(rollout, after, RolloutCode.ABORTED, f"aborted by {command.by}", command)


def roll_back(rollout: Rollout, command: Command, *, serving: str) -> Move:
    """Return from a promoted release to the one before it, whole, in one move.

    It takes the environment's next term: a rollout that opened since, beside a champion that is
    none any more, can no longer move.

    Parameters
    ----------
    serving
        The id of the environment's latest rollout that is promoted: the one that put its champion
        there. A release may have been promoted more than once, so it does not say enough.
    """
    if rollout.status is Status.ROLLED_BACK:
        return _already_so(rollout)
    refusal = _refuse_stale(rollout, command) or _refuse_unless(
        rollout, Status.PROMOTED, verb="roll back"
    )
    if refusal is not None:
        return refusal
    if serving != rollout.id:
        return _refuse(
            rollout,
            RolloutCode.NOT_SERVING,
            f"rollout {rollout.id} is not what put {rollout.environment}'s champion there, "
            f"{serving} is; roll back that one first",
        )
    if rollout.champion is None:
        return _refuse(
            rollout,
            RolloutCode.NO_CHAMPION,
            f"release {rollout.release[:12]} was the first to serve {rollout.environment}: there "
            "is nothing to go back to; promote another release",
        )
    after = replace(
        rollout,
        status=Status.ROLLED_BACK,
        verdict=Verdict.FAIL,
        token=command.latest.next_term(),
    )
    return _done(
        rollout,
        after,
        RolloutCode.ROLLED_BACK,
        f"rolled back to {rollout.champion[:12]} by {command.by}",
        command,
    )


def _refuse_stale(rollout: Rollout, command: Command) -> Move | None:
    if command.version == rollout.version and command.latest >= rollout.token:
        return None
    return _refuse(
        rollout,
        RolloutCode.STALE,
        f"rollout {rollout.id} is {_name(rollout.status)} at version {rollout.version} and token "
        f"{rollout.token}; the command was given at version {command.version} and token "
        f"{command.latest}: look again, and repeat it if it is still wanted",
    )


def _refuse_followed(rollout: Rollout, command: Command) -> Move | None:
    """Refuse to go forward where another has the say; going back stays possible."""
    if command.latest <= rollout.token:
        return None
    return _refuse(
        rollout,
        RolloutCode.FENCED_OFF,
        f"the traffic of {rollout.environment} is in other hands: token {command.latest}, this "
        f"rollout's is {rollout.token}; abort it with `triune rollout abort {rollout.id}` and "
        "open another",
    )


def _refuse_unless(rollout: Rollout, status: Status, *, verb: str) -> Move | None:
    return None if rollout.status is status else _refuse_status(rollout, verb=verb)


def _refuse_status(rollout: Rollout, *, verb: str) -> Move:
    return _refuse(
        rollout,
        RolloutCode.NOT_POSSIBLE,
        f"cannot {verb} rollout {rollout.id}: it is {_name(rollout.status)}, "
        f"{rollout.reason.message}",
    )


def _refuse_approval(rollout: Rollout, by: Person, *, release: str) -> Move | None:
    if release != rollout.release:
        return _refuse(
            rollout,
            RolloutCode.OTHER_RELEASE,
            f"the approval is for release {release[:12]}, and rollout {rollout.id} is of "
            f"{rollout.release[:12]}; look at that one, and approve it",
        )
    if rollout.plan.approvals.not_author and by.is_among(rollout.authors):
        return _refuse(
            rollout,
            RolloutCode.BY_AUTHOR,
            f"{by.subject} is an author of release {rollout.release[:12]}, and "
            f"{rollout.environment} asks for others; let somebody else approve",
        )
    return None


def _refuse(rollout: Rollout, code: RolloutCode, message: str) -> Move:
    return stayed(rollout, verdict=Verdict.FAIL, reason=Reason(code=code, message=message))


def _already(rollout: Rollout, code: RolloutCode, message: str) -> Move:
    return stayed(rollout, verdict=Verdict.PASS, reason=Reason(code=code, message=message))


def _already_so(rollout: Rollout) -> Move:
    return _already(
        rollout,
        RolloutCode.ALREADY_SO,
        f"rollout {rollout.id} is {_name(rollout.status)} already: {rollout.reason.message}",
    )


def _done(
    before: Rollout, after: Rollout, code: RolloutCode, message: str, command: Command
) -> Move:
    because = f": {command.because}" if command.because else ""
    move = moved(
        before, after, verdict=Verdict.PASS, reason=Reason(code=code, message=f"{message}{because}")
    )
    is_followed = command.latest > move.rollout.token
    return replace(move, to_apply=None) if is_followed else move


def _name(status: Status) -> str:
    return status.value.replace("_", " ")
