"""Takes what people say to a rollout: consent, refusal of it, and the word to stop."""

from collections.abc import Callable
from functools import partial

from triune.domain.errors import UnknownRolloutError, nearest
from triune.domain.projection import RolloutRecord
from triune.domain.rollout import commands
from triune.domain.rollout.commands import Command
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Move, Rollout
from triune.domain.verdict import Verdict
from triune.operations.context import Context
from triune.operations.environments import Decision, Outcome, actor, find_environment, settle
from triune.operations.promotion import evidence_of, go_on, objections


def find_rollout(context: Context, name: str) -> RolloutRecord:
    """Find the rollout that an id, or a prefix of one, names.

    Raises
    ------
    UnknownRolloutError
        None is named so, or several are.
    """
    records = context.ledger.all(RolloutRecord)
    found = [each for each in records if name and each.id.startswith(name.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(each.id for each in found[:5])
        raise UnknownRolloutError(
            f"{name!r} is ambiguous: {len(found)} rollouts begin so ({shown}); give more digits"
        )
    if not records:
        raise UnknownRolloutError(
            f"there is no rollout {name!r}: this project has had none yet; "
            "open one with `triune promote RELEASE --to ENV`"
        )
    hint = nearest(name, [each.id for each in records])
    raise UnknownRolloutError(
        f"there is no rollout {name!r}{hint or '; list them with `triune rollout list`'}"
    )


def approve(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """Consent to the release of a rollout, which goes on where that completes the quorum.

    What would refuse its promotion by now, refuses the consent.
    """
    now_s = context.clock.now().timestamp()
    environment = find_environment(context.spec, record.environment)

    def decide(standing: Standing) -> Decision:
        rollout = standing.rollout(record.id)
        move = commands.approve(
            rollout,
            _command(context, rollout, standing, because),
            release=record.release,
            now_s=now_s,
        )
        if move.verdict is Verdict.FAIL:
            return Decision.refusing(move.reason, rollout=rollout.id)
        refusals = objections(context, rollout, environment, standing)
        if refusals:
            return Decision.refusing(*refusals, rollout=rollout.id)
        return _going_on(context, standing, move)

    evidence = evidence_of(context, record.release, environment)
    return settle(context, record.environment, decide, rests_on=evidence)


def reject(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """Refuse consent, which ends the rollout."""
    return _tell(context, record, commands.reject, because)


def abort(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """End a rollout before it is promoted."""
    return _tell(context, record, commands.abort, because)


def pause(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """Keep a rollout where it is; a candidate that turns out bad still goes back."""
    now_s = context.clock.now().timestamp()
    return _tell(context, record, partial(commands.pause, now_s=now_s), because)


def resume(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """Let a rollout go on where it was paused."""
    now_s = context.clock.now().timestamp()
    return _tell(context, record, partial(commands.resume, now_s=now_s), because)


def _tell(
    context: Context,
    record: RolloutRecord,
    command: Callable[[Rollout, Command], Move],
    because: str,
) -> Outcome:
    def decide(standing: Standing) -> Decision:
        rollout = standing.rollout(record.id)
        move = command(rollout, _command(context, rollout, standing, because))
        return Decision(
            verdict=move.verdict, reasons=(move.reason,), rollout=rollout.id, moves=(move,)
        )

    return settle(context, record.environment, decide)


def _going_on(context: Context, standing: Standing, move: Move) -> Decision:
    """Go on after a consent; as long as others are missing, it is inconclusive."""
    moves, reason = go_on(context, standing.after(move), move.rollout)
    return Decision(
        verdict=moves[-1].verdict if moves else Verdict.INCONCLUSIVE,
        reasons=(move.reason,) if reason == move.reason else (move.reason, reason),
        rollout=move.rollout.id,
        moves=(move, *moves),
    )


def _command(context: Context, rollout: Rollout, standing: Standing, because: str) -> Command:
    return Command(
        by=actor(context),
        version=rollout.version,
        latest=standing.latest or rollout.token,
        because=because,
    )
