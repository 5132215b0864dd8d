"""Runs one command for another process and ends it with that process; started as a script.

Usage: ``process_guardian.py COMMAND...``, standard input being one end of a socket pair. On the
other end, a byte asks for SIGTERM, and closing it, which the kernel does too when that process
is killed, ends the command's process group with SIGKILL. What comes back is the exit status.
Imports little, not even contextlib: starting Python is the price of every command.
"""

import os
import signal
import sys

CONTROL = 0
NOT_FOUND, NOT_EXECUTABLE = 127, 126
# Python ignores these for itself, or we do; a command expects them as a shell would leave them.
_RESTORED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)


def guard(command: list[str]) -> None:
    """Run a command to its end, or to the end of whoever holds the other side of the socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Whoever ends the guardian alone would leave the command without one.
        signal.signal(number, signal.SIG_IGN)
    ended, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup)
    child = _start(command)
    _relay(child, ended)
    # Not reaped yet, so the group's number cannot have gone to another.
    _signal_group(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.write(CONTROL, str(os.waitstatus_to_exitcode(status)).encode())


def _start(command: list[str]) -> int:
    child = os.fork()
    if child:
        _lead_group(child)
        return child
    _lead_group(0)
    signal.set_wakeup_fd(-1)
    for number in _RESTORED:
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), CONTROL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the caller's argv, without a shell
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _lead_group(child: int) -> None:
    # Both sides do it, as either may come first; the second finds it done.
    try:  # noqa: SIM105 - see the module
        os.setpgid(child, child)
    except OSError:
        pass


def _relay(child: int, ended: int) -> None:
    import select  # noqa: PLC0415 - a built-in, after the command is on its way

    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        readable, _, _ = select.select([CONTROL, ended], [], [])
        if ended in readable:
            os.read(ended, 64)
        if CONTROL in readable:
            if not _receive():
                return
            _signal_group(child, signal.SIGTERM)


def _receive() -> bytes:
    try:
        return os.read(CONTROL, 1)
    except ConnectionError:
        return b""


def _signal_group(group: int, number: int) -> None:
    try:  # noqa: SIM105 - see the module
        os.killpg(group, number)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    try:  # noqa: SIM105 - see the module
        guard(sys.argv[1:])
    except ConnectionError:
        pass  # nobody is left to tell
