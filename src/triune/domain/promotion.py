"""May a release be promoted to an environment? What speaks against it, and what overrules that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from triune.domain.project import EnvironmentSpec
from triune.domain.projection import GateRecord, ReleaseRecord
from triune.domain.release import short
from triune.domain.rollout.override import Override, OverrideKind
from triune.domain.rollout.standing import Standing
from triune.domain.verdict import Reason, Verdict


class PromotionCode(StrEnum):
    """Why a release is not promoted, or not rolled back to."""

    ALREADY_CHAMPION = "ALREADY_CHAMPION"
    RELEASE_PRUNED = "RELEASE_PRUNED"
    RELEASE_DAMAGED = "RELEASE_DAMAGED"
    RELEASE_NOT_JUDGED = "RELEASE_NOT_JUDGED"
    RELEASE_INCONCLUSIVE = "RELEASE_INCONCLUSIVE"
    RELEASE_FAILED = "RELEASE_FAILED"
    NOT_SERVED_BEFORE = "NOT_SERVED_BEFORE"
    GATE_OUTDATED = "GATE_OUTDATED"
    ROLLOUT_OPEN = "ROLLOUT_OPEN"
    NEVER_SERVED = "NEVER_SERVED"
    NOTHING_SERVES = "NOTHING_SERVES"
    MOVED_MEANWHILE = "MOVED_MEANWHILE"


_NOTHING: Final[frozenset[OverrideKind]] = frozenset()
_EMERGENCY: Final = frozenset({OverrideKind.EMERGENCY})
_ANY: Final = frozenset(OverrideKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """What speaks against a promotion, and the overrides that it yields to."""

    reason: Reason
    yields_to: frozenset[OverrideKind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What is left of the obstacles, and the override if one was needed."""

    refusals: tuple[Reason, ...]
    override: Override | None


def obstacles(
    release: ReleaseRecord,
    *,
    environment: EnvironmentSpec,
    standing: Standing,
    champion_before: str | None,
    damage: str | None,
) -> list[Obstacle]:
    """List what speaks against a promotion.

    Parameters
    ----------
    champion_before
        What serves the environment that ``environment`` comes after; None where nothing does.
    damage
        What of the release is missing or changed; None where it is whole.
    """
    found = [
        _pruned(release),
        Obstacle(reason=damaged(release, damage), yields_to=_NOTHING) if damage else None,
        _verdict(release),
        _order(release, environment, champion_before),
        _open_rollout(standing),
    ]
    return [each for each in found if each is not None]


def outdated_gate(
    release: ReleaseRecord, decision: GateRecord, *, standing: Standing
) -> Obstacle | None:
    """Object where a release was judged beside another champion than serves now."""
    if decision.champion == standing.champion:
        return None
    then = short(decision.champion) if decision.champion else "no champion"
    now = short(standing.champion) if standing.champion else "none"
    return _obstacle(
        PromotionCode.GATE_OUTDATED,
        f"release {short(release.id)} was judged beside {then}, and {standing.name}'s champion is "
        f"{now} by now; judge it anew with `triune run`",
        _EMERGENCY,
    )


def admit(found: Sequence[Obstacle], override: Override | None) -> Admission:
    """Weigh obstacles against an override; one that was not needed is not marked."""
    overruled = [each for each in found if override and override.kind in each.yields_to]
    return Admission(
        refusals=tuple(each.reason for each in found if each not in overruled),
        override=replace(override, overruled=tuple(each.reason.code for each in overruled))
        if override and overruled
        else None,
    )


def pruned(release: ReleaseRecord) -> Reason:
    """Say that nothing is left of a release but its history."""
    return Reason(
        code=PromotionCode.RELEASE_PRUNED,
        message=f"release {short(release.id)} was pruned at {release.pruned_at}, so there is "
        f"nothing to serve; cut it again from commit {release.commit[:12]} with `triune run`",
    )


def damaged(release: ReleaseRecord, damage: str) -> Reason:
    """Say that a release cannot be run, as not all of it is there."""
    return Reason(
        code=PromotionCode.RELEASE_DAMAGED,
        message=f"release {short(release.id)} cannot be served: {damage}; `triune release verify "
        f"{short(release.id)}` lists all that is wrong, and a run at commit "
        f"{release.commit[:12]} stores it again",
    )


def _pruned(release: ReleaseRecord) -> Obstacle | None:
    if release.pruned_at is None:
        return None
    return Obstacle(reason=pruned(release), yields_to=_NOTHING)


def _verdict(release: ReleaseRecord) -> Obstacle | None:
    name = short(release.id)
    match release.verdict:
        case Verdict.PASS:
            return None
        case None:
            return _obstacle(
                PromotionCode.RELEASE_NOT_JUDGED,
                f"no run of release {name} came to its end, so nothing speaks for it; "
                "run it again with `triune run`",
                _EMERGENCY,
            )
        case Verdict.INCONCLUSIVE:
            return _obstacle(
                PromotionCode.RELEASE_INCONCLUSIVE,
                f"the last run of release {name} was INCONCLUSIVE, {release.reason}; settle it "
                "and run again, or answer for it with --accept-inconclusive REASON",
                _ANY,
            )
        case verdict:
            return _obstacle(
                PromotionCode.RELEASE_FAILED,
                f"the last run of release {name} came to {verdict}, {release.reason}; mend that "
                "and promote the release that passes",
                _EMERGENCY,
            )


def _order(
    release: ReleaseRecord, environment: EnvironmentSpec, champion_before: str | None
) -> Obstacle | None:
    if environment.after is None or champion_before == release.id:
        return None
    serves = f"{short(champion_before)} serves it" if champion_before else "nothing serves it"
    return _obstacle(
        PromotionCode.NOT_SERVED_BEFORE,
        f"{environment.name} comes after {environment.after}, and {serves}, not "
        f"{short(release.id)}; promote it there first: "
        f"`triune promote {short(release.id)} --to {environment.after}`",
        _EMERGENCY,
    )


def _open_rollout(standing: Standing) -> Obstacle | None:
    rollout = standing.open_rollout
    if rollout is None:
        return None
    return _obstacle(
        PromotionCode.ROLLOUT_OPEN,
        f"rollout {rollout.id} of release {short(rollout.release)} is on its way to "
        f"{standing.name} ({rollout.status.replace('_', ' ')}); end it first, or stop it with "
        f"`triune rollout abort {rollout.id}`",
        _NOTHING,
    )


def _obstacle(code: PromotionCode, message: str, yields_to: frozenset[OverrideKind]) -> Obstacle:
    return Obstacle(reason=Reason(code=code, message=message), yields_to=yields_to)
