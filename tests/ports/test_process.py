"""Commands run in processes of their own that end with ours."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.processes import DEADLINE_S, is_alive, wait_until, written_pid

from triune.adapters.process import TAIL_LINES, Finished, background_command, run_command, shell
from triune.domain.errors import TriuneError


def run(command: str, folder: Path, **options: float) -> tuple[Finished, list[str]]:
    lines: list[str] = []
    finished = run_command(shell(command), folder=folder, progress=lines.append, **options)  # type: ignore[arg-type] # only seconds
    return finished, lines


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_output_and_error_output_are_handed_on_line_by_line(tmp_path: Path) -> None:
    finished, lines = run("echo one; echo two >&2; printf three; exit 7", tmp_path)

    assert lines == ["one", "two", "three"]
    assert finished == Finished(returncode=7, tail=("one", "two", "three"))


def test_lines_arrive_while_the_command_still_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"

    def answer(line: str) -> None:
        if line == "ready":
            go.touch()

    finished = run_command(
        shell("echo ready; while [ ! -e go ]; do sleep 0.01; done"),
        folder=tmp_path,
        progress=answer,
        timeout_s=DEADLINE_S,
    )

    assert finished.returncode == 0


def test_the_tail_keeps_the_last_lines_only(tmp_path: Path) -> None:
    finished, lines = run("seq 1 5000", tmp_path)

    assert len(lines) == 5000
    assert finished.tail == tuple(str(number) for number in range(5001 - TAIL_LINES, 5001))


def test_a_line_that_rewrites_itself_shows_its_last_form(tmp_path: Path) -> None:
    _, lines = run(r"printf ' 10%%\r 50%%\r100%%\n'", tmp_path)

    assert lines == ["100%"]


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    finished, lines = run(r"printf 'a\377b\n'; head -c 300000 /dev/zero", tmp_path)

    assert lines[0] == "a\N{REPLACEMENT CHARACTER}b"
    assert sum(map(len, lines[1:])) == 300_000
    assert finished.returncode == 0


def test_a_command_has_no_standard_input_and_no_other_descriptors(tmp_path: Path) -> None:
    finished, lines = run("cat; ls /proc/self/fd", tmp_path)

    assert finished.returncode == 0
    assert lines == ["0", "1", "2", "3"]  # the third is the folder that ls reads


def test_running_commands_leaks_no_descriptors(tmp_path: Path) -> None:
    run("true", tmp_path)
    before = open_descriptors()

    for _ in range(5):
        run("true", tmp_path)

    assert open_descriptors() == before


def test_a_command_that_does_not_exist_ends_with_127(tmp_path: Path) -> None:
    finished = run_command(["./nothing"], folder=tmp_path, progress=lambda _: None)

    assert finished.returncode == 127
    assert finished.tail == ("cannot run ./nothing: No such file or directory",)


def test_a_command_ended_by_a_signal_says_by_which(tmp_path: Path) -> None:
    finished, _ = run("kill -SEGV $$", tmp_path)

    assert finished.returncode == -signal.SIGSEGV


def test_signals_that_python_ignores_are_restored_for_the_command(tmp_path: Path) -> None:
    finished, _ = run("yes | head -1; kill -PIPE $$", tmp_path)

    assert finished.returncode == -signal.SIGPIPE


def test_the_environment_given_is_all_of_the_commands(tmp_path: Path) -> None:
    lines: list[str] = []

    run_command(
        ["/usr/bin/env"],
        folder=tmp_path,
        progress=lines.append,
        environment={"LC_ALL": "C", "PYTHONPATH": "/nowhere"},
    )

    assert sorted(lines) == ["LC_ALL=C", "PYTHONPATH=/nowhere"]


def test_time_that_is_up_ends_the_whole_group(tmp_path: Path) -> None:
    finished, _ = run("sleep 1000 & echo $! > child; wait", tmp_path, timeout_s=1.5)

    assert finished.timed_out
    assert finished.returncode == -signal.SIGTERM
    assert not is_alive(written_pid(tmp_path / "child"))


def test_a_command_may_tidy_up_when_its_time_is_up(tmp_path: Path) -> None:
    finished, lines = run(
        "trap 'echo tidied; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
        tmp_path,
        timeout_s=1.5,
    )

    assert finished.timed_out
    assert finished.returncode == 3
    assert lines[0] == "ready"
    assert lines[-1] == "tidied"


def test_a_command_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    finished, _ = run(
        "trap '' TERM; while :; do sleep 0.01; done", tmp_path, timeout_s=0.2, grace_s=0.2
    )

    assert finished.timed_out
    assert finished.returncode == -signal.SIGKILL


def test_what_a_command_leaves_behind_in_its_group_ends_with_it(tmp_path: Path) -> None:
    finished, lines = run("sleep 1000 & echo $! > child; echo done", tmp_path)

    assert finished == Finished(returncode=0, tail=("done",))
    assert lines == ["done"]
    child = written_pid(tmp_path / "child")
    # Killed by then, and gone as soon as the kernel comes to it.
    wait_until(lambda: not is_alive(child))


def test_a_daemon_that_left_the_group_is_not_waited_for(tmp_path: Path) -> None:
    # The daemon keeps the pipe open; reading to its end would take 1000 seconds.
    start = "setsid sh -c 'echo $$ > daemon; exec sleep 1000' & "
    finished, _ = run(f"{start} while [ ! -s daemon ]; do sleep 0.01; done", tmp_path)

    os.kill(written_pid(tmp_path / "daemon"), signal.SIGKILL)

    assert finished.returncode == 0


def test_an_exception_while_a_command_runs_ends_it(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match="ready"):
        run_command(
            shell("echo $$ > parent; sleep 1000 & echo $! > child; echo ready; wait"),
            folder=tmp_path,
            progress=interrupt,
        )

    assert not is_alive(written_pid(tmp_path / "parent"))
    assert not is_alive(written_pid(tmp_path / "child"))


def test_ctrl_c_ends_the_command(tmp_path: Path) -> None:
    def interrupt() -> None:
        written_pid(tmp_path / "parent")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()

    with pytest.raises(KeyboardInterrupt):
        run("echo $$ > parent; exec sleep 1000", tmp_path)

    thread.join()
    assert not is_alive(written_pid(tmp_path / "parent"))


def test_a_command_and_its_children_end_with_a_process_that_is_killed(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from triune.adapters.process import run_command, shell\n"
        "line = 'echo $$ > parent; (sleep 1000 & echo $! > grandchild; wait) & wait'\n"
        "run_command(shell(line), folder=Path.cwd(), progress=print)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path) as ours:
        pids = [written_pid(tmp_path / name) for name in ("parent", "grandchild")]
        assert all(is_alive(pid) for pid in pids)

        ours.kill()

    wait_until(lambda: not any(is_alive(pid) for pid in pids))


def test_a_folder_that_is_not_there_is_a_fault_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(TriuneError, match=r"cannot start a process in .*gone"):
        run("true", tmp_path / "gone")


def test_a_command_in_the_background_ends_with_the_block(tmp_path: Path) -> None:
    lines: list[str] = []

    with background_command(
        shell("sleep 1000 & echo $! > pid; echo ready; wait"),
        folder=tmp_path,
        progress=lines.append,
    ) as running:
        pid = written_pid(tmp_path / "pid")
        wait_until(lambda: lines == ["ready"])
        had_ended = running.has_ended()

    assert not had_ended
    assert running.has_ended()
    assert running.returncode == -signal.SIGTERM
    wait_until(lambda: not is_alive(pid))


def test_a_command_in_the_background_that_will_not_end_is_killed(tmp_path: Path) -> None:
    lines: list[str] = []

    with background_command(
        shell("trap '' TERM; echo ready; while true; do sleep 0.01; done"),
        folder=tmp_path,
        progress=lines.append,
        grace_s=0.1,
    ) as running:
        wait_until(lambda: lines == ["ready"])

    assert running.returncode == -signal.SIGKILL


def test_a_command_in_the_background_that_ends_by_itself_says_how(tmp_path: Path) -> None:
    lines: list[str] = []
    before = open_descriptors()

    with background_command(
        shell("echo one; printf two; exit 7"), folder=tmp_path, progress=lines.append
    ) as running:
        has_ended = running.has_ended(wait_s=DEADLINE_S)

    assert has_ended
    assert running.returncode == 7
    assert lines == ["one", "two"]
    assert open_descriptors() == before
