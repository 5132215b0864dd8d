"""Builders of rollouts, and of what is seen of them and commanded to them."""

from dataclasses import replace
from typing import Any, Final

from triune.domain.analysis import Analysis, AnalysisCode
from triune.domain.rollout.approval import Identified, Person
from triune.domain.rollout.commands import Command
from triune.domain.rollout.plan import Approvals, Pace, Plan, Strategy
from triune.domain.rollout.progress import Seen
from triune.domain.rollout.routing import Applied, Breaker, FencingToken
from triune.domain.rollout.state import Rollout, Status, open_rollout
from triune.domain.verdict import Reason, Verdict

CHAMPION: Final = "b" * 64
CANDIDATE: Final = "c" * 64
NOON: Final = 43_200.0

_CODES: Final = {
    Verdict.PASS: AnalysisCode.SAFETY_SHOWN,
    Verdict.INCONCLUSIVE: AnalysisCode.CONTINUE,
    Verdict.FAIL: AnalysisCode.CANDIDATE_FAILS_MORE,
}
_NOW: Final = "present"


def a_plan(strategy: Strategy = Strategy.CANARY, *, required: int = 0, **pace: Any) -> Plan:
    return Plan.of(strategy, approvals=Approvals(required=required), pace=Pace(**pace))


def a_rollout(
    *,
    plan: Plan | None = None,
    champion: str | None = CHAMPION,
    authors: tuple[str, ...] = (),
    latest: FencingToken | None = None,
    **state: Any,
) -> Rollout:
    """Open a rollout at noon and put it into the given state."""
    rollout = open_rollout(
        id="rollout-7",
        environment="production",
        release=CANDIDATE,
        champion=champion,
        authors=authors,
        plan=plan or a_plan(),
        latest=latest,
        now_s=NOON,
    )
    return replace(rollout, **state)


def a_running_rollout(*, step: int = 0, status: Status = Status.RUNNING, **state: Any) -> Rollout:
    """Return a rollout with its step in force since noon."""
    return a_rollout(status=status, step=step, is_step_in_force=True, **state)


def an_analysis(verdict: Verdict, *, is_past_deadline: bool = False, code: str = "") -> Analysis:
    return Analysis(
        verdict=verdict,
        reason=Reason(code=code or _CODES[verdict], message="as the requests say"),
        streams=(),
        ln_safety=0.0,
        ln_safety_needed=3.0,
        requests=0,
        candidate_requests=0,
        requests_needed=None,
        is_past_deadline=is_past_deadline,
    )


def in_force(rollout: Rollout) -> Applied:
    """Apply what a rollout wants."""
    return Applied(token=rollout.token, split=rollout.split)


def seen(
    rollout: Rollout,
    analysis: Analysis | None = None,
    *,
    applied: Applied | str | None = _NOW,
    breaker: Breaker | None = None,
    version: int | None = None,
    latest: FencingToken | None = None,
) -> Seen:
    """See a rollout as it stands, with its split in force, but for what is given."""
    return Seen(
        rollout=rollout.id,
        version=rollout.version if version is None else version,
        analysis=analysis,
        applied=in_force(rollout) if isinstance(applied, str) else applied,
        breaker=breaker,
        latest=latest or rollout.token,
    )


def a_person(subject: str = "ann@example.org") -> Person:
    return Person(subject=subject, identified=Identified.TOKEN)


def a_command(
    rollout: Rollout,
    *,
    by: str = "ann@example.org",
    version: int | None = None,
    latest: FencingToken | None = None,
    because: str = "",
) -> Command:
    """Command on a rollout as it stands, but for what is given."""
    return Command(
        by=a_person(by),
        version=rollout.version if version is None else version,
        latest=latest or rollout.token,
        because=because,
    )
