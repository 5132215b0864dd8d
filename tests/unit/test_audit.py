import pytest

from triune.adapters.memory import MemoryLedger
from triune.domain.errors import LedgerCorruptError, UsageError
from triune.domain.events import EventDraft, EventKind, Head
from triune.domain.projection import EnvironmentRecord
from triune.operations.audit import parse_head, past, verify_ledger


def a_ledger(*times: str) -> MemoryLedger:
    """Change the champion of production at each of the times, to a, b, c and so on."""
    ledger = MemoryLedger()
    for version, time in enumerate(times):
        ledger.append(
            [
                EventDraft(
                    aggregate="environment:production",
                    kind=EventKind.CHAMPION_CHANGED,
                    actor="ada@example.org",
                    time=time,
                    data={
                        "environment": "production",
                        "release": "abcdef"[version],
                        "previous": None,
                    },
                )
            ],
            expected_version=version,
        )
    return ledger


def day(number: int) -> str:
    return f"2026-01-{number:02}T12:00:00.000000+00:00"


def champion_at(ledger: MemoryLedger, moment: str) -> str | None:
    record = past(ledger, moment).state.find(EnvironmentRecord, "production")
    return record.champion if record else None


def test_the_past_is_what_the_events_up_to_then_add_up_to() -> None:
    ledger = a_ledger(day(1), day(2), day(3))

    assert champion_at(ledger, "2") == "b"
    assert champion_at(ledger, "2026-01-02T12:00:00Z") == "b"
    assert champion_at(ledger, "2026-01-02T14:00:00+01:00") == "b"
    assert champion_at(ledger, "2026-01-02") == "a"
    assert champion_at(ledger, "2025-12-31") is None


def test_a_clock_that_was_set_back_does_not_tear_the_past() -> None:
    ledger = a_ledger(day(1), day(9), day(2))

    assert champion_at(ledger, "2026-01-03") == "c"


def test_a_moment_that_is_neither_event_nor_time_is_refused() -> None:
    ledger = a_ledger(day(1))

    with pytest.raises(UsageError, match="neither"):
        past(ledger, "yesterday")
    with pytest.raises(UsageError, match="the ledger ends at 1"):
        past(ledger, "2")


def test_a_ledger_that_was_cut_short_misses_the_head_that_was_printed() -> None:
    printed = verify_ledger(a_ledger(day(1), day(2)))

    with pytest.raises(LedgerCorruptError, match="cut short"):
        verify_ledger(a_ledger(day(1)), known=printed)


def test_a_ledger_that_was_rewritten_does_not_hold_the_head_that_was_printed() -> None:
    printed = verify_ledger(a_ledger(day(1), day(2)))

    with pytest.raises(LedgerCorruptError, match="rewritten"):
        verify_ledger(a_ledger(day(1), day(3), day(4)), known=printed)


def test_a_head_is_read_as_it_was_printed() -> None:
    head = verify_ledger(a_ledger(day(1)))

    assert parse_head(str(head)) == head
    for wrong in ("", "1", "x:" + "0" * 64, "1:abc"):
        with pytest.raises(UsageError, match="SEQUENCE:HASH"):
            parse_head(wrong)
    assert verify_ledger(MemoryLedger()) == Head(sequence=0, hash="0" * 64)


def test_what_another_process_appends_meanwhile_is_no_corruption() -> None:
    class Growing(MemoryLedger):
        """Gets one more event right after its head was read for the first time."""

        def head(self) -> Head:
            stands = super().head()
            self._events = whole
            self._state.apply(whole)
            return stands

    whole = tuple(a_ledger(day(1), day(2)).events())
    growing = Growing()
    growing._events = whole[:1]

    assert verify_ledger(growing).sequence == 1
