"""How the verbs that move an environment end: what became of it, and the exit code."""

from time import sleep
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from triune.cli.output import EXIT_CODES, describe_reason, print_json, report_progress

if TYPE_CHECKING:
    from triune.domain.rollout.override import Override
    from triune.operations.context import Context
    from triune.operations.environments import Outcome
    from triune.operations.following import Followed


def end_with(context: "Context", outcome: "Outcome", *, as_json: bool) -> NoReturn:
    """Wait until the traffic follows, say what became of it, and exit with the verdict's code."""
    from triune.operations.following import follow

    followed = follow(context, outcome, wait=sleep, progress=report_progress)
    if as_json:
        print_json(_document(followed))
    else:
        _print_followed(followed)
    raise typer.Exit(EXIT_CODES[followed.outcome.verdict])


def _document(followed: "Followed") -> dict[str, Any]:
    outcome = followed.outcome
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
        "traffic_seconds": followed.seconds,
    }


def _print_followed(followed: "Followed") -> None:
    from triune.domain.release import short

    outcome = followed.outcome
    for reason in outcome.reasons[:-1]:
        typer.echo(f"{'':<{len(outcome.verdict)}}  {reason.code}: {reason.message}")
    for reason in outcome.reasons[-1:]:
        # What it came to in the end is what the verdict is of.
        typer.echo(f"{outcome.verdict}  {reason.code}: {reason.message}")
    rollout, standing = outcome.rollout, outcome.standing
    if rollout and rollout.override:
        typer.echo(f"OVERRIDE  {rollout.override}")
    if rollout:
        typer.echo(f"rollout {rollout.id}: {rollout.status.replace('_', ' ')}")
    serves = f"release {short(standing.champion)}" if standing.champion else "nothing"
    before = f", before it {short(standing.previous)}" if standing.previous else ""
    typer.echo(f"{standing.name}: {serves} serves{before}")
    if followed.seconds is not None:
        typer.echo(f"its traffic follows, {followed.seconds:.2f} s after it was decided")
    if rollout and rollout.is_open:
        verb = "rollout watch" if rollout.has_traffic else "approve"
        typer.echo(f"next: triune {verb} {rollout.id}")


def _override(override: "Override") -> dict[str, Any]:
    return {
        "kind": override.kind,
        "reason": override.because,
        "by": override.by.subject,
        "identified": override.by.identified,
        "overruled": override.overruled,
    }
