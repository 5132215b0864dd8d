"""A project whose model is compiled to ONNX when its release is cut, by the command alone."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tests.projects import a_project, blob_path, commit, edit, triune, triune_json

from triune.adapters.installation import LocalInstallation

LOCKED = LocalInstallation().needed(
    [], modules=["numpy", "pandas", "sklearn"], also=["onnxruntime"]
)
TRAIN = """
import pickle, sys
sys.path.insert(0, ".")
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
{imports}

train = pd.read_csv("data/train.csv")
columns = ColumnTransformer([
    ("pages", StandardScaler(), ["pages"]),
    ("device", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["device"]),
])
steps = [{first} ("columns", columns), ("model", {model})]
pipeline = Pipeline(steps).fit(train[["pages", "device"]], train["clicked"])
with open("models/model.pkl", "wb") as file:
    pickle.dump(pipeline, file)
"""


def a_compiled_project(
    folder: Path, *, imports: str = "", first: str = "", model: str = "LogisticRegression()"
) -> Path:
    """Lay out a project with a pipeline of scikit-learn that is to be compiled."""
    a_project(folder)
    script = TRAIN.format(imports=imports, first=first, model=model)
    subprocess.run([sys.executable, "-B", "-c", script], cwd=folder, check=True)
    edit(folder / "triune.yaml", "  key: visit_id\n", "  key: visit_id\n  compile: onnx\n")
    lock = "".join(f"{name}=={version}\n" for name, version in LOCKED.items())
    (folder / "requirements.lock").write_text(lock)
    commit(folder, "Compile")
    return folder


def model_of(project: Path, release: str) -> Any:
    return triune_json(project, "release", "show", release)["manifest"]["model"]


def test_a_release_is_compiled_when_it_is_cut_and_its_parity_is_checked(tmp_path: Path) -> None:
    project = a_compiled_project(tmp_path / "visits")

    report = triune_json(project, "run")
    again = triune_json(project, "run")

    release = report["release"]["id"]
    compiled = model_of(project, release)["compiled"]
    assert (compiled["compiled"], compiled["python"]) == (["columns", "model"], [])
    assert blob_path(project, compiled["digest"]).exists()
    (parity,) = [each for each in checks(report) if each["name"] == "parity"]
    assert (parity["verdict"], parity["figures"]["rows"]) == ("PASS", 10)
    assert again["release"]["id"] == release
    shown = triune(project, "release", "show", "latest").stdout
    assert "onnx    columns, model; left in Python: nothing" in shown
    assert triune(project, "release", "verify", release).returncode == 0
    blob_path(project, compiled["digest"]).chmod(0o600)
    blob_path(project, compiled["digest"]).write_bytes(b"other")
    assert "compiled model" in triune(project, "release", "verify", release).stdout


def checks(report: Any) -> list[Any]:
    return [check for layer in report["layers"] for check in layer["checks"]]


def test_a_first_step_from_the_projects_code_is_left_in_python_and_shown(tmp_path: Path) -> None:
    project = a_project_with_a_step(tmp_path / "visits")

    release = triune_json(project, "run")["release"]["id"]

    shown = triune(project, "release", "show", release).stdout
    assert "onnx    columns, model; left in Python: more" in shown


def a_project_with_a_step(folder: Path) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "steps.py").write_text(
        "def more_pages(frame):\n    return frame.assign(pages=frame['pages'] + 1.0)\n"
    )
    return a_compiled_project(
        folder,
        imports="from src.steps import more_pages",
        first='("more", FunctionTransformer(more_pages)),',
    )


def test_a_library_that_a_step_in_python_imports_as_late_as_it_runs_has_to_be_locked(
    tmp_path: Path,
) -> None:
    project = a_project_with_a_step(tmp_path / "visits")
    edit(project / "src/steps.py", "    return frame", "    import yaml\n    return frame")

    refused = triune(project, "run", "--json")

    assert refused.returncode == 2
    (reason,) = json.loads(refused.stdout)["reasons"]
    assert "pyyaml==" in reason["message"]


def test_a_model_that_is_wholly_compiled_runs_on_its_runtime_alone(tmp_path: Path) -> None:
    project = a_compiled_project(tmp_path / "visits")
    lines = "".join(f"{name}=={LOCKED[name]}\n" for name in ("numpy", "onnxruntime"))
    (project / "requirements.lock").write_text(lines)

    assert triune(project, "run").returncode == 0


def test_a_model_that_cannot_be_compiled_is_refused_by_the_name_of_its_step(
    tmp_path: Path,
) -> None:
    project = a_compiled_project(
        tmp_path / "visits",
        imports="from sklearn.semi_supervised import LabelSpreading",
        model="LabelSpreading()",
    )

    refused = triune(project, "run", "--json")

    assert refused.returncode == 2
    (reason,) = json.loads(refused.stdout)["reasons"]
    assert "step 'model' (LabelSpreading)" in reason["message"]
    assert "remove `compile` from `model` in triune.yaml" in reason["message"]


def test_a_lock_without_the_runtime_of_the_compiled_model_is_refused_before_training(
    tmp_path: Path,
) -> None:
    project = a_compiled_project(tmp_path / "visits")
    edit(project / "requirements.lock", f"onnxruntime=={version('onnxruntime')}\n", "")

    refused = triune(project, "run")

    assert refused.returncode == 2
    assert "triune.yaml:14: model.compile: the compiled model is run by onnxruntime" in (
        refused.stdout + refused.stderr
    )


def test_the_lock_is_written_with_the_runtime_of_the_compiled_model(tmp_path: Path) -> None:
    project = a_compiled_project(tmp_path / "visits")

    assert triune(project, "init", "--lock", ".").returncode == 0

    assert f"onnxruntime=={version('onnxruntime')}\n" in (project / "requirements.lock").read_text()


@pytest.mark.slow
def test_two_releases_one_compiled_and_one_not_answer_alike(tmp_path: Path) -> None:
    project = a_compiled_project(tmp_path / "visits")
    first = triune_json(project, "run")["release"]["id"]
    edit(project / "triune.yaml", "  compile: onnx\n", "")
    commit(project, "Do not compile")
    second = triune_json(project, "run")["release"]["id"]

    assert first != second
    assert "compiled" not in model_of(project, second)
    said = triune_json(project, "release", "diff", first, second, "--predictions")
    assert said["predictions"]["differing"] == 0
