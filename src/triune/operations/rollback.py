"""Returns an environment to a release that served it before."""

from dataclasses import replace
from typing import Final

from triune.domain.events import EventKind
from triune.domain.projection import ReleaseRecord
from triune.domain.promotion import PromotionCode, damaged, pruned
from triune.domain.release import short
from triune.domain.rollout import commands
from triune.domain.rollout.commands import Command
from triune.domain.rollout.plan import Plan, Strategy
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Move, Rollout, RolloutCode
from triune.domain.verdict import Reason, Verdict
from triune.operations.context import Context
from triune.operations.environments import (
    Decision,
    Outcome,
    actor,
    find_environment,
    observe,
    settle,
)
from triune.operations.promotion import already_champion, begin, opened
from triune.operations.releases import find_damage

_TRIES: Final = 10


def roll_back(
    context: Context,
    *,
    environment: str,
    to: ReleaseRecord | None = None,
    because: str = "",
) -> Outcome:
    """Go back to the release before the champion, or to the one that is named.

    What is taken back stays taken back: the next rollback goes further, not forward again. A
    release that was itself taken back can be named; it then serves on top of the champion.

    Raises
    ------
    UnknownEnvironmentError
        ``triune.yaml`` names no such environment.
    """
    find_environment(context.spec, environment)
    for _ in range(_TRIES):
        champion = observe(context, environment).champion
        outcome = _roll_back(context, environment, to=to, because=because)
        has_moved = PromotionCode.MOVED_MEANWHILE in {each.code for each in outcome.reasons}
        # A step that began, say, takes nothing from it; what put another release there does.
        if not has_moved or outcome.standing.champion != champion:
            break
    return outcome


def _roll_back(
    context: Context, environment: str, *, to: ReleaseRecord | None, because: str
) -> Outcome:
    def decide(standing: Standing) -> Decision:
        if not standing.promoted:
            return Decision.refusing(_nothing_serves(environment))
        if to is not None and to.id == standing.champion:
            return Decision(verdict=Verdict.PASS, reasons=(already_champion(to.id, environment),))
        target = to or _predecessor(context, standing)
        refusal = _refusal(context, environment, target) if target else None
        if refusal is not None:
            return Decision.refusing(refusal)
        if to is None or to.id in {each.release for each in standing.promoted}:
            return _take_back(context, standing, until=to.id if to else None, because=because)
        if not _has_served(context, environment, to.id):
            return Decision.refusing(_never_served(to.id, environment))
        return _bring_back(context, standing, to, because)

    return settle(context, environment, decide)


def _take_back(
    context: Context, standing: Standing, *, until: str | None, because: str
) -> Decision:
    """Take the last promotion back, and those before it until a release serves, if one is named."""
    moves = _end_open(context, standing, because)
    for move in moves:
        standing = standing.after(move)
    while True:
        last = standing.promoted[-1]
        move = commands.roll_back(last, _command(context, last, standing, because), serving=last.id)
        if move.verdict is Verdict.FAIL:
            return Decision.refusing(move.reason, rollout=last.id)
        moves.append(move)
        standing = standing.after(move)
        if until in {None, standing.champion}:
            return Decision(
                verdict=Verdict.PASS,
                reasons=tuple(each.reason for each in moves),
                rollout=last.id,
                moves=tuple(moves),
            )


def _end_open(context: Context, standing: Standing, because: str) -> list[Move]:
    """End the rollout that is open: it is compared with a champion that is none any more."""
    rollout = standing.open_rollout
    if rollout is None:
        return []
    return [commands.abort(rollout, _command(context, rollout, standing, because))]


def _command(context: Context, rollout: Rollout, standing: Standing, because: str) -> Command:
    return Command(
        by=actor(context),
        version=rollout.version,
        latest=standing.latest or rollout.token,
        because=because,
    )


def _bring_back(
    context: Context, standing: Standing, release: ReleaseRecord, because: str
) -> Decision:
    """Let a release serve again that was taken back: all at once, with nobody asked."""
    ended = _end_open(context, standing, because)
    for move in ended:
        standing = standing.after(move)
    rollout = begin(context, release, standing, plan=Plan.of(Strategy.INSTANT))
    why = f": {because}" if because else ""
    reason = Reason(
        code=RolloutCode.OPENED,
        message=f"release {short(release.id)} served {standing.name} before, and is brought back "
        f"by {actor(context)}{why}",
    )
    decision = opened(context, standing, replace(rollout, reason=reason))
    return replace(
        decision,
        reasons=(*(move.reason for move in ended), reason, *decision.reasons),
        moves=(*ended, *decision.moves),
    )


def _predecessor(context: Context, standing: Standing) -> ReleaseRecord | None:
    return context.ledger.find(ReleaseRecord, standing.previous) if standing.previous else None


def _refusal(context: Context, environment: str, target: ReleaseRecord) -> Reason | None:
    """Tell why a release cannot be run, if it cannot; what runs needs nothing of the store."""
    if target.pruned_at is not None:
        return pruned(target)
    traffic = context.planes.of(find_environment(context.spec, environment)).look()
    if traffic is not None and traffic.are_ready({target.id}):
        return None
    damage = find_damage(context, target)
    return damaged(target, damage) if damage else None


def _has_served(context: Context, environment: str, release_id: str) -> bool:
    return any(
        event.kind == EventKind.CHAMPION_CHANGED and event.data["release"] == release_id
        for event in context.ledger.events(aggregate=f"environment:{environment}")
    )


def _nothing_serves(environment: str) -> Reason:
    return Reason(
        code=PromotionCode.NOTHING_SERVES,
        message=f"nothing serves {environment}, so there is nothing to go back from; promote a "
        f"release: `triune promote RELEASE --to {environment}`",
    )


def _never_served(release_id: str, environment: str) -> Reason:
    return Reason(
        code=PromotionCode.NEVER_SERVED,
        message=f"release {short(release_id)} never served {environment}, so it is nothing to go "
        f"back to; promote it: `triune promote {short(release_id)} --to {environment}`",
    )
