"""The check ``security``: what bandit finds, and how it is asked."""

from pathlib import Path

import pytest
from tests.toolboxes import CLEAN, a_checked_project, a_toolbox, check, found

from triune.domain.evidence import Judgement
from triune.domain.verdict import Verdict

SHELL = "from subprocess import run\n\nrun(input(), shell=True)\n"
ASSERT = "assert True\n"


def security(root: Path) -> Judgement:
    return check(a_toolbox(root).preset("security"))


def test_what_is_not_dangerous_passes(tmp_path: Path) -> None:
    result = security(a_checked_project(tmp_path))

    assert (result.verdict, result.reason.code) == (Verdict.PASS, "SECURITY_CLEAN")
    assert "bandit found nothing in 2 files" in result.reason.message


def test_what_bandit_reports_is_found_with_file_and_line(tmp_path: Path) -> None:
    files = {"src/with space.py": SHELL, "src/deep/er.py": ASSERT, "src/no_python.py": "def (:\n"}
    root = a_checked_project(tmp_path, CLEAN | files)

    result = security(root)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "SECURITY_FOUND")
    told = {(file, line): message for file, line, message in found(result)}
    assert told["src/deep/er.py", 1].startswith("B101 (low severity, high confidence): Use of ass")
    assert told["src/with space.py", 3].startswith("B602 (high severity, high confidence): ")
    assert told["src/no_python.py", None].startswith("could not be looked at: ")
    assert {file for file, _ in told} == set(files)


def test_a_file_that_was_not_looked_at_fails_although_bandit_passes(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"src/no_python.py": "def (:\n"})

    result = security(root)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "SECURITY_FOUND")
    assert [place[:2] for place in found(result)] == [("src/no_python.py", None)]


def test_what_git_ignores_and_stubs_are_not_asked_about(tmp_path: Path) -> None:
    files = {".gitignore": "ignored.py\n", "src/ignored.py": SHELL, "src/stub.pyi": SHELL}
    root = a_checked_project(tmp_path, CLEAN | files)

    result = security(root)

    assert (result.verdict, result.reason.code) == (Verdict.PASS, "SECURITY_CLEAN")


@pytest.mark.parametrize(
    "settings",
    [
        {"pyproject.toml": '[tool.bandit]\nskips = ["B101"]\n'},
        {".bandit": "[bandit]\nskips = B101\n"},
    ],
)
def test_the_projects_own_configuration_counts(settings: dict[str, str], tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | settings | {"src/checked.py": ASSERT})

    result = security(root)

    assert (result.verdict, result.reason.code) == (Verdict.PASS, "SECURITY_CLEAN")


@pytest.mark.parametrize("settings", ["", "[tool.ruff]\n"])
def test_settings_without_a_table_for_bandit_are_not_given_to_it(
    settings: str, tmp_path: Path
) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"pyproject.toml": settings, "src/a.py": ASSERT})

    result = security(root)

    assert [place[:2] for place in found(result)] == [("src/a.py", 1)]


def test_stubs_alone_are_no_pass(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/stub.pyi": "X: int\n"})

    result = security(root)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "NO_CODE")
