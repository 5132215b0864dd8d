"""Hypothesis in the tests of a project: it costs nothing unless a test uses it, and then speaks."""

import os
import subprocess
import sys
from pathlib import Path

TELL = """
import sys

def pytest_unconfigure(config):
    print("imported" if "hypothesis" in sys.modules else "left alone")
"""
PLAIN = "def test_plain(): pass\n"
DRAWN = """
from hypothesis import event, given, settings, strategies

@settings(database=None, derandomize=True, max_examples=5)
@given(strategies.integers())
def test_drawn(number):
    event("a number was drawn")
"""


def run_tests(root: Path, tests: str, *arguments: str) -> str:
    (root / "triune.yaml").write_text("version: 1\nproject: visits\n")
    (root / "conftest.py").write_text(TELL)
    (root / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={root}"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    finished = subprocess.run(
        [*command, *arguments, "test_it.py"],
        cwd=root,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_hypothesis_is_not_imported_for_tests_that_do_without(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PLAIN)

    assert "1 passed" in printed
    assert "left alone" in printed


def test_hypothesis_tells_of_what_it_drew(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, DRAWN, "--hypothesis-show-statistics")

    assert "a number was drawn" in printed


def test_hypothesis_stays_where_others_than_this_process_import_it(tmp_path: Path) -> None:
    printed = run_tests(tmp_path, PLAIN, "--numprocesses=1")

    assert "imported" in printed
