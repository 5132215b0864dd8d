"""Results of the code's checks are remembered for as long as nothing they may read changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import a_project, edit
from tests.toolboxes import LEAN, write

from triune.bootstrap import open_project
from triune.domain.evidence import CheckResult
from triune.domain.verdict import Verdict
from triune.operations.checks import run_checks
from triune.operations.code_layer import code_checks
from triune.operations.context import Context

TEST = """
from pathlib import Path

def test_limits():
    runs = Path(".triune/runs")
    runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
    assert Path("limits.txt").read_text() == "1"
"""


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    """Open a project whose only check is a test that reads a file outside of the code."""
    root = a_project(tmp_path / "visits")
    edit(root / "triune.yaml", "include: [src]", "include: [src]\n  checks: [tests]")
    settings = f"[pytest]\naddopts = {LEAN}\n"
    write(root, {"tests/code/test_a.py": TEST, "limits.txt": "1", "tox.ini": settings})
    with open_project(root) as opened:
        yield opened


def check(context: Context) -> CheckResult:
    (result,) = run_checks(context, code_checks(context), progress=lambda _: None)
    return result


def runs(context: Context) -> int:
    return len((context.root / ".triune/runs").read_text())


def test_a_result_stands_until_a_file_changes_that_a_test_reads(context: Context) -> None:
    first, again = check(context), check(context)
    after_two = runs(context)
    write(context.root, {"limits.txt": "2"})

    broken = check(context)

    assert (first.verdict, again.verdict, after_two) == (Verdict.PASS, Verdict.PASS, 1)
    assert again.digest == first.digest == broken.digest
    assert (broken.verdict, broken.reason.code) == (Verdict.FAIL, "TESTS_FAILED")
    assert runs(context) == 2


def test_a_result_of_files_that_were_edited_meanwhile_is_not_kept(context: Context) -> None:
    edits = "def test_b():\n    open('new.txt', 'a').write('x')\n"
    write(context.root, {"tests/code/test_b.py": edits})

    check(context)
    check(context)

    assert runs(context) == 2


def test_no_result_stands_where_nobody_can_tell_what_it_read(context: Context) -> None:
    (context.root / "elsewhere").symlink_to(context.root.parent)

    check(context)
    check(context)

    assert runs(context) == 2
