"""One life of a release's worker: from launch to death, asked over a Unix socket pair."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from triune.domain.errors import WorkerError
from triune.domain.frames import PREFIX, Call, Reply, decode_reply, encode_call, lengths
from triune.domain.worker_launch import (
    describe_exit,
    read_start,
    worker_command,
    worker_environment,
)

GRACE_S: Final = 2.0
STDERR: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run: a bundle, and the release that must be in it.

    Parameters
    ----------
    start_timeout_s
        How long it may take to load.
    memory_bytes
        How much it may allocate; without it there is no limit.
    """

    bundle: Path
    release: str
    start_timeout_s: float = 120.0
    memory_bytes: int | None = None


class _Line(asyncio.Protocol):
    """Our end of the connection: tells of each reply as it is complete, and once of the end."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = PREFIX.size
        self._tell: Callable[[Reply | None], None] | None = None
        self._early: list[Reply] = []
        self._transport: asyncio.Transport | None = None

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing will come any more."""
        return self._transport is None or self._transport.is_closing()

    def expect(self, tell: Callable[[Reply | None], None]) -> None:
        """Have the next reply told; None where the line closes before."""
        if self._early:
            tell(self._early.pop())
        elif self.is_closed:
            tell(None)
        else:
            self._tell = tell

    def send(self, frame: bytes) -> None:
        """Send a frame; what the worker does not take yet waits here."""
        if self._transport is not None:
            self._transport.write(frame)

    def abort(self) -> None:
        """Close the line at once."""
        if self._transport is not None:
            self._transport.abort()
        self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be told that the line is open."""
        # One of uvloop's, which are not derived from asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Be told that the line is closed."""
        self._transport = None
        self._end()

    def data_received(self, data: bytes) -> None:
        """Take in what came; only one reply is ever on its way."""
        # Most replies come whole, and are not copied.
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return
            data = bytes(self._buffer)
        elif len(data) < self._wanted:
            self._buffer += data
            return
        try:
            header_size, body_size = lengths(data[: PREFIX.size])
        except ValueError:
            # The release's code wrote to a descriptor that is none of its business.
            self.abort()
            return
        start = PREFIX.size + header_size
        self._wanted = start + body_size
        if len(data) < self._wanted:
            if not self._buffer:
                self._buffer += data
            return
        reply = decode_reply(data[PREFIX.size : start], data[start : self._wanted])
        self._buffer[:] = data[self._wanted :]
        self._wanted = PREFIX.size
        tell, self._tell = self._tell, None
        if tell is None:
            self._early.append(reply)
        else:
            tell(reply)

    def _end(self) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(None)


class WorkerProcess:
    """A worker that runs, or ran; whoever asks must have each answer before the next call."""

    def __init__(self, process: Process, lifeline: socket.socket, line: _Line) -> None:
        self._process = process
        self._lifeline = lifeline
        self._line = line

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @classmethod
    async def start(
        cls, launch: Launch, *, on_launched: Callable[[int], None] = lambda _: None
    ) -> "WorkerProcess":
        """Launch a worker and wait until its model is loaded; its process number is told before.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            It could not start; nothing of it is left.
        """
        worker = await cls._launch(launch)
        on_launched(worker.pid)
        try:
            await worker._read_start(timeout_s=launch.start_timeout_s)  # noqa: SLF001 - our own
        except BaseException:
            # It has answered nothing yet, and so has nothing to tidy up.
            worker.kill()
            await worker.end()
            raise
        return worker

    async def ask(self, call: Call) -> Reply:
        """Send a call and wait for its reply.

        Raises
        ------
        ConnectionError
            The worker is dead.
        """
        told: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self.post(call, lambda reply: None if told.done() else told.set_result(reply))
        reply = await told
        if reply is None:
            raise ConnectionResetError("the worker closed its connection")
        return reply

    def post(self, call: Call, tell: Callable[[Reply | None], None]) -> None:
        """Send a call; ``tell`` is called once with its reply, or with None if the worker died."""
        if not self._line.is_closed:
            self._line.send(encode_call(call))
        self._line.expect(tell)

    async def wait(self) -> str:
        """Wait until the worker is dead, and say how it ended."""
        return describe_exit(await self._process.wait())

    def kill(self) -> None:
        """Kill the worker, with the processes that it started."""
        if self._process.returncode is None:
            self._kill_group()

    async def end(self) -> None:
        """End the worker, if it lives, and whatever it left behind."""
        # A worker ends by itself when its line closes. And whoever waits for a reply wakes up,
        # even where a process that the worker forked holds the other end open.
        self._line.abort()
        with self._lifeline:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await self._process.wait()
            self._kill_group()
            await self._process.wait()

    @classmethod
    async def _launch(cls, launch: Launch) -> "WorkerProcess":
        ours, theirs = socket.socketpair()
        held, lifeline = socket.socketpair()
        try:
            with theirs, lifeline:
                process = await asyncio.create_subprocess_exec(
                    *worker_command(
                        python=sys.executable,
                        bundle=str(launch.bundle.resolve()),
                        manifest=launch.release,
                        connection=theirs.fileno(),
                        lifeline=lifeline.fileno(),
                        memory_bytes=launch.memory_bytes,
                    ),
                    pass_fds=(theirs.fileno(), lifeline.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    # What the release's code prints is for whoever reads the gateway's log.
                    stdout=STDERR,
                    env=worker_environment(os.environ),
                    start_new_session=True,
                )
            _, line = await asyncio.get_running_loop().create_unix_connection(_Line, sock=ours)
        except BaseException:
            # The worker, where there is one already, goes with its lifeline.
            held.close()
            ours.close()
            raise
        return cls(process, held, line)

    async def _read_start(self, *, timeout_s: float) -> None:
        told: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._line.expect(lambda reply: None if told.done() else told.set_result(reply))
        try:
            async with asyncio.timeout(timeout_s):
                reply = await told
                if reply is not None:
                    read_start(reply)
                    return
        except TimeoutError:
            raise WorkerError(
                f"the release's worker did not load its model in {timeout_s:g} s"
            ) from None
        how = describe_exit(await self._process.wait())
        raise WorkerError(f"the release's worker {how} while it loaded; what it printed says more")

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
