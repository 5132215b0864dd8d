"""A client's connection: HTTP/1.1 requests in, one at a time, and responses out, within limits.

What a request asks for is left to the handler; here it is only parsed, bounded and answered.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from types import MappingProxyType
from typing import Final, cast

import httptools
import msgspec

from triune.domain.canonical import Json, canonical_json
from triune.domain.refusal import PROBLEM_JSON, Refusal
from triune.gateway.heads import Head, KnownHeads

JSON: Final = "application/json"
RETRY_AFTER_S: Final = 1
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
STOPPING: Final = "the server is stopping; ask again"

_GLANCE_S: Final = 0.5
_MAX_PIPELINED: Final = 16
_WANTED: Final = {
    b"content-type": "content_type",
    b"content-length": "content_length",
    b"expect": "expect",
    b"x-triune-key": "key",
    b"x-triune-release": "release",
    b"x-triune-token": "token",
}
_REASONS: Final = {
    200: b"OK",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    422: b"Unprocessable Content",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may take up.

    Parameters
    ----------
    discarded_bytes
        How much of a body that is too large is read and thrown away, so that a client that sends
        all before it reads still sees the answer.
    head_s, body_s
        How long a request's head and its body may take to come.
    idle_s
        How long a connection may wait for its next request.
    write_s
        How long a client may take none of what it asked for.
    """

    connections: int = 10_000
    head_bytes: int = 32 * 1024
    headers: int = 100
    body_bytes: int = 10 * 2**20
    discarded_bytes: int = 64 * 2**20
    head_s: float = 10.0
    body_s: float = 60.0
    idle_s: float = 75.0
    write_s: float = 60.0


class Response(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What goes out; ``release`` says who answered, where it is not who usually does."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = NO_HEADERS
    release: str | None = None

    @classmethod
    def of(cls, document: Json) -> "Response":
        """Answer with a JSON document."""
        return cls(status=200, body=canonical_json(document))

    @classmethod
    def refusing(cls, status: int, detail: str, **headers: str) -> "Response":
        """Refuse with a sentence; headers are named with underscores."""
        return cls(
            status=status,
            body=Refusal(status=status, detail=detail).content,
            content_type=PROBLEM_JSON,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )

    @classmethod
    def unavailable(cls, detail: str) -> "Response":
        """Refuse for now."""
        return cls.refusing(503, detail, retry_after=str(RETRY_AFTER_S))


class Exchange:
    """A request, and the place to answer it: once, in whatever order."""

    __slots__ = ("_connection", "body", "head", "is_kept", "refusal")

    def __init__(self, connection: "ClientConnection", head: Head, body: bytes = b"") -> None:
        self._connection: ClientConnection | None = connection
        self.head = head
        self.body = body
        self.is_kept = head.is_kept
        self.refusal: Response | None = None

    def answer(self, response: Response) -> None:
        """Answer, if nobody did before and the client is still there."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.answer(self, response)


Handler = Callable[[Exchange], None]


class Clients:
    """All connections of a listener, what they may take up, and who answers them.

    ``release`` names who is to be named where no release answered.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        limits: Limits,
        release: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.handler = handler
        self.limits = limits
        self.release = release
        self.is_stopping = False
        self.heads = KnownHeads()
        self._date = b""
        self._beginnings: dict[tuple[int, str, str | None], bytes] = {}
        self._open: set[ClientConnection] = set()
        self._glance: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def accept(self) -> "ClientConnection":
        """Make the protocol of one more connection."""
        return ClientConnection(self)

    def watch(self) -> None:
        """Look after slow clients from now on."""
        self._date = formatdate(usegmt=True).encode()
        self._beginnings.clear()
        now = asyncio.get_running_loop().time()
        for connection in list(self._open):
            connection.check(now)
        self._glance = asyncio.get_running_loop().call_later(_GLANCE_S, self.watch)

    def beginning(self, response: Response) -> bytes:
        """Write what begins a response, up to its length; most have it in common."""
        status, content_type = response.status, response.content_type
        release = response.release or self.release()
        written = self._beginnings.get((status, content_type, release))
        if written is None:
            written = b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ndate: %b\r\n" % (
                status,
                _REASONS[status],
                content_type.encode(),
                self._date,
            )
            if release is not None:
                written += b"x-triune-release: %b\r\n" % release.encode()
            written += b"content-length: "
            self._beginnings[status, content_type, release] = written
        return written

    def add(self, connection: "ClientConnection") -> bool:
        """Count a connection, if there may be one more."""
        if len(self._open) >= self.limits.connections:
            return False
        self._open.add(connection)
        return True

    def remove(self, connection: "ClientConnection") -> None:
        """Count a connection no longer."""
        self._open.discard(connection)

    async def drain(self, *, seconds: float) -> None:
        """Let requests on their way be answered, then refuse what is left, and close all."""
        self.is_stopping = True
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        for connection in list(self._open):
            connection.stop()
        while self._open and loop.time() < end:
            await asyncio.sleep(_GLANCE_S / 50)
        for connection in list(self._open):
            connection.give_up()
        # What was just written may take a moment to leave.
        end = loop.time() + _GLANCE_S
        while self._open and loop.time() < end:
            await asyncio.sleep(_GLANCE_S / 50)
        for connection in list(self._open):
            connection.abort()
        if self._glance is not None:
            self._glance.cancel()


class ClientConnection(asyncio.Protocol):
    """One connection: what came is parsed into exchanges, which are handled in their order."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._limits = clients.limits
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._incoming: Exchange | None = None
        self._latest: Head | None = None
        self._url = b""
        self._body: list[bytes] = []
        self._size = 0
        self._fed_size = self._head_size = self._headers = 0
        self._is_body = False
        self._current: Exchange | None = None
        self._pipeline: deque[Exchange] = deque()
        self._is_ending = False
        self._is_paused = self._is_advancing = False
        self._write_blocked: float | None = None
        self._deadline = 0.0

    # What the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be told that there is a client."""
        # One of uvloop's, which are not derived from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = self._loop.time() + self._limits.head_s
        if not self._clients.add(self):
            self._finish(Response.unavailable("too many clients are connected"))

    def connection_lost(self, _: Exception | None) -> None:
        """Be told that the client is gone, or was sent away."""
        self._clients.remove(self)
        self._transport = None
        self._is_ending = True
        self._pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent."""
        if self._is_ending:
            return
        if self._incoming is not None:
            self._parse(data)
        elif (known := self._clients.heads.find(data)) is not None:
            self._take(Exchange(self, *known))
        else:
            self._parse(data)
            if (head := self._just_completed()) is not None:
                self._clients.heads.remember(data, head)
        if len(self._pipeline) > _MAX_PIPELINED and self._transport and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def _just_completed(self) -> Head | None:
        """Give the last request's head if nothing of another has come."""
        return self._latest if self._incoming is None else None

    def _parse(self, data: bytes) -> None:
        self._latest = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            text = "this server speaks HTTP/1.1 and nothing else; ask without Upgrade"
            self._reject(Response.refusing(400, text))
        except httptools.HttpParserError:
            self._reject(Response.refusing(400, "this is no HTTP/1.1 request"))
        else:
            if self._incoming is not None and not self._is_body:
                self._fed_size += len(data)
                if self._fed_size > self._limits.head_bytes:
                    self._incoming.refusal = self._too_much_head()
            refused = self._incoming
            if refused is not None and refused.refusal is not None and not self._is_body:
                self._reject(refused.refusal)

    def eof_received(self) -> bool:
        """Answer what came complete, though nothing more will come."""
        if self._current is None and not self._pipeline:
            return False
        self._stop_reading()
        return True

    def pause_writing(self) -> None:
        """Be told that the client does not read."""
        self._write_blocked = self._loop.time()

    def resume_writing(self) -> None:
        """Be told that it reads again."""
        self._write_blocked = None
        self._next()

    # What the parser tells

    def on_message_begin(self) -> None:
        """Be told that a request begins."""
        self._incoming = Exchange(self, Head())
        self._url = b""
        self._body = []
        self._size = self._fed_size = self._head_size = self._headers = 0
        self._is_body = False
        self._deadline = self._loop.time() + self._limits.head_s

    def on_url(self, url: bytes) -> None:
        """Be told a part of its target."""
        self._url += url
        self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Be told one header."""
        incoming = self._incoming
        assert incoming is not None
        limits = self._limits
        self._headers += 1
        self._head_size += len(name) + len(value)
        if self._headers > limits.headers or self._head_size > limits.head_bytes:
            incoming.refusal = self._too_much_head()
            return
        known = _WANTED.get(name.lower())
        if known is not None:
            setattr(incoming.head, known, value)

    def on_headers_complete(self) -> None:
        """Be told that its head is complete."""
        incoming = self._incoming
        assert incoming is not None
        self._is_body = True
        self._deadline = self._loop.time() + self._limits.body_s
        head = incoming.head
        head.method = self._parser.get_method().decode("latin-1")
        path, _, head.query = self._url.partition(b"?")
        head.path = path.decode("latin-1")
        head.is_kept = incoming.is_kept = self._parser.should_keep_alive()
        length = head.content_length
        if length.isdigit() and int(length) > self._limits.body_bytes:
            incoming.refusal = self._too_large()
            if int(length) > self._limits.discarded_bytes:
                incoming.is_kept = False
        if head.expect.lower() == b"100-continue" and self._transport is not None:
            if incoming.refusal is not None:
                # It waits for a word before it sends: it will not send, nor ask again here.
                self._reject(incoming.refusal)
            elif self._current is None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        """Be told a part of its body."""
        incoming = self._incoming
        if incoming is None or self._is_ending:
            return
        self._size += len(data)
        if self._size > self._limits.body_bytes:
            incoming.refusal = incoming.refusal or self._too_large()
            self._body.clear()
            if self._size > self._limits.discarded_bytes:
                self._reject(incoming.refusal)
            return
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Be told that it is complete."""
        incoming, self._incoming = self._incoming, None
        if incoming is None or self._is_ending:
            return
        if self._parser.should_upgrade():
            # What would be its body belongs to another protocol: it is refused as a whole.
            self._incoming = incoming
            return
        incoming.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body = []
        self._is_body = False
        self._latest = None if incoming.refusal is not None else incoming.head
        self._take(incoming)

    # What the handler tells

    def answer(self, exchange: Exchange, response: Response) -> None:
        """Write the response to the request that is being handled."""
        transport = self._transport
        if transport is None or exchange is not self._current:
            return
        is_kept = exchange.is_kept and not self._clients.is_stopping
        if self._is_ending and not self._pipeline:
            # Nothing more is to be read, nor left to be answered.
            is_kept = False
        self._write(response, is_head=exchange.head.method == "HEAD", is_kept=is_kept)
        self._current = None
        if not is_kept:
            self._end()
        elif self._pipeline or self._is_paused:
            self._next()

    # What the listener tells

    def check(self, now: float) -> None:
        """Send a client away that keeps its connection and does nothing with it."""
        if self._write_blocked is not None and now - self._write_blocked > self._limits.write_s:
            self.abort()
        elif self._current is None and not self._pipeline and now > self._deadline:
            if self._incoming is None:
                self._end()
            else:
                self._reject(Response.refusing(408, "the request did not come to its end in time"))

    def stop(self) -> None:
        """Take no further request; close at once where none is on its way."""
        if self._current is None and self._incoming is None and not self._pipeline:
            self._end()

    def give_up(self) -> None:
        """Refuse what is still on its way."""
        if self._current is not None:
            self._current.answer(Response.unavailable(STOPPING))
        else:
            self._end()

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _take(self, exchange: Exchange) -> None:
        """Take in a request that is complete."""
        self._deadline = self._loop.time() + self._limits.idle_s
        if self._current is None and self._write_blocked is None:
            self._handle(exchange)
        else:
            self._pipeline.append(exchange)

    def _handle(self, exchange: Exchange) -> None:
        self._current = exchange
        if exchange.refusal is not None:
            exchange.answer(exchange.refusal)
        else:
            self._clients.handler(exchange)

    def _next(self) -> None:
        """Handle what the client sent before it had its answer."""
        if self._is_advancing:
            # Called by an answer that was given at once: the loop below goes on by itself.
            return
        self._is_advancing = True
        while self._pipeline and self._current is None and self._write_blocked is None:
            self._handle(self._pipeline.popleft())
        self._is_advancing = False
        if self._is_paused and not self._pipeline and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    def _stop_reading(self) -> None:
        self._is_ending = True
        if self._current is None and not self._pipeline:
            self._end()

    def _reject(self, response: Response) -> None:
        """Refuse what cannot be read to its end, once what came before it is answered."""
        exchange, self._incoming = self._incoming or Exchange(self, Head()), None
        exchange.refusal, exchange.is_kept = response, False
        self._is_ending = True
        if self._current is None and not self._pipeline:
            self._handle(exchange)
        else:
            self._pipeline.append(exchange)

    def _finish(self, response: Response) -> None:
        self._is_ending = True
        self._write(response, is_head=False, is_kept=False)
        self._end()

    def _end(self) -> None:
        self._is_ending = True
        self._pipeline.clear()
        if self._transport is not None:
            self._transport.close()

    def _write(self, response: Response, *, is_head: bool, is_kept: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        body = b"" if is_head else response.body
        beginning = self._clients.beginning(response)
        if is_kept and not response.headers:
            transport.write(b"%b%d\r\n\r\n%b" % (beginning, len(response.body), body))
            return
        head = b"%b%d\r\n" % (beginning, len(response.body))
        for name, value in response.headers.items():
            head += b"%b: %b\r\n" % (name.encode(), value.encode())
        if not is_kept:
            head += b"connection: close\r\n"
        transport.write(b"%b\r\n%b" % (head, body))

    def _too_much_head(self) -> Response:
        limits = self._limits
        return Response.refusing(
            431,
            f"the head has more than {limits.headers} headers or {limits.head_bytes} bytes; "
            "send less",
        )

    def _too_large(self) -> Response:
        return Response.refusing(
            413, f"the body is larger than {self._limits.body_bytes} bytes; send fewer rows at once"
        )
