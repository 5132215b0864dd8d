"""Folders for bundles and other passing things, told from those of dead processes by a lock."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from triune.adapters.whole_folders import remove_folder
from triune.domain.errors import StoreError

_LOCK = ".lock"


class LockedScratch:
    """Beside each folder lies a file that its process holds a lock on, with the folder's label.

    The kernel lets go of the lock when the process ends, however it ends.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._guard = Lock()
        self._lasting = ExitStack()
        self._shared: Path | None = None

    @contextmanager
    def folder(self, *, label: str = "") -> Iterator[Path]:
        """Make an empty folder, removed at the end; ``label`` says what it is in use for."""
        lock, descriptor = self._claim(label)
        folder = lock.with_suffix("")
        try:
            folder.mkdir()
            yield folder
        finally:
            remove_folder(folder)
            lock.unlink(missing_ok=True)
            os.close(descriptor)

    def shared(self) -> Path:
        """Give the one folder that lasts until `close`, made when it is first asked for."""
        with self._guard:
            # Somebody may have tidied up.
            if self._shared is None or not self._shared.is_dir():
                self._shared = self._lasting.enter_context(self.folder())
            return self._shared

    def close(self) -> None:
        """Remove the folder that lasts."""
        with self._guard:
            self._lasting.close()
            self._shared = None

    def in_use(self) -> frozenset[str]:
        """List the labels of the folders of live processes."""
        labels = set()
        for lock in self._locks():
            with _if_abandoned(lock) as is_abandoned:
                if not is_abandoned:
                    labels.add(_label(lock))
        return frozenset(labels - {""})

    def sweep(self) -> None:
        """Remove the folders of processes that are gone."""
        for lock in self._locks():
            with _if_abandoned(lock) as is_abandoned:
                if is_abandoned:
                    remove_folder(lock.with_suffix(""))
                    lock.unlink(missing_ok=True)

    def _claim(self, label: str) -> tuple[Path, int]:
        try:
            while True:
                lock = self._root / f"{secrets.token_hex(8)}{_LOCK}"
                try:
                    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
                except FileNotFoundError:
                    self._root.mkdir(parents=True, exist_ok=True)
                    continue
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                # A sweep that came between the two calls took the file for an abandoned one.
                if os.fstat(descriptor).st_nlink:
                    os.write(descriptor, label.encode())
                    return lock, descriptor
                os.close(descriptor)
        except OSError as error:
            raise StoreError(
                f"cannot make a folder in {self._root}: {error.strerror}; free space there, or "
                "make it writable"
            ) from error

    def _locks(self) -> list[Path]:
        return sorted(self._root.glob(f"*{_LOCK}"))


@contextmanager
def _if_abandoned(lock: Path) -> Iterator[bool]:
    """Tell whether nobody holds the lock; if so, hold it for as long as the block lasts."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_abandoned = True
    except BlockingIOError:
        is_abandoned = False
    try:
        yield is_abandoned
    finally:
        os.close(descriptor)


def _label(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
