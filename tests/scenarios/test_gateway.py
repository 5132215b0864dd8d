"""A release served over HTTP by the command: what clients get, and how it starts, mends and stops.

The features of the project served here do more than features should where a visit says so.
"""

import asyncio
import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvloop
from tests.processes import children, is_alive, wait_until, written_pid
from tests.projects import a_project, triune, triune_json, write_model

from triune.bootstrap import open_project
from triune.domain.frames import Call, Verb
from triune.gateway.worker_process import Launch, WorkerProcess
from triune.operations.cutting import load_golden
from triune.operations.releases import bundle, find_release, load_manifest

JSON = {"content-type": "application/json"}
PROBLEM_JSON = "application/problem+json"

RAISES, ENDS, FORKS, WAITS, HANGS = -1, -2, -3, -4, -5
FEATURES_CODE = f'''"""Features of a visit, and some mischief."""

import os
import re
import time
from pathlib import Path

while Path(os.environ.get("FOLDER", "."), "stall").exists():
    time.sleep(0.01)
match os.environ.get("AT_IMPORT"):
    case "raise":
        raise RuntimeError("no features today")
    case "sleep":
        print("asleep", flush=True)
        time.sleep(1000)
    case "compute":
        print("lost in native code", flush=True)
        re.match("(a+)+$", "a" * 60 + "b")


def pages(frame):
    """Centre the pages seen."""
    print("computing features")
    match frame["pages"].iloc[0]:
        case {RAISES}:
            raise ValueError("fewer pages than none")
        case {ENDS}:
            os._exit(7)
        case {FORKS}:
            if child := os.fork():
                Path(os.environ["FOLDER"], "forked").write_text(f"{{child}}\\n")
                os._exit(7)
            time.sleep(1000)
        case {WAITS}:
            folder = Path(os.environ["FOLDER"])
            (folder / "waiting").write_text(f"{{os.getpid()}}\\n")
            while not (folder / "go").exists():
                time.sleep(0.01)
        case {HANGS}:
            print("hangs", flush=True)
            time.sleep(1000)
    return frame["pages"].to_numpy(float) - 3.0
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one release."""
    folder = a_project(tmp_path_factory.mktemp("gateway") / "visits")
    (folder / "src/features.py").write_text(FEATURES_CODE)
    triune_json(folder, "run")
    return folder


class Server:
    """`triune serve`, seen from outside."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        self.url = ""

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    @property
    def workers(self) -> list[int]:
        return children(self.process.pid)

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def await_announcement(self) -> dict[str, Any]:
        """Read the one document that it prints."""
        assert self.process.stdout
        printed = ""
        for line in self.process.stdout:
            printed += line
            if line == "}\n":
                document: dict[str, Any] = json.loads(printed)
                self.url = document["url"]
                return document
        raise AssertionError(f"it ended instead of answering: {printed}\n{self.log}")

    def post(self, document: Any, **options: Any) -> httpx.Response:
        """Ask for predictions; a document that is bytes is sent as it is."""
        content = document if isinstance(document, bytes) else json.dumps(document)
        return self.send("POST", "/predict", content=content, headers=JSON, **options)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60) as client:
            return client.request(method, path, **options)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal, and tell its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def a_process(
    project: Path, log: Path, *arguments: str, release: str = "latest", **environment: str
) -> Iterator[Server]:
    """Start the command, which need not be ready yet; end it and its worker, if that must be."""
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "triune.cli", "serve", release, "--json", *arguments],
            cwd=project,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            yield Server(process, log)
        finally:
            process.kill()


@contextmanager
def a_server(project: Path, log: Path, **environment: str) -> Iterator[Server]:
    """Start the command and wait until it answers."""
    with a_process(project, log, "--port", "0", **environment) as server:
        server.await_announcement()
        yield server


@pytest.fixture(scope="module")
def server(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that leave it as it was."""
    with a_server(project, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def a_visit(pages: Any = 5, **more: Any) -> dict[str, Any]:
    return {"pages": pages, "device": "phone", **more}


def answer_to(pages: int) -> dict[str, Any]:
    """Compute what the project's model answers, from its formula."""
    chance = 1 / (1 + math.exp(-0.5 * (pages - 3.0)))
    return {"prediction": int(chance > 0.5), "probability": pytest.approx(chance, rel=1e-14)}


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """See that a response is an RFC 9457 problem, and give its document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_JSON
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    return problem


def release_id(project: Path) -> str:
    identity: str = triune_json(project, "release", "show", "latest")["release"]["id"]
    return identity


def scratch_of(project: Path) -> list[Path]:
    return list((project / ".triune" / "scratch").iterdir())


# What clients get


def test_one_visit_gets_one_answer_and_a_list_gets_a_list(server: Server) -> None:
    one = server.post(a_visit(5))
    many = server.post([a_visit(pages) for pages in range(7)])
    none = server.post([])

    assert one.status_code == many.status_code == none.status_code == 200
    assert one.headers["content-type"] == "application/json"
    assert one.json() == answer_to(5)
    assert many.json() == [answer_to(pages) for pages in range(7)]
    assert none.json() == []


def test_every_response_says_which_release_answered(server: Server, project: Path) -> None:
    release = release_id(project)

    responses = [
        server.post(a_visit()),
        server.post({}),
        server.send("GET", "/health"),
        server.send("GET", "/nowhere"),
    ]

    assert [each.headers["X-Triune-Release"] for each in responses] == [release] * 4


def test_golden_requests_are_answered_exactly_as_was_recorded(
    server: Server, project: Path
) -> None:
    with open_project(project) as context:
        release = find_release(context, "latest")
        manifest = load_manifest(context, release)
        assert manifest.golden
        assert release.answers
        requests = load_golden(context, manifest.golden)
        recorded = load_golden(context, release.answers)

    as_a_list = server.post(requests).json()
    one_by_one = [server.post(request).json() for request in requests]

    assert len(recorded) == 5
    assert as_a_list == recorded
    assert one_by_one == recorded


def test_the_key_of_a_row_may_be_sent_along(server: Server) -> None:
    assert server.post(a_visit(5, visit_id="v1")).json() == answer_to(5)


@pytest.mark.parametrize(
    ("second", "field", "message"),
    [
        ('{"device": "phone"}', "pages", "is missing; give an integer"),
        ('{"pages": null, "device": "phone"}', "pages", "is null; give an integer"),
        ('{"pages": "5", "device": "phone"}', "pages", "is the string '5'; give an integer"),
        ('{"pages": 5.5, "device": "phone"}', "pages", "is the number 5.5; give an integer"),
        ('{"pages": true, "device": "phone"}', "pages", "is true; give an integer"),
        ('{"pages": 5, "device": 7}', "device", "is the number 7; give a string"),
        ('{"pages": NaN, "device": "phone"}', "pages", "is NaN or infinite"),
        ('{"pages": 5, "device": "phone", "page": 1}', "page", "did you mean 'pages'?"),
        ('"pages"', None, "is the string 'pages', where an object of inputs is needed"),
        ("[]", None, "is a list, where an object of inputs is needed"),
    ],
)
def test_input_that_breaks_the_signature_is_refused_by_row_and_field(
    server: Server, second: str, field: str | None, message: str
) -> None:
    response = server.post(f"[{json.dumps(a_visit())}, {second}]".encode())

    problem = assert_problem(response, 422)
    assert [(each["row"], each["field"]) for each in problem["errors"]] == [(1, field)]
    assert message in problem["errors"][0]["message"]
    assert problem["detail"].startswith("row 1")


def test_a_single_visit_is_refused_by_field_alone(server: Server) -> None:
    problem = assert_problem(server.post({"device": "phone"}), 422)

    assert problem["errors"] == [
        {"row": None, "field": "pages", "message": "is missing; give an integer"}
    ]


@pytest.mark.parametrize("body", [b"", b"{", b"pages=5", b"\xff\xfe", b'{"pages": 5} {}'])
def test_what_is_not_json_is_a_bad_request(server: Server, body: bytes) -> None:
    assert "not JSON" in assert_problem(server.post(body), 400)["detail"]


def test_an_unknown_path_is_told_which_there_are(server: Server) -> None:
    response = server.send("POST", "/predictions", json=a_visit())

    assert "/predict" in assert_problem(response, 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("PUT", "/predict", "POST"), ("POST", "/health", "GET, HEAD")],
)
def test_another_method_is_told_which_is_allowed(
    server: Server, method: str, path: str, allowed: str
) -> None:
    response = server.send(method, path)

    assert_problem(response, 405)
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_kind_of_content_is_told_which_is_taken(server: Server, content_type: str) -> None:
    headers = {"content-type": content_type}

    response = server.send("POST", "/predict", content=b"{}", headers=headers)

    assert "application/json" in assert_problem(response, 415)["detail"]


def test_parameters_of_the_content_type_are_no_hindrance(server: Server) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}

    response = server.send("POST", "/predict", content=json.dumps(a_visit()), headers=headers)

    assert response.json() == answer_to(5)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_and_its_connection_stays_of_use(
    server: Server, is_chunked: bool
) -> None:
    body = b"[" + b" " * 11 * 2**20 + b"]"
    pieces = (body[start : start + 2**16] for start in range(0, len(body), 2**16))
    connection = HTTPConnection(*server.address, timeout=30)

    # This client, as many do, sends all of its request before it reads.
    connection.request("POST", "/predict", pieces if is_chunked else body, JSON)
    refused = connection.getresponse()
    problem = json.load(refused)
    connection.request("POST", "/predict", json.dumps(a_visit(5)), JSON)
    answered = json.load(connection.getresponse())
    connection.close()

    assert (refused.status, refused.getheader("content-type")) == (413, PROBLEM_JSON)
    assert "send fewer rows at once" in problem["detail"]
    assert answered == answer_to(5)


def test_a_body_may_come_in_chunks(server: Server) -> None:
    body = json.dumps([a_visit(pages) for pages in range(100)]).encode()
    pieces = iter([body[:1], body[1:700], body[700:]])

    response = server.send("POST", "/predict", content=pieces, headers=JSON)

    assert response.request.headers["transfer-encoding"] == "chunked"
    assert response.json() == [answer_to(pages) for pages in range(100)]


def test_one_connection_serves_many_requests_refused_ones_among_them(server: Server) -> None:
    connection = HTTPConnection(*server.address, timeout=30)
    sockets, statuses = set(), []

    documents: list[Any] = [a_visit(), {}, a_visit(), [], a_visit(RAISES), a_visit()]
    for document in documents:
        connection.request("POST", "/predict", json.dumps(document), JSON)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        sockets.add(connection.sock)
    connection.close()

    assert statuses == [200, 422, 200, 200, 500, 200]
    assert len(sockets) == 1


def test_a_client_that_leaves_amid_its_request_disturbs_nobody(server: Server) -> None:
    head = b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    for sent in (head[:30], head, head + b'content-length: 100\r\n\r\n{"pages"'):
        with socket.create_connection(server.address) as leaving:
            leaving.sendall(sent)

    assert server.post(a_visit(5)).json() == answer_to(5)


def test_health_is_good_while_the_worker_is_up(server: Server, project: Path) -> None:
    health = server.send("GET", "/health")

    assert health.status_code == 200
    assert health.json() == {"live": True, "ready": True, "release": release_id(project)}
    assert server.send("HEAD", "/health").status_code == 200
    assert server.send("GET", "/v2/health/live").json() == {"live": True}
    assert server.send("GET", "/v2/health/ready").json() == {"ready": True}


def test_a_request_that_makes_the_model_raise_is_told_so_without_a_stack_trace(
    server: Server,
) -> None:
    workers = server.workers

    response = server.post(a_visit(RAISES))
    next_one = server.post(a_visit(5))

    problem = assert_problem(response, 500)
    assert problem["detail"] == "the model raised ValueError: fewer pages than none"
    assert "Traceback" not in response.text
    assert "File" not in response.text
    assert 'features.py", line' in server.log
    assert next_one.json() == answer_to(5)
    assert server.workers == workers


def test_requests_of_many_clients_at_once_each_get_their_own_answer(server: Server) -> None:
    def ask(client: int) -> list[tuple[Any, Any]]:
        asked = [[client * 100 + n, n] for n in range(25)]
        with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as connection:
            return [
                (
                    connection.post("/predict", json=[a_visit(each) for each in pages]).json(),
                    [answer_to(each) for each in pages],
                )
                for pages in asked
            ]

    with ThreadPoolExecutor(8) as clients:
        answered = [pair for pairs in clients.map(ask, range(8)) for pair in pairs]

    assert len(answered) == 200
    assert all(got == expected for got, expected in answered)


def test_what_a_release_prints_stays_out_of_the_one_document(project: Path, log: Path) -> None:
    with a_server(project, log) as server:
        server.post(a_visit())
        code = server.stop()
        assert server.process.stdout
        rest = server.process.stdout.read()

        assert (code, rest) == (0, "")
        assert "computing features" in server.log


def test_a_release_is_no_candidate_beside_itself(project: Path) -> None:
    refused = triune(project, "serve", "latest", "--candidate", "latest", "--port", "0")

    assert refused.returncode == 2
    assert "is both champion and candidate" in refused.stderr


@pytest.mark.slow
def test_a_candidate_beside_a_release_gets_its_share(
    tmp_path_factory: pytest.TempPathFactory, log: Path
) -> None:
    folder = a_project(tmp_path_factory.mktemp("two") / "visits")
    champion = triune_json(folder, "run")["release"]["id"]
    write_model(folder, slope=0.75)
    candidate = triune_json(folder, "run")["release"]["id"]
    assert champion != candidate

    arguments = ("--port", "0", "--weight", "100", "--candidate", candidate[:12])
    with a_process(folder, log, *arguments, release=champion[:12]) as server:
        announced = server.await_announcement()
        answer = server.post(a_visit(5))

        assert announced["release"]["id"] == champion
        assert announced["candidate"] == {"id": candidate, "weight_pct": 100}
        assert answer.headers["x-triune-release"] == candidate
        assert answer.json()["probability"] == pytest.approx(1 / (1 + math.exp(-0.75 * 2)))
        assert server.stop() == 0


# How it mends


def test_a_worker_that_is_killed_is_started_again_and_clients_are_told_to_wait(
    project: Path, log: Path, tmp_path: Path
) -> None:
    with a_server(project, log, FOLDER=str(tmp_path)) as server:
        (before,) = server.workers
        (tmp_path / "stall").touch()

        os.kill(before, signal.SIGKILL)
        wait_until(lambda: server.send("GET", "/health").status_code == 503)
        away = server.post(a_visit(5))
        health = server.send("GET", "/health")
        live = server.send("GET", "/v2/health/live")
        (tmp_path / "stall").unlink()
        wait_until(lambda: server.send("GET", "/health").status_code == 200)
        back = server.post(a_visit(5))

        assert "is being started again" in assert_problem(away, 503)["detail"]
        assert "is being started again" in assert_problem(health, 503)["detail"]
        assert away.headers["retry-after"] == health.headers["retry-after"] == "1"
        assert live.status_code == 200
        assert back.json() == answer_to(5)
        assert server.workers != [before]
        assert "was killed (SIGKILL" in server.log


def test_a_request_whose_worker_is_killed_gets_no_answer(
    project: Path, log: Path, tmp_path: Path
) -> None:
    with a_server(project, log, FOLDER=str(tmp_path)) as server, ThreadPoolExecutor(1) as client:
        answer = client.submit(server.post, a_visit(WAITS))

        os.kill(written_pid(tmp_path / "waiting"), signal.SIGKILL)

        assert "died over this request" in assert_problem(answer.result(), 503)["detail"]
        assert answer.result().headers["retry-after"] == "1"


def test_a_request_that_ends_the_worker_gets_no_answer_and_the_next_ones_do(
    project: Path, log: Path
) -> None:
    with a_server(project, log) as server:
        server.post(a_visit(5))
        before = server.descriptors
        for _ in range(2):
            ended = server.post(a_visit(ENDS))
            wait_until(lambda: server.post(a_visit(5)).status_code == 200)

            assert "died over this request" in assert_problem(ended, 503)["detail"]
        assert server.log.count("ended with exit code 7; it is started again") == 2
        wait_until(lambda: server.descriptors <= before)


def test_a_dead_worker_is_away_however_often_it_is_asked(project: Path) -> None:
    async def ask_the_dead(folder: Path, release: str) -> None:
        others = children(os.getpid())
        worker = await WorkerProcess.start(Launch(bundle=folder, release=release))
        try:
            (pid,) = set(children(os.getpid())) - set(others)
            os.kill(pid, signal.SIGKILL)
            # What breaks the connection is only heard of between calls.
            for _ in range(5):
                with pytest.raises(ConnectionError):
                    await worker.ask(Call(verb=Verb.PREDICT, arguments={}, body=b"[]"))
                await asyncio.sleep(0)
        finally:
            await worker.end()

    with open_project(project) as context:
        manifest = load_manifest(context, find_release(context, "latest"))
        with (
            bundle(context, manifest) as folder,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(ask_the_dead(folder, manifest.release_id))


def test_what_a_worker_forked_does_not_hide_that_it_died_and_ends_with_it(
    project: Path, log: Path, tmp_path: Path
) -> None:
    with a_server(project, log, FOLDER=str(tmp_path)) as server:
        ended = server.post(a_visit(FORKS))
        wait_until(lambda: server.post(a_visit(5)).status_code == 200)

        # The fork holds the worker's end of the connection, which therefore never closed.
        assert "died over this request" in assert_problem(ended, 503)["detail"]
        assert not is_alive(written_pid(tmp_path / "forked"))


@pytest.mark.slow
def test_a_request_that_hangs_is_given_up_and_the_next_ones_are_answered(
    project: Path, log: Path
) -> None:
    with a_server(project, log) as server:
        (before,) = server.workers

        hung = server.post(a_visit(HANGS))
        wait_until(lambda: server.post(a_visit(5)).status_code == 200)

        assert "did not answer in 30 s" in assert_problem(hung, 504)["detail"]
        assert not is_alive(before)


@pytest.mark.slow
def test_a_worker_whose_files_were_changed_is_not_started_again(project: Path, log: Path) -> None:
    before = scratch_of(project)
    with a_server(project, log) as server:
        (bundle,) = (path for path in scratch_of(project) if path.is_dir() and path not in before)
        code = bundle / "code" / "src" / "features.py"
        code.write_text(code.read_text().replace("3.0", "2.0"))
        os.kill(server.workers[0], signal.SIGKILL)
        wait_until(lambda: "did not start" in server.log)

        assert "features.py holds other bytes than the release names" in server.log
        assert_problem(server.post(a_visit()), 503)
        assert server.stop() == 0


# How it starts and stops


def test_a_port_in_use_is_refused_with_what_to_do(project: Path) -> None:
    before = scratch_of(project)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        refused = triune(project, "serve", "latest", "--port", str(port), "--json")

    assert refused.returncode == 2
    reason = json.loads(refused.stdout)["reasons"][0]["message"]
    assert f"port {port} of 127.0.0.1 is in use" in reason
    assert "give another port" in reason
    assert scratch_of(project) == before


def test_an_address_of_another_machine_is_refused_with_what_to_do(project: Path) -> None:
    refused = triune(project, "serve", "latest", "--port", "0", "--host", "192.0.2.1")

    assert refused.returncode == 2
    assert "cannot listen on 192.0.2.1" in refused.stderr
    assert "give an address of this machine" in refused.stderr


def test_a_release_that_cannot_start_is_refused_and_leaves_nothing(project: Path) -> None:
    before = scratch_of(project)

    refused = triune(project, "serve", "latest", "--port", "0", env={"AT_IMPORT": "raise"})

    assert refused.returncode == 2
    assert "RuntimeError: no features today" in refused.stderr
    assert scratch_of(project) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_with_nothing_left(project: Path, log: Path, number: int) -> None:
    before = scratch_of(project)
    with a_server(project, log) as server:
        workers = server.workers
        # A client that is still connected is not waited for.
        with socket.create_connection(server.address):
            code = server.stop(number)

        assert code == 0
        assert len(workers) == 1
        assert not any(is_alive(pid) for pid in workers)
        assert "Traceback" not in server.log
    assert scratch_of(project) == before


def test_signals_that_go_on_until_it_has_stopped_change_nothing(project: Path, log: Path) -> None:
    before = scratch_of(project)
    with a_server(project, log) as server:
        (worker,) = server.workers

        while server.process.poll() is None:
            server.process.send_signal(signal.SIGINT)
            server.process.send_signal(signal.SIGTERM)

        assert server.process.returncode == 0
        assert not is_alive(worker)
        assert "Traceback" not in server.log
    assert scratch_of(project) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_release_is_laid_out_stops_it(
    project: Path, log: Path, number: int
) -> None:
    before = scratch_of(project)
    with a_process(project, log, "--port", "0") as server:
        wait_until(lambda: "starting release" in server.log)

        while server.process.poll() is None:
            server.process.send_signal(number)

        assert server.process.returncode == 0
        assert "Traceback" not in server.log
    assert scratch_of(project) == before


@pytest.mark.parametrize(
    ("number", "stall", "sign"),
    [(signal.SIGINT, "sleep", "asleep"), (signal.SIGTERM, "compute", "lost in native code")],
)
def test_a_signal_while_the_model_is_loaded_stops_it(
    project: Path, log: Path, number: int, stall: str, sign: str
) -> None:
    before = scratch_of(project)
    with a_process(project, log, "--port", "0", AT_IMPORT=stall) as server:
        wait_until(lambda: sign in server.log)
        (worker,) = server.workers

        code = server.stop(number)

        assert code == 0
        assert not is_alive(worker)
    assert scratch_of(project) == before


def test_a_request_on_its_way_is_answered_before_it_stops(
    project: Path, log: Path, tmp_path: Path
) -> None:
    with (
        a_server(project, log, FOLDER=str(tmp_path)) as server,
        ThreadPoolExecutor(1) as client,
    ):
        answer = client.submit(server.post, a_visit(WAITS))
        worker = written_pid(tmp_path / "waiting")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: is_refused(server.address))
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(timeout=0.5)
        (tmp_path / "go").touch()

        assert answer.result().json() == answer_to(WAITS)
        assert server.process.wait(timeout=60) == 0
        assert not is_alive(worker)


def is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.slow
def test_a_request_that_hangs_does_not_keep_it_from_stopping(project: Path, log: Path) -> None:
    with a_server(project, log) as server, ThreadPoolExecutor(1) as client:
        (worker,) = server.workers
        answer = client.submit(server.post, a_visit(HANGS))
        wait_until(lambda: "hangs" in server.log)

        code = server.stop()

        assert code == 0
        assert not is_alive(worker)
        assert "the server is stopping" in assert_problem(answer.result(), 503)["detail"]
        assert "Traceback" not in server.log


@pytest.mark.parametrize("stall", ["", "sleep", "compute"])
def test_no_worker_outlives_a_gateway_that_is_killed(project: Path, log: Path, stall: str) -> None:
    with a_process(project, log, "--port", "0", AT_IMPORT=stall) as server:
        if stall:
            wait_until(lambda: "asleep" in server.log or "lost in native" in server.log)
        else:
            server.await_announcement()
        (worker,) = server.workers

        server.process.kill()

        wait_until(lambda: not is_alive(worker))
