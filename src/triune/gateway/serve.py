"""Serves releases over HTTP until it is told to stop."""

import asyncio
import errno
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from triune.domain.api import describe_api
from triune.domain.errors import UsageError
from triune.domain.manifest import Manifest
from triune.domain.release import BUNDLE_MANIFEST, short
from triune.domain.rollout.routing import FencingToken, Routing
from triune.domain.traffic import TrafficSplit
from triune.gateway.admin import AdminApp
from triune.gateway.client import Clients
from triune.gateway.http import ReleaseApp
from triune.gateway.outcomes import OutcomeLog
from triune.gateway.release_queue import ReleaseQueue
from triune.gateway.router import Router
from triune.gateway.worker_process import Launch

DEFAULT_TIMEOUT_S: Final = 30.0
DRAIN_S: Final = 10
BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What to serve, and how.

    Parameters
    ----------
    champion, candidate
        Releases, by the bundle that each is laid out in.
    weight_pct
        The candidate's share of the requests, in percent.
    replicas
        How many workers each release has.
    memory_bytes
        How much each worker may allocate; without it there is no limit.
    port
        0 picks a free one.
    admin
        Where to listen for the control plane, if anywhere: a Unix socket.
    outcomes
        Where to keep the log of outcomes, if not in memory alone.
    pin_token
        Lets a request say which release is to answer it; without it none may.
    """

    champion: "Served"
    candidate: "Served | None" = None
    weight_pct: float = 0.0
    replicas: int = 1
    memory_bytes: int | None = None
    host: str = "127.0.0.1"
    port: int = 0
    admin: Path | None = None
    outcomes: Path | None = None
    pin_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A release, and the folder that it is laid out in."""

    release: str
    bundle: Path


def serve(service: Service, on_ready: Callable[[str], None]) -> None:
    """Serve releases until SIGINT or SIGTERM; requests on their way are answered.

    To be called from the main thread, of a process that ends soon after it was told to stop. No
    process is left behind, however this one ends. ``on_ready`` is called once with the base URL,
    as soon as requests are answered.

    Raises
    ------
    UsageError
        The address cannot be listened on.
    RuntimeMismatchError, ModelError, WorkerError
        A release's worker could not start.
    """
    _allow_many_connections()
    with (
        _listen(service.host, service.port) as listener,
        _listen_for_orders(service.admin) as orders,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        _told_by_signal(runner.get_loop()) as stop,
    ):
        runner.run(_serve(service, listener, orders, stop, on_ready))


def _allow_many_connections() -> None:
    """Take as many file descriptors as the machine lets us: each client is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _listen_for_orders(path: Path | None) -> Iterator[socket.socket | None]:
    if path is None:
        yield None
        return
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            # One that a killed process left; a live one would have been refused to us otherwise.
            _remove_abandoned(path)
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
        except OSError as error:
            raise UsageError(
                f"cannot listen on the admin socket {path}: {error}; give a path of at most 107 "
                "characters, in a folder that can be written, where nothing listens"
            ) from error
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            return


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError, ValueError) as error:
        # The last where a name is too long, or otherwise none to be looked up.
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} of {host} is in use; stop what listens there, "
                "or give another port (0 picks a free one)"
            ) from error
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error}; give an address of this machine "
            "and a port from 0 to 65535"
        ) from error


def _read_manifest(bundle: Path) -> Manifest:
    # The worker verifies the manifest before anything else; nothing of it is executed here.
    return Manifest.parse((bundle / BUNDLE_MANIFEST).read_bytes())


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
    service: Service,
    listener: socket.socket,
    orders: socket.socket | None,
    stop: asyncio.Event,
    on_ready: Callable[[str], None],
) -> None:
    manifest = _read_manifest(service.champion.bundle)
    timeout_s = float(manifest.serve.get("timeout_s", DEFAULT_TIMEOUT_S))
    queues = {each.release: _queue(each, service, timeout_s) for each in _served(service)}
    log = OutcomeLog(service.outcomes)
    try:
        if await _unless(stop, _open(queues.values())):
            router = Router(
                queues,
                _first_routing(service),
                log=log,
                timeout_s=timeout_s,
                pin_token=service.pin_token,
            )
            app = ReleaseApp(router, api=describe_api(manifest))
            admin = AdminApp(router, log, app.clients)
            async with _listening(app.clients, listener), _listening(admin.clients, orders):
                on_ready(_url(listener))
                await stop.wait()
    finally:
        await asyncio.gather(*(queue.close() for queue in queues.values()))
        log.close()


def _served(service: Service) -> list[Served]:
    return [service.champion, *([service.candidate] if service.candidate else [])]


def _queue(served: Served, service: Service, timeout_s: float) -> ReleaseQueue:
    launch = Launch(bundle=served.bundle, release=served.release, memory_bytes=service.memory_bytes)
    return ReleaseQueue(launch, timeout_s=timeout_s, replicas=service.replicas)


async def _open(queues: Iterable[ReleaseQueue]) -> None:
    opened = await asyncio.gather(*(queue.open() for queue in queues), return_exceptions=True)
    for error in opened:
        if error is not None:
            raise error


def _first_routing(service: Service) -> Routing:
    """Say who serves until something newer is ordered."""
    champion, candidate = service.champion.release, service.candidate
    # The same releases are split in the same way whenever they are served.
    salt = f"{short(champion)}-{short(candidate.release)}" if candidate else short(champion)
    return Routing(
        token=FencingToken(term=0, number=0),
        rollout=salt,
        champion=champion,
        candidate=candidate.release if candidate else None,
        split=TrafficSplit.giving(service.weight_pct if candidate else 0),
        is_shadow=False,
    )


@asynccontextmanager
async def _listening(clients: Clients, listener: socket.socket | None) -> AsyncIterator[None]:
    """Answer clients for as long as the block lasts, and then those that ask already."""
    if listener is None:
        yield
        return
    loop = asyncio.get_running_loop()
    clients.watch()
    # The listener's backlog holds what came before.
    if listener.family == socket.AF_UNIX:
        server = await loop.create_unix_server(clients.accept, sock=listener, backlog=BACKLOG)
    else:
        server = await loop.create_server(clients.accept, sock=listener, backlog=BACKLOG)
    try:
        yield
    finally:
        server.close()
        await clients.drain(seconds=DRAIN_S)


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


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
