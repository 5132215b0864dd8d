"""Measures how long a release takes, without the time in which others had the processor."""

import os
from contextlib import suppress
from time import perf_counter
from typing import NamedTuple


class Stopwatch:
    """Measures in the thread that made it.

    A thread that could run and had to wait for a processor is not slow: how often that happens
    depends on what else the machine does, and on how much of the traffic it has. Linux counts that
    wait (the second figure of ``/proc/thread-self/schedstat``, in nanoseconds); where it cannot be
    read it is taken for the release's own time.
    """

    def __init__(self) -> None:
        self._schedule: int | None = None
        with suppress(OSError):
            self._schedule = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)

    def start(self) -> "Moment":
        """Begin to measure; several may be measured at a time."""
        return Moment(at_s=perf_counter(), waited_ns=self._waited())

    def since(self, began: "Moment") -> float:
        """Tell how long it took since a start, in seconds."""
        took_s = perf_counter() - began.at_s
        return max(0.0, took_s - (self._waited() - began.waited_ns) * 1e-9)

    def _waited(self) -> int:
        if self._schedule is None:
            return 0
        try:
            return int(os.pread(self._schedule, 64, 0).split()[1])
        except (OSError, ValueError, IndexError):
            return 0


class Moment(NamedTuple):
    """When something began, and how long the thread had waited for a processor by then."""

    at_s: float
    waited_ns: int
