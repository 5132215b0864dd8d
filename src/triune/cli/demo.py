"""`triune demo`: the main job on a real project, by the very commands that a user would type."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from triune.cli.demo_stage import Stage, find_place, told_to_end
from triune.cli.output import AsJson, print_json
from triune.domain.verdict import Verdict


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the project goes (default: a temporary folder)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take good and bad changes of a churn model through layers, gate, approval and rollback."""
    from triune.cli.demo_scenes import play

    with find_place(folder) as place, told_to_end():
        stage = Stage(
            project=place, folder=place.parent, is_kept=folder is not None, to_stderr=as_json
        )
        play(stage)
    if as_json:
        _print_document(stage)
    else:
        _print_end(stage)


def _print_document(stage: Stage) -> None:
    print_json(
        {
            "verdict": Verdict.PASS,
            "reasons": [],
            "folder": str(stage.project) if stage.is_kept else None,
            "scenes": [
                {
                    "name": scene.name,
                    "layer": scene.layer,
                    "verdict": scene.verdict,
                    "reason": scene.reason,
                    "seconds": scene.seconds,
                }
                for scene in stage.scenes
            ],
        }
    )


def _print_end(stage: Stage) -> None:
    from triune.cli.output import print_table

    typer.echo()
    print_table(
        ("scene", "layer", "verdict", "seconds", "reason"),
        [
            (scene.name, scene.layer or "-", scene.verdict, f"{scene.seconds:.1f}", scene.reason)
            for scene in stage.scenes
        ],
    )
    seconds = sum(scene.seconds for scene in stage.scenes)
    typer.echo(
        f"\n{Verdict.PASS}  {len(stage.scenes)} scenes in {seconds:.0f} s, each as it must be. "
        "What to type next:"
    )
    if stage.is_kept:
        typer.echo(f"  cd {shlex.quote(str(stage.project))}")
    else:
        typer.echo("  triune init --example churn churn && cd churn && triune run")
    typer.echo("  triune release list")
    typer.echo("  triune gate show latest")
    typer.echo("  triune rollout list")
    typer.echo("  triune audit verify")
    typer.echo("  triune serve latest")
