"""One run at a time works in a project."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.processes import DEADLINE_S, wait_until

from triune.adapters.run_lock import FileRunLock
from triune.domain.errors import BusyError, StoreError

HOLD = (
    "import subprocess, sys\n"
    "from pathlib import Path\n"
    "from triune.adapters.run_lock import FileRunLock\n"
    "with FileRunLock(Path(sys.argv[1])).hold(progress=print, wait=False):\n"
    "    child = subprocess.Popen(['sleep', '1000'], close_fds=False)\n"
    "    print(child.pid, flush=True)\n"
    "    sys.stdin.read()\n"
    "child.kill()\n"
)


@contextmanager
def another_process_holding(path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            yield holder, child
        finally:
            holder.kill()
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "run.lock"


def refusal(path: Path) -> str:
    with (
        pytest.raises(BusyError) as caught,
        FileRunLock(path).hold(progress=print, wait=False),
    ):
        pass
    return str(caught.value)


def test_a_lock_can_be_held_again_once_it_is_let_go_of(path: Path) -> None:
    lock = FileRunLock(path)

    for _ in range(2):
        with lock.hold(progress=pytest.fail, wait=False):
            pass


def test_who_will_not_wait_is_told_who_holds_the_lock(path: Path) -> None:
    with another_process_holding(path) as (holder, _):
        message = refusal(path)

    assert f"process {holder.pid} of " in message
    assert " since 20" in message
    assert "-c" in message


def test_who_waits_is_told_once_and_then_goes_on(path: Path) -> None:
    said: list[str] = []
    entered = threading.Event()

    def wait_for_it() -> None:
        with FileRunLock(path).hold(progress=said.append, wait=True):
            entered.set()

    with another_process_holding(path) as (holder, _):
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        wait_until(lambda: bool(said))
        assert not entered.is_set()

        holder.communicate("")

    waiting.join(DEADLINE_S)
    assert entered.is_set()
    assert len(said) == 1
    assert f"process {holder.pid} of " in said[0]


def test_waiting_can_be_interrupted(path: Path) -> None:
    def interrupt(line: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with (
        another_process_holding(path),
        pytest.raises(KeyboardInterrupt),
        FileRunLock(path).hold(progress=interrupt, wait=True),
    ):
        pass


def test_a_lock_ends_with_a_process_that_is_killed_though_its_child_lives_on(path: Path) -> None:
    with another_process_holding(path) as (holder, child):
        holder.kill()
        holder.wait()

        with FileRunLock(path).hold(progress=pytest.fail, wait=False):
            os.kill(child, 0)


def test_what_a_killed_holder_wrote_is_not_taken_for_the_next_ones_word(path: Path) -> None:
    with another_process_holding(path) as (holder, _):
        holder.kill()
        holder.wait()

    with FileRunLock(path).hold(progress=pytest.fail, wait=False):
        message = refusal(path)

    assert f"process {os.getpid()} of " in message


def test_a_holder_that_has_not_said_who_it_is_holds_all_the_same(path: Path) -> None:
    with FileRunLock(path).hold(progress=pytest.fail, wait=False):
        path.write_text("")

        assert "a process that has not said which" in refusal(path)


def test_a_lock_that_cannot_be_made_is_a_fault_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")

    with (
        pytest.raises(StoreError, match=r"cannot lock .*run\.lock"),
        FileRunLock(tmp_path / "state" / "run.lock").hold(progress=print, wait=False),
    ):
        pass
