"""The `triune` command: its verbs, and what a fault, a slip or Ctrl-C comes to."""

import os
import sys
from typing import Annotated

import typer

from triune import __version__
from triune.cli import audit, demo, doctor, init, release, run, schema, serve
from triune.cli.output import (
    INTERRUPTED_EXIT,
    exit_code_of,
    print_error,
    print_interruption,
    wants_json,
)
from triune.domain.errors import TriuneError, UsageError

# Without Rich's help pages, whose import alone would take most of the start-up time.
app = typer.Typer(
    name="triune",
    help="Continuous delivery for machine learning: code, data and model as one release.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("schema")(schema.schema)
app.command("run")(run.run)
app.add_typer(release.app, name="release")
app.command("serve")(serve.serve)
app.add_typer(audit.app, name="audit")
app.command("demo")(demo.demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"triune {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that go before a verb."""


def _describe_slip(error: typer.TyperException) -> str:
    # Typer's parsing errors name option and value only in this method, which it does not type.
    describe = getattr(error, "format_message", error.__str__)
    is_help_page = type(error).__name__ == "NoArgsIsHelpError"
    return (
        f"a verb is missing\n{describe()}" if is_help_page else f"{describe()} See `triune --help`."
    )


def main() -> None:
    """Run the command and exit with its code."""
    try:
        code = _run()
        sys.stdout.flush()
        sys.exit(code)
    except TriuneError as error:
        print_error(error, as_json=wants_json())
        sys.exit(exit_code_of(error))
    except typer.TyperException as error:
        slip = UsageError(_describe_slip(error))
        print_error(slip, as_json=wants_json())
        sys.exit(exit_code_of(slip))
    except (typer.Abort, KeyboardInterrupt):
        print_interruption(as_json=wants_json())
        sys.exit(INTERRUPTED_EXIT)
    except BrokenPipeError:
        # Whoever read our output has seen enough (`triune audit log | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        fault = TriuneError(_describe_os_error(error))
        print_error(fault, as_json=wants_json() and error.filename is not None)
        sys.exit(exit_code_of(fault))


def _describe_os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; make room or give access there, and try again"


def _run() -> int:
    code = app(standalone_mode=False)
    if code == INTERRUPTED_EXIT:
        # What Typer makes of Ctrl-C within a command.
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0
