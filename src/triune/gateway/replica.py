"""Keeps one worker of a release alive, warms it up, and passes calls on to it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from triune.domain.errors import TriuneError, WorkerError
from triune.domain.frames import Call, Reply, Verb, pack_requests, unpack_answers
from triune.domain.release import BUNDLE_GOLDEN
from triune.gateway.worker_process import Launch, WorkerProcess

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
STEADY_S: Final = 10.0

_log = logging.getLogger(__name__)


class _DiedWarmingUpError(WorkerError):
    """A worker started, and died before it was asked by anyone else."""


class Replica:
    """A worker that is started again whenever it dies, after a pause that doubles each time.

    ``on_ready`` is called whenever there is a worker again. One that lived for long before it died
    is started again after the shortest pause.
    """

    def __init__(self, launch: Launch, *, on_ready: Callable[[], None]) -> None:
        self.restarts = 0
        self.fault: Exception | None = None
        self._pid: int | None = None
        self._launch = launch
        self._on_ready = on_ready
        self._worker: WorkerProcess | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Tell whether a worker is there to answer."""
        return self._worker is not None

    @property
    def pid(self) -> int | None:
        """The worker's process, one that still loads among them; None where there is none."""
        return self._pid

    def move(self, bundle: Path) -> None:
        """Start the worker, whenever that has to be, from where its release lies now."""
        self._launch = replace(self._launch, bundle=bundle)

    async def open(self) -> None:
        """Start the worker for the first time, and keep it alive from then on.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            It could not start, or died over the golden requests each time.
        """
        for pause_s in (FIRST_PAUSE_S, 2 * FIRST_PAUSE_S):
            try:
                worker = await self._start()
                break
            except _DiedWarmingUpError as fault:
                _log.warning("%s; it is started again", fault)
                await asyncio.sleep(pause_s)
        else:
            worker = await self._start()
        self._worker = worker
        self._keeper = asyncio.create_task(self._keep(worker))

    async def close(self) -> None:
        """End the worker, and keep it alive no longer."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    def post(self, call: Call, tell: Callable[[Reply | None], None]) -> None:
        """Ask the worker; ``tell`` is called once with its reply, or with None if it died."""
        worker = self._worker
        assert worker is not None

        def told(reply: Reply | None) -> None:
            # Before it is known to be dead, which takes a moment: it is not there to be asked.
            if reply is None and self._worker is worker:
                self._worker = None
            tell(reply)

        worker.post(call, told)

    def drop(self) -> None:
        """Kill a worker that does not answer."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()

    async def _keep(self, worker: WorkerProcess) -> None:
        loop = asyncio.get_running_loop()
        pause_s = FIRST_PAUSE_S
        while True:
            since = loop.time()
            try:
                how = await worker.wait()
            finally:
                self._worker = None
                await worker.end()
                self._pid = None
            self.restarts += 1
            _log.warning("the release's worker %s; it is started again", how)
            if loop.time() - since > STEADY_S:
                pause_s = FIRST_PAUSE_S
            worker, pause_s = await self._start_again(pause_s)
            self._worker = worker
            self._on_ready()

    async def _start_again(self, pause_s: float) -> tuple[WorkerProcess, float]:
        while True:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            try:
                worker = await self._start()
            except (TriuneError, OSError) as fault:
                self.fault = fault
                _log.warning(
                    "the release's worker did not start, next try in %g s: %s", pause_s, fault
                )
            else:
                self.fault = None
                return worker, pause_s

    async def _start(self) -> WorkerProcess:
        try:
            return await self._start_warm()
        except BaseException:
            self._pid = None
            raise

    async def _start_warm(self) -> WorkerProcess:
        worker = await WorkerProcess.start(self._launch, on_launched=self._note_pid)
        try:
            async with asyncio.timeout(self._launch.start_timeout_s):
                await self._warm_up(worker)
        except (TimeoutError, ConnectionError) as error:
            await _discard(worker)
            raise _DiedWarmingUpError(
                "the release's worker did not outlive its first golden requests; what it printed "
                "says more"
            ) from error
        except BaseException:
            await _discard(worker)
            raise
        return worker

    def _note_pid(self, pid: int) -> None:
        self._pid = pid

    async def _warm_up(self, worker: WorkerProcess) -> None:
        """Ask the golden requests, alone and together: what comes first takes longest."""
        golden = self._launch.bundle / BUNDLE_GOLDEN
        requests = golden.read_bytes().splitlines() if golden.exists() else []
        for bodies in (requests[:1], requests) if requests else ():
            call = Call(verb=Verb.BATCH, arguments={}, body=pack_requests(bodies))
            answers = unpack_answers((await worker.ask(call)).body).answers
            failed = [answer for answer in answers if answer.status != 200]
            if failed:
                _log.warning(
                    "%d of %d golden requests are not answered: %s",
                    len(failed),
                    len(bodies),
                    failed[0].body.decode(errors="replace"),
                )


async def _discard(worker: WorkerProcess) -> None:
    worker.kill()
    await worker.end()
