"""The log of outcomes: cursors, what is kept, and what a file brings back."""

import asyncio
import json
from pathlib import Path
from typing import Any

from triune.gateway.outcomes import Entry, OutcomeLog


def an_entry(log: OutcomeLog) -> Entry:
    entry = Entry(
        number=log.next_number(),
        token="1.0",
        rollout="r",
        release="a" * 64,
        arm="champion",
        weight=0.05,
        rho=0.05,
        is_first=True,
        assigned_at_s=0.0,
    )
    log.open(entry)
    return entry


def settled(log: OutcomeLog, count: int) -> None:
    for _ in range(count):
        log.settle(an_entry(log))


def read(log: OutcomeLog, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(log.read(**options))
    return document


def test_reading_goes_on_from_the_cursor_until_all_is_read() -> None:
    log = OutcomeLog()
    settled(log, 10)

    cursor, seen = 0, []
    while (part := read(log, after=cursor, limit=4))["outcomes"]:
        seen += [outcome["at"] for outcome in part["outcomes"]]
        cursor = part["next"]

    assert seen == list(range(1, 11))
    assert cursor == 10


def test_what_is_no_longer_kept_is_counted_as_lost() -> None:
    log = OutcomeLog(kept=3)
    settled(log, 10)

    part = read(log, after=2)

    assert [outcome["at"] for outcome in part["outcomes"]] == [8, 9, 10]
    assert (part["lost"], part["next"]) == (5, 10)


def test_a_cursor_of_the_future_reads_from_the_end() -> None:
    log = OutcomeLog()
    settled(log, 2)

    assert read(log, after=99) == {"outcomes": [], "next": 2, "lost": 0, "open": []}


def test_open_requests_are_told_with_the_last_part_alone() -> None:
    log = OutcomeLog()
    settled(log, 2)
    an_entry(log)

    first, last = read(log, after=0, limit=1), read(log, after=1)

    assert first["open"] == []
    assert [pending["number"] for pending in last["open"]] == [3]


def test_a_request_that_is_forgotten_is_neither_open_nor_logged() -> None:
    log = OutcomeLog()

    log.forget(an_entry(log))

    assert read(log, after=0) == {"outcomes": [], "next": 0, "lost": 0, "open": []}


def in_a_loop(path: Path, count: int, *, is_closed: bool) -> dict[str, Any]:
    """Open the log, settle some, and leave it as a stop or as a kill would."""

    async def run() -> dict[str, Any]:
        log = OutcomeLog(path)
        settled(log, count)
        if is_closed:
            log.close()
        else:
            log._write()
        return read(log, after=0)

    return asyncio.run(run())


def test_a_log_that_was_closed_goes_on_without_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"

    in_a_loop(path, 2, is_closed=True)
    after = in_a_loop(path, 1, is_closed=True)

    assert [outcome["at"] for outcome in after["outcomes"]] == [1, 2, 3]
    assert [outcome["number"] for outcome in after["outcomes"]] == [1, 2, 3]


def test_a_line_that_was_cut_off_is_left_out_and_the_gap_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    in_a_loop(path, 2, is_closed=False)
    content = path.read_bytes()
    path.write_bytes(content[:-10])

    after = in_a_loop(path, 1, is_closed=True)
    again = in_a_loop(path, 0, is_closed=True)

    assert [outcome.get("kind") for outcome in after["outcomes"]] == [None, "gap", None]
    assert [outcome["at"] for outcome in after["outcomes"]] == [1, 2, 3]
    assert after["outcomes"][2]["number"] > 2
    assert again["outcomes"] == after["outcomes"]
