"""Keeps predictions by release and dataset, so that nothing is scored twice.

A file is named for what it answers and for its own digest. One that is damaged is scored again.
"""

from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from triune.adapters.scorer.predictions import encode_predictions, read_predictions
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

    def keep(self, predictions: Predictions, *, release: str, dataset: str) -> None:
        """Keep predictions, whole or not at all; a disk that is full is no reason to fail."""
        content = encode_predictions(predictions)
        with suppress(OSError):
            folder = self._folder / release
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / f"{dataset}.{sha256(content)}.arrow", content)


def _write(destination: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=destination.parent, suffix=".part", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            # Not synced: after a power cut the digest tells a torn file from a whole one.
            Path(file.name).replace(destination)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
