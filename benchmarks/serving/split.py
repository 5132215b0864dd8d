"""Is the split exact? A hundred thousand keys, asked through a running gateway."""

import select
import socket
from collections import deque
from collections.abc import Sequence

from benchmarks.serving.load import http_request

KEYS = 100_000
DEPTH = 8
RELEASE = b"x-triune-release: "


def arms(address: tuple[str, int], keys: Sequence[str], *, candidate: str) -> list[bool]:
    """Ask once for each key, and tell for which the candidate answered."""
    found = [False] * len(keys)
    left = deque(enumerate(keys))
    poll = select.epoll()
    clients: dict[int, tuple[socket.socket, deque[int], bytearray]] = {}
    for _ in range(32):
        opened = socket.create_connection(address)
        poll.register(opened, select.EPOLLIN)
        clients[opened.fileno()] = (opened, deque(), bytearray())
        _ask(clients[opened.fileno()], left)
    answered = 0
    name = candidate.encode()
    while answered < len(keys):
        for number, _ in poll.poll(10):
            opened, asked, read = clients[number]
            read += opened.recv(1 << 16)
            # An empty list of rows is answered by an empty list.
            while (end := read.find(b"\r\n\r\n[]")) >= 0:
                at = read.find(RELEASE) + len(RELEASE)
                found[asked.popleft()] = bytes(read[at : at + len(name)]) == name
                answered += 1
                del read[: end + 6]
            _ask(clients[number], left)
    for opened, _, _ in clients.values():
        opened.close()
    poll.close()
    return found


def _ask(client: tuple[socket.socket, deque[int], bytearray], left: deque[tuple[int, str]]) -> None:
    opened, asked, _ = client
    sent = b""
    while left and len(asked) < DEPTH:
        index, key = left.popleft()
        asked.append(index)
        sent += http_request("/predict", b"[]", headers=f"X-Triune-Key: {key}\r\n")
    if sent:
        opened.sendall(sent)
