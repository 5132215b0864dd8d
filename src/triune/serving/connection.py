"""A worker's end of the socket pair: calls in, replies out, and the end of the process."""

import os
import signal
import socket
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Final

from triune.domain.frames import PREFIX, Call, Reply, decode_call, encode_reply, lengths

GRACE_S: Final = 2.0


class Connection:
    """Reads calls in a thread of its own, so that the other side's end is seen at any time.

    When the other side closes its end, or is gone, `calls` ends; where the process is still
    busy after a moment of grace, it is killed with all the processes that it started.
    """

    def __init__(self, descriptor: int) -> None:
        # What the release's code starts has no business on this line.
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        Thread(target=self._read, name="triune-connection", daemon=True).start()

    def calls(self) -> Iterator[Call]:
        """Yield calls until the other side is gone."""
        while (call := self._calls.get()) is not None:
            yield call

    def send(self, reply: Reply) -> None:
        """Send a reply; one that nobody waits for any more is dropped."""
        try:
            self._socket.sendall(encode_reply(reply))
        except (BrokenPipeError, ConnectionResetError):
            return

    def _read(self) -> None:
        try:
            while (call := self._read_call()) is not None:
                self._calls.put(call)
        finally:
            self._calls.put(None)
            # Never set: a process that is done takes this thread with it.
            Event().wait(GRACE_S)
            _kill_group()

    def _read_call(self) -> Call | None:
        prefix = self._read_exactly(PREFIX.size)
        if prefix is None:
            return None
        header_size, body_size = lengths(prefix)
        header, body = self._read_exactly(header_size), self._read_exactly(body_size)
        return None if header is None or body is None else decode_call(header, body)

    def _read_exactly(self, count: int) -> bytes | None:
        content = bytearray(count)
        view = memoryview(content)
        while view:
            try:
                read = self._socket.recv_into(view)
            except ConnectionResetError:
                return None
            if read == 0:
                return None
            view = view[read:]
        return bytes(content)


def _kill_group() -> None:
    """Kill this process and what it started; a group that others lead is left alone."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)
