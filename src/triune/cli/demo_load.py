"""Customers of the demo: requests at a rate, over kept connections, each answer looked at."""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from time import monotonic, time
from typing import Any, Final, Self
from urllib.parse import urlsplit

CONNECTIONS: Final = 16
PATIENCE_S: Final = 60.0
LATEST: Final = 100_000

Check = Callable[[str, int, Any], bool]
"""Tells whether a release's answer to the n-th of the bodies is right."""


@dataclass(slots=True)
class Seen:
    """What customers saw.

    ``errors`` counts by status whatever is not 200, a lost connection as ``lost``; ``releases``
    counts requests by who answered, ``last_at_s`` says when each did last, in seconds since 1970.
    ``latencies_s`` are the latest of all.
    """

    requests: int = 0
    wrong: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    last_at_s: dict[str, float] = field(default_factory=dict)
    slowest_s: float = 0.0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))


class Load:
    """Sends requests in a thread of its own for as long as the block lasts.

    Parameters
    ----------
    bodies
        What customers ask, each the same every time.
    keys
        How many customers there are; each request is of one of them, drawn at random.
    per_second
        How many requests are begun a second, where the answers come fast enough.
    connections
        So many requests at most are on their way at once.
    """

    def __init__(  # noqa: PLR0913 - who asks what, how often
        self,
        url: str,
        *,
        bodies: Sequence[bytes],
        keys: int,
        per_second: float,
        is_right: Check,
        connections: int = CONNECTIONS,
        seed: int = 7,
    ) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 80
        self._bodies = bodies
        self._keys = keys
        self._per_second = per_second
        self._is_right = is_right
        self._connections = connections
        self._rng = random.Random(seed)  # noqa: S311 - which customer asks is no secret
        self._seen = Seen()
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S)

    @property
    def seen(self) -> Seen:
        """What was seen so far."""
        return self._seen

    def reset(self) -> None:
        """Begin to count anew."""
        self._seen = Seen()

    def _run(self) -> None:
        asyncio.run(self._ask_all())

    async def _ask_all(self) -> None:
        began = monotonic()
        await asyncio.gather(*(self._ask(place, began) for place in range(self._connections)))

    async def _ask(self, place: int, began: float) -> None:
        """Ask every so many seconds over one connection, made anew where it is lost."""
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        at = place
        while not self._stop.is_set():
            due = began + at / self._per_second
            if (early := due - monotonic()) > 0:
                await asyncio.sleep(min(early, 0.1))
                continue
            # What could not be sent in time is not made up for: the rate is a limit.
            missed = int((monotonic() - began) * self._per_second - at) // self._connections
            at += self._connections * max(1, missed)
            try:
                if connection is None:
                    connection = await asyncio.open_connection(self._host, self._port)
                await self._exchange(*connection)
            except (OSError, asyncio.IncompleteReadError):
                self._seen.requests += 1
                self._seen.errors["lost"] += 1
                if connection is not None:
                    connection[1].close()
                connection = None
                await asyncio.sleep(0.05)
        if connection is not None:
            connection[1].close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = self._rng.randrange(self._keys)
        which = key % len(self._bodies)
        body = self._bodies[which]
        began = monotonic()
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: triune\r\nContent-Type: application/json\r\n"
            b"X-Triune-Key: c%d\r\nContent-Length: %d\r\n\r\n%b" % (key, len(body), body)
        )
        status, headers = _head(await reader.readuntil(b"\r\n\r\n"))
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
        seen, release = self._seen, headers.get("x-triune-release", "")
        seen.requests += 1
        seen.latencies_s.append(monotonic() - began)
        seen.slowest_s = max(seen.slowest_s, seen.latencies_s[-1])
        seen.releases[release] += 1
        seen.last_at_s[release] = time()
        if status != "200":
            seen.errors[status] += 1
        elif not self._is_right(release, which, json.loads(answer)):
            seen.wrong += 1


def _head(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return first.split(" ")[1], headers
