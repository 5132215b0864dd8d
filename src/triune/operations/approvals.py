"""Takes what people say to a rollout: consent, refusal of it, and the word to stop."""

from collections.abc import Callable

from triune.domain.errors import UnknownRolloutError, nearest
from triune.domain.projection import RolloutRecord
from triune.domain.rollout import commands
from triune.domain.rollout.commands import Command
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Move, Rollout
from triune.domain.verdict import Verdict
from triune.operations.context import Context
from triune.operations.environments import Decision, Outcome, actor, find_environment, settle
from triune.operations.promotion import objections


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
        environment = find_environment(context.spec, record.environment)
        refusals = objections(context, rollout, environment, standing)
        if refusals:
            return Decision.refusing(*refusals, rollout=rollout.id)
        return _going_on(standing, move, now_s)

    return settle(context, record.environment, decide)


def reject(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """Refuse consent, which ends the rollout."""
    return _end(context, record, commands.reject, because)


def abort(context: Context, record: RolloutRecord, *, because: str = "") -> Outcome:
    """End a rollout before it is promoted."""
    return _end(context, record, commands.abort, because)


def _end(
    context: Context,
    record: RolloutRecord,
    end: Callable[[Rollout, Command], Move],
    because: str,
) -> Outcome:
    def decide(standing: Standing) -> Decision:
        rollout = standing.rollout(record.id)
        move = end(rollout, _command(context, rollout, standing, because))
        return Decision(
            verdict=move.verdict, reasons=(move.reason,), rollout=rollout.id, moves=(move,)
        )

    return settle(context, record.environment, decide)


def _going_on(standing: Standing, move: Move, now_s: float) -> Decision:
    """Go on after a consent; as long as others are missing, it is inconclusive."""
    moves = (move, *standing.after(move).go_on(move.rollout, now_s))
    last = moves[-1]
    return Decision(
        verdict=last.verdict,
        reasons=(move.reason, last.reason),
        rollout=move.rollout.id,
        moves=moves,
    )


def _command(context: Context, rollout: Rollout, standing: Standing, because: str) -> Command:
    return Command(
        by=actor(context),
        version=rollout.version,
        latest=standing.latest or rollout.token,
        because=because,
    )
