"""The numbered log of what became of requests, read by cursor, and what is still open.

An entry's ``number`` is its place in the order of assignment, its ``at`` that in the log. Entries
are kept in memory, the latest of them; where there is a file, also in that, which is written
several times a second, so that little is lost when the process is killed. A file that holds as many
as are kept is put aside, in place of the one that was before: there are never more than two.
"""

import asyncio
import logging
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
_RETRIED_EVERY_S: Final = 1.0
_ENCODED_AT_ONCE: Final = 500
_NEVER_LOST_AT_ONCE: Final = 1_000_000
_END: Final = b'{"kind":"end"}\n'

_ENCODER: Final = msgspec.json.Encoder()

_log = logging.getLogger(__name__)


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
    timed
        Whether it is one of those whose service times are compared (`gateway.timing`).
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
    timed: bool = False


class Gap(msgspec.Struct, kw_only=True, tag_field="kind", tag="gap"):
    """Where entries may be missing: the process that wrote the log was killed here."""

    at: int


class Pair(
    msgspec.Struct, kw_only=True, gc=False, omit_defaults=True, tag_field="kind", tag="pair"
):
    """A request that the champion answered, and the candidate a copy of it.

    Parameters
    ----------
    champion_failure, candidate_failure
        How each failed, if it did; that one refused what the other accepts is its failure.
    is_same
        Whether both answered the same, byte for byte.
    """

    number: int
    token: str
    rollout: str
    release: str
    assigned_at_s: float
    unit: str | None = None
    at: int = 0
    champion_failure: str | None = None
    candidate_failure: str | None = None
    champion_service_s: float | None = None
    candidate_service_s: float | None = None
    champion_batch_size: int = 1
    candidate_batch_size: int = 1
    is_same: bool = False
    timed: bool = False


class _Place(msgspec.Struct):
    """What a line says of its place; of the end of a life it says none."""

    at: int = 0
    number: int = 0
    kind: str = ""


class OutcomeLog:
    """Takes entries in; whoever reads says up to where it has read before."""

    def __init__(self, path: Path | None = None, *, kept: int = KEPT) -> None:
        self._kept: deque[bytes] = deque(maxlen=kept)
        self._most = kept
        self._at = 0
        self._number = 0
        self._open: dict[int, Entry] = {}
        # Many are encoded at once: that is cheaper than one by one, beside other work.
        self._unencoded: list[Entry | Pair] = []
        self._unwritten = bytearray()
        self._written = 0
        self._writing: asyncio.TimerHandle | None = None
        self._path = path
        self._file = None if path is None else self._resume(path)

    @property
    def cursor(self) -> int:
        """The place of the last entry."""
        return self._at

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
        self._place(entry)

    def compare(self, pair: Pair) -> None:
        """Log what the candidate made of a copy."""
        self._place(pair)

    def _place(self, logged: Entry | Pair) -> None:
        self._at += 1
        logged.at = self._at
        self._unencoded.append(logged)
        if self._file is not None and self._writing is None:
            self._write_in(WRITTEN_EVERY_S)
        if len(self._unencoded) >= _ENCODED_AT_ONCE:
            self._encode()

    def _encode(self) -> None:
        if not self._unencoded:
            return
        lines = _ENCODER.encode_lines(self._unencoded)
        # A line break within a document is always escaped.
        self._kept.extend(lines.splitlines())
        if self._file is not None:
            self._unwritten += lines
            self._written += len(self._unencoded)
        self._unencoded.clear()

    def read(self, *, after: int, limit: int = MAX_READ) -> bytes:
        """Read entries beyond a cursor, as JSON.

        ``next`` is the cursor to go on from, ``lost`` how many entries are no longer kept, and
        ``open`` are the requests without an answer, if all entries were read.
        """
        # What was read is never lost: else its place would be given to another after a kill.
        self._write()
        first = self._at - len(self._kept) + 1
        start = min(max(after + 1, first), self._at + 1)
        entries = list(islice(self._kept, start - first, start - first + min(limit, MAX_READ)))
        cursor = start + len(entries) - 1
        pending = list(self._open.values()) if cursor == self._at else []
        return b'{"outcomes":[%b],"next":%d,"lost":%d,"open":%b}' % (
            b",".join(entries),
            cursor,
            max(0, start - after - 1),
            _ENCODER.encode(pending),
        )

    def close(self) -> None:
        """Write what is not written yet, and say that nothing is missing."""
        self._write()
        if self._writing is not None:
            self._writing.cancel()
        if self._file is not None:
            if not self._unwritten:
                os.write(self._file, _END)
            os.close(self._file)
            self._file = None

    def _write_in(self, seconds: float) -> None:
        self._writing = asyncio.get_running_loop().call_later(seconds, self._write)

    def _write(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        self._encode()
        if self._file is None or not self._unwritten:
            return
        try:
            size = os.write(self._file, self._unwritten)
            del self._unwritten[:size]
            if not self._unwritten and self._written >= self._most:
                self._turn_over(self._file)
        except OSError as error:
            _log.warning(
                "the log of outcomes cannot be written: %s; make room for it, or they are lost "
                "when the gateway ends",
                error,
            )
        if self._unwritten:
            self._write_in(_RETRIED_EVERY_S)

    def _turn_over(self, full: int) -> None:
        """Put the full file aside and begin another."""
        assert self._path is not None
        self._path.replace(aside(self._path))
        self._file = _opened(self._path)
        self._written = 0
        os.close(full)

    def _resume(self, path: Path) -> int:
        """Go on where the files end, and mark a gap if whoever wrote them did not close them."""
        is_closed = self._recall(aside(path), is_closed=True)
        self._written = 0
        is_closed = self._recall(path, is_closed=is_closed)
        file = _opened(path)
        if not is_closed:
            self._at += 1
            # Numbers of entries that were lost are not given out again.
            self._number += _NEVER_LOST_AT_ONCE
            gap = _ENCODER.encode(Gap(at=self._at))
            self._kept.append(gap)
            os.write(file, gap + b"\n")
        return file

    def _recall(self, path: Path, *, is_closed: bool) -> bool:
        """Take in what a file holds; tell whether whoever wrote it closed it."""
        for line in _whole_lines(path):
            place = _place_of(line)
            if place is None:
                is_closed = False
                continue
            is_closed = place.kind == "end"
            if is_closed:
                continue
            if place.at != self._at + 1:
                # Of what is missing between, whoever reads is told as lost.
                self._kept.clear()
            self._at = place.at
            self._number = max(self._number, place.number)
            self._kept.append(line)
            self._written += 1
        return is_closed


def aside(path: Path) -> Path:
    """Say where the file before a log's is kept."""
    return path.with_name(f"{path.name}.1")


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _place_of(line: bytes) -> _Place | None:
    """Read where a line belongs; None where it is damaged."""
    try:
        return msgspec.json.decode(line, type=_Place)
    except msgspec.DecodeError:
        return None


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
