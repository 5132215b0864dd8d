"""Keeps a release's worker alive and asks it, one call at a time."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from triune.domain.errors import TriuneError
from triune.domain.frames import Call, Reply
from triune.gateway.worker_process import Launch, WorkerProcess

MAX_WAITING: Final = 256
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0

_log = logging.getLogger(__name__)


class UnavailableError(Exception):
    """No worker took the call; it can be made again."""


class UnansweredError(Exception):
    """A worker took the call and did not answer in time."""


class WorkerLink:
    """A worker that is started again whenever it dies, after a pause that doubles each time.

    ``timeout_s`` bounds the wait for the worker's attention, and again that for its answer. A
    worker that does not answer in time is killed: it can do one thing at a time only.
    """

    def __init__(self, launch: Launch, *, timeout_s: float) -> None:
        self._launch = launch
        self._timeout_s = timeout_s
        self._worker: WorkerProcess | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Tell whether a worker is there to answer."""
        return self._worker is not None

    async def open(self) -> None:
        """Start the worker for the first time, and keep it alive from then on.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            It could not start.
        """
        self._worker = await WorkerProcess.start(self._launch)
        self._keeper = asyncio.create_task(self._keep(self._worker))

    async def close(self) -> None:
        """End the worker, and keep it alive no longer."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    async def ask(self, call: Call) -> Reply:
        """Ask the worker, after whoever asked before.

        Raises
        ------
        UnavailableError
            The worker is away, died over the call, or has too much to do.
        UnansweredError
            It did not answer in time.
        """
        if self._waiting >= MAX_WAITING:
            raise UnavailableError("too many requests wait for the release's worker")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._turn.acquire()
        except TimeoutError:
            raise UnavailableError("the release's worker is busy") from None
        finally:
            self._waiting -= 1
        try:
            return await self._ask_now(call)
        finally:
            self._turn.release()

    async def _ask_now(self, call: Call) -> Reply:
        worker = self._worker
        if worker is None:
            raise UnavailableError("the release's worker is being started again")
        try:
            async with asyncio.timeout(self._timeout_s):
                return await worker.ask(call)
        except ConnectionError:
            raise UnavailableError("the release's worker died over this request") from None
        except TimeoutError:
            self._drop(worker)
            raise UnansweredError(
                f"the release's worker did not answer in {self._timeout_s:g} s"
            ) from None
        except asyncio.CancelledError:
            # The reply is still to come, and would be taken for that to the next call.
            self._drop(worker)
            raise

    def _drop(self, worker: WorkerProcess) -> None:
        if self._worker is worker:
            self._worker = None
        worker.kill()

    async def _keep(self, worker: WorkerProcess) -> None:
        while True:
            try:
                how = await worker.wait()
            finally:
                self._worker = None
                await worker.end()
            _log.warning("the release's worker %s; it is started again", how)
            worker = await self._start_again()
            self._worker = worker

    async def _start_again(self) -> WorkerProcess:
        pause_s = FIRST_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                return await WorkerProcess.start(self._launch)
            except (TriuneError, OSError) as fault:
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                _log.warning(
                    "the release's worker did not start, next try in %g s: %s", pause_s, fault
                )
