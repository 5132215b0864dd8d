"""Serves a stored release for a while, by the command that users serve one with, and asks it."""

import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Condition
from time import monotonic, sleep
from typing import Final
from urllib.parse import urlsplit

from triune.adapters.process import TAIL_LINES, Background, background_command
from triune.domain.canonical import Json
from triune.domain.errors import ServiceError
from triune.domain.release import short
from triune.domain.worker_launch import describe_exit
from triune.ports import HttpAnswer

ATTEMPTS: Final = 3
"""How often a request is made while the answer is 503."""

_GLANCE_S: Final = 0.05
_GRACE_S: Final = 5.0
_HOST: Final = "127.0.0.1"
_UNAVAILABLE: Final = 503
_ANNOUNCED: Final = re.compile(r"answers on (http://127\.0\.0\.1:\d+)/predict")
_HEADERS: Final = {"Content-Type": "application/json"}


class CommandServer:
    """Serves the releases of the project at ``root`` by `triune serve`.

    ``start_timeout_s`` bounds the wait for a release to come up, and ``timeout_s`` that for each
    answer, which the service itself bounds by less.
    """

    def __init__(
        self, root: Path, *, start_timeout_s: float = 120.0, timeout_s: float = 600.0
    ) -> None:
        self._root = root
        self._start_timeout_s = start_timeout_s
        self._timeout_s = timeout_s

    @contextmanager
    def serving(self, release: str) -> Iterator["CommandService"]:
        """Have a stored release (its id) served for as long as the block lasts."""
        log = _Log()
        # -P: without it a module of the project's would be taken for one of Triune's.
        program = [sys.executable, "-P", "-m", "triune.cli"]
        arguments = ["serve", release, "--host", _HOST, "--port", "0"]
        with background_command(
            [*program, *arguments], folder=self._root, progress=log.add
        ) as running:
            yield CommandService(
                release=release,
                running=running,
                log=log,
                start_timeout_s=self._start_timeout_s,
                timeout_s=self._timeout_s,
            )


class _Log:
    """What the command printed last, and the address that it announced."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._url: str | None = None
        self._changed = Condition()

    def add(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            # Before it answers, the release's own code may print too, without ending its line.
            announced = _ANNOUNCED.search(line)
            if announced and self._url is None:
                self._url = announced[1]
                self._changed.notify_all()

    def url(self, *, wait_s: float) -> str | None:
        with self._changed:
            self._changed.wait_for(lambda: self._url is not None, timeout=wait_s)
            return self._url

    def tail(self) -> str:
        with self._changed:
            return "".join(f"\n  | {line}" for line in self._lines)


class CommandService:
    """The asking side of one running `triune serve`; several threads may ask at once."""

    def __init__(
        self,
        *,
        release: str,
        running: Background,
        log: _Log,
        start_timeout_s: float,
        timeout_s: float,
    ) -> None:
        self._release = release
        self._running = running
        self._log = log
        self._start_timeout_s = start_timeout_s
        self._timeout_s = timeout_s
        self._deadline = monotonic() + start_timeout_s
        self._by_hand = f"triune serve {short(release)}"

    def base_url(self) -> str:
        """Tell where the release answers, having waited until it does."""
        while (url := self._log.url(wait_s=_GLANCE_S)) is None or self._running.has_ended():
            if self._running.has_ended():
                raise self._gone("before it was told to")
            if monotonic() > self._deadline:
                raise self._stuck(f"answered no request within {self._start_timeout_s:g} s")
        return url

    def get(self, path: str) -> HttpAnswer:
        """Ask for a path."""
        return self._send("GET", path, None)

    def post(self, path: str, document: Json) -> HttpAnswer:
        """Send a document; while the answer is 503, wait until the service is ready and repeat."""
        body = json.dumps(document, allow_nan=False).encode()
        answer = self._send("POST", path, body)
        for _ in range(1, ATTEMPTS):
            if answer.status != _UNAVAILABLE:
                break
            self._await_readiness()
            answer = self._send("POST", path, body)
        return answer

    def _await_readiness(self) -> None:
        deadline = monotonic() + self._start_timeout_s
        while self._send("GET", "/health", None).status != 200:
            if monotonic() > deadline:
                raise self._stuck(f"was not ready again within {self._start_timeout_s:g} s")
            sleep(_GLANCE_S)

    def _send(self, method: str, path: str, body: bytes | None) -> HttpAnswer:
        address = urlsplit(self.base_url())
        connection = HTTPConnection(address.hostname or "", address.port, timeout=self._timeout_s)
        try:
            connection.request(method, path, body, _HEADERS if body is not None else {})
            response = connection.getresponse()
            return HttpAnswer(status=response.status, document=_decode(response.read()))
        except (OSError, HTTPException) as error:
            if self._running.has_ended(wait_s=_GRACE_S):
                raise self._gone(f"over {method} {path}") from error
            raise self._stuck(f"did not answer {method} {path} ({error})") from error
        finally:
            connection.close()

    def _gone(self, when: str) -> ServiceError:
        how = describe_exit(self._running.returncode)
        return ServiceError(
            f"`{self._by_hand}` {how} {when}; mend what it names, and run it by hand to see more"
            f"{self._log.tail()}"
        )

    def _stuck(self, what: str) -> ServiceError:
        return ServiceError(
            f"`{self._by_hand}` {what}; run it by hand to see what it waits for{self._log.tail()}"
        )


def _decode(body: bytes) -> Json:
    try:
        return json.loads(body)
    except ValueError:
        return None
