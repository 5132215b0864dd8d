"""The chain of hashes: its bytes never change, and nothing that was recorded can."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from triune.domain.errors import LedgerCorruptError
from triune.domain.events import (
    EMPTY,
    GENESIS,
    Event,
    EventDraft,
    EventKind,
    Head,
    chain,
    verify_chain,
)

NOON = "2026-01-05T12:00:00.000000Z"


def a_draft(**data: object) -> EventDraft:
    return EventDraft(
        aggregate="environment:production",
        kind=EventKind.CHAMPION_CHANGED,
        actor="ada@example.org",
        time=NOON,
        data=data or {"environment": "production", "release": "ä" * 3, "previous": None},
    )


@pytest.fixture
def events() -> tuple[Event, ...]:
    return chain([a_draft(), a_draft(), a_draft()], head=EMPTY, version=0)


def test_the_hash_of_an_event_never_changes() -> None:
    (event,) = chain([a_draft()], head=EMPTY, version=0)

    # Worked out apart from the code: `printf` of "LENGTH:FIELD" for each field, into `sha256sum`.
    assert event.content == '{"environment":"production","previous":null,"release":"äää"}'
    assert event.hash == "8fa023fabe3d53d41be24158e3fb550ddf2016de696957584fa069bd297c894f"


def test_a_chain_begins_at_genesis_and_each_event_names_the_one_before_it(
    events: tuple[Event, ...],
) -> None:
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [event.version for event in events] == [1, 2, 3]
    assert [event.previous for event in events] == [GENESIS, events[0].hash, events[1].hash]
    assert verify_chain(events) == Head(sequence=3, hash=events[2].hash)


def test_a_chain_goes_on_from_any_head(events: tuple[Event, ...]) -> None:
    head = verify_chain(events)

    (further,) = chain([a_draft()], head=head, version=3)

    assert (further.sequence, further.version, further.previous) == (4, 4, head.hash)
    assert verify_chain([further], after=head) == verify_chain([*events, further])


def test_no_events_end_where_they_begin(events: tuple[Event, ...]) -> None:
    head = verify_chain(events)

    assert verify_chain([]) == EMPTY
    assert verify_chain([], after=head) == head


def test_what_an_event_says_comes_back_as_it_was_drafted() -> None:
    said = {"float": 0.1, "text": 'a "b" \n 語', "none": None, "nested": [{"a": [1, 2]}]}

    (event,) = chain([a_draft(**said)], head=EMPTY, version=0)

    assert event.data == said


def test_events_that_share_their_bytes_but_not_their_fields_have_different_hashes() -> None:
    (one,) = chain([replace(a_draft(), actor="ab", time="c")], head=EMPTY, version=0)
    (other,) = chain([replace(a_draft(), actor="a", time="bc")], head=EMPTY, version=0)

    assert one.hash != other.hash


@pytest.mark.parametrize(
    "change",
    [
        lambda event: replace(event, sequence=7),
        lambda event: replace(event, aggregate="environment:staging"),
        lambda event: replace(event, version=7),
        lambda event: replace(event, kind="rollout_opened"),
        lambda event: replace(event, actor="eve@example.org"),
        lambda event: replace(event, time="2026-01-05T12:00:01.000000Z"),
        lambda event: replace(event, content=event.content.replace("ä", "a")),
        lambda event: replace(event, content=event.content + " "),
        lambda event: replace(event, content=event.content.encode()),
        lambda event: replace(event, content=event.content + "\ud800"),
        lambda event: replace(event, previous=GENESIS),
        lambda event: replace(event, hash=GENESIS),
    ],
)
def test_a_change_to_any_field_is_found(
    events: tuple[Event, ...], change: Callable[[Event], Event]
) -> None:
    first, second, third = events

    with pytest.raises(LedgerCorruptError):
        verify_chain([first, change(second), third])


def test_a_change_that_is_hashed_anew_is_found_at_the_next_event(
    events: tuple[Event, ...],
) -> None:
    first, second, third = events
    (forged,) = chain(
        [a_draft(environment="production", release="evil", previous=None)],
        head=verify_chain([first]),
        version=1,
    )

    assert second.hash != forged.hash
    with pytest.raises(LedgerCorruptError, match=r"event 3 .*its hash does not hold"):
        verify_chain([first, forged, third])


@pytest.mark.parametrize("order", [(1, 2), (0, 2), (0, 2, 1), (1, 0, 2), (0, 0, 1, 2), (2,)])
def test_a_missing_repeated_or_reordered_event_is_found(
    events: tuple[Event, ...], order: tuple[int, ...]
) -> None:
    with pytest.raises(LedgerCorruptError, match=r"event \d is missing"):
        verify_chain(events[index] for index in order)


def test_a_version_that_was_left_out_is_found_though_every_hash_holds() -> None:
    (first,) = chain([a_draft()], head=EMPTY, version=0)
    (skipping,) = chain([a_draft()], head=verify_chain([first]), version=2)

    with pytest.raises(LedgerCorruptError, match="where version 2 was due"):
        verify_chain([first, skipping])


def test_drafts_of_two_aggregates_are_no_chain() -> None:
    with pytest.raises(ValueError, match="in one append"):
        chain([a_draft(), replace(a_draft(), aggregate="other")], head=EMPTY, version=0)


@pytest.mark.parametrize("data", [{"nan": float("nan")}, {"set": {1}}, {"date": object()}])
def test_what_is_no_json_cannot_be_recorded(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        chain([a_draft(**data)], head=EMPTY, version=0)


def test_a_head_is_shown_as_sequence_and_hash() -> None:
    assert str(Head(sequence=7, hash="ab")) == "7:ab"
