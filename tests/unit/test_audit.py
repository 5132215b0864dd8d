import pytest

from triune.adapters.memory import MemoryLedger
from triune.domain.errors import LedgerCorruptError, UnknownReleaseError, UsageError
from triune.domain.events import EventDraft, EventKind, Head
from triune.domain.projection import EnvironmentRecord
from triune.operations.audit import find_aggregate, parse_head, past, verify_ledger
from triune.testing.port_checks import a_release_cut


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


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "9" * 5_000, "٣" * 5_000, "1e9", ""],
)
def test_a_moment_outside_of_the_calendar_or_of_any_ledger_is_refused(moment: str) -> None:
    ledger = a_ledger(day(1))

    with pytest.raises(UsageError, match="give 42, 2026-01-31 or") as raised:
        past(ledger, moment)

    assert len(str(raised.value)) < 300


def test_a_head_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(UsageError, match="is no head"):
        parse_head(f"{'9' * 5_000}:{'a' * 64}")


def a_ledger_of_releases() -> MemoryLedger:
    ledger = a_ledger(day(1))
    for release in ("ab12" + "0" * 60, "ab34" + "0" * 60):
        ledger.append([a_release_cut(release=release)], expected_version=0)
    return ledger


def test_an_aggregate_is_found_by_its_name_and_a_release_by_a_prefix_of_its_id() -> None:
    ledger = a_ledger_of_releases()

    assert find_aggregate(ledger, "environment:production") == "environment:production"
    assert find_aggregate(ledger, "release:ab12") == "release:ab12" + "0" * 60


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("environment:prodction", "did you mean 'environment:production'?"),
        ("production", "did you mean 'environment:production'?"),
        ("ab12", f"did you mean 'release:ab12{'0' * 60}'?"),
        ("nothing like it", "give release:ID, project:NAME or environment:NAME"),
        ("", "give release:ID, project:NAME or environment:NAME"),
    ],
)
def test_an_aggregate_that_is_not_there_is_refused_with_the_nearest_or_the_form(
    name: str, said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        find_aggregate(a_ledger_of_releases(), name)

    assert str(raised.value).startswith(f"there is no aggregate {name!r}")
    assert said in str(raised.value)


@pytest.mark.parametrize(("name", "said"), [("release:ab", "ambiguous"), ("release:cd", "no rel")])
def test_a_prefix_of_several_releases_or_of_none_is_refused(name: str, said: str) -> None:
    with pytest.raises(UnknownReleaseError, match=said):
        find_aggregate(a_ledger_of_releases(), name)
