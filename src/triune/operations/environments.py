"""Reads how an environment stands, and records what moves it: all of a decision, or nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from triune.domain.canonical import Json, parse_json
from triune.domain.errors import (
    ConcurrencyError,
    LedgerError,
    UnknownEnvironmentError,
    nearest,
)
from triune.domain.events import EventDraft, EventKind
from triune.domain.project import EnvironmentSpec, ProjectSpec
from triune.domain.projection import EnvironmentRecord, RolloutRecord
from triune.domain.promotion import PromotionCode
from triune.domain.rollout.approval import Identified, Person
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Move, Rollout, Status
from triune.domain.verdict import Reason, Verdict
from triune.operations.context import Context, timestamp

_TRIES: Final = 20
"""How often is decided anew where what a decision rests on moves at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to become of an environment.

    Parameters
    ----------
    rollout
        The id of the one that it is about; None where it is about none.
    opening
        A rollout that did not exist before.
    moves
        In their order, of rollouts that exist by then; those that change nothing are left out.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    rollout: str | None = None
    opening: Rollout | None = None
    moves: tuple[Move, ...] = ()

    @classmethod
    def refusing(cls, *reasons: Reason, rollout: str | None = None) -> Self:
        """Decide that everything stays as it is."""
        return cls(verdict=Verdict.FAIL, reasons=reasons, rollout=rollout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an environment; ``standing`` is how it stands now."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    rollout: Rollout | None
    standing: Standing


def find_environment(spec: ProjectSpec, name: str) -> EnvironmentSpec:
    """Find an environment by its name.

    Raises
    ------
    UnknownEnvironmentError
        ``triune.yaml`` names none so.
    """
    found = {environment.name: environment for environment in spec.environments}
    if name in found:
        return found[name]
    if not found:
        raise UnknownEnvironmentError(
            f"there is no environment {name!r}: triune.yaml names none; add one under "
            "`environments:`, as `staging: {listen: '127.0.0.1:8701', strategy: instant}`"
        )
    hint = nearest(name, found) or f"; there are {', '.join(found)}"
    raise UnknownEnvironmentError(f"there is no environment {name!r}{hint}")


def last_environment(spec: ProjectSpec) -> EnvironmentSpec:
    """Return the environment that matters most: the last one.

    Raises
    ------
    UnknownEnvironmentError
        ``triune.yaml`` names none.
    """
    name = spec.environments[-1].name if spec.environments else "production"
    return find_environment(spec, name)


def actor(context: Context) -> Person:
    """Tell who commands; a local ledger takes the name as git gives it."""
    return Person(subject=context.source.actor(), identified=Identified.UNAUTHENTICATED)


def version(context: Context, name: str) -> int:
    """Tell how many events an environment has had; the same number, the same standing."""
    return context.ledger.version(f"environment:{name}")


def observe(context: Context, name: str) -> Standing:
    """Read how an environment stands."""
    record = context.ledger.find(EnvironmentRecord, name)
    rollouts = [
        restore(each) for each in context.ledger.all(RolloutRecord) if each.environment == name
    ]
    return Standing(
        name=name,
        champion=record.champion if record else None,
        rollouts=tuple(sorted(rollouts, key=lambda each: each.token.term)),
    )


def restore(record: RolloutRecord) -> Rollout:
    """Return a rollout as it was recorded."""
    return Rollout.from_json(parse_json(record.state.encode()))


def settle(
    context: Context,
    name: str,
    decide: Callable[[Standing], Decision],
    *,
    by: str | None = None,
    rests_on: Sequence[str] = (),
) -> Outcome:
    """Decide on an environment as it stands, and record that; whoever was faster has won.

    Parameters
    ----------
    by
        Who is recorded for it; whoever works here where it is None.
    rests_on
        Other aggregates that the decision reads. It is made anew where one moved meanwhile.

    Raises
    ------
    LedgerError
        Those kept moving.
    """
    for _ in range(_TRIES):
        read = {each: context.ledger.version(each) for each in rests_on}
        try:
            return _settle(context, name, decide, by=by, unmoved=read)
        except ConcurrencyError as error:
            moved = error
    raise LedgerError(
        f"what speaks for or against {name} kept changing while it was weighed; run it again once "
        "the other commands are done"
    ) from moved


def _settle(
    context: Context,
    name: str,
    decide: Callable[[Standing], Decision],
    *,
    by: str | None,
    unmoved: Mapping[str, int],
) -> Outcome:
    aggregate = f"environment:{name}"
    at = version(context, name)
    before = observe(context, name)
    decision = decide(before)
    who, when = by or context.source.actor(), timestamp(context.clock.now())
    events, after = _events(before, decision)
    drafts = [
        EventDraft(aggregate=aggregate, kind=kind, actor=who, time=when, data=data)
        for kind, data in events
    ]
    try:
        context.ledger.append(drafts, expected_version=at, unmoved=unmoved)
    except ConcurrencyError as error:
        if error.aggregate != aggregate:
            raise
        now = observe(context, name)
        reason = Reason(
            code=PromotionCode.MOVED_MEANWHILE,
            message=f"somebody else moved {name} on meanwhile (version {error.version}, not "
            f"{error.expected}), and nothing of this was done; see `triune rollout list`, and "
            "repeat it if it is still wanted",
        )
        return Outcome(verdict=Verdict.FAIL, reasons=(reason,), rollout=None, standing=now)
    return Outcome(
        verdict=decision.verdict,
        reasons=decision.reasons,
        rollout=after.rollout(decision.rollout) if decision.rollout else None,
        standing=after,
    )


def _events(
    standing: Standing, decision: Decision
) -> tuple[list[tuple[EventKind, Json]], Standing]:
    events: list[tuple[EventKind, Json]] = []
    if decision.opening:
        standing = standing.opening(decision.opening)
        events.append((EventKind.ROLLOUT_OPENED, _document(decision.opening)))
    for move in decision.moves:
        if move.has_changed:
            before, standing = standing, standing.after(move)
            events += _moved(before, move, standing)
    return events, standing


def _moved(before: Standing, move: Move, after: Standing) -> Iterator[tuple[EventKind, Json]]:
    rollout = move.rollout
    yield EventKind.ROLLOUT_MOVED, _document(rollout)
    if move.changes_champion:
        is_forward = rollout.status is Status.PROMOTED
        yield (
            EventKind.CHAMPION_CHANGED,
            {
                "environment": after.name,
                "release": after.champion,
                "previous": after.previous,
                "rollout": rollout.id,
                "override": _sentence(rollout) if is_forward else None,
            },
        )
    if before.rollout(rollout.id).is_open and not rollout.is_open:
        named = {"rollout": rollout.id, "release": rollout.release, "environment": after.name}
        yield EventKind.ROLLOUT_CLOSED, {**named, "status": rollout.status}


def _document(rollout: Rollout) -> dict[str, Json]:
    return {
        "rollout": rollout.id,
        "release": rollout.release,
        "environment": rollout.environment,
        "status": rollout.status,
        "override": _sentence(rollout),
        "state": rollout.to_json(),
    }


def _sentence(rollout: Rollout) -> str | None:
    return str(rollout.override) if rollout.override else None
