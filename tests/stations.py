"""Standing gateways for tests: `python -m triune.gateway`, told over its admin socket."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.bundles import ABundle
from tests.gateways import TOKEN, AGateway
from tests.processes import is_alive, wait_until


def command(folder: Path, *arguments: str, port: int = 0) -> list[str]:
    """Say how a gateway is started in a folder."""
    listen = f"127.0.0.1:{port}"
    program = [sys.executable, "-m", "triune.gateway"]
    return [*program, "--listen", listen, "--folder", str(folder), *arguments]


@dataclass
class AStation:
    """A folder, and the gateway that works in it: started, killed and started again."""

    folder: Path
    arguments: tuple[str, ...] = ()
    gateway: AGateway = field(init=False)

    @property
    def log(self) -> str:
        return (self.folder / "gateway.log").read_text()

    @property
    def announcement(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / "gateway.json").read_text())
        return document

    def start(self, *, port: int = 0) -> AGateway:
        """Start it, and wait until it answers."""
        self.folder.mkdir(exist_ok=True)
        announced = self.folder / "gateway.json"
        announced.unlink(missing_ok=True)
        with (self.folder / "gateway.log").open("a") as stderr:
            process = subprocess.Popen(
                command(self.folder, *self.arguments, port=port),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                text=True,
            )
        wait_until(lambda: announced.exists() or process.poll() is not None)
        assert process.poll() is None, self.log
        self.gateway = AGateway(
            process=process,
            url=self.announcement["url"],
            admin=self.folder / "admin.sock",
            log=self.folder / "gateway.log",
        )
        return self.gateway

    def kill(self) -> None:
        """Kill it as kill -9 does, and wait until it is gone, with its workers."""
        workers = self.gateway.workers
        self.gateway.process.send_signal(signal.SIGKILL)
        self.gateway.process.wait(timeout=60)
        wait_until(lambda: not any(is_alive(pid) for pid in workers))

    def standing(self) -> dict[str, Any]:
        document: dict[str, Any] = self.gateway.control("GET", "/routing").json()
        return document

    def state_of(self, release: ABundle) -> str | None:
        """Tell how far a release is; None where it is not listed."""
        found: str | None = self.listed().get(release.release, {}).get("state")
        return found

    def listed(self) -> dict[str, Any]:
        return {each["release"]: each for each in self.standing()["releases"]}

    def post_releases(self, *releases: ABundle) -> httpx.Response:
        listed = [{"release": each.release, "bundle": str(each.folder)} for each in releases]
        return self.gateway.control("POST", "/releases", {"releases": listed})

    def run(self, *releases: ABundle) -> None:
        """Have just these run, and wait until they are ready."""
        assert self.post_releases(*releases).status_code == 200
        wait_until(lambda: all(self.state_of(each) == "ready" for each in releases))

    def apply(self, order: dict[str, Any]) -> httpx.Response:
        return self.gateway.control("POST", "/apply", order)

    def follow(self, order: dict[str, Any]) -> None:
        answer = self.apply(order)
        assert answer.status_code == 200, answer.text

    def kill_worker(self, release: ABundle) -> int:
        (pid,) = self.gateway.workers_of(release.release)
        os.kill(pid, signal.SIGKILL)
        return pid


def an_order(
    champion: ABundle | None,
    candidate: ABundle | None = None,
    *,
    number: int = 1,
    term: int = 1,
    **changes: Any,
) -> dict[str, Any]:
    """Write an order."""
    return {
        "token": {"term": term, "number": number},
        "rollout": "r1",
        "champion": champion and champion.release,
        "candidate": candidate and candidate.release,
        "weight_pct": 0,
        "shadow": False,
        **changes,
    }


@contextmanager
def a_station(folder: Path, *arguments: str) -> Iterator[AStation]:
    """Have a gateway stand in a folder, with the token that lets a request choose its release."""
    token = folder.with_name(f"{folder.name}.token")
    token.write_text(TOKEN)
    station = AStation(folder=folder, arguments=(*arguments, "--pin-token-file", str(token)))
    station.start()
    try:
        yield station
    finally:
        station.gateway.process.kill()
        station.gateway.process.wait(timeout=60)
