"""Checks that are commands of the project's own."""

import sys
from pathlib import Path

import pytest
from tests.processes import is_alive, written_pid
from tests.toolboxes import a_checked_project, a_toolbox

from triune.domain.evidence import Judgement
from triune.domain.verdict import Verdict


def check_command(
    line: str, folder: Path, *, timeout_s: float = 60.0
) -> tuple[Judgement, list[str]]:
    lines: list[str] = []
    tool = a_toolbox(a_checked_project(folder)).command(line, name="mine", timeout_s=timeout_s)
    return tool.judge(lines.append), lines


def test_a_command_that_exits_with_0_passes_and_is_heard_meanwhile(tmp_path: Path) -> None:
    result, lines = check_command("cat src/sums.py | head -1; ls", tmp_path)

    assert result.verdict is Verdict.PASS
    assert result.reason.code == "COMMAND_PASSED"
    assert lines == [
        "> cat src/sums.py | head -1; ls",
        "def add(a: int, b: int) -> int:",
        "src",
        "tests",
        "tox.ini",
    ]


def test_a_command_that_exits_with_anything_else_fails_with_its_last_lines(tmp_path: Path) -> None:
    result, _ = check_command("seq 1 100; echo oh no >&2; exit 3", tmp_path)

    assert (result.verdict, result.reason.code) == (Verdict.FAIL, "COMMAND_FAILED")
    assert result.reason.message == "the command ended with exit code 3; see its last lines"
    assert result.findings[0].message.endswith("99\n100\noh no")


@pytest.mark.parametrize("line", ["no-such-command", "/no/such/command", "./notes.txt"])
def test_a_command_that_is_not_there_or_cannot_be_run_is_an_error(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "notes.txt").write_text("no program\n")

    result, _ = check_command(line, tmp_path)

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_MISSING")
    assert line in result.findings[0].message
    assert "install what it runs" in result.reason.message


def test_a_command_that_is_killed_is_an_error(tmp_path: Path) -> None:
    result, _ = check_command("echo before; kill -KILL $$", tmp_path)

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_CRASHED")
    assert "was killed" in result.reason.message
    assert result.findings[0].message == "before"


def test_a_command_that_hangs_is_an_error_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    result, _ = check_command(
        "echo waiting; sleep 1000 & echo $! > child; wait", tmp_path, timeout_s=1.5
    )

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "TOOL_TIMED_OUT")
    assert "did not end within 1.5 s" in result.reason.message
    assert "timeout_s" in result.reason.message
    assert result.findings[0].message == "waiting"
    assert not is_alive(written_pid(tmp_path / "a project" / "child"))


def test_a_megabyte_of_output_is_handed_on_and_its_end_is_kept(tmp_path: Path) -> None:
    line = (
        f"{sys.executable} -c \"print('x' * 10**6); print('\\n'.join(['y' * 99] * 10**4))\"; exit 1"
    )

    result, lines = check_command(line, tmp_path)

    assert sum(len(line) for line in lines) > 1_900_000
    assert result.verdict is Verdict.FAIL
    assert result.findings[0].message.endswith("y" * 99)
    assert len(result.findings[0].message) < 5000


def test_python_in_a_command_is_the_one_that_runs_the_checks(tmp_path: Path) -> None:
    _, lines = check_command("python -c 'import sys; print(sys.executable)'", tmp_path)

    assert Path(lines[-1]).parent == Path(sys.executable).parent
