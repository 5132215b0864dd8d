"""Tools that come to no verdict: missing, broken, hanging, interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import is_alive, wait_until, written_pid
from tests.toolboxes import (
    CLEAN,
    a_bare_python,
    a_checked_project,
    a_toolbox,
    check,
    install_stand_in,
)

from triune.domain.errors import TriuneError
from triune.domain.verdict import Verdict
from triune.ports import Preset

ROOT = Path(__file__).parents[2]
PYTEST_CHILD = """\
import os, subprocess, time
from pathlib import Path


def test_that_hangs():
    child = subprocess.Popen(["sleep", "1000"])
    Path("child").write_text(f"{child.pid}\\n")
    time.sleep(1000)
"""


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Give a Python for which nothing is installed."""
    return a_bare_python(tmp_path / "bare")


def test_a_missing_tool_is_an_error_that_says_what_to_install(tmp_path: Path, bare: Path) -> None:
    toolbox = a_toolbox(a_checked_project(tmp_path), python=str(bare))
    remedies: dict[Preset, str] = {
        "lint": "`pip install 'triune[code]'`",
        "types": "`pip install 'triune[code]'`",
        "tests": "`pip install 'triune[code]'`",
        "security": "`pip install 'triune[security]'`",
    }

    results = {name: check(toolbox.preset(name, coverage_min=80)) for name in remedies}

    for name, remedy in remedies.items():
        result = results[name]
        assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_MISSING")
        assert remedy in result.reason.message
        assert str(bare) in result.reason.message


def test_what_measures_coverage_is_missed_only_where_coverage_matters(
    tmp_path: Path, bare: Path
) -> None:
    install_stand_in(bare, "pytest", "raise SystemExit(3)\n")
    toolbox = a_toolbox(a_checked_project(tmp_path), python=str(bare))

    asked = check(toolbox.preset("tests", coverage_min=80))
    unasked = check(toolbox.preset("tests"))

    assert "`tests` needs pytest-cov, not installed" in asked.reason.message
    assert (unasked.reason.code, unasked.verdict) == ("TOOL_CRASHED", Verdict.ERROR)


RAISING = "raise RuntimeError('broken')\n"
REFUSING = "import sys\nprint('broken')\nsys.exit(2)\n"
BABBLING = """\
import sys
print("broken")
report = next(each for each in sys.argv if each.startswith("--output=")).partition("=")[2]
open(report, "w").write("[1]")
"""


@pytest.mark.parametrize(
    ("preset", "stand_in", "said"),
    [
        ("lint", {"ruff": RAISING}, "ended with exit code 1 and left no report"),
        ("types", {"mypy": RAISING}, "ended with exit code 1, which is no verdict"),
        ("tests", {"pytest": RAISING}, "ended with exit code 1 and left no report"),
        ("security", {"bandit": REFUSING}, "ended with exit code 2, which is no verdict"),
        ("security", {"bandit": BABBLING}, "left a report that cannot be read"),
    ],
)
def test_a_broken_tool_is_an_error_with_what_it_printed(
    preset: Preset, stand_in: dict[str, str], said: str, tmp_path: Path, bare: Path
) -> None:
    for name, code in stand_in.items():
        install_stand_in(bare, name, code)

    result = check(a_toolbox(a_checked_project(tmp_path), python=str(bare)).preset(preset))

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert said in result.reason.message
    assert "broken" in result.findings[0].message


def test_a_python_that_does_not_run_is_a_fault(tmp_path: Path) -> None:
    toolbox = a_toolbox(a_checked_project(tmp_path), python="/usr/bin/false")

    with pytest.raises(TriuneError, match="/usr/bin/false, which is to run the checks"):
        toolbox.preset("lint").digest()


@pytest.mark.slow
def test_tests_that_hang_are_an_error_and_nothing_of_them_is_left(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"tests/code/test_hang.py": PYTEST_CHILD})

    # Long enough for pytest to come to the test on a busy machine.
    result = check(a_toolbox(root).preset("tests", timeout_s=20))

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_TIMED_OUT")
    assert "did not end within 20 s" in result.reason.message
    assert "test_hang.py" in result.findings[0].message
    assert not is_alive(written_pid(root / "child"))


def test_ctrl_c_ends_a_check_and_all_that_it_started(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"tests/code/test_hang.py": PYTEST_CHILD})
    script = (
        "from pathlib import Path; from tests.toolboxes import a_toolbox, check; "
        f"check(a_toolbox(Path({str(root)!r})).preset('tests'))"
    )
    checking = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    child = written_pid(root / "child")

    os.killpg(checking.pid, signal.SIGINT)

    wait_until(lambda: checking.poll() is not None)
    assert checking.returncode == -signal.SIGINT
    assert not is_alive(child)
    assert list((tmp_path / "scratch").iterdir()) == []
