"""Gateways for tests: real processes that serve bundles made by hand, asked over real sockets."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from tests.bundles import ABundle, a_bundle, an_instance
from tests.processes import children

from triune.domain.manifest import Field, FieldType

TOKEN = "let me choose"

# What the model does depends on the number that it is sent, and on its own mode.
MODEL_CODE = '''"""A model that misbehaves on demand."""

import os
import time
from pathlib import Path

import numpy as np

MODE = "{mode}"
FOLDER = Path("{folder}")
if MODE == "breaks" and (FOLDER / "broken").exists():
    raise RuntimeError("it was loaded before")


class Model:
    """Answers a chance that grows with x; from +100 on, it is another model's."""

    classes_ = np.array([0, 1])

    def predict_proba(self, frame):
        x = frame["x"].to_numpy(float)
        if MODE == "raises" or (x == -1).any():
            raise ValueError("no such x")
        if MODE == "turns" and (FOLDER / "turned").exists():
            raise ValueError("it was good until now")
        if MODE == "hangs" or (x == -2).any():
            time.sleep(1000)
        if MODE == "ends" or (x == -3).any():
            os._exit(7)
        if (x == -4).any():
            (FOLDER / "waiting").write_text(f"{{os.getpid()}}\\n")
            while not (FOLDER / "go").exists():
                time.sleep(0.005)
        if (x == -5).any():
            np.ones(2**31, dtype=np.uint8)
        if MODE == "slow":
            time.sleep(0.05)
        chance = 1 / (1 + np.exp(-(x - {shift})))
        if MODE == "nan":
            chance = chance * np.nan
        if MODE == "outside":
            chance = chance + 1.5
        return np.column_stack([1 - chance, chance])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(int)
'''
RAISES, HANGS, ENDS, WAITS, HOARDS = -1, -2, -3, -4, -5


def a_release(
    folder: Path,
    *,
    mode: str = "good",
    shift: float = 0.0,
    timeout_s: float = 10.0,
    inputs: Sequence[str] = ("x",),
    golden: bytes | None = None,
    imports_when: Path | None = None,
) -> ABundle:
    """Lay out a release that behaves as ``mode`` says; its code waits for ``imports_when``."""
    code = {"model.py": MODEL_CODE.format(mode=mode, shift=shift, folder=folder.parent)}
    model = an_instance("model:Model", code, folder.with_name(f"{folder.name}-source"))
    if imports_when is not None:
        waits = f"while not Path({str(imports_when)!r}).exists():\n    time.sleep(0.005)\n"
        code["model.py"] = code["model.py"].replace("class Model", f"{waits}\n\nclass Model")
    return a_bundle(
        folder,
        model=model,
        inputs=[Field(name=name, type=FieldType.NUMBER, nullable=False) for name in inputs],
        code=code,
        key="id",
        serve={"timeout_s": timeout_s},
        golden=golden,
    )


def answer_of(x: float, *, shift: float = 0.0) -> float:
    """Compute the chance that a release answers."""
    import math

    return 1 / (1 + math.exp(-(x - shift)))


def workers_of(gateway: int, release: str, *, admin: Path) -> list[int]:
    """List the live workers of a release, but for the one that answers only what is timed."""
    found = [
        pid
        for pid in children(gateway)
        if release.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]
    control = control_workers(admin)
    return [pid for pid in found if pid not in control]


def control_workers(admin: Path) -> list[int]:
    """List who answers only what is timed; none where the gateway cannot be asked."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(admin))
        control = ask_admin(admin, "GET", "/routing").json()["control"]
    except (OSError, httpx.HTTPError):
        return []
    return [worker["pid"] for worker in control["workers"]] if control else []


def ask_admin(admin: Path, method: str, path: str, document: Any = None) -> httpx.Response:
    """Ask a gateway as the control plane does."""
    transport = httpx.HTTPTransport(uds=str(admin))
    with httpx.Client(transport=transport, base_url="http://admin", timeout=60) as client:
        return client.request(method, path, json=document)


@dataclass(frozen=True, slots=True, kw_only=True)
class AGateway:
    """A gateway that runs, seen from outside."""

    process: subprocess.Popen[str]
    url: str
    admin: Path
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    @property
    def workers(self) -> list[int]:
        return children(self.process.pid)

    def workers_of(self, release: str) -> list[int]:
        """List the live workers of a release, those that still load among them.

        The one that answers nothing but what is timed is not among them.
        """
        return workers_of(self.process.pid, release, admin=self.admin)

    def predict(self, x: float, **headers: str) -> httpx.Response:
        return self.post({"x": x}, **headers)

    def post(self, document: Any, **headers: str) -> httpx.Response:
        """Ask for a prediction; what is bytes is sent as it is."""
        content = document if isinstance(document, bytes) else json.dumps(document)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as client:
            return client.post(
                "/predict", content=content, headers={"content-type": "application/json", **named}
            )

    def ask_all(self, xs: Sequence[float], *, at_once: int = 16) -> list[httpx.Response]:
        """Ask for many predictions, so many at once."""

        async def ask() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=at_once)
            async with httpx.AsyncClient(
                base_url=self.url, trust_env=False, timeout=60, limits=limits
            ) as client:
                return await asyncio.gather(*(client.post("/predict", json={"x": x}) for x in xs))

        return asyncio.run(ask())

    def control(self, method: str, path: str, document: Any = None) -> httpx.Response:
        """Ask as the control plane does."""
        return ask_admin(self.admin, method, path, document)

    def outcomes(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = self.control("GET", "/outcomes").json()["outcomes"]
        return read

    def metrics(self) -> str:
        return self.control("GET", "/metrics").text

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=30)


PROGRAM = """
import sys
from pathlib import Path
from triune.gateway.fleet import Served
from triune.gateway.serve import Service, serve
champion, candidate, weight, replicas, memory, folder, token = sys.argv[1:]
def served(text):
    release, _, bundle = text.partition("=")
    return Served(release=release, bundle=Path(bundle))
serve(
    Service(
        champion=served(champion),
        candidate=served(candidate) if candidate else None,
        weight_pct=float(weight),
        replicas=int(replicas),
        memory_bytes=int(memory) or None,
        admin=Path(folder, "admin"),
        outcomes=Path(folder, "outcomes"),
        pin_token=token,
    ),
    lambda url: print(url, flush=True),
)
"""


@contextmanager
def a_gateway(
    folder: Path,
    champion: ABundle,
    candidate: ABundle | None = None,
    *,
    weight_pct: float = 50.0,
    replicas: int = 1,
    memory_bytes: int = 0,
) -> Iterator[AGateway]:
    """Start a gateway in a process of its own; ``folder`` holds its socket and its log."""
    log = folder / "gateway.log"
    arguments = [
        f"{champion.release}={champion.folder}",
        f"{candidate.release}={candidate.folder}" if candidate else "",
        *map(str, (weight_pct, replicas, memory_bytes, folder, TOKEN)),
    ]
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert url, log.read_text()
            yield AGateway(process=process, url=url, admin=folder / "admin", log=log)
        finally:
            process.kill()
