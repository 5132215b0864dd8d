"""HTTP over a Unix socket, however long the path of the socket's folder is."""

import os
import socket
from http.client import HTTPConnection
from pathlib import Path


class UnixConnection(HTTPConnection):
    """A connection to a Unix socket; it is made with the first request."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect by way of the open folder: an address has room for 107 bytes alone."""
        folder = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        connecting = socket.socket(socket.AF_UNIX)
        try:
            connecting.settimeout(self.timeout)
            connecting.connect(f"/proc/self/fd/{folder}/{self._path.name}")
        except BaseException:
            connecting.close()
            raise
        finally:
            os.close(folder)
        self.sock = connecting
