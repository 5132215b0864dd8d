"""Hello-world as a raw ASGI application; for uvicorn and granian."""

from collections.abc import Awaitable, Callable
from typing import Any

HELLO = b'{"hello":"world"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"17")]


async def app(
    scope: dict[str, Any],  # noqa: ARG001 - as ASGI calls it
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the body, and answer."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": HELLO})


class Rsgi:
    """The same for granian's own interface."""

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Read the body, and answer."""
        await protocol()
        protocol.response_bytes(200, [("content-type", "application/json")], HELLO)


rsgi = Rsgi()
