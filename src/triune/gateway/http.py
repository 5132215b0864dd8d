"""The HTTP face of one release, as a raw ASGI application: bytes in, the worker's bytes out."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from triune.domain.canonical import Json, canonical_json
from triune.domain.frames import Call, Reply, Verb
from triune.domain.refusal import PROBLEM_JSON, Refusal
from triune.gateway.worker_link import UnansweredError, UnavailableError

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
JSON: Final = "application/json"
RETRY_AFTER_S: Final = 1

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Worker(Protocol):
    """What answers: a `WorkerLink`."""

    @property
    def is_ready(self) -> bool:
        """Tell whether it can be asked now."""

    async def ask(self, call: Call) -> Reply:
        """Ask it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What goes out."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

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


class ClientGoneError(Exception):
    """The client left before its request was complete."""


class ReleaseApp:
    """Serves one release; every response says which in ``X-Triune-Release``."""

    def __init__(self, worker: Worker, *, release: str) -> None:
        self._worker = worker
        self._release = release
        self._routes = {
            "/predict": ("POST", self._predict),
            "/health": ("GET", self._health),
            "/v2/health/live": ("GET", self._live),
            "/v2/health/ready": ("GET", self._ready),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._respond(scope, receive)
        except ClientGoneError:
            return
        headers = {
            "content-type": response.content_type,
            "content-length": str(len(response.body)),
            "x-triune-release": self._release,
            **response.headers,
        }
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": response.body})

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        route = self._routes.get(scope["path"])
        if route is None:
            return Response.refusing(
                404, f"there is nothing at this path; there is {', '.join(self._routes)}"
            )
        method, handle = route
        allowed = ("GET", "HEAD") if method == "GET" else (method,)
        if scope["method"] not in allowed:
            return Response.refusing(
                405, f"this path takes {method}, not {scope['method']}", allow=", ".join(allowed)
            )
        return await handle(scope, receive)

    async def _predict(self, scope: Scope, receive: Receive) -> Response:
        content_type = _header(scope, b"content-type").partition(";")[0].strip().lower()
        if content_type != JSON:
            return Response.refusing(
                415, f"send `Content-Type: {JSON}`, not {content_type or 'none'}"
            )
        body = await _read_body(scope, receive)
        if body is None:
            return Response.refusing(
                413, f"the body is larger than {MAX_BODY_BYTES} bytes; send fewer rows at once"
            )
        try:
            reply = await self._worker.ask(Call(verb=Verb.PREDICT, arguments={}, body=body))
        except UnavailableError as error:
            return Response.refusing(503, str(error), retry_after=str(RETRY_AFTER_S))
        except UnansweredError as error:
            return Response.refusing(504, str(error))
        except CancelledError:
            # Done by the server alone, as it stops, to requests that take too long to wait for.
            return Response.refusing(
                503, "the server is stopping; ask again", retry_after=str(RETRY_AFTER_S)
            )
        return Response(
            status=reply.status,
            body=reply.body,
            content_type=JSON if reply.status == 200 else PROBLEM_JSON,
        )

    async def _health(self, _: Scope, __: Receive) -> Response:
        return self._when_ready({"live": True, "ready": True, "release": self._release})

    async def _live(self, _: Scope, __: Receive) -> Response:
        return Response.of({"live": True})

    async def _ready(self, _: Scope, __: Receive) -> Response:
        return self._when_ready({"ready": True})

    def _when_ready(self, document: Json) -> Response:
        if self._worker.is_ready:
            return Response.of(document)
        return Response.refusing(
            503, "the release's worker is being started again", retry_after=str(RETRY_AFTER_S)
        )


async def _read_body(scope: Scope, receive: Receive) -> bytes | None:
    """Read a body to its end; None where it is too large.

    The server throws away what then still comes. Were the connection closed instead, a client
    that sends all before it reads would see a broken pipe and no answer.
    """
    declared = _header(scope, b"content-length")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
