"""Chooses the requests whose service times are compared: one after the other, each by itself.

The requests of one batch took the same time, and one slow batch would count as many. So one is
taken at a time, whichever arm it goes to, and travels alone. The next is assigned once that is
answered, and not sooner than `SLOT_S` after it, which says nothing of the next one's arm: it is as
likely as any to go to the candidate.
"""

from typing import Final

SLOT_S: Final = 0.02
BUSY_SHARE: Final = 0.05
"""Of its time a worker that all others wait for may spend on requests that travel alone."""


class Timing:
    """Tells of one request after the other whether it is timed."""

    def __init__(self) -> None:
        self._not_before = 0.0
        self._is_out = False

    def is_due(self, now: float) -> bool:
        """Tell, by the monotonic clock, whether a request that is assigned now is to be timed."""
        return not self._is_out and now >= self._not_before

    def take(self, now: float) -> None:
        """Note that a request is timed, which was due."""
        self._is_out = True
        self._not_before = now + SLOT_S

    def returned(self, now: float, *, held_up_s: float = 0.0) -> None:
        """Note that the one that was taken is answered.

        ``held_up_s`` is for how long a worker did nothing else that others wait for.
        """
        self._is_out = False
        self._not_before = max(self._not_before, now + held_up_s / BUSY_SHARE)
