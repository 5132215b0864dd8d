"""`triune rollout`: what is on its way into which environment, and the word to stop or go on."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from triune.cli import forecast, watch
from triune.cli.arguments import Because, RolloutName
from triune.cli.ended import end_with
from triune.cli.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from triune.domain.projection import RolloutRecord
    from triune.domain.rollout.state import Rollout

app = typer.Typer(
    help="Plan, follow and stop rollouts.", no_args_is_help=True, rich_markup_mode=None
)
app.command("plan")(forecast.plan)
app.command("watch")(watch.watch)


@app.command("list")
def list_(
    environment: Annotated[
        str | None, typer.Option(help="Only rollouts into this environment.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the rollouts, newest first."""
    from triune.bootstrap import open_project
    from triune.domain.projection import RolloutRecord
    from triune.domain.release import short
    from triune.operations.environments import find_environment

    with open_project(Path.cwd()) as context:
        if environment is not None:
            find_environment(context.spec, environment)
        records = [
            each
            for each in context.ledger.all(RolloutRecord)
            if environment in {None, each.environment}
        ]
    records.sort(key=lambda each: each.since, reverse=True)
    if as_json:
        print_json({"rollouts": [_summary(each) for each in records]})
        return
    if not records:
        typer.echo("no rollout yet; open one with `triune promote RELEASE --to ENV`")
    print_table(
        ("rollout", "environment", "release", "status", "since (UTC)", "reason"),
        [
            (
                each.id,
                each.environment,
                short(each.release),
                each.status.replace("_", " "),
                each.since[:19],
                f"{each.reason}{f'  OVERRIDE {each.override}' if each.override else ''}",
            )
            for each in records
        ],
    )


@app.command("show")
def show(name: RolloutName, as_json: AsJson = False) -> None:
    """Show a rollout: its plan, where it stands and why, and who consented."""
    from triune.bootstrap import open_project
    from triune.operations.approvals import find_rollout
    from triune.operations.environments import observe, restore

    with open_project(Path.cwd()) as context:
        record = find_rollout(context, name)
        rollout = restore(record)
        standing = observe(context, record.environment)
    if as_json:
        print_json(
            {
                "rollout": {**_summary(record), "state": rollout.to_json()},
                "environment": {
                    "name": standing.name,
                    "champion": standing.champion,
                    "previous": standing.previous,
                },
            }
        )
        return
    _print_rollout(record, rollout)


@app.command("pause")
def pause(name: RolloutName, because: Because = "", as_json: AsJson = False) -> None:
    """Keep a rollout at its step; a candidate that turns out bad still goes back."""
    _tell("pause", name, because=because, as_json=as_json)


@app.command("resume")
def resume(name: RolloutName, because: Because = "", as_json: AsJson = False) -> None:
    """Let a rollout go on where it was paused."""
    _tell("resume", name, because=because, as_json=as_json)


@app.command("abort")
def abort(name: RolloutName, because: Because = "", as_json: AsJson = False) -> None:
    """Stop a rollout before its release is promoted; the champion stays."""
    _tell("abort", name, because=because, as_json=as_json)


def _tell(
    verb: Literal["pause", "resume", "abort"], name: str, *, because: str, as_json: bool
) -> None:
    from triune.bootstrap import open_project
    from triune.operations import approvals

    commands = {
        "pause": approvals.pause,
        "resume": approvals.resume,
        "abort": approvals.abort,
    }
    with open_project(Path.cwd()) as context:
        record = approvals.find_rollout(context, name)
        outcome = commands[verb](context, record, because=because)
        end_with(context, outcome, as_json=as_json)


def _summary(record: "RolloutRecord") -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if name != "state"}


def _print_rollout(record: "RolloutRecord", rollout: "Rollout") -> None:
    from triune.domain.release import short

    champion = f"beside champion {short(rollout.champion)}" if rollout.champion else "no champion"
    typer.echo(f"rollout {rollout.id}: {rollout.status.replace('_', ' ')}")
    typer.echo(f"release {rollout.release}")
    typer.echo(f"into    {rollout.environment}, {champion}, since {record.since[:19]} UTC")
    typer.echo(f"authors {', '.join(rollout.authors) or '-'}")
    typer.echo(f"last    {rollout.reason.code}: {rollout.reason.message}")
    if record.override:
        typer.echo(f"OVERRIDE {record.override}")
    plan = rollout.plan
    typer.echo(f"plan    {plan.strategy}, {plan.approvals.required} approvals needed")
    for at, _ in enumerate(plan.steps):
        here = " <" if rollout.has_traffic and at == rollout.step else ""
        typer.echo(f"        step {at + 1}: {plan.split_at(at).candidate:g} %{here}")
    for approval in rollout.approvals:
        typer.echo(f"        approved by {approval.by}")
