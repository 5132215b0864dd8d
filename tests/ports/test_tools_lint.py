"""The check ``lint``, by the real ruff."""

from pathlib import Path

import pytest
from tests.toolboxes import ADD, CLEAN, a_checked_project, a_toolbox, check, found, listing, write

from triune.adapters.tools.ruff import read_ruff
from triune.domain.evidence import Finding
from triune.domain.verdict import Verdict

UNUSED = "import os\n"


def test_clean_code_passes_and_nothing_is_written_into_the_project(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path)
    before = listing(root)

    result = check(a_toolbox(root).preset("lint"))

    assert result.verdict is Verdict.PASS
    assert result.reason.code == "LINT_CLEAN"
    assert result.figures == {"files": 2, "findings": 0}
    assert result.findings == ()
    assert listing(root) == before


def test_each_finding_names_its_file_and_line(tmp_path: Path) -> None:
    root = a_checked_project(
        tmp_path,
        {
            "ruff.toml": 'lint.select = ["F"]\n',
            "src/with space.py": f"X = 1\n{UNUSED}",
            "src/deep/er.py": f"{UNUSED}Y = Z\n",
        },
    )

    result = check(a_toolbox(root).preset("lint"))

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "LINT_FOUND")
    assert "ruff found 3 problems in 2 files" in result.reason.message
    assert found(result) == [
        ("src/deep/er.py", 1, "F401: `os` imported but unused"),
        ("src/deep/er.py", 2, "F821: Undefined name `Z`"),
        ("src/with space.py", 2, "F401: `os` imported but unused"),
    ]
    assert result.figures["findings"] == 3


def test_a_file_that_is_no_python_is_a_finding(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/sums.py": "X = 1\ndef add(:\n    pass\n"})

    result = check(a_toolbox(root).preset("lint"))

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "LINT_FOUND")
    assert {(finding.file, finding.line) for finding in result.findings} == {("src/sums.py", 2)}


def test_the_projects_own_configuration_counts_but_mends_nothing(tmp_path: Path) -> None:
    settings = '[tool.ruff]\nfix = true\nexclude = ["old"]\n[tool.ruff.lint]\nselect = ["F"]\n'
    root = a_checked_project(
        tmp_path,
        {
            "pyproject.toml": settings,
            "src/sums.py": f"{UNUSED}x=1 ;\n",
            "old/sums.py": UNUSED,
        },
    )

    result = check(a_toolbox(root, include=["src", "old"]).preset("lint"))

    assert [finding.file for finding in result.findings] == ["src/sums.py"]
    assert (root / "src/sums.py").read_text() == f"{UNUSED}x=1 ;\n"


def test_only_python_that_is_included_is_looked_at(tmp_path: Path) -> None:
    files = {
        "params.yaml": "a: [1\n",
        "conf/a.yaml": "b: {\n",
        "train.py": ADD,
        "elsewhere.py": UNUSED,
    }
    root = a_checked_project(tmp_path, files)

    result = check(a_toolbox(root, include=["params.yaml", "conf", "train.py"]).preset("lint"))

    assert result.verdict is Verdict.PASS
    assert result.figures["files"] == 1


def test_no_python_at_all_is_no_pass(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"params.yaml": "a: 1\n"})
    toolbox = a_toolbox(root, include=["params.yaml"])

    results = [check(toolbox.preset(name)) for name in ("lint", "types")]

    assert {(result.verdict, result.reason.code) for result in results} == {
        (Verdict.FAIL, "NO_CODE")
    }
    assert "`lint`" in results[0].reason.message


def test_settings_that_ruff_cannot_read_are_an_error_with_what_it_said(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"ruff.toml": "no-such-key = 1\n"})

    result = check(a_toolbox(root).preset("lint"))

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert "`python -m ruff check --force-exclude -- src`" in result.reason.message
    assert "ended with exit code 2" in result.reason.message
    assert "no-such-key" in result.findings[0].message


def test_a_users_own_settings_and_environment_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = a_checked_project(tmp_path)
    write(tmp_path, {"home/.config/ruff/ruff.toml": 'lint.select = ["ALL"]\n'})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RUFF_OUTPUT_FORMAT", "full")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    result = check(a_toolbox(root).preset("lint"))

    assert result.verdict is Verdict.PASS


def test_what_many_files_hold_is_counted_in_full_and_shown_in_part(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/many.py": UNUSED * 6000})

    result = check(a_toolbox(root).preset("lint"))

    assert result.figures["findings"] > 6000
    assert len(result.findings) == 100


def test_a_finding_without_code_or_place_is_read_too() -> None:
    content = b'[{"code": null, "message": "gone", "filename": "a.py", "location": null}]'

    assert read_ruff(content, inside=str) == [Finding(message="gone", file="a.py")]
