"""Runs the command and ends it with SIGKILL right before its nth write; prints how many it saw.

A write is whatever changes what another process can see: a file opened for writing, renamed,
removed or linked, a folder made or removed, a mode or lock changed, a process started, a
statement that changes the ledger, and its commit, before and after.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import Engine, event

WRITING = {
    "fcntl.flock",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.truncate",
    "subprocess.Popen",
}
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

fatal = int(sys.argv.pop(1))
seen = 0


def count_write() -> None:
    """Count one write, and die before the fatal one."""
    global seen  # noqa: PLW0603 - the audit hook has nowhere else to keep it
    seen += 1
    if seen == fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def watch(name: str, arguments: tuple[Any, ...]) -> None:
    """Tell writes from all else that the interpreter reports."""
    if name in WRITING or (name == "open" and arguments[2] and arguments[2] & WRITE_FLAGS):
        count_write()


def watch_statement(*arguments: Any) -> None:
    """Count a statement that changes the ledger."""
    if not arguments[2].lstrip().upper().startswith(("SELECT", "PRAGMA")):
        count_write()


def watch_transaction(*_: Any) -> None:
    """Count the end of a transaction."""
    count_write()


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", watch_statement)
    event.listen(Engine, "after_cursor_execute", watch_statement)
    event.listen(Engine, "commit", watch_transaction)
    sys.addaudithook(watch)
    from triune.cli.main import main

    try:
        main()
    finally:
        sys.stderr.write(f"writes: {seen}\n")
