"""Asks a server over and over on some connections, verifies every answer, and times each.

One process on an epoll loop: it takes a core of its own at about a hundred thousand requests a
second, so what is measured on a machine with few cores is a lower bound.
"""

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Verify = Callable[[int, Any], bool]
"""Whether a document answers the request with that index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was seen: how many answers a second, the latencies, and what went wrong."""

    per_second: float
    median_ms: float
    p99_ms: float
    wrong: int


@dataclass(slots=True)
class _Client:
    socket: socket.socket
    index: int = 0
    sent_at: float = 0.0
    read: bytes = b""


def http_request(path: str, body: bytes, *, host: str = "127.0.0.1", headers: str = "") -> bytes:
    """Write a POST of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body


def load(
    address: tuple[str, int],
    requests: Sequence[bytes],
    verify: Verify,
    *,
    connections: int,
    seconds: float,
) -> Measured:
    """Ask for some time; each connection asks again as soon as it is answered."""
    poll = select.epoll()
    clients: dict[int, _Client] = {}
    for at in range(connections):
        opened = socket.create_connection(address)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients[opened.fileno()] = _Client(opened, index=at % len(requests))
        poll.register(opened, select.EPOLLIN)
    known: set[tuple[int, bytes]] = set()
    times: list[float] = []
    wrong = 0
    started = time.perf_counter()
    for client in clients.values():
        client.sent_at = time.perf_counter()
        client.socket.sendall(requests[client.index])
    while (now := time.perf_counter()) < started + seconds:
        for number, _ in poll.poll(1.0):
            client = clients[number]
            client.read += client.socket.recv(1 << 18)
            body = _body(client.read)
            if body is None:
                continue
            now = time.perf_counter()
            times.append(now - client.sent_at)
            if (client.index, body) not in known:
                is_right = client.read[9:12] == b"200" and verify(client.index, json.loads(body))
                wrong += not is_right
                if is_right:
                    known.add((client.index, body))
            client.read = b""
            client.index = (client.index + connections) % len(requests)
            client.sent_at = now
            client.socket.sendall(requests[client.index])
    took = time.perf_counter() - started
    for client in clients.values():
        client.socket.close()
    poll.close()
    times.sort()
    if not times:
        sys.exit(f"nothing was answered at {address} in {seconds} s")
    return Measured(
        per_second=len(times) / took,
        median_ms=1000 * times[len(times) // 2],
        p99_ms=1000 * times[len(times) * 99 // 100],
        wrong=wrong,
    )


def _body(read: bytes) -> bytes | None:
    """Give the body of a response once it is complete."""
    end = read.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = read[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        sys.exit("the server answers in chunks, which is not measured here")
    size = int(head[at + 15 :].split(b"\r\n", 1)[0])
    return read[end + 4 :] if len(read) >= end + 4 + size else None
