"""Runs a command whose processes end with ours, however ours ends.

A small guardian process stands between the two: it holds a socket whose other end is ours, and
ends the command's process group when that end closes, which the kernel does even after SIGKILL.
Processes that leave the group (a daemon that calls ``setsid``) are beyond its reach.
"""

import codecs
import os
import select
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Final

from triune.adapters import process_guardian
from triune.domain.errors import TriuneError

TAIL_LINES: Final = 40
_CHUNK: Final = 1 << 16
# A "line" without an end, such as binary output, is handed on in pieces of this many characters.
_LONGEST_LINE: Final = 1 << 16
# -I -S: neither the user's site-packages nor PYTHON* variables make the guardian slow or strange.
_GUARDIAN: Final = (sys.executable, "-I", "-S", str(Path(process_guardian.__file__)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a command ended; ``returncode`` is negative where a signal ended it.

    ``tail`` holds its last lines of output and error output, in the order in which they came.
    """

    returncode: int
    tail: tuple[str, ...]
    timed_out: bool = False


def shell(line: str) -> tuple[str, ...]:
    """Make a command of a line that a user wrote for a shell."""
    return ("/bin/sh", "-c", line)


def run_command(  # noqa: PLR0913 - all but the command are named, and most have a default
    command: Sequence[str],
    *,
    folder: Path,
    progress: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    grace_s: float = 5.0,
) -> Finished:
    """Run a command to its end, handing on each line that it prints.

    It has no standard input, and a process group of its own. Whatever of that group is left when
    the command itself ends is killed.

    Parameters
    ----------
    environment
        All of the command's environment; ours where it is None. Where it names no locale, Python
        (the guardian is one) adds ``LC_CTYPE=C.UTF-8``.
    timeout_s
        Afterwards the group gets SIGTERM, and SIGKILL once ``grace_s`` have passed. The same
        happens when anything is raised here meanwhile, such as KeyboardInterrupt.

    Raises
    ------
    TriuneError
        No process could be started at all, or somebody killed the guardian. A command that does
        not exist ends with 127 instead, one that may not be run with 126, as in a shell.
    """
    with _guarded(command, folder=folder, environment=environment) as guarded:
        lines = _Lines(progress)
        timed_out = False
        try:
            if not guarded.follow(lines, timeout_s=timeout_s):
                timed_out = True
                guarded.end(lines, grace_s=grace_s)
        except BaseException:
            guarded.end(_Lines(lambda _: None), grace_s=grace_s)
            raise
        lines.close()
        return Finished(returncode=guarded.returncode, tail=lines.tail, timed_out=timed_out)


class Background:
    """A command that runs beside us."""

    def __init__(self, guarded: "_Guarded", follower: Thread) -> None:
        self._guarded = guarded
        self._follower = follower

    def has_ended(self, *, wait_s: float = 0.0) -> bool:
        """Tell whether it has ended, having given it some time to."""
        self._follower.join(wait_s)
        return not self._follower.is_alive()

    @property
    def returncode(self) -> int:
        """How it ended, which it must have: negative where a signal ended it.

        Raises
        ------
        TriuneError
            Somebody killed the guardian.
        """
        return self._guarded.returncode


@contextmanager
def background_command(
    command: Sequence[str],
    *,
    folder: Path,
    progress: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    grace_s: float = 5.0,
) -> Iterator[Background]:
    """Run a command beside us, as `run_command` does, for no longer than the block lasts.

    Parameters
    ----------
    progress
        Is handed each line in a thread of its own, and must not raise.
    grace_s
        At the end of the block the group gets SIGTERM, and SIGKILL once that much has passed.

    Raises
    ------
    TriuneError
        No process could be started at all.
    """
    with _guarded(command, folder=folder, environment=environment) as guarded:
        lines = _Lines(progress)

        def follow() -> None:
            guarded.follow(lines, timeout_s=None)
            lines.close()

        follower = Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield Background(guarded, follower)
        finally:
            guarded.ask_to_end()
            follower.join(grace_s)
            guarded.insist()
            follower.join()


def launch_detached(
    command: Sequence[str], *, folder: Path, log: Path
) -> "subprocess.Popen[bytes]":
    """Start a command that outlives us, in a session of its own; what it says goes to a file.

    Raises
    ------
    TriuneError
        No process could be started, or the file cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as said:
            return subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                # Ctrl-C in our terminal is not for it.
                start_new_session=True,
            )
    except OSError as error:
        raise TriuneError(
            f"cannot start a process in {folder}: {error.strerror} ({error.filename}); see that "
            "the folder can be written, and that the machine has memory and process numbers left"
        ) from error


def said_since(log: Path, began: int, *, most: int = 2_000) -> str:
    """Read the end of what was written to a file beyond a place in it."""
    with log.open("rb") as said:
        said.seek(max(began, said.seek(0, os.SEEK_END) - most))
        return said.read().decode(errors="replace").strip() or "it said nothing"


class _Lines:
    """Makes lines of bytes; of a line that rewrites itself, as progress bars do, the last form."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self._progress = progress
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest = ""
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    @property
    def tail(self) -> tuple[str, ...]:
        return tuple(self._tail)

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + self._decode(chunk)).split("\n")
        for line in lines:
            self._hand_on(line)
        if len(self._rest) > _LONGEST_LINE:
            self._hand_on(self._rest)
            self._rest = ""

    def close(self) -> None:
        if self._rest:
            self._hand_on(self._rest)

    def _hand_on(self, line: str) -> None:
        shown = line.rstrip().rpartition("\r")[2]
        self._tail.append(shown)
        self._progress(shown)


class _Guarded:
    """A command under its guardian: what it prints, and the socket that it lives by."""

    def __init__(self, *, output: int, control: socket.socket) -> None:
        self._output = output
        self._control = control
        self._status = b""
        self._is_over = False

    @property
    def returncode(self) -> int:
        if not self._status:
            raise TriuneError(
                "the process that watches over a command was killed, so how the command ended is "
                "unknown (is the machine out of memory?); run it again"
            )
        return int(self._status)

    def follow(self, lines: _Lines, *, timeout_s: float | None) -> bool:
        """Hand lines on until the command ends; False where time is up first."""
        deadline = None if timeout_s is None else monotonic() + timeout_s
        waiting = select.poll()
        waiting.register(self._output, select.POLLIN)
        waiting.register(self._control, select.POLLIN)
        while not self._is_over:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            ready = {number for number, _ in waiting.poll(None if left is None else left * 1000)}
            if self._output in ready and not self._read(lines):
                waiting.unregister(self._output)
            if self._control.fileno() in ready:
                self._listen()
            if not ready and left == 0.0:
                return False
        # All that can be left: a pipe holds no more than one chunk. Reading to the end would wait
        # for whatever left the group and kept the pipe.
        self._read(lines)
        return True

    def end(self, lines: _Lines, *, grace_s: float) -> None:
        """Ask the command to end, and see to it that it does."""
        self.ask_to_end()
        if not self.follow(lines, timeout_s=grace_s):
            self.insist()
            self.follow(lines, timeout_s=None)

    def ask_to_end(self) -> None:
        """Have SIGTERM sent; nothing happens to a command that has ended."""
        with suppress(ConnectionError):
            self._control.send(b"T")

    def insist(self) -> None:
        """Have SIGKILL sent; nothing happens to a command that has ended."""
        # Our side alone: the guardian still reports the status. Of one that has ended, the other
        # side is closed already.
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def _listen(self) -> None:
        try:
            received = self._control.recv(16)
        except ConnectionError:
            received = b""
        self._status += received
        self._is_over = not received

    def _read(self, lines: _Lines) -> bool:
        """Hand on what is there; False where nothing is, now or ever."""
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        lines.feed(chunk)
        return bool(chunk)


@contextmanager
def _guarded(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None
) -> Iterator[_Guarded]:
    ours, theirs = socket.socketpair()
    output, printed = os.pipe()
    os.set_blocking(output, False)
    try:
        try:
            guardian = subprocess.Popen(
                [*_GUARDIAN, *command],
                cwd=folder,
                env=environment,
                stdin=theirs.fileno(),
                stdout=printed,
                stderr=printed,
                # Out of the terminal's reach: Ctrl-C is ours to act upon.
                start_new_session=True,
            )
        except OSError as error:
            raise TriuneError(
                f"cannot start a process in {folder}: {error.strerror}; see that the folder is "
                "there and that the machine has memory and process numbers left"
            ) from error
        finally:
            theirs.close()
            os.close(printed)
        with guardian:
            try:
                yield _Guarded(output=output, control=ours)
            finally:
                # Closed before the guardian is waited for: it lives by this.
                ours.close()
    finally:
        ours.close()
        os.close(output)
