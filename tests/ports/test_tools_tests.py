"""The check ``tests``, by the real pytest and coverage."""

from pathlib import Path

import pytest
from tests.toolboxes import CLEAN, LEAN, a_checked_project, a_toolbox, check, found, listing

from triune.adapters.tools.junit import read_junit
from triune.domain.evidence import Judgement
from triune.domain.verdict import Verdict

FAILING = """\
import sys

import pytest


@pytest.fixture
def broken():
    raise RuntimeError("no luck")


def test_passes():
    print("x" * 1_000_000)


@pytest.mark.parametrize("number", [1, 2])
def test_numbers(number):
    wanted = 1

    assert number == wanted, "a sum\\nthat is wrong"


class TestInside:
    def test_method(self):
        sys.exit(0)


def test_setup(broken):
    pass


@pytest.mark.skip(reason="not today")
def test_skipped():
    pass


@pytest.mark.xfail
def test_known():
    raise AssertionError


def test_long():
    raise ValueError("y" * 1_000_000)
"""

PARTLY = """\
def sign(number):
    if number < 0:
        return -1
    return 1


def unused():
    print("never")
    return 0
"""


def check_tests(root: Path, *, coverage_min: float | None = None) -> Judgement:
    return check(a_toolbox(root).preset("tests", coverage_min=coverage_min))


def test_tests_that_pass_and_cover_enough_pass_and_leave_nothing_in_the_project(
    tmp_path: Path,
) -> None:
    settings = f"[pytest]\nfilterwarnings = error\naddopts = --strict-config {LEAN}\n"
    root = a_checked_project(tmp_path, CLEAN | {"pytest.ini": settings})
    before = listing(root)

    result = check_tests(root, coverage_min=100)

    assert (result.verdict, result.reason.code) == (Verdict.PASS, "TESTS_PASSED")
    assert result.reason.message == "1 test passed; they ran 100 % of the included code"
    assert result.figures == {"passed": 1, "failed": 0, "skipped": 0, "coverage": 100}
    assert listing(root) == before


def test_each_failed_test_is_a_finding_at_the_line_where_it_failed(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/code/test_a b.py": FAILING})

    result = check_tests(root)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "TESTS_FAILED")
    assert result.reason.message == "4 of 6 tests failed; mend what they name"
    figures = {name: result.figures[name] for name in ("passed", "failed", "skipped")}
    assert figures == {"passed": 2, "failed": 4, "skipped": 2}
    file = "tests/code/test_a b.py"
    sums, method, setup, long = found(result)
    assert sums[:2] == (file, 19)
    assert sums[2].startswith("test_numbers[2]: AssertionError: a sum\n")
    assert method == (file, 24, "TestInside.test_method: SystemExit: 0")
    assert setup == (file, 8, 'test_setup: failed on setup with "RuntimeError: no luck"')
    assert long[:2] == (file, 42)
    assert len(long[2]) < 5000


def test_tests_that_cannot_be_imported_are_findings(tmp_path: Path) -> None:
    files = {
        "src/a.py": "",
        "tests/code/test_import.py": "X = 1\nimport nowhere\n",
        "tests/code/test_syntax.py": "def test_it(:\n    pass\n",
    }
    root = a_checked_project(tmp_path, files)

    result = check_tests(root, coverage_min=50)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "TESTS_FAILED")
    imports, syntax = found(result)
    assert imports[:2] == ("tests/code/test_import.py", 2)
    assert "cannot be collected: ModuleNotFoundError: No module named 'nowhere'" in imports[2]
    assert syntax[:2] == ("tests/code/test_syntax.py", 1)
    assert "SyntaxError" in syntax[2]


def test_code_that_the_tests_do_not_run_is_named_by_its_lines(tmp_path: Path) -> None:
    files = {
        "src/__init__.py": "",
        "src/partly.py": PARTLY,
        # No package, and never imported.
        "src/deep/er/never.py": "A = 1\n\nB = 2\n",
        "src/no_python.py": "def (:\n",
        "src/stub.pyi": "def add(a: int) -> int: ...\n",
        "src/generated.py": "X = 1\n",
        "pyproject.toml": '[tool.coverage.run]\nbranch = true\nomit = ["src/generated.py"]\n',
        "tests/code/test_sign.py": (
            "from src.partly import sign\n\n\ndef test_sign():\n    assert sign(1) == 1\n"
        ),
    }
    root = a_checked_project(tmp_path, files)

    result = check_tests(root, coverage_min=80)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "COVERAGE_LOW")
    # 4 of 7 statements and 1 of 2 branches, with 2 and 1 lines that never ran.
    assert result.figures["coverage"] == pytest.approx(100 * 5 / 12)
    assert "41.66 % of the included code, less than the 80 %" in result.reason.message
    assert found(result) == [
        ("src/partly.py", 2, "lines 3, 8-9 never ran; never went 2->3"),
        ("src/deep/er/never.py", 1, "lines 1, 3 never ran"),
        ("src/no_python.py", 1, "line 1 never ran"),
    ]


def test_no_test_is_no_pass(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/model/test_m.py": "X = 1\n"})

    without_folder = check_tests(root)
    (root / "tests/code").mkdir()
    (root / "tests/code/test_a.py").write_text("X = 1\n")
    without_test = check_tests(root)

    for result in (without_folder, without_test):
        assert (result.verdict, result.reason.code) == (Verdict.FAIL, "NO_TESTS")
    assert "write one" in without_test.reason.message


def test_tests_that_are_all_skipped_are_no_pass(tmp_path: Path) -> None:
    skipped = (
        "import pytest\n\n\n@pytest.mark.skip\ndef test_a():\n    pass\n\n\n"
        "def test_b():\n    pytest.skip('no champion yet')\n"
    )
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/code/test_a.py": skipped})

    result = check_tests(root)

    assert (result.verdict, result.reason.code) == (Verdict.INCONCLUSIVE, "TESTS_SKIPPED")
    assert "each of the 2 tests in tests/code was skipped" in result.reason.message
    assert found(result) == [
        ("tests/code/test_a.py", 4, "test_a: unconditional skip"),
        ("tests/code/test_a.py", 9, "test_b: no champion yet"),
    ]


def test_a_module_that_skips_itself_is_named(tmp_path: Path) -> None:
    skipped = "import pytest\n\npytest.skip('no such thing here', allow_module_level=True)\n"
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/code/test_a.py": skipped})

    result = check_tests(root)

    assert (result.verdict, result.reason.code) == (Verdict.INCONCLUSIVE, "TESTS_SKIPPED")
    assert "the one test in tests/code was skipped" in result.reason.message
    ((_, _, message),) = found(result)
    assert message.endswith(": no such thing here")


def test_what_tests_write_is_theirs_and_the_result_stands_for_what_was_there_before(
    tmp_path: Path,
) -> None:
    writing = (
        "from pathlib import Path\n\n\ndef test_writes():\n"
        "    Path('out.txt').write_text('x')\n    Path('src/new.py').write_text('X = 1\\n')\n"
    )
    root = a_checked_project(tmp_path, CLEAN | {"tests/code/test_writes.py": writing})
    tool = a_toolbox(root).preset("tests")
    before, digest = listing(root), tool.digest()

    result = check(tool)

    assert result.verdict is Verdict.PASS
    assert listing(root) - before == {"out.txt", "src/new.py"}
    assert digest != tool.digest()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import os\n    os._exit(0)", "ended with exit code 0 and left no report"),
        ("import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)", "was ended by signal 11"),
        ("import pytest\n    pytest.exit('enough', returncode=0)", "a test ended pytest before"),
    ],
)
def test_tests_that_end_pytest_itself_are_an_error(body: str, said: str, tmp_path: Path) -> None:
    code = f"def test_fine():\n    pass\n\n\ndef test_ends_it():\n    {body}\n"
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/code/test_a.py": code})

    result = check_tests(root)

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert said in result.reason.message
    assert "`python -m pytest tests/code`" in result.reason.message
    assert "collected 2 items" in result.findings[0].message


def test_a_pytest_that_stops_before_the_tests_is_an_error(tmp_path: Path) -> None:
    stopping = "import pytest\n\n\ndef pytest_collection_finish():\n    pytest.exit('enough')\n"
    root = a_checked_project(tmp_path, CLEAN | {"tests/conftest.py": stopping})

    result = check_tests(root)

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert "ended with exit code 2, and no test failed" in result.reason.message
    assert "enough" in result.findings[0].message


def test_settings_of_the_projects_change_neither_what_counts_nor_where_reports_go(
    tmp_path: Path,
) -> None:
    addopts = "--tb=no --junitxml=junit.xml --cov=src --cov-fail-under=100 --no-cov-on-fail"
    settings = f'[tool.pytest.ini_options]\naddopts = "{addopts} {LEAN}"\n'
    sums = {"src/sums.py": f"{CLEAN['src/sums.py']}\n\ndef unused() -> None:\n    print()\n"}
    root = a_checked_project(tmp_path, CLEAN | sums | {"pyproject.toml": settings})
    before = listing(root)

    passed = check_tests(root, coverage_min=50)
    (root / "tests/code/test_wrong.py").write_text("def test_add():\n    assert 0\n")
    failed = check_tests(root, coverage_min=50)

    assert (passed.verdict, passed.reason.code) == (Verdict.PASS, "TESTS_PASSED")
    assert (failed.verdict, failed.reason.code) == (Verdict.FAIL, "TESTS_FAILED")
    assert [finding.line for finding in failed.findings] == [2]
    assert listing(root) - before == {"tests/code/test_wrong.py"}


def test_what_surrounds_a_run_does_not_leak_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = (
        "import os, sys\n\n\ndef test_environment():\n"
        "    assert 'PYTHONPATH' not in os.environ\n"
        "    assert 'COVERAGE_PROCESS_START' not in os.environ\n"
        "    assert sys.dont_write_bytecode\n"
        "    assert os.environ['KEPT'] == 'yes'\n"
    )
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/code/test_a.py": looking})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("COVERAGE_PROCESS_START", "nowhere")
    monkeypatch.setenv("KEPT", "yes")

    result = check_tests(root)

    assert result.verdict is Verdict.PASS, found(result)


def test_coverage_of_nothing_is_no_pass(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | {"bare/a.py": "", "params.yaml": "a: 1\n"})

    no_python = check(a_toolbox(root, include=["params.yaml"]).preset("tests", coverage_min=1))
    no_line = check(a_toolbox(root, include=["bare"]).preset("tests", coverage_min=1))

    assert (no_python.verdict, no_python.reason.code) == (Verdict.FAIL, "NO_CODE")
    assert (no_line.verdict, no_line.reason.code) == (Verdict.FAIL, "COVERAGE_LOW")
    assert "nothing was measured" in no_line.reason.message


def test_coverage_that_is_asked_for_and_not_reported_is_an_error(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, CLEAN | {".coveragerc": "[run]\nomit = src/*\n"})

    unasked = check_tests(root)
    asked = check_tests(root, coverage_min=1)

    assert unasked.verdict is Verdict.PASS
    assert "coverage" not in unasked.figures
    assert (asked.verdict, asked.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert "left no report" in asked.reason.message
    assert "No data to report" in asked.findings[0].message


def test_a_failure_whose_line_is_not_told_stands_where_its_test_begins() -> None:
    content = (
        b'<testsuites><testsuite><testcase classname="" name="test_a" file="t.py" line="4">'
        b'<failure message="wrong">no lines</failure></testcase></testsuite></testsuites>'
    )

    tally = read_junit(content, inside=str)

    assert [(each.file, each.line, each.message) for each in tally.failures] == [
        ("t.py", 5, "test_a: wrong")
    ]
