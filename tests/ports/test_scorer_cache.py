"""Predictions that are kept: found again whole, and never a reason to fail."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from triune.adapters.scorer.cache import PredictionCache
from triune.ports import Predictions

RELEASE, DATASET = "a" * 64, "b" * 64
FLAT = Predictions(labels=np.array([1.5, -2.0]), probabilities=None)


def keep(folder: Path, predictions: Predictions = FLAT) -> Path:
    """Keep predictions, and tell in which file."""
    PredictionCache(folder).keep(predictions, release=RELEASE, dataset=DATASET)
    (kept,) = (folder / RELEASE).iterdir()
    return kept


def find(folder: Path, *, release: str = RELEASE, dataset: str = DATASET) -> Predictions | None:
    return PredictionCache(folder).find(release=release, dataset=dataset)


@pytest.mark.parametrize(
    "labels", [[1, 0, 1], [0.1, 2.5, -3.0], ["yes", "no", "naïve"], [True, False, True]]
)
def test_labels_come_back_as_they_were_kept(tmp_path: Path, labels: list[object]) -> None:
    keep(tmp_path, Predictions(labels=np.array(labels), probabilities=None))

    found = find(tmp_path)

    assert found is not None
    assert found.labels.tolist() == labels
    assert found.labels.dtype.kind == np.array(labels).dtype.kind
    assert found.probabilities is None


def test_probabilities_come_back_to_the_last_bit(tmp_path: Path) -> None:
    chances = np.random.default_rng(7).dirichlet([1.0, 1.0, 1.0], size=50)
    keep(tmp_path, Predictions(labels=np.arange(50), probabilities=chances))

    found = find(tmp_path)

    assert found is not None
    assert found.probabilities is not None
    assert found.probabilities.tobytes() == chances.tobytes()


def test_predictions_for_no_rows_come_back(tmp_path: Path) -> None:
    keep(tmp_path, Predictions(labels=np.empty(0, int), probabilities=np.empty((0, 2))))

    found = find(tmp_path)

    assert found is not None
    assert found.labels.shape == (0,)
    assert found.probabilities is not None
    assert found.probabilities.shape == (0, 2)


def test_predictions_of_another_release_or_dataset_are_not_taken(tmp_path: Path) -> None:
    keep(tmp_path)

    assert find(tmp_path) is not None
    assert find(tmp_path, release="c" * 64) is None
    assert find(tmp_path, dataset="c" * 64) is None


def test_keeping_again_keeps_one_file(tmp_path: Path) -> None:
    assert keep(tmp_path) == keep(tmp_path)


@pytest.mark.parametrize("damage", ["cut off", "emptied", "changed", "another's"])
def test_a_damaged_file_is_not_found_and_makes_room(tmp_path: Path, damage: str) -> None:
    kept = keep(tmp_path)
    content = kept.read_bytes()
    damaged = {
        "cut off": content[:-1],
        "emptied": b"",
        "changed": content[:99] + bytes([content[99] ^ 1]) + content[100:],
        "another's": b"ARROW1" + content,
    }
    kept.write_bytes(damaged[damage])

    assert find(tmp_path) is None
    assert not kept.exists()


def test_what_an_interrupted_write_left_is_not_found(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    kept.rename(kept.with_name("tmp123.part"))

    assert find(tmp_path) is None


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.write_text("a file, where a folder should be")

    PredictionCache(folder).keep(FLAT, release=RELEASE, dataset=DATASET)

    assert find(folder) is None


def test_a_disk_that_is_full_is_no_failure_and_nothing_is_left_there(small_disk: Path) -> None:
    large = Predictions(labels=np.arange(200_000), probabilities=None)

    PredictionCache(small_disk).keep(large, release=RELEASE, dataset=DATASET)

    assert find(small_disk) is None
    assert list((small_disk / RELEASE).iterdir()) == []


def test_a_damaged_file_that_cannot_be_removed_is_no_failure(small_disk: Path) -> None:
    kept = keep(small_disk)
    kept.write_bytes(b"damaged")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    assert find(small_disk) is None
    PredictionCache(small_disk).keep(FLAT, release=RELEASE, dataset=DATASET)
    assert kept.read_bytes() == b"damaged"


def test_only_what_named_releases_predicted_is_kept(tmp_path: Path) -> None:
    kept = keep(tmp_path)
    (tmp_path / RELEASE / "killed.part").write_bytes(b"12345")
    PredictionCache(tmp_path).keep(FLAT, release="c" * 64, dataset=DATASET)
    (gone,) = (tmp_path / ("c" * 64)).iterdir()
    size = gone.stat().st_size

    freed = PredictionCache(tmp_path).keep_only({RELEASE, "d" * 64})

    assert freed == size + 5
    assert sorted(tmp_path.rglob("*")) == [kept.parent, kept]
    assert PredictionCache(tmp_path / "none").keep_only({RELEASE}) == 0
