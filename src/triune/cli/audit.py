"""`triune audit`: what happened, whether the record of it is whole, and how things stood."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.output import EXIT_CODES, AsJson, describe_reason, print_json, print_table
from triune.domain.verdict import Reason, Verdict

if TYPE_CHECKING:
    from triune.domain.events import Event

app = typer.Typer(help="Read and verify the ledger.", no_args_is_help=True, rich_markup_mode=None)


@app.command("log")
def log(
    limit: Annotated[
        int, typer.Option(help="Show at most this many of the last events; 0 shows all.", min=0)
    ] = 50,
    aggregate: Annotated[
        str | None,
        typer.Option(help="Only events of this aggregate: release:ID, project:NAME, ..."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what happened, oldest first."""
    from collections import deque

    from triune.bootstrap import open_project
    from triune.operations.audit import find_aggregate

    with open_project(Path.cwd()) as context:
        only = None if aggregate is None else find_aggregate(context.ledger, aggregate)
        most = min(limit, sys.maxsize) or None
        events = deque(context.ledger.events(aggregate=only), maxlen=most)
        head = context.ledger.head()
    if as_json:
        print_json({"events": [_document(event) for event in events], "head": str(head)})
        return
    if not events:
        typer.echo("nothing happened yet")
    rows = [
        (str(event.sequence), event.time[:19], event.kind, event.actor, _sentence(event))
        for event in events
    ]
    print_table(("event", "time (UTC)", "kind", "actor", "what"), rows)


@app.command("verify")
def verify(
    head: Annotated[
        str | None,
        typer.Option(help="A head printed earlier, which must still be part of the chain."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the chain of hashes and all that follows from the events."""
    from triune.bootstrap import open_project
    from triune.domain.errors import LedgerCorruptError
    from triune.domain.wording import counted
    from triune.operations.audit import parse_head, verify_ledger

    known = parse_head(head) if head else None
    try:
        with open_project(Path.cwd()) as context:
            end = verify_ledger(context.ledger, known=known)
    except LedgerCorruptError as error:
        if as_json:
            reason = Reason(code=error.code, message=str(error))
            print_json({"verdict": Verdict.FAIL, "reasons": [describe_reason(reason)]})
        else:
            typer.echo(f"FAIL  {error}")
        raise typer.Exit(EXIT_CODES[Verdict.FAIL]) from error
    if as_json:
        print_json({"verdict": "PASS", "reasons": [], "events": end.sequence, "head": str(end)})
        return
    typer.echo(f"PASS  {counted(end.sequence, 'event')}, the chain holds\nhead: {end}")


@app.command("at")
def at(
    moment: Annotated[
        str, typer.Argument(metavar="MOMENT", help="A time (ISO 8601), or an event's number.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show how things stood at a moment: releases, champions, open rollouts."""
    from triune.bootstrap import open_project
    from triune.domain.projection import EnvironmentRecord, ReleaseRecord, RolloutRecord
    from triune.domain.release import short
    from triune.operations.audit import past

    with open_project(Path.cwd()) as context:
        found = past(context.ledger, moment)
    releases = found.state.all(ReleaseRecord)
    environments = found.state.all(EnvironmentRecord)
    rollouts = [each for each in found.state.all(RolloutRecord) if each.is_open]
    if as_json:
        print_json(
            {
                "event": found.event and found.event.sequence,
                "releases": [asdict(each) for each in releases],
                "environments": [asdict(each) for each in environments],
                "rollouts": [asdict(each) for each in rollouts],
            }
        )
        return
    if found.event is None:
        typer.echo("nothing had happened yet")
        return
    typer.echo(f"after event {found.event.sequence}, {found.event.time}")
    print_table(
        ("release", "cut at (UTC)", "verdict"),
        [(short(each.id), each.cut_at[:19], each.verdict or "-") for each in releases],
    )
    for each in environments:
        typer.echo(f"{each.name}: {short(each.champion) if each.champion else 'nothing'} serves")
    for rollout in rollouts:
        typer.echo(f"{short(rollout.release)} is on its way to {rollout.environment}")


def _document(event: "Event") -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "aggregate": event.aggregate,
        "version": event.version,
        "kind": event.kind,
        "actor": event.actor,
        "time": event.time,
        "data": event.data,
        "previous": event.previous,
        "hash": event.hash,
    }


def _sentence(event: "Event") -> str:
    from triune.domain.release import short

    data = event.data
    release = data.get("release")
    parts = [f"release {short(release)}" if release else "no release"]
    told = ("verdict", "environment", "status", "commit")
    parts += [str(data[name]) for name in told if name in data]
    # What overrules a check is told whole.
    override = [f"OVERRIDE {data['override']}"] if data.get("override") else []
    return ", ".join([*(part[:40] for part in parts), *override])
