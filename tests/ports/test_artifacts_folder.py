"""A store in a folder, and one elsewhere: layout, writers that died, full disks, odd addresses."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec import AbstractFileSystem, register_implementation
from fsspec.implementations.memory import MemoryFileSystem

from triune.adapters.artifacts.fsspec import FsspecStore
from triune.adapters.artifacts.intake import MeasuredStream, RemoteIntake
from triune.domain.canonical import sha256
from triune.domain.errors import MissingExtraError, StoreError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_blob_is_its_bytes_under_its_digest_and_nobody_may_write_to_it(root: Path) -> None:
    blob = FsspecStore(root).put(b"raw bytes")

    path = root / "blobs" / blob.digest[:2] / blob.digest
    assert path.read_bytes() == b"raw bytes"
    assert path.stat().st_mode & 0o777 == 0o444
    assert files(root) == [f"blobs/{blob.digest[:2]}/{blob.digest}"]


def test_a_blob_that_is_there_is_not_written_again(root: Path) -> None:
    store = FsspecStore(root)
    blob = store.put(b"raw bytes")
    path = root / "blobs" / blob.digest[:2] / blob.digest
    before = path.stat().st_ino

    store.put(b"raw bytes")

    assert path.stat().st_ino == before


def test_folders_and_addresses_name_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digest = FsspecStore(tmp_path / "store").put(b"x").digest

    for location in ("store", "./store/", str(tmp_path / "store"), f"file://{tmp_path}/store"):
        assert FsspecStore(location).has(digest), location


def test_a_relative_folder_stays_the_same_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = FsspecStore("store")
    digest = store.put(b"x").digest

    monkeypatch.chdir("/")

    assert store.read(digest) == b"x"


@pytest.mark.parametrize("name", ["a b", "100%", "glob[*]?", "chain::ed", "~", "#"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    store = FsspecStore(tmp_path / name)

    blob = store.put(b"x")

    assert store.read(blob.digest) == b"x"
    assert list(store.digests()) == [blob.digest]
    assert (tmp_path / name / "blobs").is_dir()


def test_foreign_files_in_the_store_are_no_blobs(root: Path) -> None:
    store = FsspecStore(root)
    blob = store.put(b"x")
    (root / "blobs" / "README").write_text("not a blob")

    assert list(store.digests()) == [blob.digest]


def test_an_address_that_no_file_system_has_is_refused() -> None:
    with pytest.raises(StoreError, match="'nosuch://bucket' does not say where the store is"):
        FsspecStore("nosuch://bucket")


def test_a_file_system_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setitem(sys.modules, "gcsfs", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'triune\[s3\]'"):
        FsspecStore("s3://bucket/prefix")
    with pytest.raises(StoreError, match="gcsfs"):
        FsspecStore("gs://bucket/prefix")


def test_a_file_system_that_cannot_be_reached_is_a_fault() -> None:
    register_implementation("unreachable", Unreachable)

    with pytest.raises(StoreError, match="unreachable://host/x cannot be reached: no route"):
        FsspecStore("unreachable://host/x")


class Unreachable(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    cachable = False

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        raise OSError("no route")


# Writers that died, and writers that live


class Watched(BytesIO):
    """A stream at whose end, when all of it is written and nothing in its place, a call is made."""

    def __init__(self, content: bytes, *, at_end: Callable[[], object]) -> None:
        super().__init__(content)
        self._at_end = at_end

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        if not content:
            self._at_end()
        return content


def test_a_sweep_takes_nothing_from_a_writer_that_lives(root: Path) -> None:
    store, freed = FsspecStore(root), []

    blob = store.put(
        Watched(b"long" * 1000, at_end=lambda: freed.append(FsspecStore(root).sweep()))
    )

    assert freed == [0]
    assert store.read(blob.digest) == b"long" * 1000


def test_a_blob_cannot_be_seen_before_it_is_whole(root: Path) -> None:
    store, seen = FsspecStore(root), []
    digest = sha256(b"long" * 1000)

    store.put(
        Watched(
            b"long" * 1000,
            at_end=lambda: seen.append((store.has(digest), list(store.digests()))),
        )
    )

    assert seen == [(False, [])]


def test_what_a_killed_writer_left_is_swept(root: Path) -> None:
    script = (
        "import io, os, signal, sys\n"
        "from triune.adapters.artifacts.fsspec import FsspecStore\n"
        "class Fatal(io.BytesIO):\n"
        "    def seekable(self): return False\n"
        "    def read(self, size=-1):\n"
        "        return super().read(size) or os.kill(os.getpid(), signal.SIGKILL)\n"
        "FsspecStore(sys.argv[1]).put(Fatal(bytes(3_000_000)))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(root)], check=False)
    assert len(files(root)) == 1
    store = FsspecStore(root)

    assert list(store.digests()) == []
    assert store.sweep() == 3_000_000

    assert files(root) == []
    assert store.sweep() == 0


def test_elsewhere_a_sweep_takes_what_was_begun_long_ago() -> None:
    filesystem, root = MemoryFileSystem(), f"/store-{uuid4().hex}"
    filesystem.pipe_file(f"{root}/tmp/1000000000-abandoned", b"12345")
    filesystem.pipe_file(f"{root}/tmp/foreign", b"1234567")
    patient = RemoteIntake(filesystem, root)
    freed: list[int] = []

    blob = patient.take(
        MeasuredStream(Watched(b"alive", at_end=lambda: freed.append(patient.sweep())))
    )

    assert freed == [5]
    assert FsspecStore(f"memory:/{root}").read(blob.digest) == b"alive"
    assert [path.rpartition("/")[2] for path in filesystem.find(f"{root}/tmp")] == ["foreign"]


def test_elsewhere_a_sweep_takes_no_draft_that_may_be_alive() -> None:
    filesystem, root = MemoryFileSystem(), f"/store-{uuid4().hex}"
    hasty, freed = RemoteIntake(filesystem, root, abandoned_after_s=0), []
    patient = RemoteIntake(filesystem, root)
    stream = Watched(b"alive", at_end=lambda: freed.append(patient.sweep()))

    patient.take(MeasuredStream(stream))

    assert freed == [0]
    filesystem.pipe_file(f"{root}/tmp/4000000000-from-the-future", b"x")
    assert hasty.sweep() == 0


# Disks


def test_a_full_disk_keeps_what_was_stored_and_nothing_of_what_was_not(small_disk: Path) -> None:
    store = FsspecStore(small_disk / "store")
    kept = store.put(b"kept")

    with pytest.raises(
        StoreError, match=r"after [1-9]\d* bytes, No space left on device"
    ) as raised:
        store.put(bytes(3_000_000))

    assert str(small_disk) in str(raised.value)
    assert store.read(kept.digest) == b"kept"
    assert list(store.digests()) == [kept.digest]
    assert len(files(small_disk)) == 1
    assert store.put(b"small").size == 5


def test_a_copy_to_a_full_disk_leaves_nothing_there(small_disk: Path, root: Path) -> None:
    store = FsspecStore(root)
    blob = store.put(bytes(3_000_000))

    with pytest.raises(StoreError, match="No space left on device"):
        store.copy(blob.digest, small_disk / "copy")

    assert files(small_disk) == []
    assert shutil.disk_usage(small_disk).used == 0


def test_a_root_that_is_a_file_is_a_fault_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("in the way")

    with pytest.raises(StoreError, match=r"/store cannot be reached: Not a directory"):
        FsspecStore(tmp_path / "store").put(b"x")


def test_a_read_only_disk_is_a_fault_and_can_still_be_read(small_disk: Path) -> None:
    store = FsspecStore(small_disk / "store")
    kept = store.put(b"kept")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(StoreError, match="Read-only file system"):
        store.put(b"new")
    with pytest.raises(StoreError, match="Read-only file system"):
        store.remove(kept.digest)

    assert store.put(b"kept") == kept
    assert store.read(kept.digest) == b"kept"
