"""`triune rollout`: what is on its way into which environment, and what its steps mean."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.output import (
    EXIT_CODES,
    AsJson,
    describe_reason,
    print_json,
    print_table,
    report_progress,
)

if TYPE_CHECKING:
    from triune.domain.projection import RolloutRecord
    from triune.domain.rollout.override import Override
    from triune.domain.rollout.state import Rollout
    from triune.operations.environments import Outcome
    from triune.operations.forecasting import Forecast

app = typer.Typer(help="Plan, read and stop rollouts.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="ROLLOUT", help="A rollout's id, or a prefix of it.")]
Because = Annotated[str, typer.Option(help="Why, for the record.")]


@app.command("plan")
def plan(
    environment: Annotated[str, typer.Option(metavar="ENV", help="Whose steps.")],
    rps: Annotated[float, typer.Option(metavar="N", help="Requests a second, on both arms.")],
    as_json: AsJson = False,
) -> None:
    """Say what the steps of an environment mean: how long they take, and what they catch."""
    from triune.bootstrap import open_project
    from triune.operations.forecasting import forecast

    with open_project(Path.cwd()) as context:
        found = forecast(context, environment, requests_per_s=rps, progress=report_progress)
    if as_json:
        print_json(_forecast_document(found))
    else:
        _print_forecast(found)


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
def show(name: Name, as_json: AsJson = False) -> None:
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


@app.command("abort")
def abort(name: Name, because: Because = "", as_json: AsJson = False) -> None:
    """Stop a rollout before its release is promoted; the champion stays."""
    from triune.bootstrap import open_project
    from triune.operations import approvals

    with open_project(Path.cwd()) as context:
        record = approvals.find_rollout(context, name)
        outcome = approvals.abort(context, record, because=because)
    end_with(outcome, as_json=as_json)


def end_with(outcome: "Outcome", *, as_json: bool) -> None:
    """Say what became of an environment, and exit with the verdict's code."""
    if as_json:
        print_json(_document(outcome))
    else:
        _print_outcome(outcome)
    raise typer.Exit(EXIT_CODES[outcome.verdict])


def _document(outcome: "Outcome") -> dict[str, Any]:
    rollout, standing = outcome.rollout, outcome.standing
    return {
        "verdict": outcome.verdict,
        "reasons": [describe_reason(reason) for reason in outcome.reasons],
        "rollout": rollout
        and {
            "id": rollout.id,
            "status": rollout.status,
            "environment": rollout.environment,
            "release": rollout.release,
        },
        "environment": {
            "name": standing.name,
            "champion": standing.champion,
            "previous": standing.previous,
        },
        "override": rollout and rollout.override and _override(rollout.override),
    }


def _print_outcome(outcome: "Outcome") -> None:
    from triune.domain.release import short

    for reason in outcome.reasons:
        typer.echo(f"{outcome.verdict}  {reason.code}: {reason.message}")
    rollout, standing = outcome.rollout, outcome.standing
    if rollout and rollout.override:
        typer.echo(f"OVERRIDE  {rollout.override}")
    if rollout:
        typer.echo(f"rollout {rollout.id}: {rollout.status.replace('_', ' ')}")
    serves = f"release {short(standing.champion)}" if standing.champion else "nothing"
    before = f", before it {short(standing.previous)}" if standing.previous else ""
    typer.echo(f"{standing.name}: {serves} serves{before}")
    if rollout and outcome.verdict == "INCONCLUSIVE":
        typer.echo(f"next: triune approve {rollout.id}")


def _override(override: "Override") -> dict[str, Any]:
    return {
        "kind": override.kind,
        "reason": override.because,
        "by": override.by.subject,
        "identified": override.by.identified,
        "overruled": override.overruled,
    }


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


def _forecast_document(found: "Forecast") -> dict[str, Any]:
    return {
        "environment": {"name": found.environment.name},
        "strategy": found.environment.plan.strategy,
        "requests_per_s": found.requests_per_s,
        "steps": [{**asdict(step), "is_too_slow": step.is_too_slow} for step in found.steps],
        "candidates": [asdict(fate) for fate in found.fates],
        "warnings": found.warnings,
    }


def _print_forecast(found: "Forecast") -> None:
    plan, rules = found.environment.plan, found.environment.analysis
    typer.echo(
        f"{found.environment.name}: {plan.strategy} at {found.requests_per_s:g} requests/s, "
        f"error budget {rules.error_budget:.2%}, alpha {rules.alpha:g}\n"
    )
    rates = [f"{fate.failure_rate:.0%}" for fate in found.fates]
    print_table(
        ("step", "weight", "requests", "hours", *(f"caught at {rate}" for rate in rates)),
        [
            (
                str(at + 1),
                "shadow" if step.is_shadow else f"{step.candidate_pct:g} %",
                "-" if step.requests is None else f"{step.requests:,}",
                "-" if step.hours is None else f"{step.hours:.1f}",
                *(f"{fate.caught_by_step[at]:.0%}" for fate in found.fates),
            )
            for at, step in enumerate(found.steps)
        ],
    )
    typer.echo("")
    print_table(
        ("candidate fails in", "rolled back", "at a deadline", "promoted", "exposed requests"),
        [
            (
                f"{fate.failure_rate:.0%}",
                f"{fate.caught_by_step[-1]:.0%}",
                f"{max(0.0, 1 - fate.caught_by_step[-1] - fate.promoted):.0%}",
                f"{fate.promoted:.0%}",
                "-" if fate.exposed is None else f"{fate.exposed:,.0f}",
            )
            for fate in found.fates
        ],
    )
    typer.echo(
        "\nrequests, hours: until a good release goes on, as likely as not; a step's minimum and "
        "the bake\nincluded. caught: rolled back by the end of the step. exposed: answered by the "
        f"candidate until\nthen, the median. From {found.fates[0].runs} simulated rollouts or "
        "fewer; each request counts by itself: where\nrouting keys come back, it takes more."
    )
    for warning in found.warnings:
        typer.echo(f"\nwarning: {warning}")
