"""How long the champion takes: learned, and frozen before anything is compared with it."""

from collections import deque
from typing import Final, Self

import msgspec

from triune.domain.canonical import Json
from triune.stats.sequential.latency import ServiceTimes

FEWEST_TIMES: Final = 100
"""Of the champion's service times that its quantiles are frozen from: five beyond its p95."""
MOST_TIMES: Final = 20_000
"""Of requests that travelled alone, as those do that are compared."""
MOST_TIMES_TOGETHER: Final = 2_000
MOST_TIMES_BESIDE: Final = 8 * FEWEST_TIMES


class ChampionTimes:
    """Learns before a rollout, and freezes quantiles as it begins, or as soon as it knows enough.

    They are frozen anew whenever twice as many times were taken beside the candidate, by a worker
    that is asked as seldom. A request is compared with what was frozen before it was assigned.
    """

    def __init__(self) -> None:
        self._champion: str | None = None
        self._alone: deque[float] = deque(maxlen=MOST_TIMES)
        self._together: deque[tuple[float, int]] = deque(maxlen=MOST_TIMES_TOGETHER)
        self._beside: list[float] = []
        self._learned_until = 0
        # By the number after which it holds.
        self._frozen: list[tuple[int, ServiceTimes]] = []

    def follow(self, champion: str | None) -> None:
        """Learn of a release from now on; of another than before, from nothing."""
        if champion != self._champion:
            self._champion = champion
            self._alone.clear()
            self._together.clear()

    def learn(self, service_s: float, batch_size: int) -> None:
        """Take in what the champion's worker took for a batch before the rollout."""
        if self._frozen:
            return
        if batch_size == 1:
            self._alone.append(service_s)
        else:
            self._together.append((service_s, batch_size))

    def learn_beside(
        self, service_s: float, batch_size: int, *, number: int, is_timed: bool
    ) -> None:
        """Take in what it took during the rollout, for the request of a number."""
        self._learned_until = max(self._learned_until, number)
        self.learn(service_s, batch_size)
        if is_timed and len(self._beside) < MOST_TIMES_BESIDE:
            self._beside.append(service_s)
            self._freeze_anew()
        self.freeze()

    def freeze(self) -> None:
        """Freeze what was learned, unless something is frozen, or too little is known."""
        if self._frozen or len(self._alone) + len(self._together) < FEWEST_TIMES:
            return
        measured = [*((time, 1) for time in self._alone), *self._together]
        times, sizes = zip(*measured, strict=True)
        # Under load few travel alone.
        self._frozen.append((self._learned_until, ServiceTimes.measured(times, sizes).filled()))

    def frozen_before(self, number: int) -> ServiceTimes | None:
        """Find what was frozen last before the request of a number was assigned."""
        found = (times for after, times in reversed(self._frozen) if after < number)
        return next(found, None)

    def leave(self) -> None:
        """Begin to learn again, for the next rollout."""
        self._frozen, self._beside, self._learned_until = [], [], 0

    def to_json(self) -> Json:
        """Write it down, without loss."""
        return {
            "champion": self._champion,
            "alone": list(self._alone),
            "together": [list(each) for each in self._together],
            "beside": self._beside,
            "learned_until": self._learned_until,
            "frozen": [[after, msgspec.to_builtins(times)] for after, times in self._frozen],
        }

    @classmethod
    def from_json(cls, document: Json) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        KeyError, ValueError, TypeError
            It is something else.
        """
        times = cls()
        times._champion = document["champion"]
        times._alone.extend(float(each) for each in document["alone"])
        times._together.extend((float(time), int(size)) for time, size in document["together"])
        times._beside = [float(each) for each in document["beside"]]
        times._learned_until = int(document["learned_until"])
        times._frozen = [
            (int(after), msgspec.convert(frozen, ServiceTimes))
            for after, frozen in document["frozen"]
        ]
        return times

    def _freeze_anew(self) -> None:
        count = len(self._beside)
        so_many, rest = divmod(count, FEWEST_TIMES)
        # Once, twice, four times, eight times the fewest.
        if rest or so_many.bit_count() != 1:
            return
        frozen = ServiceTimes.measured(self._beside, [1] * count)
        if self._frozen:
            frozen = frozen.or_else(self._frozen[-1][1])
        self._frozen.append((self._learned_until, frozen))
