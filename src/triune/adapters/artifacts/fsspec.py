"""The artifact store on a file system: a local folder, or anything that fsspec has a name for."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from triune.adapters.artifacts.intake import (
    Intake,
    LocalIntake,
    MeasuredStream,
    RemoteIntake,
    blob_path,
    measure,
)
from triune.adapters.whole_files import written_aside
from triune.domain.canonical import is_digest, require_digest
from triune.domain.errors import (
    BlobChangedError,
    BlobMissingError,
    MissingExtraError,
    StoreError,
)
from triune.ports import Blob


class FsspecStore:
    """Blobs as files ``blobs/<2 hex>/<sha256>`` under a root.

    Parameters
    ----------
    location
        A folder, which need not exist yet, or a URL such as ``s3://bucket/prefix``.

    Raises
    ------
    StoreError
        The URL names no file system that fsspec has, or one that cannot be reached.
    MissingExtraError
        The file system needs an extra of Triune.
    """

    def __init__(self, location: str | Path) -> None:
        self._filesystem, root = _resolve(location)
        self._root = root.rstrip("/")
        self._intake: Intake = (
            LocalIntake(self._root)
            if isinstance(self._filesystem, LocalFileSystem)
            else RemoteIntake(self._filesystem, self._root)
        )

    def put(self, content: bytes | BinaryIO) -> Blob:
        """Store bytes, or a stream read to its end; a damaged blob of theirs is repaired."""
        stream = BytesIO(content) if isinstance(content, bytes) else content
        measured = MeasuredStream(stream)
        try:
            if stream.seekable():
                # Most of what a run stores is there already: reading is cheaper than writing.
                start = stream.tell()
                blob = measure(stream)
                if self._holds(blob.digest):
                    return blob
                stream.seek(start)
            return self._intake.take(measured)
        except OSError as error:
            raise StoreError(
                f"a blob could not be stored in {self._root}: after {measured.size} bytes, "
                f"{_describe(error)}; nothing of it was kept; make room or give access there, "
                "and try again"
            ) from error

    def read(self, digest: str) -> bytes:
        """Read a blob whole."""
        return b"".join(self._chunks(digest))

    def copy(self, digest: str, destination: Path) -> None:
        """Write a blob to a new file, which is left out if the blob turns out changed."""
        try:
            with written_aside(destination) as draft, draft.open("xb") as stream:
                for chunk in self._chunks(digest):
                    stream.write(chunk)
        except OSError as error:
            raise StoreError(
                f"blob {digest} could not be written to {destination}: {_describe(error)}; make "
                "room or give access there, and try again"
            ) from error

    def verify(self, digest: str) -> None:
        """Read a blob to its end, holding little of it in memory, and throw the bytes away."""
        for _ in self._chunks(digest):
            pass

    def has(self, digest: str) -> bool:
        """Tell whether a blob is there, without reading it."""
        path = self._path(digest)
        with self._explained(digest):
            self._filesystem.invalidate_cache()
            return bool(self._filesystem.isfile(path))

    def digests(self) -> Iterator[str]:
        """List what is stored, in no order."""
        self._filesystem.invalidate_cache()
        for path in self._filesystem.find(f"{self._root}/blobs"):
            name = path.rpartition("/")[2]
            if is_digest(name):
                yield name

    def remove(self, digest: str) -> int:
        """Remove a blob and return how many bytes that freed; 0 where there was none."""
        path = self._path(digest)
        try:
            with self._explained(digest):
                size = int(self._filesystem.info(path)["size"])
                self._filesystem.rm_file(path)
        except BlobMissingError:
            return 0
        return size

    def sweep(self) -> int:
        """Remove what interrupted writes left behind and return how many bytes that freed."""
        try:
            return self._intake.sweep()
        except OSError as error:
            raise StoreError(
                f"the leftovers in {self._root} could not be removed: {_describe(error)}; check "
                "who owns them"
            ) from error

    def _path(self, digest: str) -> str:
        return blob_path(self._root, require_digest(digest))

    def _holds(self, digest: str) -> bool:
        try:
            self.verify(digest)
        except (BlobMissingError, BlobChangedError):
            return False
        return True

    def _chunks(self, digest: str) -> Iterator[bytes]:
        path = self._path(digest)
        with self._explained(digest), self._filesystem.open(path, "rb") as stream:
            measured = MeasuredStream(stream)
            yield from measured
        if measured.blob.digest != digest:
            raise BlobChangedError(
                f"blob {digest} in {self._root} is changed or damaged: its {measured.size} bytes "
                f"have digest {measured.blob.digest}; restore it from a backup, or cut the "
                "release that needs it again with `triune run`"
            )

    @contextmanager
    def _explained(self, digest: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise BlobMissingError(
                f"blob {digest} is not in {self._root}; restore it from a backup, or cut the "
                "release that needs it again with `triune run`"
            ) from error
        except OSError as error:
            raise StoreError(
                f"blob {digest} in {self._root} cannot be reached: {_describe(error)}; check the "
                "store, and try again"
            ) from error


def _resolve(location: str | Path) -> tuple[AbstractFileSystem, str]:
    if isinstance(location, Path) or "://" not in location:
        return LocalFileSystem(), str(Path(location).resolve())
    try:
        filesystem, root = url_to_fs(location)
    except ImportError as error:
        if location.startswith(("s3://", "s3a://")):
            raise MissingExtraError(needed_for=f"the store {location}", extra="s3") from error
        raise StoreError(f"the store {location} needs a package first: {error}") from error
    except ValueError as error:
        raise StoreError(
            f"{location!r} does not say where the store is ({error}); give a folder, or a URL "
            "such as s3://BUCKET/PREFIX"
        ) from error
    except OSError as error:
        raise StoreError(
            f"the store {location} cannot be reached: {_describe(error)}; check the address, and "
            "try again"
        ) from error
    return filesystem, root


def _describe(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
