"""The releases that run here: started in the background, kept ready, drained when dropped.

Who gets which request is the router's affair; here a release only comes up, or tells why not.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from triune.domain.api import describe_api
from triune.domain.canonical import Json, canonical_json, sha256
from triune.domain.errors import ModelError, TriuneError
from triune.domain.manifest import CLIENT_TIMEOUT_S, Manifest
from triune.domain.release import BUNDLE_MANIFEST, short
from triune.gateway.release_queue import ReleaseQueue
from triune.gateway.replica import FIRST_PAUSE_S, LONGEST_PAUSE_S
from triune.gateway.worker_process import Launch

_log = logging.getLogger(__name__)


class ReleaseState(StrEnum):
    """How far a release is."""

    STARTING = "starting"
    """Its workers load it, for the first time or again: none is there to be asked."""
    READY = "ready"
    FAILED = "failed"
    """It did not start."""
    STOPPING = "stopping"
    """It is no longer listed, and answers what it was asked before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A release, and the folder that it is laid out in."""

    release: str
    bundle: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Staffing:
    """How many workers each release has, and how many bytes each may allocate (None: any).

    With ``has_control`` two releases that share the traffic are compared by how long they take.
    """

    replicas: int = 1
    memory_bytes: int | None = None
    has_control: bool = False


class RunningRelease:
    """One release: its queue and workers, or why it has none.

    ``is_needed`` tells whether it is to be tried again by itself where it fails to start, and
    ``on_ready`` is called when it first is ready.
    """

    def __init__(
        self,
        served: Served,
        staffing: Staffing,
        *,
        is_needed: Callable[[], bool],
        on_ready: Callable[[], None],
    ) -> None:
        self.served = served
        self.api = b""
        self.fault: Exception | None = None
        self._staffing = staffing
        self._is_needed = is_needed
        self._on_ready = on_ready
        self._queue: ReleaseQueue | None = None
        self._is_up = self._is_stopping = self._is_pausing = False
        self._pause_s = FIRST_PAUSE_S
        self._not_before = 0.0
        self._first_try = asyncio.Event()
        self._starting = asyncio.create_task(self._start())

    @property
    def queue(self) -> ReleaseQueue | None:
        """Where requests go; None until it was ready once."""
        return self._queue if self._is_up else None

    @property
    def state(self) -> ReleaseState:
        """How far it is."""
        if self._is_stopping:
            return ReleaseState.STOPPING
        if self._is_up and self._queue is not None and self._queue.is_ready:
            return ReleaseState.READY
        if not self._is_up and (self._starting.done() or self._is_pausing):
            return ReleaseState.FAILED
        return ReleaseState.STARTING

    @property
    def reason(self) -> str | None:
        """Why it is not ready, where a worker of it could not start."""
        fault = self._queue.fault if self._is_up and self._queue is not None else self.fault
        return None if fault is None else str(fault)

    def document(self) -> Json:
        """Say how it stands."""
        return {
            "release": self.served.release,
            "state": self.state,
            "reason": self.reason,
            "workers": [] if self._queue is None else self._queue.workers(),
        }

    def list_again(self, served: Served) -> None:
        """Try again if it failed; what is started from now on is started where it lies now."""
        self.served = served
        if self._queue is not None:
            self._queue.move(served.bundle)
        if self._starting.done() and not self._is_up:
            self._starting = asyncio.create_task(self._start())

    async def started(self) -> None:
        """Wait until it was tried for the first time.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            It could not start.
        """
        await self._first_try.wait()
        if self.fault is not None:
            raise self.fault

    async def stop(self, *, drains: bool) -> None:
        """End its workers, once all that it was asked is answered if ``drains``."""
        self._is_stopping = True
        self._starting.cancel()
        with suppress(asyncio.CancelledError):
            await self._starting
        if self._queue is not None:
            if drains:
                await self._queue.drain()
            await self._queue.close()
            self._queue = None
        self._is_up = False

    async def _start(self) -> None:
        """Try until it runs, or until it failed and nobody needs it."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            self._is_pausing = False
            try:
                await self._try()
            except (TriuneError, OSError, ValueError) as fault:
                self.fault = fault
                self._not_before = loop.time() + self._pause_s
                self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
                _log.warning("release %s did not start: %s", short(self.served.release), fault)
            else:
                self.fault = None
                self._pause_s = FIRST_PAUSE_S
                self._is_up = True
                _log.info("release %s is ready", short(self.served.release))
            self._first_try.set()
            if self._is_up:
                self._on_ready()
                return
            if not self._is_needed():
                return
            self._is_pausing = True

    async def _try(self) -> None:
        manifest = _read_manifest(self.served)
        self.api = canonical_json(describe_api(manifest))
        launch = Launch(
            bundle=self.served.bundle,
            release=self.served.release,
            memory_bytes=self._staffing.memory_bytes,
        )
        queue = ReleaseQueue(
            launch,
            timeout_s=float(manifest.serve.get("timeout_s", CLIENT_TIMEOUT_S)),
            replicas=self._staffing.replicas,
        )
        self._queue = queue
        try:
            await queue.open()
        except BaseException:
            self._queue = None
            await queue.close()
            raise


def _read_manifest(served: Served) -> Manifest:
    """Read what the gateway itself has to know; the worker verifies the rest."""
    path = served.bundle / BUNDLE_MANIFEST
    content = path.read_bytes()
    if sha256(content) != served.release:
        raise ModelError(
            f"{path} is not the manifest of release {short(served.release)}; lay it out anew"
        )
    return Manifest.parse(content)


class Fleet:
    """All releases that run here."""

    def __init__(self, staffing: Staffing) -> None:
        self._staffing = staffing
        self._is_needed: Callable[[str], bool] = lambda _: False
        self._on_ready: Callable[[], None] = lambda: None
        self._running: dict[str, RunningRelease] = {}
        self._leaving: list[RunningRelease] = []
        self._control: RunningRelease | None = None
        self._former_controls: set[RunningRelease] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def queues(self) -> Mapping[str, ReleaseQueue]:
        """The queues of the releases that were ready once, by id."""
        return {
            release: running.queue
            for release, running in self._running.items()
            if running.queue is not None
        }

    @property
    def has_control(self) -> bool:
        """Tell whether releases that share the traffic are compared by how long they take."""
        return self._staffing.has_control

    @property
    def control(self) -> ReleaseQueue | None:
        """The worker that `keep_control` keeps, once it is ready."""
        control = self._control
        if control is None or control.state is not ReleaseState.READY:
            return None
        return control.queue

    @property
    def served(self) -> tuple[Served, ...]:
        """What is listed."""
        return tuple(running.served for running in self._running.values())

    def report_to(self, *, is_needed: Callable[[str], bool], on_ready: Callable[[], None]) -> None:
        """Ask whether a release that did not start is to be tried again; tell when one is ready."""
        self._is_needed, self._on_ready = is_needed, on_ready

    def find(self, release: str) -> RunningRelease | None:
        """Find a release that is listed."""
        return self._running.get(release)

    def run(self, listed: Iterable[Served]) -> None:
        """Run just these from now on: start what does not run, and drop what is not among them."""
        wanted = {each.release: each for each in listed}
        for release in [each for each in self._running if each not in wanted]:
            leaving = self._running.pop(release)
            self._leaving.append(leaving)
            _log.info("release %s is dropped", short(release))
            self._do(self._dismiss(leaving))
        for release, served in wanted.items():
            running = self._running.get(release)
            if running is not None:
                running.list_again(served)
                if self._control is not None and self._control.served.release == release:
                    self._control.list_again(served)
                continue
            _log.info("release %s is started", short(release))
            self._running[release] = RunningRelease(
                served,
                self._staffing,
                is_needed=lambda release=release: self._is_needed(release),  # type: ignore[misc]
                on_ready=self._on_ready,
            )

    def keep_control(self, release: str | None) -> None:
        """Keep one more worker of a release, for requests that are timed; None: of no release.

        A worker that is asked hundreds of times a second is faster than one that is asked ten
        times: the processor remembers it. So the release that has most of the traffic is timed by
        a worker that is asked as seldom as the other's.
        """
        current = None if self._control is None else self._control.served.release
        if release == current or not self.has_control:
            return
        if self._control is not None:
            self._former_controls.add(self._control)
            self._do(self._dismiss_control(self._control))
            self._control = None
        running = None if release is None else self._running.get(release)
        if running is not None:
            self._control = RunningRelease(
                running.served,
                replace(self._staffing, replicas=1),
                is_needed=lambda: True,
                on_ready=lambda: None,
            )

    async def started(self) -> None:
        """Wait until each release that is listed was tried.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            One could not start.
        """
        await asyncio.gather(*(running.started() for running in self._running.values()))

    def document(self) -> list[Json]:
        """Say how each stands."""
        everyone = (*self._running.values(), *self._leaving)
        return [running.document() for running in everyone]

    def control_document(self) -> Json:
        """Say how the worker for timed requests stands, if there is one."""
        return None if self._control is None else self._control.document()

    async def close(self) -> None:
        """End all workers."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        controls = [self._control] if self._control is not None else []
        everyone = (*self._running.values(), *self._leaving, *controls, *self._former_controls)
        await asyncio.gather(*(running.stop(drains=False) for running in everyone))

    async def _dismiss(self, leaving: RunningRelease) -> None:
        await leaving.stop(drains=True)
        self._leaving.remove(leaving)
        _log.info("release %s is stopped", short(leaving.served.release))

    async def _dismiss_control(self, leaving: RunningRelease) -> None:
        await leaving.stop(drains=True)
        self._former_controls.discard(leaving)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
