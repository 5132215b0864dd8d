"""What triune.yaml names and is not there is told by file, line, key and nearest name."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.projects import SETTINGS, edit, git

from triune.adapters.source.git import GitSource
from triune.config import load_project
from triune.domain.errors import (
    ConfigError,
    DatasetError,
    ModelError,
    NothingIncludedError,
    TriuneError,
)
from triune.domain.project import ProjectSpec
from triune.operations.locating import (
    dataset_files,
    require_files,
    require_included,
)
from triune.operations.locking import require_runtime


@dataclass(frozen=True)
class AProject:
    root: Path
    spec: ProjectSpec


class Nothing:
    """An installation that is not asked, as there is no lock to compare it with."""

    def __getattr__(self, name: str) -> Callable[[], dict[str, str]]:
        return dict


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("data/train.csv", "data/holdout.csv", "models/model.pkl", "requirements.lock"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x\n")
    (tmp_path / "triune.yaml").write_text(SETTINGS)
    return tmp_path


def loaded(root: Path, before: str = "", after: str = "") -> AProject:
    if before:
        edit(root / "triune.yaml", before, after)
    return AProject(*load_project(root))


def refusal(root: Path, before: str, after: str) -> TriuneError:
    with pytest.raises(TriuneError) as raised:
        require_files(loaded(root, before, after))
    return raised.value


def test_what_is_there_is_accepted(root: Path) -> None:
    require_files(loaded(root))


def test_a_missing_lock_is_told_by_line_with_the_nearest_file_and_what_else_to_do(
    root: Path,
) -> None:
    project = loaded(root, "lock: requirements.lock", "lock: requirements.lok")

    with pytest.raises(ConfigError) as raised:
        require_runtime(project, Nothing())  # type: ignore[arg-type]

    assert str(raised.value) == (
        "triune.yaml:6: runtime.lock: there is no requirements.lok; did you mean "
        "'requirements.lock'? If not, write it from what is installed: `triune init --lock .`"
    )


def test_a_missing_default_is_told_where_it_would_stand(root: Path) -> None:
    edit(root / "triune.yaml", "runtime: {lock: requirements.lock, on_mismatch: refuse}\n", "")
    (root / "requirements.lock").unlink()

    with pytest.raises(ConfigError, match=r"^triune.yaml:1: runtime.lock: there is no requir"):
        require_runtime(loaded(root), Nothing())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "meant"),
    [("data/holdot.csv", "data/holdout.csv"), ("dta/holdout.csv", "data/holdout.csv")],
)
def test_a_missing_dataset_names_the_nearest_file(root: Path, given: str, meant: str) -> None:
    error = refusal(root, "holdout: data/holdout.csv", f"holdout: {given}")

    assert isinstance(error, DatasetError)
    assert str(error).startswith(
        f"triune.yaml:8: data.datasets.holdout: there is no {given}; did you mean {meant!r}?"
    )


def test_a_missing_model_is_found_in_another_folder(root: Path) -> None:
    error = refusal(root, "artifact: models/model.pkl", "artifact: model.pkl")

    assert isinstance(error, ModelError)
    assert str(error).startswith(
        "triune.yaml:10: model.artifact: there is no model.pkl; did you mean 'models/model.pkl'?"
    )


def test_what_a_pipeline_can_make_need_not_be_there_yet(root: Path) -> None:
    (root / "data/train.csv").unlink()
    (root / "models/model.pkl").unlink()

    require_files(loaded(root, "pipeline: none", "pipeline: dvc"))


def test_suites_and_tests_must_be_there_whatever_the_pipeline(root: Path) -> None:
    edit(root / "triune.yaml", "pipeline: none", "pipeline: dvc")
    (root / "checks").mkdir()
    (root / "checks/visits.json").write_text("{}")
    datasets = "datasets: {train: data/train.csv, holdout: data/holdout.csv}"

    suite = refusal(root, datasets, f"{datasets}\n  suites: {{train: checks/visit.json}}")
    edit(root / "triune.yaml", "checks/visit.json", "checks/visits.json")
    tests = refusal(root, "golden: 5", "golden: 5, tests: check")

    assert str(suite).startswith(
        "triune.yaml:9: data.suites.train: there is no checks/visit.json; did you mean "
        "'checks/visits.json'?"
    )
    assert str(tests).startswith(
        "triune.yaml:15: integration.tests: there is no check; did you mean 'checks'?"
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("data.csv", "is a folder, and a file is needed"),
        ("data/train.csv/train.csv", "there is no data/train.csv/train.csv"),
        (f"data/{'x' * 300}.csv", "cannot be read: File name too long"),
        ('"data/**.csv"', r"\*\*|no file is named like data"),
        ('"data/*.parquet"', r"no file is named like data/\*\.parquet; make it"),
    ],
)
def test_a_path_that_names_no_file_is_refused_by_line(root: Path, path: str, said: str) -> None:
    (root / "data.csv").mkdir()

    error = refusal(root, "train: data/train.csv", f"train: {path}")

    assert isinstance(error, DatasetError)
    assert re.match(f"triune.yaml:8: data.datasets.train: .*({said})", str(error))


def test_a_file_whose_name_is_no_text_is_named(root: Path) -> None:
    (root / os.fsdecode(b"data/t\xe9.csv")).write_text("x\n")
    project = loaded(root, "train: data/train.csv", 'train: "data/t*.csv"')

    with pytest.raises(DatasetError, match=r"the file name b'data/t\\xe9.csv' is no UTF-8"):
        dataset_files(project, project.spec.dataset("train"))


def test_an_empty_model_is_refused_by_line(root: Path) -> None:
    (root / "models/model.pkl").write_bytes(b"")

    with pytest.raises(ModelError, match=r"^triune.yaml:10: model.artifact: .* is empty"):
        require_files(loaded(root))


def test_an_entry_of_the_code_that_is_missing_or_ignored_is_told_by_line(root: Path) -> None:
    git(root, "init", "--quiet")
    (root / ".gitignore").write_text("build/\n")
    for name in ("src/model.py", "build/model.py"):
        (root / name).parent.mkdir()
        (root / name).write_text("")
    source = GitSource(root)

    missing = loaded(root, "include: [src]", "include:\n    - src\n    - scr")
    with pytest.raises(NothingIncludedError) as unknown:
        require_included(missing, source)
    ignored = loaded(root, "- scr", "- build")
    with pytest.raises(NothingIncludedError) as nothing:
        require_included(ignored, source)

    assert str(unknown.value).startswith(
        "triune.yaml:7: code.include[1]: there is no scr; did you mean 'src'?"
    )
    assert str(nothing.value).startswith(
        "triune.yaml:7: code.include[1]: build holds no file, or none but bytecode"
    )
