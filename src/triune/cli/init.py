"""`triune init`: a new project from an example, or the lock of one that is there."""

import shlex
from os.path import realpath
from pathlib import Path
from typing import Annotated

import typer

from triune.cli.output import AsJson, print_json


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
    example: Annotated[
        str | None, typer.Option(help="Start from an example: churn (default: minimal).")
    ] = None,
    lock: Annotated[
        bool,
        typer.Option("--lock", help="Only write the lock of the project in DIR anew."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Lay out a new project as a fresh git repository that `triune run` works in."""
    from triune.bootstrap import open_project, scaffold_project
    from triune.domain.errors import UsageError
    from triune.domain.wording import counted
    from triune.operations.locking import rewrite_lock
    from triune.operations.scaffolding import MINIMAL

    if lock and example:
        raise UsageError("--lock writes the lock of a project that is there; leave --example out")
    if lock:
        with open_project(folder) as context:
            locked = rewrite_lock(context)
        if as_json:
            print_json({"lock": context.spec.lock, "packages": dict(locked.packages)})
        else:
            typer.echo(f"{context.spec.lock} names {counted(len(locked.packages), 'package')}")
        return
    # Resolved, as `..` and links have neither a name nor a parent to work with.
    made = scaffold_project(Path(realpath(folder)), example=example or MINIMAL)
    if as_json:
        print_json({"folder": str(made.folder), "example": made.example, "packages": made.packages})
        return
    typer.echo(f"{folder}: the {made.example} example, committed, {made.packages} packages locked")
    typer.echo(f"next: cd {shlex.quote(str(folder))} && triune run")
