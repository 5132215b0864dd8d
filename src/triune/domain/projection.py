"""What the events add up to: the records that queries read, folded from one event at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from triune.domain.canonical import Json, canonical_json
from triune.domain.events import Event, EventKind

# Raised whenever a record's fields or what `project` makes of an event change: a ledger that holds
# records of an earlier format folds them anew when it is opened.
FORMAT: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """A release and its history.

    ``answers`` is the blob of golden answers, once recorded; ``run_at`` is when a run last came to
    this release, and ``verdict`` what it said of it.
    """

    id: str
    project: str
    cut_at: str
    commit: str
    dirty: bool
    repository: str
    authors: tuple[str, ...]
    hardware: str
    answers: str | None = None
    metrics: tuple[tuple[str, float], ...] = ()
    verdict: str | None = None
    reason: str | None = None
    run_at: str | None = None
    pruned_at: str | None = None

    @property
    def key(self) -> str:
        """What identifies the record."""
        return self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRecord:
    """What serves in an environment, and what served before it."""

    name: str
    champion: str | None
    previous: str | None
    since: str

    @property
    def key(self) -> str:
        """What identifies the record."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRecord:
    """A release on its way into an environment; ``is_open`` until it ends either way.

    ``reason`` is the code of its last change, ``override`` what was said where something spoke
    against the release. ``state`` is all there is to the rollout: what `Rollout.to_json` wrote, as
    canonical JSON.
    """

    id: str
    release: str
    environment: str
    is_open: bool
    since: str
    status: str
    reason: str
    override: str | None
    state: str

    @property
    def key(self) -> str:
        """What identifies the record."""
        return self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutRecord:
    """A holdout that models met, by its set of rows (``rows`` is their blob).

    ``older`` are the holdouts that it shares half of its rows with, and inherits the looks of.
    """

    id: str
    rows: str
    count: int
    older: tuple[str, ...]
    since: str

    @property
    def key(self) -> str:
        """What identifies the record."""
        return self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRecord:
    """One model's predictions (their digest) that met the labels of a holdout."""

    holdout: str
    predictions: str
    release: str
    at: str

    @property
    def key(self) -> str:
        """What identifies the record."""
        return f"{self.holdout}:{self.predictions}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """What the gate last said of a release, and by which evidence (a blob).

    ``champion`` is what it was compared with, in ``environment``.
    """

    release: str
    champion: str | None
    environment: str | None
    evidence: str
    verdict: str
    reason: str
    at: str

    @property
    def key(self) -> str:
        """What identifies the record."""
        return self.release


Record = ReleaseRecord | EnvironmentRecord | RolloutRecord | HoldoutRecord | LookRecord | GateRecord
R = TypeVar("R", bound=Record)


class Records(Protocol):
    """Records as they stand before an event."""

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key."""


def name_record(kind: type, key: str) -> str:
    """Name a record for people: ``release 0a1b...``."""
    return f"{kind.__name__.removesuffix('Record').lower()} {key}"


def project(  # noqa: C901, PLR0911 - one case for each kind of event
    event: Event, records: Records
) -> tuple[Record, ...]:
    """Say which records an event changes, as they are after it.

    An event of a kind that this version does not know changes none.
    """
    data = event.data
    match event.kind:
        case EventKind.RELEASE_CUT:
            before = records.find(ReleaseRecord, data["release"])
            return (
                ReleaseRecord(
                    id=data["release"],
                    project=data["project"],
                    cut_at=before.cut_at if before and not before.pruned_at else event.time,
                    commit=data["commit"],
                    dirty=data["dirty"],
                    repository=data["repository"],
                    authors=tuple(data["authors"]),
                    hardware=data["hardware"],
                    metrics=tuple(sorted(data["metrics"].items())),
                ),
            )
        case EventKind.GOLDEN_RECORDED:
            release = records.find(ReleaseRecord, data["release"])
            return (replace(release, answers=data["answers"]),) if release else ()
        case EventKind.RUN_FINISHED:
            release = records.find(ReleaseRecord, data["release"]) if data["release"] else None
            if release is None:
                return ()
            return (
                replace(
                    release,
                    verdict=data["verdict"],
                    reason=data["reasons"][0]["code"],
                    run_at=event.time,
                ),
            )
        case EventKind.RELEASE_PRUNED:
            release = records.find(ReleaseRecord, data["release"])
            return (replace(release, pruned_at=event.time),) if release else ()
        case EventKind.HOLDOUT_SEEN:
            return (
                HoldoutRecord(
                    id=data["holdout"],
                    rows=data["rows"],
                    count=data["count"],
                    older=tuple(data["older"]),
                    since=event.time,
                ),
            )
        case EventKind.LOOK_RESERVED:
            return (
                LookRecord(
                    holdout=data["holdout"],
                    predictions=data["predictions"],
                    release=data["release"],
                    at=event.time,
                ),
            )
        case EventKind.GATE_DECIDED:
            release = records.find(ReleaseRecord, data["release"])
            reason = data["reasons"][0]["code"]
            decided = GateRecord(
                release=data["release"],
                champion=data["champion"],
                environment=data["environment"],
                evidence=data["evidence"],
                verdict=data["verdict"],
                reason=reason,
                at=event.time,
            )
            # At once: a run that is ended before its end must not leave an older verdict standing.
            judged = replace(release, verdict=data["verdict"], reason=reason) if release else None
            return (decided, judged) if judged else (decided,)
        case EventKind.CHAMPION_CHANGED:
            return (
                EnvironmentRecord(
                    name=data["environment"],
                    champion=data["release"],
                    previous=data["previous"],
                    since=event.time,
                ),
            )
        case EventKind.ROLLOUT_OPENED | EventKind.ROLLOUT_MOVED | EventKind.ROLLOUT_CLOSED:
            return _project_rollout(event, records)
        case _:
            return ()


def _project_rollout(event: Event, records: Records) -> tuple[Record, ...]:
    data = event.data
    if event.kind == EventKind.ROLLOUT_OPENED:
        return (
            RolloutRecord(
                id=data["rollout"],
                release=data["release"],
                environment=data["environment"],
                is_open=True,
                since=event.time,
                override=data["override"],
                **_rollout_state(data["state"]),
            ),
        )
    rollout = records.find(RolloutRecord, data["rollout"])
    if rollout is None:
        return ()
    if event.kind == EventKind.ROLLOUT_CLOSED:
        return (replace(rollout, is_open=False),)
    return (replace(rollout, **_rollout_state(data["state"])),)


def _rollout_state(state: Json) -> dict[str, Json]:
    return {
        "status": state["status"],
        "reason": state["reason"]["code"],
        "state": canonical_json(state).decode(),
    }


class Changes:
    """Records that events change, over those that stood before them."""

    def __init__(self, before: Records) -> None:
        self._before = before
        self._records: dict[tuple[type, str], Record] = {}

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key, as it is by now."""
        record = self._records.get((kind, key))
        return record if isinstance(record, kind) else self._before.find(kind, key)

    def apply(self, events: Iterable[Event]) -> None:
        """Fold events in, in their order."""
        for event in events:
            for record in project(event, self):
                self._records[type(record), record.key] = record


class State:
    """Records folded from events in memory: the past as `triune audit at` shows it."""

    def __init__(self) -> None:
        self._records: dict[tuple[type, str], Record] = {}

    def find(self, kind: type[R], key: str) -> R | None:
        """Look a record up by its key."""
        record = self._records.get((kind, key))
        return record if isinstance(record, kind) else None

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """List the records of one kind, by key."""
        found = [record for record in self._records.values() if isinstance(record, kind)]
        return tuple(sorted(found, key=lambda record: record.key))

    def records(self) -> tuple[Record, ...]:
        """List the records of every kind."""
        return tuple(self._records.values())

    def apply(self, events: Iterable[Event]) -> None:
        """Fold events in, in their order."""
        for event in events:
            self.keep(project(event, self))

    def keep(self, records: Iterable[Record]) -> None:
        """Put records in the place of those with their keys."""
        for record in records:
            self._records[type(record), record.key] = record
