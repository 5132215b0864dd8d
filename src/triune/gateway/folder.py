"""The folder of a standing gateway: one gateway works in it at a time, and says so there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from triune.domain.errors import UsageError

ADMIN_SOCKET: Final = "admin.sock"
ANNOUNCEMENT: Final = "gateway.json"
STATE: Final = "state.json"
OUTCOMES: Final = "outcomes.log"
LOCK: Final = "gateway.lock"
UNFINISHED: Final = ".part"
"""How a file ends that is being written, or was when its gateway was killed."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have a folder for as long as the block lasts; the kernel lets go of it with the process.

    Raises
    ------
    UsageError
        Another gateway has it, or nothing can be written there.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Not inherited: a worker must not hold it any longer than the gateway.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(
            f"cannot keep a gateway in {folder}: {error.strerror}; "
            "give a folder that can be written to"
        ) from error
    try:
        _lock(descriptor, folder)
        for draft in folder.glob(f".*{UNFINISHED}"):
            draft.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip()
        who = f"process {holder}" if holder else "a process that has not said which"
        raise UsageError(
            f"another gateway works in {folder}: {who}; stop it (POST /stop on its "
            f"{ADMIN_SOCKET}), or give another folder"
        ) from None
    except OSError as error:
        raise UsageError(
            f"cannot lock {folder / LOCK}: {error.strerror}; keep the folder on a local disk"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
