"""Keeps what a controller knows of each environment's traffic: a file each, whole or not at all."""

import json
from pathlib import Path

import msgspec

from triune.adapters.whole_files import written_aside
from triune.domain.canonical import Json
from triune.domain.errors import StoreError


class FileWatchMemory:
    """A folder with a folder for each environment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, environment: str) -> Json | None:
        """Find what was kept last."""
        path = self._path(environment)
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}; give access to it") from error

    def put_aside(self, environment: str) -> Path:
        """Make room for something new."""
        path = self._path(environment)
        aside = path.with_name(f"{path.name}.damaged")
        try:
            return path.replace(aside)
        except OSError as error:
            raise StoreError(f"cannot move {path} aside: {error.strerror}; remove it") from error

    def keep(self, environment: str, watch: Json) -> None:
        """Keep it, whole or not at all."""
        path = self._path(environment)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_aside(path) as draft:
                draft.write_bytes(msgspec.json.encode(watch))
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror}; free space there, or make it writable"
            ) from error

    def _path(self, environment: str) -> Path:
        return self._folder / environment / "watch.json"
