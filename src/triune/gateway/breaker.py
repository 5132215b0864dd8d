"""Takes all weight from a candidate that fails at once, long before statistics would."""

from collections import deque
from typing import Final

WINDOW: Final = 100
FEWEST: Final = 20
WORST: Final = 0.5
CHAMPION_GOOD: Final = 0.95


class LocalBreaker:
    """Looks at the latest requests of both arms.

    Where the champion fails too, something else is to blame, and nothing is taken from anyone.
    """

    def __init__(self) -> None:
        self._candidate: deque[bool] = deque(maxlen=WINDOW)
        self._champion: deque[bool] = deque(maxlen=WINDOW)

    @property
    def requests(self) -> int:
        """Count the candidate's requests that were looked at."""
        return len(self._candidate)

    @property
    def failures(self) -> int:
        """Count those of them that failed."""
        return sum(self._candidate)

    def champion_answered(self, *, has_failed: bool) -> None:
        """Take in a request that the champion was asked, a fallback among them."""
        self._champion.append(has_failed)

    def trips(self, *, has_failed: bool) -> bool:
        """Take in a request of the candidate, and tell whether that is enough."""
        self._candidate.append(has_failed)
        return (
            has_failed
            and len(self._candidate) >= FEWEST
            and self.failures >= WORST * len(self._candidate)
            and len(self._champion) > 0
            and sum(self._champion) <= (1 - CHAMPION_GOOD) * len(self._champion)
        )
