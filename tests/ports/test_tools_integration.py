"""The check of the tests that ask a service, by the real pytest."""

from pathlib import Path

from tests.toolboxes import a_checked_project, a_toolbox, check, found, listing

from triune.domain.evidence import Judgement
from triune.domain.verdict import Verdict

TESTS = "tests/integration"
ASKS = """\
import os


def test_asks():
    assert os.environ["TRIUNE_BASE_URL"] == "http://127.0.0.1:1"
"""


def judge(root: Path, *, url: str = "http://127.0.0.1:1", timeout_s: float = 60.0) -> Judgement:
    tool = a_toolbox(root).integration_tests(
        TESTS, environment={"TRIUNE_BASE_URL": url}, timeout_s=timeout_s
    )
    return check(tool)


def a_tested_project(folder: Path, test: str) -> Path:
    return a_checked_project(folder, {"src/a.py": "", f"{TESTS}/test_service.py": test})


def test_tests_are_told_where_the_service_is_and_leave_nothing_behind(tmp_path: Path) -> None:
    root = a_tested_project(tmp_path, ASKS)
    before = listing(root)

    judgement = judge(root)

    assert judgement.verdict is Verdict.PASS
    assert judgement.reason.message == "1 test passed"
    assert listing(root) == before


def test_a_test_that_fails_is_named(tmp_path: Path) -> None:
    judgement = judge(a_tested_project(tmp_path, ASKS), url="elsewhere")

    assert (judgement.verdict, judgement.reason.code) == (Verdict.FAIL, "TESTS_FAILED")
    assert [(file, line) for file, line, _ in found(judgement)] == [(f"{TESTS}/test_service.py", 5)]


def test_a_folder_without_tests_fails_and_says_which(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/a.py": "", "tests/code/test_a.py": ASKS})

    judgement = judge(root)

    assert (judgement.verdict, judgement.reason.code) == (Verdict.FAIL, "NO_TESTS")
    assert "no test in tests/integration ran" in judgement.reason.message
    assert "take `tests` out of integration" in judgement.reason.message


def test_a_test_that_ends_pytest_is_an_error(tmp_path: Path) -> None:
    root = a_tested_project(tmp_path, "import os\n\n\ndef test_ends():\n    os._exit(9)\n")

    judgement = judge(root)

    assert (judgement.verdict, judgement.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")


def test_a_test_that_hangs_is_stopped(tmp_path: Path) -> None:
    root = a_tested_project(tmp_path, "import time\n\n\ndef test_hangs():\n    time.sleep(1000)\n")

    judgement = judge(root, timeout_s=1.0)

    assert (judgement.verdict, judgement.reason.code) == (Verdict.ERROR, "TOOL_TIMED_OUT")


def test_the_digest_is_of_the_tests_and_not_of_where_the_service_is(tmp_path: Path) -> None:
    root = a_tested_project(tmp_path, ASKS)

    def digest(url: str) -> str:
        return a_toolbox(root).integration_tests(TESTS, environment={"URL": url}).digest()

    before = digest("one")

    assert digest("two") == before
    (root / TESTS / "test_service.py").write_text("def test_other():\n    pass\n")
    assert digest("one") != before
