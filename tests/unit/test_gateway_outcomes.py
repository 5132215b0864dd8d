"""The log of outcomes: cursors, what is kept, and what a file brings back."""

import asyncio
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triune.gateway.outcomes import KEPT, Entry, OutcomeLog, aside


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


def in_a_loop(
    path: Path, count: int, *, is_closed: bool, kept: int = KEPT, after: int = 0
) -> dict[str, Any]:
    """Open the log, settle some, and leave it as a stop or as a kill would."""

    async def run() -> dict[str, Any]:
        log = OutcomeLog(path, kept=kept)
        settled(log, count)
        if is_closed:
            log.close()
        else:
            log._write()
        return read(log, after=after)

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


def test_files_stay_bounded_and_a_cursor_goes_on_across_them(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"

    cursor, seen = 0, []
    for _ in range(9):
        part = in_a_loop(path, 4, is_closed=True, kept=10, after=cursor)
        assert part["lost"] == 0
        seen += [outcome["at"] for outcome in part["outcomes"]]
        cursor = part["next"]
        lines = [
            len(each.read_bytes().splitlines()) for each in (path, aside(path)) if each.exists()
        ]
        # With a line for the end of each life.
        assert max(lines) <= 10 + 4 + 9

    assert seen == list(range(1, 37))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["outcomes", "outcomes.1"]
    again = in_a_loop(path, 0, is_closed=True, kept=10, after=3)
    assert [outcome["at"] for outcome in again["outcomes"]] == list(range(27, 37))
    assert again["lost"] == 26 - 3


def test_a_kill_as_a_file_was_put_aside_leaves_a_gap_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    in_a_loop(path, 3, is_closed=False)
    path.rename(aside(path))

    after = in_a_loop(path, 1, is_closed=True)

    assert [outcome["at"] for outcome in after["outcomes"]] == [1, 2, 3, 4, 5]
    assert [outcome.get("kind") for outcome in after["outcomes"]] == [None, None, None, "gap", None]


def test_a_damaged_line_is_told_as_lost_and_what_follows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "outcomes"
    in_a_loop(path, 5, is_closed=True)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:1], b"\x00\x00{", *lines[2:]]) + b"\n")

    after = in_a_loop(path, 0, is_closed=True, after=1)

    assert [outcome["at"] for outcome in after["outcomes"]] == [3, 4, 5]
    assert after["lost"] == 1


def test_what_was_read_is_in_the_file(tmp_path: Path) -> None:
    async def run() -> int:
        log = OutcomeLog(tmp_path / "outcomes")
        settled(log, 3)
        read(log, after=0)
        return (tmp_path / "outcomes").read_bytes().count(b"\n")

    assert asyncio.run(run()) == 3


def test_a_disk_that_is_full_loses_nothing_that_finds_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "outcomes"
    write = os.write

    async def run() -> None:
        log = OutcomeLog(path)
        settled(log, 3)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full_after(20))
            log._write()
            assert len(read(log, after=0)["outcomes"]) == 3
        assert "make room" in caplog.text
        log.close()

    def full_after(room: int) -> Callable[[int, bytes], int]:
        def write_some(file: int, content: bytes) -> int:
            nonlocal room
            if not room:
                raise OSError(errno.ENOSPC, "No space left on device")
            size = write(file, bytes(content[:room]))
            room -= size
            return size

        return write_some

    asyncio.run(run())

    after = in_a_loop(path, 0, is_closed=True)
    assert [outcome.get("kind") for outcome in after["outcomes"]] == [None, None, None]
