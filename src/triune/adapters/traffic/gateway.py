"""Triune's own gateway as the traffic process of an environment: started, told, read, stopped."""

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Final
from urllib.parse import urlsplit

import msgspec

from triune.adapters.process import (
    TAIL_LINES,
    background_command,
    launch_detached,
    said_since,
)
from triune.adapters.traffic.unix_http import UnixConnection
from triune.adapters.whole_folders import fill_aside, keep_folders
from triune.domain.canonical import Json
from triune.domain.errors import StoreError, TrafficError
from triune.domain.outcomes import Answer
from triune.domain.project import EnvironmentSpec
from triune.domain.rollout.convergence import RunningRelease, Traffic
from triune.domain.rollout.routing import Applied, Breaker, FencingToken, Routing
from triune.domain.rollout.watch import Logged, LoggedPair, Reading
from triune.domain.traffic import Arm, TrafficSplit

ADMIN_TIMEOUT_S: Final = 5.0
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 30.0
SOCKET: Final = "admin.sock"
ANYWHERE: Final = "127.0.0.1:0"
AT_ONCE: Final = 10_000
"""So many outcomes are read at a time."""

_POLL_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 30.0
_OTHER: Final = b'{"kind":'
_PAIR: Final = b'{"kind":"pair"'
"""What is no assigned request begins so: copies, and gaps, where the process was killed."""


class _Entry(msgspec.Struct):
    """What is read of an outcome, or of a request that is still open."""

    number: int
    token: str
    rollout: str
    release: str
    arm: Arm
    weight: float
    assigned_at_s: float
    unit: str | None = None
    failure: str | None = None
    service_s: float | None = None
    batch_size: int = 1
    latency_s: float | None = None
    timed: bool = False


class _Pair(msgspec.Struct):
    """What is read of a request that both arms were sent."""

    number: int
    rollout: str
    assigned_at_s: float
    unit: str | None = None
    champion_failure: str | None = None
    candidate_failure: str | None = None
    champion_service_s: float | None = None
    candidate_service_s: float | None = None
    champion_batch_size: int = 1
    candidate_batch_size: int = 1
    timed: bool = False


class _Log(msgspec.Struct):
    outcomes: list[msgspec.Raw]
    next: int
    lost: int
    open: list[_Entry]


class GatewayRouter:
    """Reaches the gateway of one environment by the admin socket in its folder.

    Parameters
    ----------
    folder
        The gateway's own: its socket, its state, its log of outcomes, and the bundles.
    listen
        The address that it takes requests on.
    log
        The file that it writes its log lines to.
    replicas
        How many workers each release has in one that is started here.
    """

    def __init__(self, folder: Path, *, listen: str, log: Path, replicas: int = 1) -> None:
        self._folder = folder
        self._listen = listen
        self._replicas = replicas
        self._bundles = folder / "bundles"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._failed_starts = 0
        self._not_before = 0.0

    def is_running(self) -> bool:
        """Tell whether the process is there, whether or not it answers."""
        connection = UnixConnection(self._folder / SOCKET, timeout_s=ADMIN_TIMEOUT_S)
        try:
            connection.connect()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def start(self) -> None:
        """Start the process, unless it is there; after each that ended at once, later."""
        if not self._is_child_left():
            self._process = None
        if self._process is not None or self.is_running() or monotonic() < self._not_before:
            return
        self._make_folders()
        began = self._log.stat().st_size if self._log.exists() else 0
        self._process = self._launch()
        deadline = monotonic() + START_TIMEOUT_S
        while self.look() is None:
            if self._process.poll() is not None:
                self._failed_starts += 1
                pause_s = min(_LONGEST_PAUSE_S, 0.5 * 2**self._failed_starts)
                self._not_before = monotonic() + pause_s
                self._process = None
                raise TrafficError(
                    f"the gateway on {self._listen} ended as it was started: "
                    f"{said_since(self._log, began)}"
                )
            if monotonic() > deadline:
                raise TrafficError(
                    f"the gateway on {self._listen} does not answer, {START_TIMEOUT_S:g} s after "
                    f"it was started; see {self._log}"
                )
            sleep(_POLL_S)
        self._failed_starts = 0

    def stop(self) -> None:
        """Have it answer what it was asked, and end; nothing happens where it is not there."""
        with suppress(TrafficError):
            self._post("/stop", {})
        deadline = monotonic() + STOP_TIMEOUT_S
        while self._is_locked() or self._is_child_left():
            if monotonic() > deadline:
                raise TrafficError(
                    f"the gateway on {self._listen} was told to stop and goes on, after "
                    f"{STOP_TIMEOUT_S:g} s; see {self._log}, and end its process by hand"
                )
            sleep(_POLL_S)

    def look(self) -> Traffic | None:
        """Ask what it does; None where it does not answer."""
        try:
            return _traffic(self._ask("GET", "/routing"), url=self._url())
        except TrafficError:
            return None

    def lay_out(self, release: str, fill: Callable[[Path], None]) -> Path:
        """Lay a release out where it is found, whole or not at all, unless it is there."""
        folder = self._bundles / release
        fill_aside(folder, fill)
        return folder

    def keep_only(self, releases: Collection[str]) -> None:
        """Remove what is laid out of other releases."""
        keep_folders(self._bundles, releases)

    def run(self, releases: Mapping[str, Path]) -> None:
        """Have releases run, and no others."""
        self._post(
            "/releases",
            {
                "releases": [
                    {"release": release, "bundle": str(bundle)}
                    for release, bundle in releases.items()
                ]
            },
        )

    def apply(self, routing: Routing) -> None:
        """Order where requests go."""
        self._post(
            "/apply",
            {
                "token": {"term": routing.token.term, "number": routing.token.number},
                "rollout": routing.rollout,
                "champion": routing.champion,
                "candidate": routing.candidate,
                "weight_pct": routing.split.candidate,
                "shadow": routing.is_shadow,
            },
        )

    def answered_by(self, request: Json) -> str | None:
        """Send a request as a client does, and tell which release answered or refused it."""
        address = urlsplit(self._url())
        connection = HTTPConnection(address.hostname or "", address.port, timeout=ADMIN_TIMEOUT_S)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/predict", json.dumps(request), headers)
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            raise TrafficError(f"the gateway on {self._listen} does not answer: {error}") from error
        finally:
            connection.close()
        return response.headers.get("X-Triune-Release")

    def read(self, *, after: int) -> Reading | None:
        """Read the log of outcomes beyond a cursor; None where the process does not answer."""
        try:
            body = self._exchange("GET", f"/outcomes?after={after}&limit={AT_ONCE}", None)
        except TrafficError:
            return None
        log = msgspec.json.decode(body, type=_Log)
        lines = [bytes(each) for each in log.outcomes]
        return Reading(
            cursor=log.next,
            settled=tuple(
                _logged(msgspec.json.decode(each, type=_Entry))
                for each in lines
                if not each.startswith(_OTHER)
            ),
            pairs=tuple(
                _logged_pair(msgspec.json.decode(each, type=_Pair))
                for each in lines
                if each.startswith(_PAIR)
            ),
            open=tuple(_logged(each) for each in log.open),
            is_complete=len(log.outcomes) < AT_ONCE,
            lost=log.lost,
        )

    def _is_child_left(self) -> bool:
        """Tell whether what was started here has not ended; nobody else takes note of its end."""
        return self._process is not None and self._process.poll() is None

    def _is_locked(self) -> bool:
        """Tell whether a process has the folder; not to be asked while one may start there."""
        try:
            descriptor = os.open(self._folder / "gateway.lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _make_folders(self) -> None:
        try:
            for folder in (self._folder, self._bundles):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot make {error.filename}: {error.strerror}; free space there, or make it "
                "writable"
            ) from error

    def _launch(self) -> "subprocess.Popen[bytes]":
        command = _command(self._folder, self._listen, replicas=self._replicas)
        return launch_detached(command, folder=self._folder, log=self._log)

    def _url(self) -> str:
        """Tell where it takes requests: where the port is 0, it alone knows."""
        try:
            return str(json.loads((self._folder / "gateway.json").read_bytes())["url"])
        except (OSError, ValueError, KeyError):
            return f"http://{self._listen}"

    def _post(self, path: str, document: Json) -> Json:
        return self._ask("POST", path, json.dumps(document).encode())

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Json:
        return json.loads(self._exchange(method, path, body))

    def _exchange(self, method: str, path: str, body: bytes | None) -> bytes:
        """Ask over a connection of its own, so that nothing has to be told when we end."""
        connection = UnixConnection(self._folder / SOCKET, timeout_s=ADMIN_TIMEOUT_S)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise TrafficError(
                f"the gateway on {self._listen} does not answer ({error}); see {self._log}"
            ) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise TrafficError(
                f"the gateway on {self._listen} refuses {method} {path}: {_detail(content)}"
            )
        return content


class GatewayPlanes:
    """The gateways of a project, each in a folder of its own below ``folder``."""

    def __init__(self, folder: Path, *, logs: Path) -> None:
        self._folder = folder
        self._logs = logs

    def of(self, environment: EnvironmentSpec) -> GatewayRouter:
        """Reach the gateway of an environment."""
        return GatewayRouter(
            self._folder / environment.name,
            listen=environment.listen,
            log=self._logs / f"gateway-{environment.name}.log",
            replicas=environment.replicas,
        )

    def others(self, environments: Collection[str]) -> Iterator[tuple[str, GatewayRouter]]:
        """Find those that run for other environments than these, by the names they had."""
        for folder in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            log = self._logs / f"gateway-{folder.name}.log"
            router = GatewayRouter(folder, listen=f"the address of {folder.name}", log=log)
            if folder.name not in environments and router.is_running():
                yield folder.name, router

    @contextmanager
    def apart(self, folder: Path) -> Iterator[GatewayRouter]:
        """Start one of its own in a folder, which ends with the block or with us."""
        folder.mkdir(parents=True)
        said: deque[str] = deque(maxlen=TAIL_LINES)
        with background_command(
            _command(folder, ANYWHERE), folder=folder, progress=said.append
        ) as running:
            router = GatewayRouter(folder, listen=ANYWHERE, log=folder / "gateway.log")
            deadline = monotonic() + START_TIMEOUT_S
            while router.look() is None:
                if running.has_ended(wait_s=_POLL_S) or monotonic() > deadline:
                    raise TrafficError("a gateway cannot be started here: " + "\n".join(said))
            yield router


def _command(folder: Path, listen: str, *, replicas: int = 1) -> list[str]:
    # -P: without it a module of the project's would be taken for one of Triune's.
    program = [sys.executable, "-P", "-m", "triune.gateway"]
    where = ["--listen", listen, "--folder", str(folder)]
    return [*program, *where, "--replicas", str(replicas)]


def _detail(content: bytes) -> str:
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace")


def _traffic(document: Json, *, url: str) -> Traffic:
    order, applied, tripped = document["routing"], document["applied"], document["breaker"]
    return Traffic(
        life=document["started"],
        url=url,
        routing=Routing(
            token=FencingToken(**order["token"]),
            rollout=order["rollout"],
            champion=order["champion"],
            candidate=order["candidate"],
            split=TrafficSplit.giving(order["weight_pct"]),
            is_shadow=order["shadow"],
        ),
        applied=Applied(
            token=FencingToken(**applied["token"]),
            split=TrafficSplit.giving(applied["weight_pct"]),
        ),
        breaker=None if tripped is None else Breaker(**tripped),
        releases=tuple(map(_running, document["releases"])),
        # A gateway that was started by an earlier version has none.
        control=_running(control) if (control := document.get("control")) else None,
        cursor=document["cursor"],
    )


def _running(document: Json) -> RunningRelease:
    return RunningRelease(
        release=document["release"], state=document["state"], reason=document["reason"]
    )


def _logged(entry: _Entry) -> Logged:
    term, _, number = entry.token.partition(".")
    answer = None
    if entry.latency_s is not None:
        answer = Answer(
            failed=entry.failure is not None,
            latency_s=entry.latency_s,
            service_s=entry.service_s,
            batch_size=entry.batch_size,
        )
    return Logged(
        number=entry.number,
        token=FencingToken(term=int(term), number=int(number)),
        rollout=entry.rollout,
        release=entry.release,
        arm=entry.arm,
        weight=entry.weight,
        unit=None if entry.unit is None else bytes.fromhex(entry.unit),
        assigned_at_s=entry.assigned_at_s,
        answer=answer,
        is_timed=entry.timed,
    )


def _logged_pair(pair: _Pair) -> LoggedPair:
    return LoggedPair(
        number=pair.number,
        rollout=pair.rollout,
        unit=None if pair.unit is None else bytes.fromhex(pair.unit),
        assigned_at_s=pair.assigned_at_s,
        champion=Answer(
            failed=pair.champion_failure is not None,
            latency_s=pair.champion_service_s or 0.0,
            service_s=pair.champion_service_s,
            batch_size=pair.champion_batch_size,
        ),
        candidate=Answer(
            failed=pair.candidate_failure is not None,
            latency_s=pair.candidate_service_s or 0.0,
            service_s=pair.candidate_service_s,
            batch_size=pair.candidate_batch_size,
        ),
        is_timed=pair.timed,
    )
