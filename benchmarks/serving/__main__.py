"""Measures how fast a pipeline is served over HTTP, beside other servers and beside the floors.

Run from the root of the repository: ``python -m benchmarks.serving``. Other servers are measured
where they are installed, each in a virtual environment of its own that is named on the command
line. All run at once, and are asked in turn, several rounds: the median of the rounds is printed,
and how many times that of the best other server it is. The load is made by wrk, or in Python where
that is not installed, and every answer compared with the pipeline's own.
"""

import argparse
import json
import math
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import httpx
import joblib
import pandas as pd
from benchmarks.serving import split
from benchmarks.serving.load import Measured, Verify, http_request, load
from benchmarks.serving.work import CLASSIFIERS, Work, prepare
from benchmarks.serving.wrk import wrk
from tests.bundles import ABundle

CONNECTIONS = (1, 16, 64)
BATCH = 100
HERE = Path(__file__).parent
OURS = "Triune"
PER_SECOND = attrgetter("per_second")
MEDIAN_MS = attrgetter("median_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server to measure: how it is started, and how it is asked."""

    name: str
    command: list[str]
    port: int
    requests: list[bytes]
    verify: Verify
    batch: bool = False
    environment: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Start, ask in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifier", choices=CLASSIFIERS, default="logistic")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement (3)")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--fastapi", metavar="PYTHON", help="with fastapi, uvicorn, granian")
    parser.add_argument("--litserve", metavar="PYTHON", help="with litserve")
    parser.add_argument("--mlserver", metavar="PYTHON", help="with mlserver, mlserver-sklearn")
    parser.add_argument("--only", choices=("hello", "predict", "split"), help="one part of all")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        work = prepare(folder, arguments.classifier)
        print(f"{arguments.classifier}, {os.cpu_count()} cores, one native thread each\n")
        if arguments.only in {None, "hello"}:
            _compare("Hello-world of HTTP layers", hello_servers(arguments.fastapi), arguments)
        if arguments.only in {None, "predict"}:
            print(f"bare predict_proba of one row: {bare_ms(work):.2f} ms (median)\n")
            servers = row_servers(work, arguments, folder)
            _compare("One row", servers, arguments)
            _compare(f"{BATCH} rows", batch_servers(work, arguments, folder), arguments)
        if arguments.only in {None, "split"}:
            check_split(work, folder)


def hello_servers(python: str | None) -> list[Server]:
    """List what can be measured of the HTTP layers."""
    requests = [http_request("/", b'{"x": 1}')]

    def server(name: str, port: int, *command: str) -> Server:
        return Server(
            name=name,
            command=list(command),
            port=port,
            requests=requests,
            verify=lambda _, document: document == {"hello": "world"},
        )

    at = str(HERE / "hello_protocol.py")
    servers = [server("asyncio.Protocol, httptools, uvloop", 8911, sys.executable, at, "8911")]
    if python is None:
        return servers
    app = ["benchmarks.serving.hello:app", "--host", "127.0.0.1", "--port"]
    rsgi = ["--interface", "rsgi", "benchmarks.serving.hello:rsgi", "--host", "127.0.0.1"]
    quiet = ["--log-level", "error", "--no-access-log"]
    tools = ["--loop", "uvloop", "--http", "httptools"]
    granian = [python, "-m", "granian", "--no-ws", "--http", "1", "--loop", "uvloop"]
    return [
        *servers,
        server("uvicorn, httptools, raw ASGI", 8912, python, "-m", "uvicorn", *tools, *quiet, *app,
               "8912"),
        server("granian, ASGI", 8913, *granian, "--interface", "asgi", *app, "8913"),
        server("granian, RSGI", 8914, *granian, *rsgi, "--port", "8914"),
    ]  # fmt: skip


def row_servers(work: Work, arguments: argparse.Namespace, folder: Path) -> list[Server]:
    """List what can be asked for one row."""
    bodies = work.bodies()
    requests = [http_request("/predict", body) for body in bodies]

    def verify(index: int, document: Any) -> bool:
        return work.is_right(index, document["probability"])

    def server(name: str, port: int, command: list[str], **environment: str) -> Server:
        return Server(
            name=name,
            command=command,
            port=port,
            requests=requests,
            verify=verify,
            environment=environment,
        )

    gateway = [sys.executable, "-m", "benchmarks.serving.triune_gateway"]

    def triune(name: str, port: int, one: ABundle, two: ABundle | None = None) -> Server:
        releases = ["--champion", one.release, str(one.folder)]
        if two is not None:
            releases += ["--candidate", two.release, str(two.folder), "--weight", "5"]
            releases += ["--admin", str(folder / f"admin-{port}")]
        return server(name, port, [*gateway, *releases, "--port", str(port)])

    servers = [
        triune("Triune, compiled, 95/5", 8919, *work.compiled),
        triune("Triune, compiled, one release", 8920, work.compiled[0]),
        triune("Triune, 95/5", 8921, work.champion, work.candidate),
        triune("Triune, one release", 8922, work.champion),
    ]
    if arguments.fastapi:
        servers.append(
            server(
                "FastAPI, uvicorn",
                8923,
                [*fastapi(arguments.fastapi), "8923"],
                MODEL=str(work.model),
            )
        )
        if shutil.which("nginx"):
            (folder / "nginx").mkdir()
            at = [sys.executable, str(HERE / "peer_nginx.py"), "8951", str(folder / "nginx"), "--"]
            split = [*at, *fastapi(arguments.fastapi)]
            servers.append(server("nginx, two FastAPI, 95/5", 8951, split, MODEL=str(work.model)))
    if arguments.litserve:
        command = [arguments.litserve, str(HERE / "peer_litserve.py"), "8924"]
        servers.append(server("LitServe, batching", 8924, command, MODEL=str(work.model)))
    if arguments.mlserver:
        servers.append(mlserver(work, arguments.mlserver, folder / "mlserver", port=8925))
    return servers


def mlserver(work: Work, python: str, folder: Path, *, port: int, batch: int = 1) -> Server:
    """Set MLServer up as its documentation says for scikit-learn, with adaptive batching."""
    folder.mkdir()
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    # Its process pool does not start with the versions that are installed beside it today.
    (folder / "settings.json").write_text(
        json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports})
    )
    model = {
        "name": "churn",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "max_batch_size": 64,
        "max_batch_time": 0.005,
        "parameters": {"uri": str(work.model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(model))

    def tensor(name: str, values: list[Any]) -> dict[str, Any]:
        if isinstance(values[0], str):
            kind = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
        else:
            kind = {"datatype": "FP64"}
        return {"name": name, "shape": [len(values), 1], "data": values, **kind}

    def document(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "parameters": {"content_type": "pd"},
            "inputs": [tensor(name, [row[name] for row in rows]) for name in rows[0]],
            "outputs": [{"name": "predict_proba"}],
        }

    def verify(index: int, answer: Any) -> bool:
        chances = answer["outputs"][0]["data"][1::2]
        return len(chances) == batch and all(
            work.is_right(batch * index + at, chance) for at, chance in enumerate(chances)
        )

    return Server(
        name="MLServer, batching",
        command=[str(Path(python).with_name("mlserver")), "start", str(folder)],
        port=port,
        requests=[
            http_request(
                "/v2/models/churn/infer",
                json.dumps(document(work.rows[at : at + batch])).encode(),
            )
            for at in range(0, len(work.rows) - batch + 1, batch)
        ],
        verify=verify,
    )


def batch_servers(work: Work, arguments: argparse.Namespace, folder: Path) -> list[Server]:
    """List what can be asked for many rows."""
    bodies = work.bodies(batch=BATCH)

    def verify(index: int, document: Any) -> bool:
        return len(document) == BATCH and all(
            work.is_right(BATCH * index + at, answer["probability"])
            for at, answer in enumerate(document)
        )

    def server(name: str, port: int, path: str, command: list[str], **environment: str) -> Server:
        return Server(
            name=name,
            command=command,
            port=port,
            requests=[http_request(path, body) for body in bodies],
            verify=verify,
            environment=environment,
        )

    gateway = [sys.executable, "-m", "benchmarks.serving.triune_gateway"]
    servers = []
    for name, port, one in (
        ("Triune, compiled", 8930, work.compiled[0]),
        ("Triune, one release", 8931, work.champion),
    ):
        champion = ["--champion", one.release, str(one.folder), "--port", str(port)]
        servers.append(server(name, port, "/predict", [*gateway, *champion]))
    if arguments.fastapi:
        command = [*fastapi(arguments.fastapi), "8932"]
        servers.append(server("FastAPI, uvicorn", 8932, "/batch", command, MODEL=str(work.model)))
    if arguments.mlserver:
        at = folder / "mlserver-batch"
        servers.append(mlserver(work, arguments.mlserver, at, port=8935, batch=BATCH))
    return servers


def fastapi(python: str) -> list[str]:
    """Start FastAPI as its documentation says for production, with one worker; the port follows."""
    app = "benchmarks.serving.peer_fastapi:app"
    quiet = ["--log-level", "error", "--no-access-log"]
    return [python, "-m", "uvicorn", app, "--host", "127.0.0.1", *quiet, "--port"]


def _compare(title: str, servers: list[Server], arguments: argparse.Namespace) -> None:
    """Start all, measure in turn, and print a table."""
    measured: dict[tuple[str, int], list[Measured]] = {}
    memory: dict[str, float] = {}
    with ExitStack() as stack:
        running = {each.name: stack.enter_context(_running(each)) for each in servers}
        for each in servers:
            tried = load(_address(each), each.requests, each.verify, connections=4, seconds=0.5)
            if tried.wrong:
                sys.exit(f"{each.name} answers wrongly")
        ask = wrk if shutil.which("wrk") else load
        for _ in range(arguments.rounds):
            for connections in CONNECTIONS:
                for each in servers:
                    seen = ask(
                        _address(each),
                        each.requests,
                        each.verify,
                        connections=connections,
                        seconds=arguments.seconds,
                    )
                    measured.setdefault((each.name, connections), []).append(seen)
        for name, process in running.items():
            memory[name] = _memory_mib(process.pid)
    print(f"{title}: requests a second (median ms, p99 ms)")
    head = "".join(f"{f'c = {connections}':>24}" for connections in CONNECTIONS)
    print(f"{'':38}{head}{'MiB':>8}")
    for each in servers:
        cells = [_cell(measured[each.name, connections]) for connections in CONNECTIONS]
        print(f"{each.name:38}{''.join(f'{cell:>24}' for cell in cells)}{memory[each.name]:>8.0f}")
    _print_ratios(servers, measured)
    wrong = sum(one.wrong for seen in measured.values() for one in seen)
    print("every answer was right\n" if not wrong else f"{wrong} ANSWERS WERE WRONG\n")
    if wrong:
        sys.exit(1)


def _print_ratios(servers: list[Server], measured: dict[tuple[str, int], list[Measured]]) -> None:
    """Tell how many times as many requests a second, and how much shorter a median, than others."""
    ours = [each for each in servers if each.name.startswith(OURS)]
    rivals = [each for each in servers if each not in ours]
    if not (ours and rivals):
        return
    print("as many requests a second as the best other server (its median as many times as long)")
    for each in ours:
        cells = []
        for connections in CONNECTIONS:
            most = max(_middle(measured[one.name, connections], PER_SECOND) for one in rivals)
            least = min(_middle(measured[one.name, connections], MEDIAN_MS) for one in rivals)
            seen = measured[each.name, connections]
            times = _middle(seen, PER_SECOND) / most, least / _middle(seen, MEDIAN_MS)
            cells.append(f"{times[0]:.1f} x ({times[1]:.1f})")
        print(f"{each.name:38}{''.join(f'{cell:>24}' for cell in cells)}")


def _middle(seen: list[Measured], value: Callable[[Measured], float]) -> float:
    return statistics.median(map(value, seen))


def _cell(seen: list[Measured]) -> str:
    p99_ms = statistics.median(one.p99_ms for one in seen)
    return f"{_middle(seen, PER_SECOND):,.0f} ({_middle(seen, MEDIAN_MS):.2f}, {p99_ms:.1f})"


def bare_ms(work: Work) -> float:
    """Measure the floor: the pipeline asked for one row, in this process."""
    model = joblib.load(work.model)
    frame = pd.DataFrame(work.rows[:1])
    times = []
    for _ in range(300):
        started = time.perf_counter()
        model.predict_proba(frame)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times)


def check_split(work: Work, folder: Path) -> None:
    """Ask for many keys at three weights, and see where each goes."""
    one, two = work.champion, work.candidate
    admin = folder / "split"
    command = [
        sys.executable, "-m", "benchmarks.serving.triune_gateway", "--port", "8941",
        "--champion", one.release, str(one.folder), "--candidate", two.release, str(two.folder),
        "--weight", "5", "--admin", str(admin),
    ]  # fmt: skip
    server = Server(
        name="split",
        command=command,
        port=8941,
        requests=[http_request("/predict", b"[]")],
        verify=lambda _, document: document == [],
    )
    keys = [f"user-{number}" for number in range(split.KEYS)]
    with _running(server):
        started = time.perf_counter()
        five = split.arms(_address(server), keys, candidate=two.release)
        took = time.perf_counter() - started
        again = split.arms(_address(server), keys, candidate=two.release)
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(admin)), base_url="http://admin"
        ) as client:
            routing = client.get("/routing").json()["routing"]
            order = {**routing, "token": {"term": 1, "number": 0}, "weight_pct": 20}
            client.post("/apply", json=order).raise_for_status()
        twenty = split.arms(_address(server), keys, candidate=two.release)
    print(f"Split, {split.KEYS:,} keys ({split.KEYS / took:,.0f} a second)")
    for weight, arms in ((0.05, five), (0.2, twenty)):
        error = math.sqrt(weight * (1 - weight) / len(arms))
        share = sum(arms) / len(arms)
        print(f"  at {weight:.0%}: {share:.4%}, {(share - weight) / error:+.2f} standard errors")
    moved = sum(was != now for was, now in zip(five, again, strict=True))
    print(f"  keys that moved while the weight stayed: {moved}")
    left = sum(was and not now for was, now in zip(five, twenty, strict=True))
    print(f"  keys that left the candidate when its weight grew: {left}")


@contextmanager
def _running(server: Server) -> Iterator["subprocess.Popen[bytes]"]:
    root = Path(__file__).parents[2]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    paths = {"PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])}
    with subprocess.Popen(
        server.command,
        cwd=root,
        env={**os.environ, **one_thread, **paths, **server.environment},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not _answers(server):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{server.name} did not come up: {' '.join(server.command)}")
                time.sleep(0.1)
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _answers(server: Server) -> bool:
    try:
        with socket.create_connection(_address(server), timeout=5) as asking:
            asking.sendall(server.requests[0])
            return asking.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _address(server: Server) -> tuple[str, int]:
    return ("127.0.0.1", server.port)


def _memory_mib(pid: int) -> float:
    """Add up what a process and those that it started hold, shared pages in proportion."""
    total = 0.0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            total += int(line.split()[1]) / 1024
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += sum(map(_memory_mib, map(int, (task / "children").read_text().split())))
    return total


if __name__ == "__main__":
    main()
