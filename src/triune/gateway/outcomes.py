"""The numbered log of what became of requests, read by cursor, and what is still open.

An entry's ``number`` is its place in the order of assignment, its ``at`` that in the log. Entries
are kept in memory, the latest of them; where there is a file, also in that, which is written
several times a second, so that little is lost when the process is killed.
"""

import asyncio
import os
from collections import deque
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

KEPT: Final = 100_000
MAX_READ: Final = 10_000
WRITTEN_EVERY_S: Final = 0.05
_NEVER_LOST_AT_ONCE: Final = 1_000_000


class Entry(msgspec.Struct, kw_only=True, gc=False, omit_defaults=True):
    """A request that was assigned, and what became of it.

    Parameters
    ----------
    token
        Of the order in force at its assignment.
    unit
        The id of its unit, in hexadecimal digits; None where it has no routing key.
    rho
        The probability of the candidate, given what earlier assignments told of the unit.
    is_first
        Whether it is its unit's first at this weight.
    is_first_failure
        Whether it is the first of its unit's requests that failed.
    failure
        How the arm failed; also where the client got the champion's answer instead.
    status
        What the client was answered.
    service_s
        How long the worker took for the batch that carried the request, where one was answered.
    latency_s
        How long the client waited.
    """

    number: int
    token: str
    rollout: str
    release: str
    arm: str
    weight: float
    rho: float
    is_first: bool
    assigned_at_s: float
    unit: str | None = None
    at: int = 0
    is_first_failure: bool = False
    failure: str | None = None
    status: int = 0
    service_s: float | None = None
    batch_size: int = 1
    batch_class: int = 1
    latency_s: float | None = None


class Gap(msgspec.Struct, kw_only=True, tag_field="kind", tag="gap"):
    """Where entries may be missing: the process that wrote the log was killed here."""

    at: int


class OutcomeLog:
    """Takes entries in; whoever reads says up to where it has read before."""

    def __init__(self, path: Path | None = None, *, kept: int = KEPT) -> None:
        self._kept: deque[bytes] = deque(maxlen=kept)
        self._at = 0
        self._number = 0
        self._open: dict[int, Entry] = {}
        self._unwritten: list[bytes] = []
        self._writing: asyncio.TimerHandle | None = None
        self._file = None if path is None else self._resume(path)

    def next_number(self) -> int:
        """Give the next place in the order of assignment."""
        self._number += 1
        return self._number

    def open(self, entry: Entry) -> None:
        """Remember a request that was assigned and has no answer yet."""
        self._open[entry.number] = entry

    def forget(self, entry: Entry) -> None:
        """Leave a request out for which no release is to blame."""
        self._open.pop(entry.number, None)

    def settle(self, entry: Entry) -> None:
        """Log a request with what became of it."""
        self._open.pop(entry.number, None)
        self._at += 1
        entry.at = self._at
        self._append(msgspec.json.encode(entry))

    def read(self, *, after: int, limit: int = MAX_READ) -> bytes:
        """Read entries beyond a cursor, as JSON.

        ``next`` is the cursor to go on from, ``lost`` how many entries are no longer kept, and
        ``open`` are the requests without an answer, if all entries were read.
        """
        first = self._at - len(self._kept) + 1
        start = min(max(after + 1, first), self._at + 1)
        entries = list(islice(self._kept, start - first, start - first + min(limit, MAX_READ)))
        cursor = start + len(entries) - 1
        pending = list(self._open.values()) if cursor == self._at else []
        return b'{"outcomes":[%b],"next":%d,"lost":%d,"open":%b}' % (
            b",".join(entries),
            cursor,
            max(0, start - after - 1) if entries else 0,
            msgspec.json.encode(pending),
        )

    def close(self) -> None:
        """Write what is not written yet, and say that nothing is missing."""
        if self._writing is not None:
            self._writing.cancel()
        if self._file is not None:
            self._write()
            os.write(self._file, b'{"kind":"end"}\n')
            os.close(self._file)
            self._file = None

    def _append(self, line: bytes) -> None:
        self._kept.append(line)
        if self._file is None:
            return
        self._unwritten.append(line)
        if self._writing is None:
            loop = asyncio.get_running_loop()
            self._writing = loop.call_later(WRITTEN_EVERY_S, self._write)

    def _write(self) -> None:
        self._writing = None
        lines, self._unwritten = self._unwritten, []
        if lines and self._file is not None:
            os.write(self._file, b"\n".join(lines) + b"\n")

    def _resume(self, path: Path) -> int:
        """Go on where the file ends, and mark a gap if whoever wrote it did not close it."""
        is_closed = True
        for line in _whole_lines(path):
            document = msgspec.json.decode(line)
            is_closed = document.get("kind") == "end"
            if is_closed:
                continue
            self._at = document["at"]
            self._number = max(self._number, document.get("number", 0))
            self._kept.append(line)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not is_closed:
            self._at += 1
            # Numbers of entries that were lost are not given out again.
            self._number += _NEVER_LOST_AT_ONCE
            gap = msgspec.json.encode(Gap(at=self._at))
            self._kept.append(gap)
            os.write(file, gap + b"\n")
        return file


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Read the lines of a file; what is left of one that was cut off is cut off for good."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                file.truncate(end)
                return
            end += len(line)
            yield line.rstrip(b"\n")
