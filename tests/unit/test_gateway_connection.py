"""What a client gets does not hang on how its requests are cut up, nor on what was asked before."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from triune.gateway.client import ClientConnection, Clients, Exchange, Limits, Response

HEAD = b"POST /%b HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n%b\r\n"


class Written(asyncio.Transport):
    """Takes in what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.content += data

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...


def a_request(path: bytes, body: bytes, key: bytes) -> bytes:
    said = b"x-triune-key: %b\r\n" % key if key else b""
    return HEAD % (path, len(body), said) + body


def answer(exchange: Exchange) -> None:
    """Tell what was understood."""
    said = f"{exchange.head.method} {exchange.head.path} {exchange.head.key!r} {exchange.body!r}"
    exchange.answer(Response(status=200, body=said.encode()))


def answered(clients: Clients, parts: list[bytes]) -> bytes:
    connection, transport = ClientConnection(clients), Written()
    connection.connection_made(transport)
    for part in parts:
        connection.data_received(part)
    connection.connection_lost(None)
    return transport.content


requests = st.lists(
    st.builds(
        a_request,
        st.sampled_from([b"one", b"two"]),
        st.sampled_from([b"", b"1", b"2", b"33", b"\r\n\r\n", b"POST /", b"\r\n\r\n\r\n\r\n"]),
        st.sampled_from([b"", b"", b"anna"]),
    ),
    min_size=1,
    max_size=6,
)


@given(requests, st.data())
def test_requests_are_understood_alike_whole_and_in_parts(
    asked: list[bytes], data: st.DataObject
) -> None:
    sent = b"".join(asked)
    cuts = data.draw(st.sets(st.integers(1, len(sent) - 1)))
    edges = [0, *sorted(cuts), len(sent)]
    parts = [sent[start:end] for start, end in pairwise(edges)]

    async def ask() -> tuple[bytes, bytes, bytes, bytes]:
        fresh, used = (Clients(answer, limits=Limits()) for _ in range(2))
        for _ in range(2):
            answered(used, asked)
        at_once = answered(Clients(answer, limits=Limits()), [sent])
        return at_once, answered(fresh, parts), answered(used, parts), answered(used, asked)

    at_once, *others = asyncio.run(ask())

    assert at_once.count(b"HTTP/1.1 200 OK") == len(asked)
    assert others == [at_once] * 3


def test_a_request_that_closes_is_the_last_though_the_next_has_a_known_head() -> None:
    known = a_request(b"one", b"1", b"")
    closing = HEAD % (b"one", 1, b"connection: close\r\n") + b"1"

    async def ask() -> bytes:
        clients = Clients(answer, limits=Limits())
        return answered(clients, [known, known, closing, known])

    assert asyncio.run(ask()).count(b"HTTP/1.1 200 OK") == 3
