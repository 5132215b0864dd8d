"""A worker's end of the socket pair: calls in, replies out."""

import socket
from collections.abc import Iterator
from typing import Final

from triune.domain.frames import PREFIX, Call, Reply, decode_call, encode_reply, lengths

_CHUNK: Final = 1 << 16


class Connection:
    """Reads calls and sends replies for as long as the other side is there."""

    def __init__(self, descriptor: int) -> None:
        # What the release's code starts has no business on this line.
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._unread = bytearray()

    def calls(self) -> Iterator[Call]:
        """Yield calls until the other side is gone."""
        while (call := self._read_call()) is not None:
            yield call

    def send(self, reply: Reply) -> None:
        """Send a reply; one that nobody waits for any more is dropped."""
        try:
            self._socket.sendall(encode_reply(reply))
        except (BrokenPipeError, ConnectionResetError):
            return

    def _read_call(self) -> Call | None:
        prefix = self._read_exactly(PREFIX.size)
        if prefix is None:
            return None
        header_size, body_size = lengths(prefix)
        header, body = self._read_exactly(header_size), self._read_exactly(body_size)
        return None if header is None or body is None else decode_call(header, body)

    def _read_exactly(self, count: int) -> bytes | None:
        while len(self._unread) < count:
            try:
                chunk = self._socket.recv(max(_CHUNK, count - len(self._unread)))
            except ConnectionResetError:
                return None
            if not chunk:
                return None
            self._unread += chunk
        content = bytes(self._unread[:count])
        del self._unread[:count]
        return content
