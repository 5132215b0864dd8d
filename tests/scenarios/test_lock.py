"""The lock names all that a model runs on: what its worker loaded is held against it."""

import json
import subprocess
import sys
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.projects import a_project, edit, git, triune

from triune.adapters.installation import LocalInstallation

LOCKED = LocalInstallation().needed([], modules=["numpy", "sklearn"])
TRAIN = """
import pickle, sys
from sklearn.linear_model import LogisticRegression
{imports}
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
{save}
"""
PICKLE = "pickle.dump(model, open('models/model.pkl', 'wb'))"
SKOPS = "skops.io.dump(model, 'models/model.skops')"


def a_sklearn_project(folder: Path, *, locked: Collection[str], save: str = PICKLE) -> Path:
    """Lay out a project whose code imports numpy alone, and whose model is of scikit-learn."""
    a_project(folder)
    imports = "import skops.io" if save == SKOPS else ""
    train = TRAIN.format(imports=imports, save=save)
    subprocess.run([sys.executable, "-B", "-c", train], cwd=folder, check=True)
    # One column is a feature; the other is the key.
    for name in ("train", "holdout"):
        file = folder / f"data/{name}.csv"
        lines = [line.split(",") for line in file.read_text().splitlines()]
        file.write_text("".join(f"{key},{pages},{y}\n" for key, pages, _, y in lines))
    lock = "".join(f"{name}=={version(name)}\n" for name in locked)
    (folder / "requirements.lock").write_text(lock)
    return folder


def refusal(project: Path) -> str:
    finished = triune(project, "run", "--json")
    assert finished.returncode == 2, finished.stdout + finished.stderr
    (reason,) = json.loads(finished.stdout)["reasons"]
    assert reason["code"] == "LOCK"
    return str(reason["message"])


def test_a_lock_with_all_that_the_model_loaded_is_taken(tmp_path: Path) -> None:
    project = a_sklearn_project(tmp_path / "visits", locked=LOCKED)

    assert triune(project, "run").returncode == 0


def test_a_library_that_only_the_models_file_refers_to_is_missed_with_the_line_to_add(
    tmp_path: Path,
) -> None:
    project = a_sklearn_project(tmp_path / "visits", locked=("numpy",))

    message = refusal(project)

    for name in ("joblib", "scikit-learn", "scipy"):
        assert f"{name}=={version(name)}" in message
    assert "numpy==" not in message
    assert "triune" not in message.replace("`triune init --lock .`", "")


def test_a_skops_file_is_read_for_what_it_refers_to(tmp_path: Path) -> None:
    project = a_sklearn_project(tmp_path / "visits", locked=("numpy",), save=SKOPS)
    edit(project / "triune.yaml", "models/model.pkl", "models/model.skops")

    assert f"scikit-learn=={version('scikit-learn')}" in refusal(project)


@pytest.mark.parametrize("when", ["at import", "when it answers"])
def test_a_library_that_the_code_imports_is_missed(tmp_path: Path, when: str) -> None:
    project = a_project(tmp_path / "visits")
    line = "import yaml\n" if when == "at import" else "    import yaml\n"
    features = project / "src/features.py"
    above = '"""Features' if when == "at import" else "    return frame"
    edit(features, above, line + above)

    assert refusal(project).endswith(f"add these lines to it: pyyaml=={version('pyyaml')}")


def test_what_the_model_does_not_run_need_not_be_locked(tmp_path: Path) -> None:
    project = a_project(tmp_path / "visits")
    # The worker itself has pandas and pyarrow.
    (project / "src/report.py").write_text("import rich, pandas, pyarrow\n")
    edit(
        project / "src/features.py",
        "def pages",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import pyarrow\n\n\n"
        "def draw(frame):\n    import duckdb\n\n\ndef pages",
    )

    assert triune(project, "run").returncode == 0


def test_a_worker_that_dies_as_it_answers_is_no_matter_of_the_lock(tmp_path: Path) -> None:
    project = a_project(tmp_path / "visits")
    edit(
        project / "src/features.py",
        "    return frame",
        "    import os; os._exit(3)\n    return frame",
    )

    finished = triune(project, "run", "--json")

    assert finished.returncode == 1
    assert json.loads(finished.stdout)["release"]["id"]


def test_the_lock_is_written_of_scripts_that_do_not_travel_too_and_of_no_tests(
    tmp_path: Path,
) -> None:
    project = a_sklearn_project(tmp_path / "visits", locked=("numpy",))
    (project / "train.py").write_text("import sklearn\nimport nowhere_to_be_found\n")
    (project / "job.py").write_text("{{ no Python }}\n")
    for name in ("tests/code/test_nothing.py", "conftest.py", "test_model.py"):
        (project / name).write_text("import pytest\n")
    (project / "python").symlink_to(sys.executable)
    git(project, "add", "--all")

    assert triune(project, "init", "--lock", ".").returncode == 0

    names = [
        line.split("==")[0] for line in (project / "requirements.lock").read_text().splitlines()
    ]
    assert {*names} >= {*LOCKED}
    assert "pytest" not in names
    assert triune(project, "run").returncode == 0


def test_what_was_added_by_hand_stays_in_the_lock_at_the_version_installed(tmp_path: Path) -> None:
    project = a_sklearn_project(tmp_path / "visits", locked=("numpy",))
    with (project / "requirements.lock").open("a") as lock:
        lock.write("scikit-learn==0.1\nno-longer-there==1.0\n")

    assert triune(project, "init", "--lock", ".").returncode == 0

    assert triune(project, "run").returncode == 0
    lines = (project / "requirements.lock").read_text().splitlines()
    assert f"scikit-learn=={version('scikit-learn')}" in lines
    assert not any(line.startswith("no-longer-there") for line in lines)


def test_a_lock_that_would_name_nothing_is_not_written(tmp_path: Path) -> None:
    project = a_project(tmp_path / "visits")
    for path in ("model", "features"):
        (project / f"src/{path}.py").write_text("")
    before = "# nothing yet\n"
    (project / "requirements.lock").write_text(before)

    refused = triune(project, "init", "--lock", ".")

    assert refused.returncode == 2
    assert "write what the model was trained with into requirements.lock" in refused.stderr
    assert (project / "requirements.lock").read_text() == before
