"""`triune up` and `triune down`: the controller and the traffic processes of a project."""

from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.output import AsJson, print_json, print_table, report_progress

if TYPE_CHECKING:
    from triune.operations.upkeep import Plane


def up(
    foreground: Annotated[
        bool,
        typer.Option(
            "--foreground", help="Stay, and log to stderr; Ctrl-C ends the controller alone."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start what serves the environments and moves their rollouts, or find it running."""
    from triune.bootstrap import controller_of, open_project
    from triune.domain.errors import UsageError
    from triune.operations.upkeep import bring_up

    if foreground:
        from triune.controller import run_here

        if as_json:
            raise UsageError("--foreground logs for as long as it stays; --json has nothing to say")
        run_here(Path.cwd())
        return
    with open_project(Path.cwd()) as context:
        controller = controller_of(context.root)
        _end(bring_up(context, controller, wait=sleep, progress=report_progress), as_json=as_json)


def down(as_json: AsJson = False) -> None:
    """Stop the controller and the traffic processes; requests on their way are answered."""
    from triune.bootstrap import controller_of, open_project
    from triune.operations.upkeep import take_down

    with open_project(Path.cwd()) as context:
        controller = controller_of(context.root)
        _end(take_down(context, controller, progress=report_progress), as_json=as_json)


def _end(planes: "tuple[Plane, ...]", *, as_json: bool) -> None:
    from triune.domain.release import short

    if as_json:
        print_json({"environments": [_document(each) for each in planes]})
        return
    print_table(
        ("environment", "address", "champion", "candidate", "traffic"),
        [
            (
                each.environment,
                each.url or each.listen,
                short(each.champion) if each.champion else "-",
                f"{short(each.candidate)} {each.weight_pct:g} %" if each.candidate else "-",
                each.state,
            )
            for each in planes
        ],
    )


def _document(plane: "Plane") -> dict[str, Any]:
    return {
        "name": plane.environment,
        "url": plane.url,
        "champion": plane.champion,
        "candidate": plane.candidate,
        "weight_pct": plane.weight_pct,
        "state": plane.state,
    }
