"""One life of a release's worker: from launch to death, asked over a Unix socket pair."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    """What to run: a bundle, the release that must be in it, and how long it may take to load."""

    bundle: Path
    release: str
    start_timeout_s: float = 120.0


class WorkerProcess:
    """A worker that runs, or ran; whoever asks must await each answer before the next call."""

    def __init__(
        self,
        process: Process,
        lifeline: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._lifeline = lifeline
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, launch: Launch) -> "WorkerProcess":
        """Launch a worker and wait until its model is loaded.

        Raises
        ------
        RuntimeMismatchError, ModelError, WorkerError
            It could not start; nothing of it is left.
        """
        worker = await cls._launch(launch)
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
        self._writer.write(encode_call(call))
        await self._writer.drain()
        try:
            return await self._receive()
        except asyncio.IncompleteReadError:
            raise ConnectionResetError("the worker closed its connection") from None

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
        self._writer.transport.abort()
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
                    ),
                    pass_fds=(theirs.fileno(), lifeline.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    # What the release's code prints is for whoever reads the gateway's log.
                    stdout=STDERR,
                    env=worker_environment(os.environ),
                    start_new_session=True,
                )
            reader, writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            # The worker, where there is one already, goes with its lifeline.
            held.close()
            ours.close()
            raise
        return cls(process, held, reader, writer)

    async def _read_start(self, *, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                read_start(await self._receive())
        except asyncio.IncompleteReadError:
            how = describe_exit(await self._process.wait())
            raise WorkerError(
                f"the release's worker {how} while it loaded; what it printed says more"
            ) from None
        except TimeoutError:
            raise WorkerError(
                f"the release's worker did not load its model in {timeout_s:g} s"
            ) from None

    async def _receive(self) -> Reply:
        header_size, body_size = lengths(await self._reader.readexactly(PREFIX.size))
        header = await self._reader.readexactly(header_size)
        return decode_reply(header, await self._reader.readexactly(body_size))

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
