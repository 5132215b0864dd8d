"""`triune gate`: what was decided of a release, and by which evidence."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.number_line import draw_interval
from triune.cli.output import EXIT_CODES, AsJson, describe_reason, print_json, print_table

if TYPE_CHECKING:
    from triune.domain.gate import Compared
    from triune.domain.rules import GateRules
    from triune.operations.gates import Gated

app = typer.Typer(help="What the gate decided, and why.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Take the verbs of `triune gate`."""


@app.command("show")
def show(
    release: Annotated[
        str, typer.Argument(help="An id, the beginning of one, or latest.")
    ] = "latest",
    as_json: AsJson = False,
) -> None:
    """Explain a decision: the interval, the reasons, the slices, and the looks that are left."""
    from triune.bootstrap import open_project
    from triune.domain.errors import UsageError
    from triune.domain.release import short
    from triune.operations.gates import find_gated
    from triune.operations.releases import find_release

    with open_project(Path.cwd()) as context:
        found = find_release(context, release)
        gated = find_gated(context, found)
    if gated is None:
        raise UsageError(
            f"release {short(found.id)} never came to the gate; take it there: `triune run`"
        )
    if as_json:
        print_json(describe_gate(gated))
    else:
        print_gate(gated)
    raise typer.Exit(EXIT_CODES[gated.decision.verdict])


def describe_gate(gated: "Gated") -> dict[str, Any]:
    """Turn a decision into JSON."""
    evidence, decision = gated.evidence, gated.decision
    compared = evidence.compared
    return {
        "verdict": decision.verdict,
        "reasons": [describe_reason(reason) for reason in decision.reasons],
        "release": {"id": gated.release},
        "champion": {"id": evidence.champion} if evidence.champion else None,
        "holdout": evidence.holdout or None,
        "metric": gated.rules.metric if gated.rules else None,
        "mode": gated.rules.mode if gated.rules else None,
        "min_delta": gated.rules.min_delta if gated.rules else None,
        "delta": _describe_delta(compared) if compared else None,
        "slices": [
            {
                "name": slice_.name,
                "status": slice_.status,
                "p": slice_.p_adjusted,
                "message": slice_.message,
            }
            for slice_ in decision.slices
        ],
        "looks": {
            "used": evidence.looks_used,
            "budget": gated.budget,
            "chance_of_false_promotion": gated.chance,
            "bound": gated.bound,
        },
        "smallest_detectable": decision.smallest_detectable,
        "rows_needed": decision.rows_needed,
    }


def print_gate(gated: "Gated") -> None:
    """Explain a decision on one screen."""
    from triune.domain.release import short

    evidence, decision, rules = gated.evidence, gated.decision, gated.rules
    against = f"against champion {short(evidence.champion)}" if evidence.champion else "no champion"
    typer.echo(f"release {short(gated.release)}, {against}\n")
    for number, reason in enumerate(decision.reasons):
        label = decision.verdict if number == 0 else ""
        typer.echo(f"{label:<12}  {reason.code}: {reason.message}")
    if evidence.compared and rules:
        _print_compared(evidence.compared, rules)
    if decision.slices:
        typer.echo()
        rows = [(each.name, each.status, each.message) for each in decision.slices]
        print_table(("slice", "status", "why"), rows)
    if evidence.holdout:
        typer.echo(
            f"\nholdout {short(evidence.holdout)}: {evidence.looks_used} of {gated.budget} looks "
            f"spent; chance of a false promotion over all of them {gated.chance:.1%}, at most "
            f"{gated.bound:.1%}"
        )
    if decision.smallest_detectable is not None:
        typer.echo(
            f"smallest delta that this holdout shows with a power of 80 %: "
            f"{decision.smallest_detectable:.4f}"
        )
    if decision.rows_needed is not None:
        typer.echo(f"rows that would settle the delta seen: {decision.rows_needed:,}")


def _describe_delta(compared: "Compared") -> dict[str, Any]:
    return {
        "champion": compared.champion,
        "candidate": compared.candidate,
        "value": compared.delta,
        "lower": compared.lower,
        "upper": compared.upper,
        "alpha": compared.alpha,
        "standard_error": compared.standard_error,
        "rows": compared.rows,
        "method": compared.method,
    }


def _print_compared(compared: "Compared", rules: "GateRules") -> None:
    from triune.domain.rules import GateMode

    marks = (
        {"min_delta": rules.min_delta}
        if rules.mode is GateMode.IMPROVEMENT
        else {"-margin": -rules.margin}
    )
    typer.echo(
        f"\n{rules.metric} on {compared.rows:,} rows, by {compared.method}; each bound at "
        f"{compared.alpha:g}"
    )
    for line in draw_interval(
        low=compared.lower, value=compared.delta, high=compared.upper, marks={"0": 0.0, **marks}
    ):
        typer.echo(f"  {line}")
