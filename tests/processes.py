"""Watching processes from outside: whether they live, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 60.0


def wait_until(condition: Callable[[], object], *, deadline_s: float = DEADLINE_S) -> None:
    """Poll a condition until it holds."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come about"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def written_pid(path: Path) -> int:
    """Wait for a process number, on a line of its own, in a file."""
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def children(pid: int) -> list[int]:
    """List the live processes that a process started itself."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid and is_alive(int(path.parent.name)):
            found.append(int(path.parent.name))
    return found
