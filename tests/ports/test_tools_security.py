"""The check ``security``: what bandit reports, and how it is asked.

Where bandit is not installed, a stand-in answers in its place with what it once reported.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.toolboxes import (
    CLEAN,
    a_bare_python,
    a_checked_project,
    a_toolbox,
    check,
    found,
    install_stand_in,
)

from triune.adapters.tools.bandit import read_bandit
from triune.domain.evidence import Finding
from triune.domain.verdict import Verdict

# As bandit 1.8 writes it; the code and the metrics of each file are cut short.
REPORT = {
    "errors": [
        {"filename": "./src/no_python.py", "reason": "syntax error while parsing AST from file"}
    ],
    "generated_at": "2026-01-05T12:00:00Z",
    "metrics": {"_totals": {"SEVERITY.HIGH": 1, "SEVERITY.LOW": 1, "loc": 12, "nosec": 0}},
    "results": [
        {
            "code": "3 run('ls', shell=True)\n",
            "col_offset": 0,
            "end_col_offset": 21,
            "filename": "./src/with space.py",
            "issue_confidence": "HIGH",
            "issue_cwe": {"id": 78, "link": "https://cwe.mitre.org/data/definitions/78.html"},
            "issue_severity": "HIGH",
            "issue_text": "subprocess call with shell=True identified, security issue.",
            "line_number": 3,
            "line_range": [3],
            "more_info": "https://bandit.readthedocs.io/en/1.8.6/plugins/b602.html",
            "test_id": "B602",
            "test_name": "subprocess_popen_with_shell_equals_true",
        },
        {
            "code": "1 assert True\n",
            "col_offset": 0,
            "end_col_offset": 11,
            "filename": "src/deep/er.py",
            "issue_confidence": "HIGH",
            "issue_cwe": {"id": 703, "link": "https://cwe.mitre.org/data/definitions/703.html"},
            "issue_severity": "LOW",
            "issue_text": "Use of assert detected.\n",
            "line_number": 1,
            "line_range": [1],
            "more_info": "https://bandit.readthedocs.io/en/1.8.6/plugins/b101.html",
            "test_id": "B101",
            "test_name": "assert_used",
        },
    ],
}
NOTHING = REPORT | {"errors": [], "results": []}
STAND_IN = """\
import json, sys
from pathlib import Path
here = Path(__file__)
here.with_name("asked.json").write_text(json.dumps(sys.argv[1:]))
report = next(each for each in sys.argv if each.startswith("--output=")).partition("=")[2]
Path(report).write_bytes(here.with_name("answer.json").read_bytes())
raise SystemExit(json.loads(Path(report).read_bytes())["results"] != [])
"""


def a_python_with_bandit(folder: Path, answer: object) -> Path:
    """Install a stand-in that answers with a report and keeps what it was asked."""
    python = a_bare_python(folder)
    install_stand_in(python, "bandit", STAND_IN, version="1.8.6")
    here = next(folder.rglob("bandit/__main__.py"))
    here.with_name("answer.json").write_text(json.dumps(answer))
    return python


def test_what_bandit_reports_is_found_with_file_and_line() -> None:
    findings = read_bandit(json.dumps(REPORT).encode(), inside=lambda path: path.removeprefix("./"))

    assert findings == [
        Finding(
            message="B602 (high severity, high confidence): subprocess call with shell=True "
            "identified, security issue.",
            file="src/with space.py",
            line=3,
        ),
        Finding(
            message="B101 (low severity, high confidence): Use of assert detected.",
            file="src/deep/er.py",
            line=1,
        ),
        Finding(
            message="could not be looked at: syntax error while parsing AST from file",
            file="src/no_python.py",
        ),
    ]


def test_each_included_module_is_asked_about_by_the_projects_own_configuration(
    tmp_path: Path,
) -> None:
    files = {
        "pyproject.toml": '[tool.bandit]\nskips = ["B101"]\n',
        ".bandit": "[bandit]\n",
        ".gitignore": "ignored.py\n",
        "src/ignored.py": "",
        "src/stub.pyi": "",
        "src/with space.py": "",
    }
    root = a_checked_project(tmp_path, CLEAN | files)
    python = a_python_with_bandit(tmp_path / "env", NOTHING)

    result = check(a_toolbox(root, python=str(python)).preset("security"))

    assert (result.verdict, result.reason.code) == (Verdict.PASS, "SECURITY_CLEAN")
    asked = json.loads(next(tmp_path.rglob("asked.json")).read_text())
    assert asked[3:] == [
        "--configfile=pyproject.toml",
        "--ini=.bandit",
        "--",
        "src/__init__.py",
        "src/sums.py",
        "src/with space.py",
    ]


@pytest.mark.parametrize("settings", ["", "[tool.ruff]\n"])
def test_settings_without_a_table_for_bandit_are_not_given_to_it(
    settings: str, tmp_path: Path
) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"pyproject.toml": settings})
    python = a_python_with_bandit(tmp_path / "env", NOTHING)

    check(a_toolbox(root, python=str(python)).preset("security"))

    asked = json.loads(next(tmp_path.rglob("asked.json")).read_text())
    assert asked[3:] == ["--", "src/__init__.py", "src/sums.py"]


def test_findings_fail(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path)
    python = a_python_with_bandit(tmp_path / "env", REPORT)

    result = check(a_toolbox(root, python=str(python)).preset("security"))

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "SECURITY_FOUND")
    assert "bandit found 3 problems in 3 files" in result.reason.message
    assert [place[:2] for place in found(result)] == [
        ("src/deep/er.py", 1),
        ("src/no_python.py", None),
        ("src/with space.py", 3),
    ]


def test_a_file_that_was_not_looked_at_fails_although_bandit_passes(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path)
    python = a_python_with_bandit(tmp_path / "env", REPORT | {"results": []})

    result = check(a_toolbox(root, python=str(python)).preset("security"))

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "SECURITY_FOUND")


def test_stubs_alone_are_no_pass(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/stub.pyi": "X: int\n"})
    python = a_python_with_bandit(tmp_path / "env", NOTHING)

    result = check(a_toolbox(root, python=str(python)).preset("security"))

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "NO_CODE")


@pytest.mark.skipif(find_spec("bandit") is None, reason="bandit is not installed")
def test_the_real_bandit_finds_what_is_dangerous_and_passes_what_is_not(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path)

    clean = check(a_toolbox(root).preset("security"))
    (root / "src/sums.py").write_text("X = eval(input())\n")
    dangerous = check(a_toolbox(root).preset("security"))

    assert (clean.verdict, clean.reason.code) == (Verdict.PASS, "SECURITY_CLEAN")
    assert (dangerous.verdict, dangerous.reason.code) == (Verdict.FAIL, "SECURITY_FOUND")
    assert [place[:2] for place in found(dangerous)] == [("src/sums.py", 1)]
