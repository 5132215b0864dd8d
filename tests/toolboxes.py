"""Small projects whose code is checked, and the checks of them."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.projects import git

from triune.adapters.scratch import LockedScratch
from triune.adapters.source.git import GitSource
from triune.adapters.tools.toolbox import Toolbox
from triune.domain.evidence import Judgement
from triune.ports import Tool

ADD = "def add(a: int, b: int) -> int:\n    return a + b\n"
TEST_ADD = "from src.sums import add\n\n\ndef test_add() -> None:\n    assert add(1, 2) == 3\n"
# Plugins of other projects, which happen to be installed, cost each run of pytest a second.
LEAN = "-p no:hydra_pytest -p no:anyio -p no:hypothesispytest"
CLEAN = {"src/__init__.py": "", "src/sums.py": ADD, "tests/code/test_sums.py": TEST_ADD}


def a_checked_project(folder: Path, files: Mapping[str, str] = CLEAN) -> Path:
    """Lay out files in a repository whose path has a space in it."""
    root = folder / "a project"
    root.mkdir()
    git(root, "init", "--quiet")
    # Read where no other settings of pytest's are.
    write(root, {"tox.ini": f"[pytest]\naddopts = {LEAN}\n"} | dict(files))
    return root


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files, and the folders that they lie in."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def a_toolbox(
    root: Path,
    *,
    include: Sequence[str] = ("src",),
    datasets: Sequence[str] = (),
    caches: Path | None = None,
    python: str | None = None,
) -> Toolbox:
    """Make the checks of a project, which work beside it."""
    return Toolbox(
        root=root,
        include=tuple(include),
        source=GitSource(root),
        scratch=LockedScratch(root.parent / "scratch"),
        datasets=tuple(datasets),
        caches=caches,
        python=python,
    )


def check(tool: Tool) -> Judgement:
    """Run a check, whatever it says meanwhile."""
    return tool.judge(lambda _: None)


def found(result: Judgement) -> list[tuple[str | None, int | None, str]]:
    """List where a check found something, and what."""
    return [(finding.file, finding.line, finding.message) for finding in result.findings]


def listing(root: Path) -> set[str]:
    """List every file of a project but git's own."""
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


def a_bare_python(folder: Path) -> Path:
    """Make an environment in which nothing is installed; return its Python."""
    command = [sys.executable, "-m", "venv", "--without-pip", "--symlinks", str(folder)]
    subprocess.run(command, check=True)
    return folder / "bin" / "python"


def install_stand_in(python: Path, name: str, code: str, *, version: str = "1.0") -> None:
    """Install a module that is run by ``python -m`` where the tool of that name would be."""
    answer = subprocess.run(
        [python, "-c", "import json, site; print(json.dumps(site.getsitepackages()))"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = Path(json.loads(answer.stdout)[0])
    write(
        packages,
        {
            f"{name}/__init__.py": "",
            f"{name}/__main__.py": code,
            f"{name}-{version}.dist-info/METADATA": (
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            ),
        },
    )
