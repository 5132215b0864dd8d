"""Every artifact store passes the same checks: in memory, in a folder, on another file system."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from triune.adapters.artifacts.fsspec import FsspecStore
from triune.adapters.memory import MemoryArtifactStore
from triune.testing.port_checks import ArtifactStoreChecks


class TestMemoryArtifactStore(ArtifactStoreChecks):
    @pytest.fixture
    def blobs(self) -> dict[str, bytes]:
        return {}

    @pytest.fixture
    def store(self, blobs: dict[str, bytes]) -> MemoryArtifactStore:
        return MemoryArtifactStore(blobs)

    @pytest.fixture
    def damage(self, blobs: dict[str, bytes]) -> Callable[[str, bytes], None]:
        return blobs.__setitem__


class TestLocalStore(ArtifactStoreChecks):
    @pytest.fixture
    def root(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tmp_path_factory.mktemp("store")

    @pytest.fixture
    def store(self, root: Path) -> FsspecStore:
        return FsspecStore(root)

    @pytest.fixture
    def damage(self, root: Path) -> Callable[[str, bytes], None]:
        def write(digest: str, content: bytes) -> None:
            path = root / "blobs" / digest[:2] / digest
            path.chmod(0o644)
            path.write_bytes(content)

        return write


class TestRemoteStore(ArtifactStoreChecks):
    @pytest.fixture
    def root(self) -> str:
        return f"/store-{uuid4().hex}"

    @pytest.fixture
    def store(self, root: str) -> FsspecStore:
        return FsspecStore(f"memory:/{root}")

    @pytest.fixture
    def damage(self, root: str) -> Callable[[str, bytes], None]:
        def write(digest: str, content: bytes) -> None:
            MemoryFileSystem().pipe_file(f"{root}/blobs/{digest[:2]}/{digest}", content)

        return write
