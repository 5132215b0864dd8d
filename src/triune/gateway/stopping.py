"""SIGINT and SIGTERM as a wish to end that is remembered, and never cuts anything short.

A handler that raises may do so anywhere: between a folder and the note that it is to be removed, or
within a finalizer, where Python drops what is raised and the wish is lost.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Stopping:
    """Remembers that the process was told to end."""

    def __init__(self) -> None:
        self.is_told = False
        self._tell: Callable[[], None] = lambda: None

    def follow(self, tell: Callable[[], None]) -> None:
        """Have it told, once; at once if that was so before."""
        self._tell = tell
        if self.is_told:
            tell()

    def __call__(self, *_: object) -> None:
        """Be told by a signal."""
        if not self.is_told:
            self.is_told = True
            self._tell()


@contextmanager
def told_by_signals() -> Iterator[Stopping]:
    """Listen to both signals for as long as the block lasts; once told, ignore them for good.

    What follows is the end of the process, which a second Ctrl-C must not cut short.
    """
    stopping = Stopping()
    before = {number: signal.signal(number, stopping) for number in SIGNALS}
    try:
        yield stopping
    finally:
        # Python complains of a signal whose handler was taken away between its coming and its
        # handling; none comes while they are blocked.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if stopping.is_told else handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
