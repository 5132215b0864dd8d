"""Serves releases over HTTP until it is told to stop."""

import asyncio
import errno
import gc
import logging
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from triune import __version__
from triune.domain.errors import UsageError
from triune.domain.release import short
from triune.domain.rollout.routing import NOTHING_ORDERED, FencingToken, Routing
from triune.domain.traffic import TrafficSplit
from triune.gateway.admin import AdminApp
from triune.gateway.client import Clients
from triune.gateway.fleet import Fleet, Served, Staffing
from triune.gateway.folder import ADMIN_SOCKET, ANNOUNCEMENT, OUTCOMES, STATE, held
from triune.gateway.http import ReleaseApp
from triune.gateway.outcomes import OutcomeLog
from triune.gateway.router import Router
from triune.gateway.state import Memory, State, read_state, write_whole
from triune.gateway.stopping import Stopping, told_by_signals

DRAIN_S: Final = 10
BACKLOG: Final = 1024
_COLLECTED_AFTER: Final = 10_000

_log = logging.getLogger(__name__)


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

    champion: Served
    candidate: Served | None = None
    weight_pct: float = 0.0
    replicas: int = 1
    memory_bytes: int | None = None
    host: str = "127.0.0.1"
    port: int = 0
    admin: Path | None = None
    outcomes: Path | None = None
    pin_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A gateway that stands by itself in a folder of its own, told what to run over a socket there.

    What its parts mean is said by `Service`.
    """

    folder: Path
    host: str
    port: int
    replicas: int = 1
    memory_bytes: int | None = None
    pin_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setup:
    """What both have in common; ``state`` is where it is kept, ``first`` what it begins with.

    Where it ``waits``, it answers once all releases of ``first`` are ready, and not at all if one
    cannot be; else at once.
    """

    host: str
    port: int
    admin: Path | None
    outcomes: Path | None
    state: Path | None
    staffing: Staffing
    pin_token: str | None
    first: State
    waits: bool


def serve(
    service: Service, on_ready: Callable[[str], None], *, stopping: Stopping | None = None
) -> None:
    """Serve releases until SIGINT or SIGTERM; requests on their way are answered.

    To be called from the main thread, of a process that ends soon after it was told to stop. No
    process is left behind, however this one ends. ``on_ready`` is called once with the base URL,
    as soon as requests are answered. ``stopping`` is given by who listens to signals already.

    Raises
    ------
    UsageError
        The address cannot be listened on.
    RuntimeMismatchError, ModelError, WorkerError
        A release's worker could not start.
    """
    setup = _Setup(
        host=service.host,
        port=service.port,
        admin=service.admin,
        outcomes=service.outcomes,
        state=None,
        staffing=Staffing(replicas=service.replicas, memory_bytes=service.memory_bytes),
        pin_token=service.pin_token,
        first=State(served=_served(service), order=_first_routing(service)),
        waits=True,
    )
    with told_by_signals() if stopping is None else nullcontext(stopping) as told:
        _run(setup, told, lambda url, _: on_ready(url))


def stand(station: Station) -> None:
    """Keep a gateway in a folder until SIGINT, SIGTERM or POST /stop, and go on where it was ended.

    What shall run, and the last order, come over the admin socket; both are remembered, so that
    after any end they hold again without anybody who says so. Otherwise as `serve`.

    Raises
    ------
    UsageError
        The folder is another gateway's, or the address cannot be listened on.
    """
    folder = station.folder.resolve()
    with told_by_signals() as stopping, held(folder):
        announcement = folder / ANNOUNCEMENT
        announcement.unlink(missing_ok=True)
        setup = _Setup(
            host=station.host,
            port=station.port,
            admin=folder / ADMIN_SOCKET,
            outcomes=folder / OUTCOMES,
            state=folder / STATE,
            staffing=Staffing(
                replicas=station.replicas, memory_bytes=station.memory_bytes, has_control=True
            ),
            pin_token=station.pin_token,
            first=read_state(folder / STATE),
            waits=False,
        )

        def announce(url: str, started: str) -> None:
            document = {"pid": os.getpid(), "url": url, "version": __version__, "started": started}
            write_whole(announcement, document)
            _log.info("answers on %s", url)

        try:
            _run(setup, stopping, announce)
        finally:
            announcement.unlink(missing_ok=True)
        _log.info("has ended")


def _run(setup: _Setup, stopping: Stopping, on_ready: Callable[[str, str], None]) -> None:
    _allow_many_connections()
    with (
        _listen(setup.host, setup.port) as listener,
        _listen_for_orders(setup.admin) as orders,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_serve(setup, listener, orders, stopping, on_ready))


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
            with _address(path) as address:
                # One that a killed process left; a live one would have been refused to us.
                _remove_abandoned(path, address)
                before = os.umask(0o177)
                try:
                    listener.bind(address)
                finally:
                    os.umask(before)
            listener.listen(BACKLOG)
        except OSError as error:
            raise UsageError(
                f"cannot listen on the admin socket {path}: {error}; give a path in a folder that "
                "can be written, where nothing listens"
            ) from error
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Name a socket by way of its open folder: an address has room for 107 bytes alone."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_abandoned(path: Path, address: str) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(address)
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


async def _serve(
    setup: _Setup,
    listener: socket.socket,
    orders: socket.socket | None,
    stopping: Stopping,
    on_ready: Callable[[str, str], None],
) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)

    stopping.follow(end)
    started = os.urandom(8).hex()
    log = OutcomeLog(setup.outcomes)
    fleet = Fleet(setup.staffing)
    router = Router(fleet, log=log, pin_token=setup.pin_token)
    memory = Memory(setup.state, snapshot=lambda: _state_of(fleet, router), saved=setup.first)
    router.on_trip = memory.note
    try:
        if setup.first.order is not None:
            router.resume(setup.first.order, setup.first.tripped)
        fleet.run(setup.first.served)
        if not setup.waits or await _unless(stop, fleet.started()):
            app = ReleaseApp(router, fleet)
            admin = AdminApp(
                router, fleet, log, memory, traffic=app.clients, started=started, stop=stop.set
            )
            async with _listening(app.clients, listener), _listening(admin.clients, orders):
                _spare_the_collector()
                on_ready(_url(listener), started)
                await stop.wait()
                _log.info("is told to end, and answers what it was asked")
    finally:
        await fleet.close()
        log.close()


def _spare_the_collector() -> None:
    """Have garbage looked for less often: what a request leaves behind has no cycles.

    What is there by now stays, and need not be looked through again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER)


def _state_of(fleet: Fleet, router: Router) -> State:
    order = None if router.routing == NOTHING_ORDERED else router.routing
    return State(served=fleet.served, order=order, tripped=router.tripped)


def _served(service: Service) -> tuple[Served, ...]:
    return (service.champion, *([service.candidate] if service.candidate else []))


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
