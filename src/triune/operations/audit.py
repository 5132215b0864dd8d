"""Reads the ledger as a record of what happened: lists it, verifies it, shows the past."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Final

from triune.domain.errors import LedgerCorruptError, UsageError, nearest
from triune.domain.events import Event, Head, verify_chain
from triune.domain.projection import State
from triune.domain.release import resolve
from triune.operations.context import timestamp
from triune.ports import Ledger

_MAX_DIGITS: Final = 18
_RELEASE: Final = "release:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The records as they stood after ``event``; None before anything had happened."""

    event: Event | None
    state: State


def verify_ledger(ledger: Ledger, *, known: Head | None = None) -> Head:
    """Recompute the chain from the first event to the head, and the records from the events.

    Parameters
    ----------
    known
        A head printed earlier, which must still be part of the chain.

    Raises
    ------
    LedgerCorruptError
        An event was changed, removed or added by another hand, the ledger was cut short, or a
        record is not what the events add up to.
    """
    # Up to where the ledger stands now: another process may append meanwhile.
    recorded = ledger.head()
    events = takewhile(lambda event: event.sequence <= recorded.sequence, ledger.events())
    head = verify_chain(_passing(events, known))
    if head != recorded:
        raise LedgerCorruptError(
            f"the ledger ends at event {head.sequence}, where its head says {recorded.sequence}: "
            "events at its end were removed; restore it from a backup"
        )
    changed = ledger.changed_records()
    if changed:
        raise LedgerCorruptError(
            f"{len(changed)} records are not what the events add up to ({', '.join(changed[:5])}); "
            "the events are sound: restore the ledger from a backup"
        )
    return head


def past(ledger: Ledger, moment: str) -> Past:
    """Fold the events up to a moment.

    Parameters
    ----------
    moment
        The sequence of an event, or a time as ISO 8601 (UTC where it names no zone).

    Raises
    ------
    UsageError
        It is neither.
    """
    bound = _sequence_at(ledger, moment)
    last: Event | None = None
    state = State()
    for event in takewhile(lambda event: event.sequence <= bound, ledger.events()):
        state.apply([event])
        last = event
    return Past(event=last, state=state)


def find_aggregate(ledger: Ledger, name: str) -> str:
    """Find the aggregate that a name means; of a release's id a prefix will do.

    Raises
    ------
    UsageError
        Nothing happened to any of that name.
    """
    if ledger.version(name):
        return name
    known = sorted({event.aggregate for event in ledger.events()})
    kind, _, key = name.partition(":")
    if f"{kind}:" == _RELEASE and key:
        releases = [each.removeprefix(_RELEASE) for each in known if each.startswith(_RELEASE)]
        return _RELEASE + resolve(key, releases)
    of_the_key = [each for each in known if name and each.partition(":")[2].startswith(name)]
    hint = f"; did you mean {of_the_key[0]!r}?" if of_the_key else nearest(name, known)
    raise UsageError(
        f"there is no aggregate {_show(name)}"
        f"{hint or '; give release:ID, project:NAME or environment:NAME'}"
    )


def parse_head(text: str) -> Head:
    """Read a head as `triune audit verify` printed it.

    Raises
    ------
    UsageError
        It is not of the form SEQUENCE:HASH.
    """
    sequence, _, digest = text.partition(":")
    if not _is_sequence(sequence) or len(digest) != 64:
        raise UsageError(
            f"{_show(text)} is no head; give one as `triune audit verify` prints it: SEQUENCE:HASH"
        )
    return Head(sequence=int(sequence), hash=digest)


def _passing(events: Iterator[Event], known: Head | None) -> Iterator[Event]:
    seen = known is None or known.sequence == 0
    for event in events:
        if known and event.sequence == known.sequence:
            seen = True
            if event.hash != known.hash:
                raise LedgerCorruptError(
                    f"event {event.sequence} is not the one whose head was printed: "
                    "the ledger was rewritten since"
                )
        yield event
    if not seen and known:
        raise LedgerCorruptError(
            f"the ledger ends before event {known.sequence}, whose head was printed: "
            "it was cut short since"
        )


def _sequence_at(ledger: Ledger, moment: str) -> int:
    if _is_sequence(moment):
        head = ledger.head()
        if int(moment) > head.sequence:
            raise UsageError(f"event {moment} has not happened: the ledger ends at {head.sequence}")
        return int(moment)
    try:
        parsed = datetime.fromisoformat(moment)
        bound = timestamp(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        # A zone can move the first and the last day out of the years that there are.
        raise UsageError(
            f"{_show(moment)} is neither the sequence of an event nor a time from year 1 to 9999; "
            "give 42, 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from None
    # The last one, not the first later one: a clock set back makes times of the chain go back.
    return max((event.sequence for event in ledger.events() if event.time <= bound), default=0)


def _is_sequence(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def _show(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:80]}...")
