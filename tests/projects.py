"""Users' projects for tests: laid out by hand, driven through the command."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from math import exp
from pathlib import Path
from random import Random
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


GATED_MODEL_CODE = '''"""A model that needs no library: a logistic curve over what a visitor saw."""

import numpy as np

from src.features import pages


class Model:
    """Answers by the pages seen, and by their depth as far as it knows of it."""

    classes_ = np.array([0, 1])

    def __init__(self, depth):
        self.depth = depth

    def predict_proba(self, frame):
        logit = 0.8 * pages(frame) + self.depth * (frame["depth"].to_numpy(float) - 3.0)
        chance = 1 / (1 + np.exp(-logit))
        return np.column_stack([1 - chance, chance])

    def predict(self, frame):
        return (self.predict_proba(frame)[:, 1] > 0.5).astype(int)
'''

GATED_SETTINGS = """version: 1
project: visits
pipeline: none
runtime: {lock: requirements.lock}
data:
  datasets: {train: data/train.csv, holdout: data/holdout.csv}
model:
  artifact: models/model.pkl
  task: binary
  target: clicked
  key: visit_id
  floors: {roc_auc: 0.55}
gate: {metric: roc_auc, min_delta: 0.01, looks: 5}
integration: {golden: 3}
environments:
  staging: {listen: "127.0.0.1:8701", strategy: instant}
  production: {listen: "127.0.0.1:8702", after: staging, strategy: instant}
"""


def a_gated_project(folder: Path) -> Path:
    """Lay out a project whose holdout tells models apart, with a gate and two environments."""
    a_project(folder)
    (folder / "triune.yaml").write_text(GATED_SETTINGS)
    (folder / "src/model.py").write_text(GATED_MODEL_CODE)
    write_visits(folder / "data/train.csv", rows=300, seed=1)
    write_visits(folder / "data/holdout.csv", rows=1500, seed=2)
    write_gated_model(folder, depth=0.0)
    commit(folder, "Ask for a gate")
    return folder


def write_visits(path: Path, *, rows: int, seed: int) -> None:
    """Draw visits whose clicks depend on pages and depth alike."""
    draw = Random(seed)
    lines = ["visit_id,pages,depth,device,clicked"]
    for number in range(rows):
        pages, depth = draw.randrange(7), draw.randrange(7)
        chance = 1 / (1 + exp(-0.8 * (pages - 3) - 0.8 * (depth - 3)))
        clicked = int(draw.random() < chance)
        lines.append(
            f"{seed}-{number},{pages},{depth},{draw.choice(('phone', 'desktop'))},{clicked}"
        )
    path.write_text("\n".join(lines) + "\n")


def write_gated_model(folder: Path, *, depth: float) -> None:
    """Pickle the gated project's model; 0.8 is the truth."""
    script = (
        "import pickle, sys; sys.path.insert(0, '.'); from src.model import Model; "
        f"pickle.dump(Model({depth}), open('models/model.pkl', 'wb'), protocol=4)"
    )
    subprocess.run([sys.executable, "-B", "-c", script], cwd=folder, check=True)
