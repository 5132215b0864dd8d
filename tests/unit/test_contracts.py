"""Each contract between the layers is seen to break where a breach is planted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BREACHES = {
    "Dependencies point down": ("operations/planted.py", "import triune.config"),
    "Domain and statistics read no clock, file, network or random source": (
        "domain/planted.py",
        "import time",
    ),
    "The data plane knows nothing of the control plane": (
        "gateway/planted.py",
        "import triune.ports",
    ),
    "The gateway carries bytes: no arrays, no models": ("gateway/planted.py", "import numpy"),
    "Adapters do not import each other": (
        "adapters/data/planted.py",
        "import triune.adapters.scratch",
    ),
    "No cycles": ("operations/context.py", "import triune.operations.runs"),
    "scipy stays in the statistics": ("operations/planted.py", "import scipy"),
    "SQL stays in the ledger's adapter": ("operations/planted.py", "import sqlalchemy"),
    "DuckDB stays in the data adapter": ("serving/planted.py", "import duckdb"),
    "Arrow stays where tables are read and scored": ("operations/planted.py", "import pyarrow"),
    "fsspec stays in the artifact store's adapter": ("adapters/planted.py", "import fsspec"),
    "pydantic and YAML stay where settings come in": ("domain/planted.py", "import pydantic"),
    "Model libraries stay in the worker": ("adapters/planted.py", "import joblib"),
    "DVC stays in the pipeline's adapter": ("adapters/planted.py", "import dvc"),
    "The HTTP server stays in the gateway": ("cli/planted.py", "import httptools"),
    "The terminal stays in the command": ("operations/planted.py", "import typer"),
}


def lint_imports(folder: Path) -> str:
    lint = Path(sys.executable).with_name("lint-imports")
    finished = subprocess.run(
        [lint, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.stdout + finished.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


@pytest.mark.slow
def test_every_contract_has_a_breach_planted_here() -> None:
    names = [
        line.partition("=")[2].strip()
        for line in (ROOT / ".importlinter").read_text().splitlines()
        if line.startswith("name =")
    ]

    assert sorted(names) == sorted(BREACHES)


@pytest.mark.slow
@pytest.mark.parametrize("contract", BREACHES)
def test_a_planted_breach_breaks_its_contract(contract: str, copy: Path) -> None:
    file, breach = BREACHES[contract]
    path = copy / "src" / "triune" / file
    content = path.read_text() if path.exists() else '"""Planted."""\n'

    path.write_text(f"{content}\n{breach}\n")

    assert f"{contract} BROKEN" in lint_imports(copy)


@pytest.mark.slow
def test_the_statistics_are_held_to_the_same_purity(copy: Path) -> None:
    (copy / "src" / "triune" / "stats" / "planted.py").write_text('"""Planted."""\nimport random\n')

    assert "random source BROKEN" in lint_imports(copy)


@pytest.mark.slow
def test_a_module_that_no_layer_names_breaks_the_layers(copy: Path) -> None:
    (copy / "src" / "triune" / "stray.py").write_text('"""Planted."""\n')

    assert "Dependencies point down BROKEN" in lint_imports(copy)
