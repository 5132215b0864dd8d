"""Two releases of one model that differ in their features alone: each scores by its own."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.projects import a_project, edit, triune, triune_json

from triune.bootstrap import open_project
from triune.operations.context import Context
from triune.operations.releases import find_release, load_manifest
from triune.operations.scoring import dataset_of, score_dataset
from triune.ports import Predictions

SLOPE = 0.5
HOLDOUT_PAGES = np.array([n % 5 for n in range(10)], float)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """A project with two releases, and where the features of each centre the pages seen."""

    folder: Path
    first: str
    second: str

    @property
    def centres(self) -> dict[str, float]:
        return {self.first: 3.0, self.second: 2.5}


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Visits:
    folder = a_project(tmp_path_factory.mktemp("features") / "visits")
    first = triune_json(folder, "run")["release"]["id"]
    edit(folder / "src/features.py", "3.0", "2.5")
    second = triune_json(folder, "run")["release"]["id"]
    # Whatever the working tree holds later is of no concern to a release.
    (folder / "src/features.py").write_text("raise RuntimeError('the working tree was used')\n")
    return Visits(folder=folder, first=first, second=second)


@pytest.fixture
def visits(cut: Visits) -> Visits:
    """The two releases, of which nothing was scored yet."""
    shutil.rmtree(cut.folder / ".triune" / "predictions", ignore_errors=True)
    return cut


@pytest.fixture
def context(visits: Visits) -> Iterator[Context]:
    with open_project(visits.folder) as context:
        yield context


def chances(centre: float) -> Floats:
    """Compute what the project's model answers, from its formula."""
    chance = 1 / (1 + np.exp(-SLOPE * (HOLDOUT_PAGES - centre)))
    return np.column_stack([1 - chance, chance])


def score(context: Context, name: str) -> Predictions:
    release = find_release(context, name)
    return score_dataset(context, release, dataset_of(load_manifest(context, release), "holdout"))


def test_the_releases_differ_in_their_features_alone(visits: Visits) -> None:
    changes = triune_json(visits.folder, "release", "diff", visits.first, visits.second)

    assert changes["code"] == {"added": [], "removed": [], "changed": ["src/features.py"]}
    assert changes["model_files"] == {"added": [], "removed": [], "changed": []}
    assert changes["data"] == {}
    assert changes["model"] == changes["runtime"] == changes["serve"] == []
    # What each answered right after its cut, by its own features.
    assert changes["answers"]["differing"] == changes["answers"]["compared"] == 5


@pytest.mark.parametrize("order", ["first, second", "second, first"])
def test_each_scores_by_its_own_features_in_one_process_in_any_order(
    context: Context, visits: Visits, order: str
) -> None:
    names = [getattr(visits, name) for name in order.split(", ")]

    # Each twice, one after the other: what the second time finds must be the release's own too.
    for name in (*names, *names):
        predictions = score(context, name)

        expected = chances(visits.centres[name])
        assert predictions.probabilities is not None
        assert predictions.probabilities.tolist() == expected.tolist()
        assert predictions.labels.tolist() == (expected[:, 1] > 0.5).astype(int).tolist()
    assert chances(3.0).tolist() != chances(2.5).tolist()


def test_a_diff_by_predictions_scores_each_by_its_own_features(visits: Visits) -> None:
    gap = float(np.abs(chances(3.0) - chances(2.5)).max())

    forth = predictions_of_a_diff(visits.folder, visits.first, visits.second)
    back = predictions_of_a_diff(visits.folder, visits.second, visits.first)
    lines = triune(
        visits.folder, "release", "diff", visits.first, visits.second, "--predictions"
    ).stdout.splitlines()

    # With three pages seen the first answers 0, and the second 1: two rows of the ten.
    assert (
        forth
        == back
        == {
            "compared": 10,
            "differing": 10,
            "relabelled": 2,
            "largest": pytest.approx(gap, abs=1e-12),
        }
    )
    assert f"model: 10 of 10 predictions on the holdout differ, by at most {gap:.4g}" in lines
    assert "model: 2 of 10 predictions on the holdout have another label" in lines


def predictions_of_a_diff(folder: Path, before: str, after: str) -> Any:
    return triune_json(folder, "release", "diff", before, after, "--predictions")["predictions"]


@pytest.mark.slow
def test_a_diff_of_releases_with_other_inputs_says_why_it_scores_nothing(tmp_path: Path) -> None:
    folder = a_project(tmp_path)
    first = triune_json(folder, "run")["release"]["id"]
    for name in ("train", "holdout"):
        path = folder / f"data/{name}.csv"
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([f"{head},age", *(f"{row},40" for row in rows)]) + "\n")
    second = triune_json(folder, "run")["release"]["id"]

    shown = triune(folder, "release", "diff", first, second, "--predictions")
    changes = triune_json(folder, "release", "diff", first, second, "--predictions")

    assert shown.returncode == 0, shown.stderr
    assert "model: input age added: integer" in shown.stdout
    assert "model: the two cannot be scored on one dataset: " in shown.stdout
    assert changes["predictions"] is None
    assert "age" in changes["unscored"]
    assert changes["signature"] == [["input age", None, "integer"]]
