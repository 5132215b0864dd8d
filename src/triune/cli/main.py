"""The `triune` command: what a fault, a slip, Ctrl-C and a closed pipe come to.

Nothing heavy is imported before `main` listens for Ctrl-C.
"""

import os
import select
import signal
import sys
import traceback
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import typer

_INTERRUPTED_EXIT: Final = 128 + signal.SIGINT
_UNREAD_EXIT: Final = 128 + signal.SIGPIPE


class _Interrupts:
    """Raises KeyboardInterrupt at Ctrl-C, and remembers that it did."""

    def __init__(self) -> None:
        self.heard = False
        # Whoever is started in the background of a shell is not to hear it.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.heard = True
        signal.default_int_handler(number, frame)


def main() -> None:
    """Run the command and exit with its code."""
    interrupts = _Interrupts()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A path need not be text, and a terminal need not know every letter.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(interrupts)
        sys.stdout.flush()
    except BrokenPipeError:
        if not _drop_unread():
            raise
        code = _UNREAD_EXIT
    # All is done and said, and taking the interpreter apart takes a while.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code == _INTERRUPTED_EXIT:
        # Python may remember Ctrl-C (from code made of text, such as dataclasses), and would end
        # itself by that signal in place of this exit code.
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _run(interrupts: _Interrupts) -> int:
    try:
        return _run_verb()
    except BrokenPipeError:
        raise
    except BaseException as error:
        # Native code that is interrupted while it is imported may raise anything.
        if interrupts.heard or isinstance(error, KeyboardInterrupt):
            return _report_interruption()
        if isinstance(error, Exception):
            return _report(error)
        raise


def _run_verb() -> int:
    from triune.cli.verbs import app

    try:
        code = app(standalone_mode=False)
    except SystemExit as left:
        # What Typer makes of a closed pipe.
        if isinstance(left.__context__, BrokenPipeError):
            raise left.__context__ from None
        raise
    if code == _INTERRUPTED_EXIT:
        # What Typer makes of Ctrl-C within a command.
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _report_interruption() -> int:
    # A second Ctrl-C has nothing more to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from triune.cli.output import print_interruption, wants_json

    print_interruption(as_json=wants_json())
    return _INTERRUPTED_EXIT


def _report(error: Exception) -> int:
    import typer

    from triune.cli.output import exit_code_of, print_error, wants_json
    from triune.domain.errors import TriuneError, UsageError

    as_json = wants_json()
    match error:
        case TriuneError():
            fault = error
        case typer.TyperException():
            fault = UsageError(_describe_slip(error))
        case typer.Abort():
            return _report_interruption()
        case OSError():
            fault = TriuneError(_describe_os_error(error))
            as_json = as_json and error.filename is not None
        case _:
            # Not by Python itself, whose exit code 1 would say that a model failed.
            traceback.print_exception(error)
            fault = TriuneError(
                f"Triune broke on this ({type(error).__name__}: {error}); nothing recorded is "
                "lost: please report what is printed above"
            )
    print_error(fault, as_json=as_json)
    return exit_code_of(fault)


def _describe_slip(error: "typer.TyperException") -> str:
    # Typer's parsing errors name option and value only in this method, which it does not type.
    describe = getattr(error, "format_message", error.__str__)
    is_help_page = type(error).__name__ == "NoArgsIsHelpError"
    return (
        f"a verb is missing\n{describe()}" if is_help_page else f"{describe()} See `triune --help`."
    )


def _describe_os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; make room or give access there, and try again"


def _drop_unread() -> bool:
    """Drop what nobody reads any more (`triune audit log | head`); tell whether that was it."""
    unread = [number for number in (1, 2) if _is_unread(number)]
    for number in unread:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return bool(unread)


def _is_unread(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))
