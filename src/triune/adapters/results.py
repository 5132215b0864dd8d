"""Remembers results of checks in a folder: a file each, named for what the check read."""

import json
from contextlib import suppress
from pathlib import Path

from triune.adapters.whole_files import written_aside
from triune.domain.canonical import canonical_json, sha256
from triune.domain.evidence import CheckResult, Layer


class FileResultMemory:
    """A folder of results; removing it loses nothing but time, and a damaged file is no result."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, *, layer: Layer, name: str, digest: str) -> CheckResult | None:
        """Find what a check came to when all that it read had this digest."""
        try:
            document = json.loads(self._path(layer, name, digest).read_bytes())
            return CheckResult.of(document)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, result: CheckResult) -> None:
        """Keep a result, whole or not at all; a disk that is full is no reason to fail."""
        with suppress(OSError):
            path = self._path(result.layer, result.name, result.digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_aside(path) as draft:
                draft.write_bytes(json.dumps(result.document).encode())

    def _path(self, layer: Layer, name: str, digest: str) -> Path:
        asked = sha256(canonical_json({"layer": str(layer), "name": name, "digest": digest}))
        return self._folder / f"{asked}.json"
