"""Runs the command and ends it with SIGKILL right before its nth write; prints what kinds it saw.

A write is whatever changes what another process can see: a file opened for writing, renamed,
removed or linked, a folder made or removed, a mode or lock changed, a process started, a
statement that changes the ledger, and its commit, before and after.
"""

import json
import os
import re
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
kinds: list[str] = []
# What is another name at each run, or for each blob, and no other kind of write for that.
PASSING = re.compile(r"[0-9a-f]{16,}|scores-\w+|tmp\w{8}")


def count_write(kind: str) -> None:
    """Count one write, and die before the fatal one."""
    kinds.append(kind)
    if len(kinds) == fatal:
        os.kill(os.getpid(), signal.SIGKILL)


def watch(name: str, arguments: tuple[Any, ...]) -> None:
    """Tell writes from all else that the interpreter reports."""
    if name in WRITING or (name == "open" and arguments[2] and arguments[2] & WRITE_FLAGS):
        count_write(PASSING.sub("*", f"{name} {arguments[0]}"))


def watch_statement(*arguments: Any) -> None:
    """Count a statement that changes the ledger."""
    if not arguments[2].lstrip().upper().startswith(("SELECT", "PRAGMA")):
        count_write(f"ledger {len(kinds)}")


def watch_transaction(*_: Any) -> None:
    """Count the end of a transaction."""
    count_write(f"ledger {len(kinds)}")


if __name__ == "__main__":
    event.listen(Engine, "before_cursor_execute", watch_statement)
    event.listen(Engine, "after_cursor_execute", watch_statement)
    event.listen(Engine, "commit", watch_transaction)
    sys.addaudithook(watch)
    from triune.cli.main import main

    try:
        main()
    finally:
        sys.stderr.write(f"writes: {json.dumps(kinds)}\n")
