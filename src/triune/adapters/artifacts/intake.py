"""Takes bytes into a store whole or not at all: written aside, then moved to where they belong."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from uuid import uuid4

from fsspec import AbstractFileSystem

from triune.adapters.whole_files import sync_folder
from triune.ports import Blob

CHUNK: Final = 1 << 20
DRAFTS: Final = "tmp"
ABANDONED_AFTER_S: Final = 24 * 3600.0


class MeasuredStream:
    """A stream that is read once, in chunks, while its size and its digest are taken."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._stream.read(CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)
            yield chunk

    @property
    def blob(self) -> Blob:
        """What has been read so far."""
        return Blob(digest=self._hash.hexdigest(), size=self.size)


def measure(stream: BinaryIO) -> Blob:
    """Read a stream to its end and say what it holds."""
    measured = MeasuredStream(stream)
    for _ in measured:
        pass
    return measured.blob


def blob_path(root: str, digest: str) -> str:
    """Say where in a store a blob lies."""
    return f"{root}/blobs/{digest[:2]}/{digest}"


class Intake(Protocol):
    """How bytes enter one kind of store."""

    def take(self, content: MeasuredStream) -> Blob:
        """Read a stream to its end into the store, in the place of a blob of the same digest."""

    def sweep(self) -> int:
        """Remove what dead writers left behind and return how many bytes that freed."""


class LocalIntake:
    """Enters bytes into a local folder; they outlive the loss of power once they are in.

    A writer locks its draft for as long as it lives, so that a sweep tells a dead one's from it.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._drafts = Path(root) / DRAFTS

    def take(self, content: MeasuredStream) -> Blob:
        """Write a draft, make it durable and read-only, and rename it to its digest."""
        with self._draft() as (draft, stream):
            for chunk in content:
                stream.write(chunk)
            stream.flush()
            os.fchmod(stream.fileno(), 0o444)
            os.fsync(stream.fileno())
            target = Path(blob_path(self._root, content.blob.digest))
            _make_folder(target.parent)
            draft.replace(target)
            sync_folder(target.parent)
        return content.blob

    def sweep(self) -> int:
        """Remove the drafts that no living writer has locked."""
        if not self._drafts.is_dir():
            return 0
        return sum(_remove_abandoned(draft) for draft in self._drafts.iterdir())

    @contextmanager
    def _draft(self) -> Iterator[tuple[Path, BinaryIO]]:
        _make_folder(self._drafts)
        draft, stream = self._open_draft()
        with stream:
            try:
                yield draft, stream
            except BaseException:
                draft.unlink(missing_ok=True)
                raise

    def _open_draft(self) -> tuple[Path, BinaryIO]:
        while True:
            draft = self._drafts / uuid4().hex
            stream = draft.open("xb")
            fcntl.flock(stream, fcntl.LOCK_EX)
            # A sweep between the two lines above took it for a dead writer's.
            if os.fstat(stream.fileno()).st_nlink:
                return draft, stream
            stream.close()


class RemoteIntake:
    """Enters bytes into any other file system of fsspec, under a passing name at first.

    Nothing there tells a dead writer from a slow one but time, which the name begins with.
    """

    def __init__(
        self,
        filesystem: AbstractFileSystem,
        root: str,
        *,
        abandoned_after_s: float = ABANDONED_AFTER_S,
    ) -> None:
        self._filesystem = filesystem
        self._root = root
        self._abandoned_after_s = abandoned_after_s

    def take(self, content: MeasuredStream) -> Blob:
        """Upload under a passing name, and move to the digest."""
        draft = f"{self._root}/{DRAFTS}/{int(time.time())}-{uuid4().hex}"
        self._make_parent(draft)
        try:
            with self._filesystem.open(draft, "wb") as stream:
                for chunk in content:
                    stream.write(chunk)
            target = blob_path(self._root, content.blob.digest)
            self._make_parent(target)
            self._filesystem.mv(draft, target)
        except BaseException:
            with suppress(OSError):
                self._filesystem.rm_file(draft)
            raise
        return content.blob

    def sweep(self) -> int:
        """Remove the drafts that were begun too long ago to be alive."""
        self._filesystem.invalidate_cache()
        drafts = self._filesystem.find(f"{self._root}/{DRAFTS}", detail=True)
        abandoned = [path for path in drafts if self._is_abandoned(path)]
        for path in abandoned:
            self._filesystem.rm_file(path)
        return sum(drafts[path]["size"] for path in abandoned)

    def _is_abandoned(self, path: str) -> bool:
        begun = path.rpartition("/")[2].partition("-")[0]
        return begun.isdecimal() and time.time() - int(begun) >= self._abandoned_after_s

    def _make_parent(self, path: str) -> None:
        self._filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)


def _remove_abandoned(draft: Path) -> int:
    # The writer may finish, which renames the draft, at any point of this: the lock is then on the
    # blob, and the draft's own name is gone. Names are never used twice.
    with suppress(FileNotFoundError, BlockingIOError), draft.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(stream.fileno()).st_size
        draft.unlink()
        return size
    return 0


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
