"""Clients that are slow, hostile or broken, over raw sockets; and what others get meanwhile."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import ABundle
from tests.gateways import WAITS, AGateway, a_gateway, a_release, answer_of
from tests.processes import wait_until, written_pid

from triune.gateway.client import Clients, Exchange, Limits, Response
from triune.gateway.release_queue import MAX_WAITING


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    return a_release(tmp_path_factory.mktemp("releases") / "release")


@pytest.fixture(scope="module")
def gateway(release: ABundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AGateway]:
    """A gateway for tests that leave it as it was."""
    with a_gateway(tmp_path_factory.mktemp("gateway"), release) as gateway:
        yield gateway


def a_request(
    body: bytes = b'{"x": 1}', *, method: str = "POST", path: str = "/predict", head: str = ""
) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{head}\r\n"
    ).encode() + body


def read_response(client: socket.socket) -> tuple[int, Any, HTTPResponse]:
    response = HTTPResponse(client)
    response.begin()
    content = response.read()
    return response.status, json.loads(content) if content else None, response


def asked(gateway: AGateway, sent: bytes) -> tuple[int, Any, HTTPResponse]:
    with gateway.connect() as client:
        client.sendall(sent)
        return read_response(client)


# Over a real gateway


def test_requests_sent_together_are_answered_in_their_order(gateway: AGateway) -> None:
    xs = [n / 7 for n in range(200)]
    bodies = [json.dumps({"x": x}).encode() for x in xs]
    sent = b"".join(
        a_request(body) + a_request(b"", method="GET", path="/nowhere") for body in bodies
    )

    with gateway.connect() as client:
        sending = threading.Thread(target=client.sendall, args=(sent,))
        sending.start()
        read = client.makefile("rb")
        got = [read_one(read) for _ in range(400)]
        sending.join()

    assert [status for status, _ in got] == [200, 404] * 200
    assert [document["probability"] for _, document in got[::2]] == [
        pytest.approx(answer_of(x)) for x in xs
    ]


def read_one(read: Any) -> tuple[int, Any]:
    """Read one response of several on a connection."""
    status = int(read.readline().split()[1])
    size = 0
    while (line := read.readline().strip()) != b"":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    return status, json.loads(read.read(size))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"x": NaN}', 422),
        (b'{"x": -Infinity}', 422),
        (b'{"x": 1e999}', 422),
        (b'{"x": "\xff\xfe"}', 400),
        (b'{"x": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"x":' * 50_000, 400),
        (b'[{"x": 1}, ' + b"[" * 500 + b"]" * 500 + b"]", 422),
        (b"\x00" * 100, 400),
        (b"", 400),
    ],
)
def test_a_body_that_is_no_row_is_refused_and_the_next_one_is_answered(
    gateway: AGateway, body: bytes, status: int
) -> None:
    with gateway.connect() as client:
        client.sendall(a_request(body))
        refused, problem, response = read_response(client)
        client.sendall(a_request(b'{"x": 1}'))
        after, document, _ = read_response(client)

    assert refused == problem["status"] == status
    assert response.getheader("content-type") == "application/problem+json"
    assert (after, document["probability"]) == (200, pytest.approx(answer_of(1)))


def test_bodies_that_are_refused_do_not_reach_into_those_beside_them(
    release: ABundle, tmp_path: Path
) -> None:
    release = a_release(tmp_path / "release")
    # Side by side some of them would read as one list.
    bodies = [b'{"x": [1', b"2]}", b'{"x": 5}', b'{"x": 6}, {"x": 7}', b'{"x": 8}']
    with a_gateway(tmp_path, release) as gateway, ThreadPoolExecutor(6) as clients:
        first = clients.submit(gateway.predict, WAITS)
        written_pid(tmp_path / "waiting")
        rest = [clients.submit(gateway.post, body) for body in bodies]
        line = f'triune_queue{{release="{release.release[:12]}"}} 5'
        wait_until(lambda: line in gateway.metrics())
        (tmp_path / "go").touch()
        answers = [each.result() for each in rest]

        assert first.result().status_code == 200
        assert [answer.status_code for answer in answers] == [400, 400, 200, 400, 200]
        assert answers[2].json()["probability"] == pytest.approx(answer_of(5))
        assert answers[4].json()["probability"] == pytest.approx(answer_of(8))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /predict HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_refused_and_its_connection_closed(
    gateway: AGateway, sent: bytes
) -> None:
    with gateway.connect() as client:
        client.sendall(sent)
        status, _, response = read_response(client)

        assert status == 400
        assert response.getheader("connection") == "close"
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "head",
    [
        "".join(f"x-{n}: a\r\n" for n in range(1000)),
        f"x-long: {'a' * 100_000}\r\n",
    ],
)
def test_a_flood_of_headers_is_refused(gateway: AGateway, head: str) -> None:
    status, problem, _ = asked(gateway, a_request(head=head))

    assert status == 431
    assert "send less" in problem["detail"]


def test_a_header_without_an_end_is_refused(gateway: AGateway) -> None:
    status, _, _ = asked(gateway, b"GET /health HTTP/1.1\r\ncookie: " + b"a" * 40_000)

    assert status == 431


def test_an_upgrade_is_refused(gateway: AGateway) -> None:
    head = "connection: upgrade\r\nupgrade: websocket\r\n"

    status, problem, _ = asked(gateway, a_request(head=head))

    assert status == 400
    assert "ask without Upgrade" in problem["detail"]


def test_a_client_that_asks_first_is_told_to_go_on_or_is_refused_at_once(
    gateway: AGateway,
) -> None:
    head = b"POST /predict HTTP/1.1\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
    with gateway.connect() as client:
        client.sendall(head + b"content-length: 8\r\n\r\n")
        assert client.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b'{"x": 1}')
        assert read_response(client)[0] == 200
    with gateway.connect() as client:
        client.sendall(head + b"content-length: 99999999\r\n\r\n")
        assert read_response(client)[0] == 413


def test_an_old_client_gets_its_answer_and_the_end_of_its_connection(gateway: AGateway) -> None:
    with gateway.connect() as client:
        client.sendall(a_request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        status, _, _ = read_response(client)

        assert status == 200
        assert client.recv(1) == b""


def test_a_client_that_sends_byte_by_byte_is_answered_and_delays_nobody(
    gateway: AGateway,
) -> None:
    sent = a_request()
    with gateway.connect() as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(sent) - 1):
            slow.sendall(sent[at : at + 1])
            if at % 40 == 0:
                assert gateway.predict(1.0).status_code == 200
        slow.sendall(sent[-1:])

        assert read_response(slow)[0] == 200


def test_a_client_that_ends_its_half_still_gets_its_answer(gateway: AGateway) -> None:
    with gateway.connect() as client:
        client.sendall(a_request())
        client.shutdown(socket.SHUT_WR)

        assert read_response(client)[0] == 200


def test_thousands_of_idle_connections_do_not_keep_others_from_their_answers(
    gateway: AGateway,
) -> None:
    with ExitStack() as idle:
        for _ in range(2000):
            idle.enter_context(gateway.connect())

        assert gateway.predict(1.0).status_code == 200
        wait_until(lambda: "triune_connections 2000" in gateway.metrics())


def test_more_than_can_wait_is_refused_for_now_and_blames_nobody(tmp_path: Path) -> None:
    release = a_release(tmp_path / "release")
    with (
        a_gateway(tmp_path, release) as gateway,
        ThreadPoolExecutor(1) as client,
        ExitStack() as many,
    ):
        first = client.submit(gateway.predict, WAITS)
        written_pid(tmp_path / "waiting")
        for _ in range(MAX_WAITING):
            many.enter_context(gateway.connect()).sendall(a_request())
        line = f'triune_queue{{release="{release.release[:12]}"}} {MAX_WAITING}'
        wait_until(lambda: line in gateway.metrics())

        status, problem, response = asked(gateway, a_request())
        (tmp_path / "go").touch()

        assert (status, response.getheader("retry-after")) == (503, "1")
        assert "too many requests wait" in problem["detail"]
        assert first.result().status_code == 200
        wait_until(lambda: len(gateway.outcomes()) == MAX_WAITING + 1)
        assert not any("failure" in outcome for outcome in gateway.outcomes())


def test_the_interface_describes_itself_from_the_signature(gateway: AGateway) -> None:
    status, api, _ = asked(gateway, a_request(b"", method="GET", path="/openapi.json"))

    row = api["components"]["schemas"]["Row"]
    assert (status, api["openapi"]) == (200, "3.1.0")
    assert row["properties"]["x"] == {"type": "number"}
    assert row["required"] == ["x"]
    assert "id" in row["properties"]
    assert row["additionalProperties"] is False
    assert "/predict" in api["paths"]


# With other limits


@contextmanager
def listening(limits: Limits) -> Iterator[tuple[str, int]]:
    """Listen in a thread, and answer each request with the size of its body."""

    def answer(exchange: Exchange) -> None:
        size = int(exchange.body or b"0")
        exchange.answer(Response(status=200, body=b"0" * size))

    started: list[tuple[str, int]] = []
    stop = threading.Event()

    async def run() -> None:
        clients = Clients(answer, limits=limits)
        server = await asyncio.get_running_loop().create_server(clients.accept, "127.0.0.1", 0)
        clients.watch()
        started.append(server.sockets[0].getsockname())
        while not stop.is_set():
            await asyncio.sleep(0.01)
        server.close()
        await clients.drain(seconds=0)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        wait_until(lambda: started)
        yield started[0]
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "sent", [b"POST /predict HT", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n1"]
)
def test_a_request_that_does_not_come_to_its_end_is_refused(sent: bytes) -> None:
    with (
        listening(Limits(head_s=0.2, body_s=0.2)) as address,
        socket.create_connection(address, timeout=30) as client,
    ):
        client.sendall(sent)

        assert read_response(client)[0] == 408
        assert client.recv(1) == b""


def test_a_connection_on_which_nothing_is_asked_is_closed() -> None:
    with (
        listening(Limits(head_s=0.2, idle_s=0.2)) as address,
        socket.create_connection(address, timeout=30) as silent,
        socket.create_connection(address, timeout=30) as done,
    ):
        done.sendall(a_request(b"1"))

        assert read_response(done)[0] == 200
        assert silent.recv(1) == done.recv(1) == b""


def test_a_client_that_takes_none_of_its_answers_is_sent_away() -> None:
    with (
        listening(Limits(write_s=0.2)) as address,
        socket.create_connection(address, timeout=30) as client,
        pytest.raises(ConnectionError),
    ):
        send_without_end(client, a_request(b"9999999"))


def send_without_end(client: socket.socket, sent: bytes) -> None:
    while True:
        client.sendall(sent)


def test_one_client_too_many_is_refused_for_now() -> None:
    with listening(Limits(connections=3)) as address, ExitStack() as others:
        for _ in range(3):
            others.enter_context(socket.create_connection(address, timeout=30))
        with socket.create_connection(address, timeout=30) as client:
            status, _, response = read_response(client)

        assert (status, response.getheader("retry-after")) == (503, "1")
