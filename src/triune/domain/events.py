"""The ledger's events: their form, the chain of hashes over them, and its verification."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from triune.domain.canonical import Json, canonical_json, parse_json
from triune.domain.errors import LedgerCorruptError

GENESIS: Final = "0" * 64


class EventKind(StrEnum):
    """What can happen."""

    RUN_FINISHED = "run_finished"
    RELEASE_CUT = "release_cut"
    GOLDEN_RECORDED = "golden_recorded"
    RELEASE_PRUNED = "release_pruned"
    HOLDOUT_SEEN = "holdout_seen"
    LOOK_RESERVED = "look_reserved"
    GATE_DECIDED = "gate_decided"
    CHAMPION_CHANGED = "champion_changed"
    ROLLOUT_OPENED = "rollout_opened"
    ROLLOUT_MOVED = "rollout_moved"
    ROLLOUT_CLOSED = "rollout_closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event that is not in the ledger yet; ``time`` is ISO 8601 in UTC with microseconds."""

    aggregate: str
    kind: EventKind
    actor: str
    time: str
    data: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event in the ledger.

    ``sequence`` counts all events from 1, ``version`` those of the aggregate from 1; ``content``
    is the canonical JSON of the data, kept as text so that the hash needs no second encoding.
    ``kind`` is text here: a ledger may hold kinds that an older reader does not know.
    """

    sequence: int
    aggregate: str
    version: int
    kind: str
    actor: str
    time: str
    content: str
    previous: str
    hash: str

    @property
    def data(self) -> Json:
        """What the event says, as JSON."""
        return parse_json(self.content.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the ledger stands: the last event's sequence and hash; (0, GENESIS) when empty."""

    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


EMPTY: Final = Head(sequence=0, hash=GENESIS)


def event_hash(  # noqa: PLR0913 - every field of an event enters its hash
    *,
    sequence: int,
    aggregate: str,
    version: int,
    kind: str,
    actor: str,
    time: str,
    content: str,
    previous: str,
) -> str:
    """Hash an event with the hash of the one before it: 64 hexadecimal digits.

    Fields are length-prefixed, so that no two events share their bytes.
    """
    # One buffer and one call: a ledger of 100,000 events is verified in a second or so.
    pieces: list[bytes] = []
    for text in (previous, str(sequence), aggregate, str(version), kind, actor, time, content):
        encoded = text.encode()
        pieces.append(b"%d:" % len(encoded))
        pieces.append(encoded)
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def chain(drafts: Iterable[EventDraft], *, head: Head, version: int) -> tuple[Event, ...]:
    """Append drafts of one aggregate, now at ``version``, to the ledger that ends at ``head``.

    Raises
    ------
    ValueError
        The drafts are of several aggregates, or their data is no JSON.
    """
    events: list[Event] = []
    sequence, previous = head.sequence, head.hash
    for draft in drafts:
        if events and draft.aggregate != events[0].aggregate:
            raise ValueError(f"{draft.aggregate!r} and {events[0].aggregate!r} in one append")
        sequence, version = sequence + 1, version + 1
        content = canonical_json(draft.data).decode()
        digest = event_hash(
            sequence=sequence,
            aggregate=draft.aggregate,
            version=version,
            kind=draft.kind,
            actor=draft.actor,
            time=draft.time,
            content=content,
            previous=previous,
        )
        events.append(
            Event(
                sequence=sequence,
                aggregate=draft.aggregate,
                version=version,
                kind=str(draft.kind),
                actor=draft.actor,
                time=draft.time,
                content=content,
                previous=previous,
                hash=digest,
            )
        )
        previous = digest
    return tuple(events)


def verify_chain(events: Iterable[Event], *, after: Head = EMPTY) -> Head:
    """Recompute the chain over events in order and return where it ends.

    Raises
    ------
    LedgerCorruptError
        An event is missing, out of order, or no longer has the bytes that were hashed.
    """
    sequence, previous = after.sequence, after.hash
    versions: dict[str, int] = {}
    for event in events:
        expected = sequence + 1
        if event.sequence != expected:
            raise LedgerCorruptError(
                f"event {expected} is missing: event {event.sequence} follows event {sequence}"
            )
        version = versions.get(event.aggregate, 0) + 1
        if after == EMPTY and event.version != version:
            raise LedgerCorruptError(
                f"event {event.sequence} is version {event.version} of {event.aggregate}, "
                f"where version {version} was due"
            )
        versions[event.aggregate] = version
        digest = _rehash(event, previous=previous)
        if event.previous != previous or event.hash != digest:
            raise LedgerCorruptError(
                f"event {event.sequence} ({event.kind} of {event.aggregate}) was changed after "
                "it was recorded: its hash does not hold"
            )
        sequence, previous = event.sequence, event.hash
    return Head(sequence=sequence, hash=previous)


def _rehash(event: Event, *, previous: str) -> str | None:
    try:
        return event_hash(
            sequence=event.sequence,
            aggregate=event.aggregate,
            version=event.version,
            kind=event.kind,
            actor=event.actor,
            time=event.time,
            content=event.content,
            previous=previous,
        )
    except (AttributeError, UnicodeEncodeError):
        # Whoever writes to the file directly can put bytes where text belongs: no hash fits it.
        return None
