"""`triune rollback`: an environment back to what served it before."""

from pathlib import Path
from typing import Annotated

import typer

from triune.cli.arguments import Because
from triune.cli.ended import end_with
from triune.cli.output import AsJson


def rollback(
    to: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE",
            help="A release that served before; else the one before the champion.",
        ),
    ] = None,
    environment: Annotated[
        str | None, typer.Option(metavar="ENV", help="Which environment; else the last one.")
    ] = None,
    because: Because = "",
    as_json: AsJson = False,
) -> None:
    """Go back to a release that served before: code, data, model and runtime in one move."""
    from triune.bootstrap import open_project
    from triune.operations.environments import last_environment
    from triune.operations.releases import find_release
    from triune.operations.rollback import roll_back

    with open_project(Path.cwd()) as context:
        outcome = roll_back(
            context,
            environment=environment or last_environment(context.spec).name,
            to=find_release(context, to) if to else None,
            because=because,
        )
        end_with(context, outcome, as_json=as_json)
