"""`triune demo`: the main job on a real project, by the very commands that a user would type."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from triune.cli.demo_stage import Stage, find_place, told_to_end
from triune.cli.output import EXIT_CODES, AsJson, print_json
from triune.domain.verdict import Verdict

AMISS = "AMISS_UNDER_TRAFFIC"
"""The reason where a scene under live traffic did not come out as it must."""


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the project goes (default: a temporary folder)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take good and bad changes of a churn model through layers, gate, approval and rollouts."""
    from triune.cli.demo_scenes import play

    with find_place(folder) as place, told_to_end():
        stage = Stage(
            project=place, folder=place.parent, is_kept=folder is not None, to_stderr=as_json
        )
        play(stage)
    verdict = Verdict.FAIL if stage.amiss else Verdict.PASS
    if as_json:
        _print_document(stage, verdict)
    else:
        _print_end(stage, verdict)
    raise typer.Exit(EXIT_CODES[verdict])


def _print_document(stage: Stage, verdict: Verdict) -> None:
    print_json(
        {
            "verdict": verdict,
            "reasons": [{"code": AMISS, "message": message} for message in stage.amiss],
            "folder": str(stage.project) if stage.is_kept else None,
            "scenes": [
                {
                    "name": scene.name,
                    "layer": scene.layer,
                    "verdict": scene.verdict,
                    "reason": scene.reason,
                    "seconds": scene.seconds,
                    **(asdict(scene.traffic) if scene.traffic else {}),
                }
                for scene in stage.scenes
            ],
        }
    )


def _print_end(stage: Stage, verdict: Verdict) -> None:
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
    came_out = f"but {'; '.join(stage.amiss)}" if stage.amiss else "each as it must be"
    typer.echo(
        f"\n{verdict}  {len(stage.scenes)} scenes in {seconds:.0f} s, {came_out}. "
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
