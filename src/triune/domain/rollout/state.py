"""Where a rollout stands, and what a move of it is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

import msgspec

from triune.domain.canonical import Json
from triune.domain.rollout.approval import Approval
from triune.domain.rollout.override import Override
from triune.domain.rollout.plan import Plan
from triune.domain.rollout.routing import Applied, FencingToken, Routing
from triune.domain.rules import StepRules
from triune.domain.traffic import TrafficSplit
from triune.domain.verdict import Reason, Verdict


class Status(StrEnum):
    """Where a rollout is.

    A promoted one is left only by rolling it back; the three after it are never left.
    """

    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class RolloutCode(StrEnum):
    """Why a rollout moved or did not, where it is not the analysis that says so."""

    OPENED = "OPENED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    STEP_BEGAN = "STEP_BEGAN"
    NOT_APPLIED = "NOT_APPLIED"
    NOT_ANALYSED = "NOT_ANALYSED"
    BAKING = "BAKING"
    NOTHING_COMPARED = "NOTHING_COMPARED"
    LOCAL_BREAKER = "LOCAL_BREAKER"
    DEADLINE = "DEADLINE"
    NO_CHAMPION = "NO_CHAMPION"
    STALE = "STALE"
    FENCED_OFF = "FENCED_OFF"
    APPROVED = "APPROVED"
    ALREADY_APPROVED = "ALREADY_APPROVED"
    OTHER_RELEASE = "OTHER_RELEASE"
    BY_AUTHOR = "BY_AUTHOR"
    REJECTED = "REJECTED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    ABORTED = "ABORTED"
    ROLLED_BACK = "ROLLED_BACK"
    ALREADY_SO = "ALREADY_SO"
    NOT_POSSIBLE = "NOT_POSSIBLE"
    NOT_SERVING = "NOT_SERVING"
    NOT_STARTED = "NOT_STARTED"
    SETTLED = "SETTLED"


_OPEN: Final = (Status.AWAITING_APPROVAL, Status.RUNNING, Status.PAUSED)
_WITH_TRAFFIC: Final = (Status.RUNNING, Status.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A release on its way into an environment.

    Parameters
    ----------
    champion
        What served when it opened; None where nothing did.
    authors
        Of the release: who may not approve it where the plan says so.
    override
        Why it opened although something spoke against the release; None where nothing did.
    version
        Counts its changes, from 1.
    token
        Of the routing that it wants.
    step
        Its place in the plan; it only grows, so nothing that was shown at a step is shown anew.
    step_began_at_s
        When the step's split was in force, as long as ``is_step_in_force``; before, when the step
        was decided. Pauses are taken out.
    paused_at_s
        When it was paused; None while it is not.
    verdict
        On the candidate, from its last step forward or from its end.
    reason
        Of its last change.
    promoted_at_s
        When it was promoted; None as long as it is not.
    is_settled
        Whether the release serves alone, the champion before it no longer kept running.
    """

    id: str
    environment: str
    release: str
    champion: str | None
    authors: tuple[str, ...]
    plan: Plan
    status: Status
    version: int
    token: FencingToken
    step: int
    step_began_at_s: float
    is_step_in_force: bool
    paused_at_s: float | None
    approvals: tuple[Approval, ...]
    verdict: Verdict
    reason: Reason
    override: Override | None = None
    promoted_at_s: float | None = None
    is_settled: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may still move by itself or by consent."""
        return self.status in _OPEN

    @property
    def has_traffic(self) -> bool:
        """Whether the candidate is being tried."""
        return self.status in _WITH_TRAFFIC

    @property
    def is_alone(self) -> bool:
        """Whether its release serves with nothing kept running beside it."""
        return self.status is Status.PROMOTED and self.is_settled

    @property
    def has_quorum(self) -> bool:
        """Whether as many people have approved as the plan asks."""
        return len(self.approvals) >= self.plan.approvals.required

    @property
    def serving(self) -> str | None:
        """The champion that it leaves the environment with."""
        return self.release if self.status is Status.PROMOTED else self.champion

    @property
    def split(self) -> TrafficSplit:
        """The split that it wants."""
        if self.status is Status.PROMOTED:
            return TrafficSplit.giving(0.0 if self.is_alone else 100.0)
        return self.plan.split_at(self.step) if self.has_traffic else TrafficSplit.giving(0.0)

    @property
    def routing(self) -> Routing:
        """What the traffic process is to be told, whenever it does something else."""
        is_shadow = self.has_traffic and self.plan.steps[self.step].is_shadow
        split = self.split
        return Routing(
            token=self.token,
            rollout=self.id,
            champion=self.release if self.is_alone else self.champion,
            candidate=self.release if split.candidate or is_shadow else None,
            split=split,
            is_shadow=is_shadow,
        )

    @property
    def awaited(self) -> Applied:
        """What the traffic process does once it follows."""
        return Applied(token=self.token, split=self.split)

    @property
    def step_rules(self) -> StepRules:
        """What the analysis asks of the present step."""
        return self.plan.rules_at(self.step)

    def to_json(self) -> Json:
        """Write it down, without loss."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_json(cls, document: Json) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        msgspec.ValidationError
            It is something else.
        """
        return msgspec.convert(document, cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What became of a rollout, to be recorded if it changed, and only then applied.

    Parameters
    ----------
    rollout
        As it is now: the same as before where nothing changed.
    changes_champion
        Whether the environment's champion is `Rollout.serving` from now on.
    to_apply
        What the traffic process has to be told; None where it knows, or must not listen.
    verdict, reason
        On what was seen, or on what was commanded: FAIL is then a refusal.
    """

    rollout: Rollout
    has_changed: bool
    changes_champion: bool
    to_apply: Routing | None
    verdict: Verdict
    reason: Reason

    @property
    def split(self) -> TrafficSplit:
        """The split that the rollout wants."""
        return self.rollout.split


def open_rollout(  # noqa: PLR0913 - what a rollout starts from
    *,
    id: str,
    environment: str,
    release: str,
    champion: str | None,
    authors: Iterable[str],
    plan: Plan,
    latest: FencingToken | None,
    now_s: float,
) -> Rollout:
    """Open a rollout; without a champion it goes to all traffic by its checks and approvals.

    Parameters
    ----------
    latest
        The last token that was given out in the environment, None where none was.
    """
    token = FencingToken(term=1, number=0) if latest is None else latest.next_term()
    awaits = plan.approvals.required > 0
    against = "" if champion is None else f" beside champion {champion[:12]}"
    return Rollout(
        id=id,
        environment=environment,
        release=release,
        champion=champion,
        authors=tuple(authors),
        plan=plan.without_comparison() if champion is None else plan,
        status=Status.AWAITING_APPROVAL if awaits else Status.RUNNING,
        version=1,
        token=token,
        step=0,
        step_began_at_s=now_s,
        is_step_in_force=False,
        paused_at_s=None,
        approvals=(),
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason(
            code=RolloutCode.OPENED,
            message=f"release {release[:12]} is on its way to {environment}{against}",
        ),
    )


def moved(before: Rollout, after: Rollout, *, verdict: Verdict, reason: Reason) -> Move:
    """Make a move of a change; where that changes what is wanted of the traffic, the token grows.

    Parameters
    ----------
    after
        As it shall be, but for what every change changes: version, token and reason. A token that
        is new already is kept.
    verdict
        Of the move; the rollout's own stays as it is in ``after``.
    """
    is_rerouted = after.routing != before.routing
    if is_rerouted and after.token == before.token:
        after = replace(after, token=before.token.next())
    after = replace(after, version=before.version + 1, reason=reason)
    return Move(
        rollout=after,
        has_changed=True,
        changes_champion=after.serving != before.serving,
        to_apply=after.routing if is_rerouted else None,
        verdict=verdict,
        reason=reason,
    )


def stayed(rollout: Rollout, *, verdict: Verdict, reason: Reason) -> Move:
    """Make a move of no change."""
    return Move(
        rollout=rollout,
        has_changed=False,
        changes_champion=False,
        to_apply=None,
        verdict=verdict,
        reason=reason,
    )
