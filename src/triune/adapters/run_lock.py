"""Lets one run, or one controller, work in a project at a time: a locked file says who does."""

import errno
import fcntl
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from triune.adapters.account import account_name
from triune.domain.canonical import Json
from triune.domain.errors import BusyError, StoreError
from triune.ports import Progress

_POLL_S: Final = 0.1
_LONGEST: Final = 1 << 16
_GLANCES: Final = 5
_GLANCE_S: Final = 0.01


class FileRunLock:
    """Holds an advisory lock on a file; the kernel lets go of it when the process ends.

    The file stays, as removing it could take it from under another that just opened it.

    Parameters
    ----------
    what
        What one of holds the lock, for people to read.
    """

    def __init__(self, path: Path, *, what: str = "run") -> None:
        self._path = path
        self._what = what

    @contextmanager
    def hold(self, *, progress: Progress, wait: bool) -> Iterator[None]:
        """Hold the lock, having waited for whoever holds it now.

        Raises
        ------
        BusyError
            ``wait`` is false and another process holds it; the message says which.
        StoreError
            The file cannot be written, or lies where nothing can be locked.
        """
        descriptor = self._open()
        try:
            if not self._try(descriptor):
                self._be_patient(descriptor, progress=progress, wait=wait)
            _write_holder(descriptor)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def is_held(self) -> bool:
        """Tell whether somebody holds the lock."""
        return self._look() is not None

    def holder(self) -> int | None:
        """Tell which process holds the lock; None where none does, or it has not said."""
        content = self._look()
        try:
            return None if content is None else int(json.loads(content)["pid"])
        except (ValueError, KeyError, TypeError):
            return None

    def _look(self) -> bytes | None:
        """Read what the holder wrote; None where there is no holder."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(descriptor, _LONGEST, 0)
        finally:
            os.close(descriptor)
        return None

    def _open(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Not inheritable: what a run starts must not hold its lock any longer than it.
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise self._unusable(error) from error

    def _try(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unusable(error) from error
        return True

    def _be_patient(self, descriptor: int, *, progress: Progress, wait: bool) -> None:
        # Whoever looks at who holds it does so for a moment by holding it too.
        for _ in range(_GLANCES):
            time.sleep(_GLANCE_S)
            if self._try(descriptor):
                return
        holder = _read_holder(descriptor)
        if not wait:
            raise BusyError(
                f"another {self._what} works in this project: {holder}; wait for it to end, or "
                "end it"
            )
        progress(f"waiting for another {self._what} in this project to end: {holder}")
        # Polled, not blocked upon: a blocking flock cannot be left by Ctrl-C from a thread.
        while not self._try(descriptor):
            time.sleep(_POLL_S)

    def _unusable(self, error: OSError) -> StoreError:
        hint = (
            "the file system does not support locks; keep the project on a local disk"
            if error.errno in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}
            else "make it writable, or free space there"
        )
        return StoreError(f"cannot lock {self._path}: {error.strerror}; {hint}")


def _write_holder(descriptor: int) -> None:
    content = json.dumps(
        {
            "pid": os.getpid(),
            "host": platform.node(),
            "user": account_name(),
            "command": shlex.join(sys.argv),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        sort_keys=True,
    ).encode()
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
    except OSError:
        # The lock holds without it; a full disk is for the ledger and the store to report.
        return


def _read_holder(descriptor: int) -> str:
    try:
        holder: Json = json.loads(os.pread(descriptor, _LONGEST, 0))
        return (
            f"process {holder['pid']} of {holder['user']} on {holder['host']} "
            f"since {holder['since']} ({holder['command']})"
        )
    except (ValueError, KeyError, TypeError):
        # It holds the lock already and has not said who it is yet, or could not.
        return "a process that has not said which"
