"""A worker's end of the socket pair: calls in, replies out."""

import socket
from collections.abc import Iterator

from triune.domain.frames import PREFIX, Call, Reply, decode_call, encode_reply, lengths


class Connection:
    """Reads calls and sends replies for as long as the other side is there."""

    def __init__(self, descriptor: int) -> None:
        # What the release's code starts has no business on this line.
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)

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
