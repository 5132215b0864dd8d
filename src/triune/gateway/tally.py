"""Counts what became of requests, for whoever watches."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from triune.domain.failures import Failure
from triune.domain.traffic import Arm
from triune.gateway.metrics import Counter, Histogram, gauge
from triune.gateway.release_queue import Answer, ReleaseQueue

BATCH_CLASSES: Final = (1, 2, 4, 8)
PINNED: Final = "pinned"

_LARGEST: Final = BATCH_CLASSES[-1]
_CLASSES: Final = tuple(
    max((least for least in BATCH_CLASSES if least <= size), default=1) for size in range(_LARGEST)
)
_CLASS_LABELS: Final = {size: str(size) for size in BATCH_CLASSES}
_LATEST: Final = 1024
_RENEWED_EVERY: Final = 128
_FEWEST: Final = 100


def batch_class(size: int) -> int:
    """Give the least size of a batch's class."""
    return _CLASSES[size] if size < _LARGEST else _LARGEST


class Tally:
    """Counters and histograms of one gateway."""

    def __init__(self) -> None:
        self._answered = Counter(
            "triune_requests_total",
            "Requests answered, by who answered and what.",
            ("release", "arm", "status"),
        )
        self._failed = Counter(
            "triune_failures_total",
            "Requests that a release failed, whoever answered them then.",
            ("release", "arm", "failure"),
        )
        self._shadowed = Counter(
            "triune_shadows_total",
            "Copies of the champion's requests, by what the candidate made of them.",
            ("release", "result"),
        )
        self._waited = Histogram(
            "triune_request_seconds", "How long clients waited.", ("release", "arm")
        )
        self._served = Histogram(
            "triune_service_seconds",
            "How long a worker took for a batch, once for each request in it.",
            ("release", "batch"),
        )
        self.champion = Latencies()

    def answered(self, release: str, arm: str, answer: Answer, *, latency_s: float) -> None:
        """Count a request that went out."""
        self._answered.add(release, arm, str(answer.status))
        self._waited.observe(latency_s, (release, arm))

    def served(self, release: str, answer: Answer) -> None:
        """Count what a worker did, whether or not it goes out."""
        if answer.service_s is not None:
            size = batch_class(answer.batch_size)
            self._served.observe(answer.service_s, (release, _CLASS_LABELS[size]))

    def failed(self, release: str, arm: str, failure: Failure) -> None:
        """Count a failure."""
        self._failed.add(release, arm, failure)

    def shadowed(self, release: str, result: str) -> None:
        """Count a copy."""
        self._shadowed.add(release, result)

    def text(self, queues: Iterable[ReleaseQueue], *, weight: float, connections: int) -> str:
        """Write all as Prometheus reads it."""
        named = {queue.name: queue for queue in queues}
        weights = {Arm.CHAMPION.value: 1 - weight, Arm.CANDIDATE.value: weight}
        lines = [
            *self._answered.lines(),
            *self._failed.lines(),
            *self._shadowed.lines(),
            *self._waited.lines(),
            *self._served.lines(),
            *gauge("triune_weight", "Share of the traffic.", "arm", weights),
            *gauge(
                "triune_queue",
                "Requests that wait for a worker.",
                "release",
                {release: len(queue) for release, queue in named.items()},
            ),
            *gauge(
                "triune_workers_ready",
                "Workers that can be asked.",
                "release",
                {release: queue.ready for release, queue in named.items()},
            ),
            "# HELP triune_connections Clients that are connected.",
            "# TYPE triune_connections gauge",
            f"triune_connections {connections}",
        ]
        return "\n".join(lines) + "\n"


class Latencies:
    """The p99 of how long clients lately waited; None until enough have."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=_LATEST)
        self._unseen = 0
        self._p99_s: float | None = None

    def add(self, seconds: float) -> None:
        """Take in one more."""
        self._latest.append(seconds)
        self._unseen += 1

    @property
    def p99_s(self) -> float | None:
        """What it is, renewed where it is asked for and has changed enough."""
        if self._unseen >= (_FEWEST if self._p99_s is None else _RENEWED_EVERY):
            self._unseen = 0
            ordered = sorted(self._latest)
            self._p99_s = ordered[len(ordered) * 99 // 100]
        return self._p99_s
