"""`triune rollout plan`: what the steps of an environment mean."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.output import AsJson, print_json, print_table, report_progress

if TYPE_CHECKING:
    from triune.domain.rollout.state import Rollout
    from triune.operations.context import Context
    from triune.operations.forecasting import Forecast


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


def print_at_rate_seen(context: "Context", rollout: "Rollout") -> None:
    """Say what the steps of a rollout mean at the traffic that there is, if there is any."""
    from triune.operations.forecasting import forecast_at_rate_seen

    found = forecast_at_rate_seen(context, rollout, progress=lambda _: None)
    if found is not None:
        _print_forecast(found)
        typer.echo("")


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
        f"{found.environment.name}: {plan.strategy} at {found.requests_per_s:.3g} requests/s, "
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
