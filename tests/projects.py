"""Users' projects for tests: laid out by hand, driven through the command."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

MODEL_CODE = '''"""A model that needs no library: the weights are all there is to it."""

import numpy as np

from src.features import pages


class Model:
    """Answers with a logistic curve over the pages seen."""

    classes_ = np.array([0, 1])

    def __init__(self, slope):
        self.slope = slope

    def predict_proba(self, frame):
        chance = 1 / (1 + np.exp(-self.slope * pages(frame)))
        return np.column_stack([1 - chance, chance])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(int)
'''

FEATURES_CODE = '''"""Features of a visit."""


def pages(frame):
    """Centre the pages seen."""
    return frame["pages"].to_numpy(float) - 3.0
'''

SETTINGS = """version: 1
project: visits
pipeline: none
code:
  include: [src]
runtime: {lock: requirements.lock, on_mismatch: refuse}
data:
  datasets: {train: data/train.csv, holdout: data/holdout.csv}
model:
  artifact: models/model.pkl
  task: binary
  target: clicked
  key: visit_id
integration: {golden: 5}
"""


def write_model(folder: Path, *, slope: float = 0.5) -> None:
    """Pickle the project's model under the name that its worker will import."""
    script = (
        "import pickle, sys; sys.path.insert(0, '.'); from src.model import Model; "
        f"pickle.dump(Model({slope}), open('models/model.pkl', 'wb'), protocol=4)"
    )
    subprocess.run([sys.executable, "-B", "-c", script], cwd=folder, check=True)


def a_project(folder: Path) -> Path:
    """Lay out a project with no pipeline and a model that needs no library; commit it."""
    files = {
        "triune.yaml": SETTINGS,
        "requirements.lock": f"numpy=={version('numpy')}\n",
        ".gitignore": ".triune/\n__pycache__/\n",
        "src/__init__.py": "",
        "src/model.py": MODEL_CODE,
        "src/features.py": FEATURES_CODE,
        "data/train.csv": "visit_id,pages,device,clicked\n"
        + "".join(
            f"v{n},{n % 7},{'phone' if n % 2 else 'desktop'},{n % 3 % 2}\n" for n in range(40)
        ),
        "data/holdout.csv": "visit_id,pages,device,clicked\n"
        + "".join(f"h{n},{n % 5},phone,{n % 2}\n" for n in range(10)),
        "tests/code/test_nothing.py": "def test_nothing():\n    pass\n",
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (folder / "models").mkdir()
    write_model(folder)
    git(folder, "init", "--quiet")
    commit(folder, "Start")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in a project."""
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    finished = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return finished.stdout


def commit(folder: Path, message: str) -> None:
    """Commit all there is."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def triune(
    folder: Path, *arguments: str, command: Sequence[str] = (), env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a project, whatever it exits with."""
    return subprocess.run(
        [*(command or (sys.executable, "-m", "triune.cli")), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
    )


def triune_json(folder: Path, *arguments: str) -> Any:
    """Run a command that must pass, and read its one JSON document."""
    finished = triune(folder, *arguments, "--json")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout)


def blob_path(folder: Path, digest: str) -> Path:
    """Tell where the store of a project keeps a blob."""
    return folder / ".triune" / "blobs" / digest[:2] / digest


def edit(path: Path, before: str, after: str) -> None:
    """Replace a text that must be there."""
    content = path.read_text()
    assert before in content, (path, before)
    path.write_text(content.replace(before, after))
