"""Promotes a release to an environment: sees that it may, and opens its rollout there."""

from dataclasses import replace

from triune.domain.canonical import sha256
from triune.domain.project import EnvironmentSpec
from triune.domain.projection import EnvironmentRecord, GateRecord, ReleaseRecord
from triune.domain.promotion import (
    Obstacle,
    PromotionCode,
    admit,
    obstacles,
    outdated_gate,
)
from triune.domain.release import short
from triune.domain.rollout.override import Override
from triune.domain.rollout.plan import Plan
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Move, Rollout, RolloutCode, open_rollout
from triune.domain.verdict import Reason, Verdict
from triune.operations.context import Context
from triune.operations.environments import Decision, Outcome, find_environment, settle
from triune.operations.releases import find_damage


def promote(
    context: Context, release: ReleaseRecord, *, to: str, override: Override | None = None
) -> Outcome:
    """Open the rollout of a release, and move it as far as it goes without evidence.

    Where a traffic process runs, the controller moves it.

    Raises
    ------
    UnknownEnvironmentError
        ``triune.yaml`` names no such environment.
    """
    environment = find_environment(context.spec, to)

    def decide(standing: Standing) -> Decision:
        if standing.champion == release.id:
            return Decision(verdict=Verdict.PASS, reasons=(already_champion(release.id, to),))
        # Read anew: since it was found, a run may have judged it otherwise.
        current = context.ledger.find(ReleaseRecord, release.id) or release
        admission = admit(_obstacles(context, current, environment, standing), override)
        if admission.refusals:
            return Decision.refusing(*admission.refusals)
        rollout = begin(context, release, standing, plan=environment.plan)
        return opened(context, standing, replace(rollout, override=admission.override))

    return settle(context, to, decide, rests_on=evidence_of(context, release.id, environment))


def evidence_of(context: Context, release_id: str, environment: EnvironmentSpec) -> tuple[str, ...]:
    """Name the aggregates, beside the environment's own, that say whether a release may go there.

    They hold its verdict, its gate decision, and what serves the environment before.
    """
    before = (f"environment:{environment.after}",) if environment.after else ()
    return (f"project:{context.spec.name}", f"release:{release_id}", *before)


def objections(
    context: Context, rollout: Rollout, environment: EnvironmentSpec, standing: Standing
) -> tuple[Reason, ...]:
    """Tell what by now speaks against a rollout that was opened, beside its own override."""
    release = context.ledger.find(ReleaseRecord, rollout.release)
    if release is None:
        return ()
    found = _obstacles(context, release, environment, standing)
    # It is itself what is open.
    others = [each for each in found if each.reason.code is not PromotionCode.ROLLOUT_OPEN]
    return admit(others, rollout.override).refusals


def begin(context: Context, release: ReleaseRecord, standing: Standing, *, plan: Plan) -> Rollout:
    """Return a new rollout of a release, as it opens."""
    now_s = context.clock.now().timestamp()
    # No two open at one version of their environment, so no two have the same id.
    named = f"{standing.name}\0{len(standing.rollouts)}\0{standing.latest}\0{now_s!r}"
    return open_rollout(
        id=sha256(named.encode())[:8],
        environment=standing.name,
        release=release.id,
        champion=standing.champion,
        authors=release.authors,
        plan=plan,
        latest=standing.latest,
        now_s=now_s,
    )


def opened(context: Context, standing: Standing, rollout: Rollout) -> Decision:
    """Decide to open a rollout, which goes on as far as it can."""
    moves, reason = go_on(context, standing.opening(rollout), rollout)
    return Decision(
        verdict=moves[-1].verdict if moves else Verdict.INCONCLUSIVE,
        reasons=(reason,),
        rollout=rollout.id,
        opening=rollout,
        moves=moves,
    )


def go_on(
    context: Context, standing: Standing, rollout: Rollout
) -> tuple[tuple[Move, ...], Reason]:
    """Move a rollout as far as it goes here and now, and say why it goes no further.

    Nothing moves it here where its candidate is to be watched, or the order must be followed by a
    traffic process first.
    """
    needs_evidence = rollout.plan.steps[rollout.step].needs_evidence
    is_carried = is_traffic_carried(context, standing.name)
    if rollout.has_traffic and (is_carried or needs_evidence):
        return (), rollout.reason if is_carried else _not_carried(standing.name)
    moves = standing.go_on(rollout, context.clock.now().timestamp())
    return moves, moves[-1].reason


def is_traffic_carried(context: Context, environment: str) -> bool:
    """Tell whether a traffic process serves an environment."""
    return context.planes.of(find_environment(context.spec, environment)).is_running()


def _not_carried(environment: str) -> Reason:
    return Reason(
        code=RolloutCode.NOT_APPLIED,
        message=f"nothing carries the traffic of {environment}, so nothing can be watched and the "
        "rollout waits: start it with `triune up`",
    )


def already_champion(release_id: str, environment: str) -> Reason:
    """Say that nothing is left to be done."""
    return Reason(
        code=PromotionCode.ALREADY_CHAMPION,
        message=f"release {short(release_id)} serves {environment} already",
    )


def _obstacles(
    context: Context, release: ReleaseRecord, environment: EnvironmentSpec, standing: Standing
) -> list[Obstacle]:
    before = (
        context.ledger.find(EnvironmentRecord, environment.after) if environment.after else None
    )
    found = obstacles(
        release,
        environment=environment,
        standing=standing,
        champion_before=before.champion if before else None,
        damage=find_damage(context, release),
    )
    gate = _gate_obstacle(context, release, environment, standing)
    return [*found, gate] if gate else found


def _gate_obstacle(
    context: Context, release: ReleaseRecord, environment: EnvironmentSpec, standing: Standing
) -> Obstacle | None:
    """Object where the gate's comparison, which is with the last environment, is out of date."""
    if environment != context.spec.environments[-1]:
        return None
    decision = context.ledger.find(GateRecord, release.id)
    return outdated_gate(release, decision, standing=standing) if decision else None
