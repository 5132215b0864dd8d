"""How the command speaks: one JSON document or text on stdout, progress and errors on stderr."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from triune.domain.errors import TriuneError, UsageError
from triune.domain.verdict import Reason, Verdict

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]

EXIT_CODES = {
    Verdict.PASS: 0,
    Verdict.FAIL: 1,
    Verdict.INCONCLUSIVE: 3,
    Verdict.ERROR: 4,
}
USAGE_EXIT = 2


def print_json(document: dict[str, Any]) -> None:
    """Print the one document of ``--json``."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def report_progress(line: str) -> None:
    """Say on stderr what goes on."""
    typer.echo(f"  {line}", err=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their columns, in plain text; the last column takes what width is left."""
    if not rows:
        return
    widths = [
        max(len(column), *(len(row[index]) for row in rows)) for index, column in enumerate(columns)
    ]
    widths[-1] = 0
    for row in (columns, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(cells).rstrip())


def describe_reason(reason: Reason) -> dict[str, str]:
    """Turn a reason into JSON."""
    return {"code": reason.code, "message": reason.message}


def exit_code_of(error: TriuneError) -> int:
    """Tell what was asked wrongly (2) from what is broken (4)."""
    return USAGE_EXIT if isinstance(error, UsageError) else EXIT_CODES[Verdict.ERROR]


def print_error(error: TriuneError, *, as_json: bool) -> None:
    """Say what went wrong."""
    if as_json:
        print_json(error_document(error.code, str(error)))
    typer.echo(f"error: {error}", err=True)


def print_interruption(*, as_json: bool) -> None:
    """Say that Ctrl-C was heard."""
    message = "interrupted: nothing recorded is lost, run it again to go on"
    if as_json:
        print_json(error_document("INTERRUPTED", message))
    typer.echo(f"\n{message}", err=True)


def error_document(code: str, message: str) -> dict[str, Any]:
    """Turn a fault into the JSON document that every command prints of one."""
    reason = Reason(code=code, message=message)
    return {"verdict": Verdict.ERROR, "reasons": [describe_reason(reason)]}


def wants_json() -> bool:
    """Tell whether ``--json`` was asked for, before anything was parsed."""
    return "--json" in sys.argv[1:]
