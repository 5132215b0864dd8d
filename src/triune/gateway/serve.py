"""Serves one release over HTTP until it is told to stop."""

import asyncio
import errno
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
import uvloop

from triune.domain.errors import UsageError
from triune.domain.manifest import Manifest
from triune.domain.release import BUNDLE_MANIFEST
from triune.gateway.http import ReleaseApp
from triune.gateway.worker_link import WorkerLink
from triune.gateway.worker_process import Launch

DEFAULT_TIMEOUT_S: Final = 30.0
DRAIN_S: Final = 10
BACKLOG: Final = 1024


def serve(
    bundle: Path, release_id: str, host: str, port: int, on_ready: Callable[[str], None]
) -> None:
    """Serve the release in ``bundle`` until SIGINT or SIGTERM; requests on their way are answered.

    To be called from the main thread, of a process that ends soon after it was told to stop. No
    process is left behind, however this one ends.

    Parameters
    ----------
    port
        0 picks a free one.
    on_ready
        Called once with the base URL, as soon as requests are answered.

    Raises
    ------
    UsageError
        The address cannot be listened on.
    RuntimeMismatchError, ModelError, WorkerError
        The release's worker could not start.
    """
    with _listen(host, port) as listener:
        timeout_s = _read_timeout(bundle)
        link = WorkerLink(Launch(bundle=bundle, release=release_id), timeout_s=timeout_s)
        with (
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            _told_by_signal(runner.get_loop()) as stop,
        ):
            runner.run(_serve(link, listener, stop, release=release_id, on_ready=on_ready))


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use; stop what listens there, "
                "or give another port (0 picks a free one)"
            ) from error
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error}; give an address of this machine "
            "and a port from 0 to 65535"
        ) from error


def _read_timeout(bundle: Path) -> float:
    # The worker verifies the manifest before anything else; until then this is but a number.
    manifest = Manifest.parse((bundle / BUNDLE_MANIFEST).read_bytes())
    return float(manifest.serve.get("timeout_s", DEFAULT_TIMEOUT_S))


@contextmanager
def _told_by_signal(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.Event]:
    """Tell of SIGINT and SIGTERM by an event; once told, the process ignores both for good.

    What follows is tidying up, which a second Ctrl-C must not cut short.
    """
    stop = asyncio.Event()

    def tell(*_: object) -> None:
        loop.call_soon_threadsafe(stop.set)

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if stop.is_set() else handler)


async def _serve(
    link: WorkerLink,
    listener: socket.socket,
    stop: asyncio.Event,
    *,
    release: str,
    on_ready: Callable[[str], None],
) -> None:
    try:
        if await _unless(stop, link.open()):
            await _answer(ReleaseApp(link, release=release), listener, stop, on_ready)
    finally:
        await link.close()


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Do work, unless told to stop before it is done; tell whether it was done."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    if working.cancelled():
        return False
    working.result()
    return True


class _Server(uvicorn.Server):
    """Uvicorn, with the signals left to the caller."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again, and end this process by them."""
        yield


async def _answer(
    app: ReleaseApp,
    listener: socket.socket,
    stop: asyncio.Event,
    on_ready: Callable[[str], None],
) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
    # The listener's backlog holds what comes before the server runs.
    address = _url(listener)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    on_ready(address)
    await _unless(stop, asyncio.shield(serving))
    server.should_exit = True
    await serving


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
