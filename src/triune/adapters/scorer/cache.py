"""Keeps predictions by release and dataset, so that nothing is scored twice.

A file is named for what it answers and for its own digest. One that is damaged is scored again.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from triune.adapters.scorer.predictions import encode_predictions, read_predictions
from triune.adapters.whole_files import UNFINISHED, written_aside
from triune.domain.canonical import sha256
from triune.ports import Predictions


class PredictionCache:
    """A folder with a folder for each release; removing either loses nothing but time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, *, release: str, dataset: str) -> Predictions | None:
        """Find the predictions of a release (its id) for a dataset (its digest).

        A cache that cannot be read holds nothing.
        """
        with suppress(OSError):
            return self._find(release, dataset)
        return None

    def _find(self, release: str, dataset: str) -> Predictions | None:
        for path in sorted((self._folder / release).glob(f"{dataset}.*.arrow")):
            content = path.read_bytes()
            if path.name == f"{dataset}.{sha256(content)}.arrow":
                return read_predictions(content)
            path.unlink(missing_ok=True)
        return None

    def keep_only(self, releases: Collection[str]) -> int:
        """Remove what is not of these releases (their ids), and count the bytes that it took."""
        freed = 0
        for path in self._folder.glob("*/*"):
            # What a writer that was killed left is nobody's; one that lives does without.
            if path.parent.name not in releases or path.suffix == UNFINISHED:
                with suppress(OSError):
                    size = path.stat().st_size
                    path.unlink()
                    freed += size
        for folder in self._folder.glob("*"):
            with suppress(OSError):
                folder.rmdir()
        return freed

    def keep(self, predictions: Predictions, *, release: str, dataset: str) -> None:
        """Keep predictions, whole or not at all; a disk that is full is no reason to fail."""
        content = encode_predictions(predictions)
        with suppress(OSError):
            folder = self._folder / release
            folder.mkdir(parents=True, exist_ok=True)
            with written_aside(folder / f"{dataset}.{sha256(content)}.arrow") as draft:
                # Not synced: after a power cut the digest tells a torn file from a whole one.
                draft.write_bytes(content)
