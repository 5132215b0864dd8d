"""`triune run`: the whole order, from the datasets to the release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.gate import describe_gate
from triune.cli.layers import describe_layer, print_findings
from triune.cli.output import (
    EXIT_CODES,
    AsJson,
    describe_reason,
    exit_code_of,
    print_json,
    print_table,
    report_progress,
)
from triune.domain.verdict import Verdict

if TYPE_CHECKING:
    from triune.operations.runs import RunReport, Step


def run(
    wait: Annotated[
        bool, typer.Option(help="Wait while another run works in this project.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Check again what was checked on the same before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check code and data, train, cut a release, check it, and take it through the gate."""
    from triune.bootstrap import open_project
    from triune.operations import runs

    with open_project(Path.cwd()) as context:
        report = runs.run(context, progress=report_progress, wait=wait, force=force)
    if as_json:
        print_json(_document(report))
    else:
        _print_report(report)
    raise typer.Exit(exit_code_of(report.error) if report.error else EXIT_CODES[report.verdict])


def _document(report: "RunReport") -> dict[str, Any]:
    return {
        "verdict": report.verdict,
        "reasons": [describe_reason(reason) for reason in report.reasons],
        "release": {"id": report.release} if report.release else None,
        "layers": [describe_layer(layer) for layer in report.layers],
        "gate": describe_gate(report.gated) if report.gated else None,
        "steps": [
            {
                "name": step.name,
                "verdict": step.verdict,
                "detail": step.detail,
                "seconds": round(step.seconds, 3),
            }
            for step in report.steps
        ],
        "commit": report.checkout.commit,
        "dirty": list(report.checkout.dirty),
    }


def _print_report(report: "RunReport") -> None:
    from triune.domain.release import short
    from triune.domain.wording import counted

    rows = [
        (step.name, step.verdict or "-", f"{step.seconds:.1f}", _show_detail(step, report))
        for step in report.steps
    ]
    print_table(("step", "verdict", "seconds", "what"), rows)
    print_findings([result for layer in report.layers for result in layer.results])
    if report.checkout.dirty:
        changes = counted(len(report.checkout.dirty), "uncommitted change")
        typer.echo(f"recorded as dirty: {changes}")
    typer.echo()
    for number, reason in enumerate(report.reasons):
        label = "" if number else report.verdict
        typer.echo(f"{label:<{len(report.verdict)}}  {reason.code}: {reason.message}")
    if report.release:
        typer.echo(f"\nnext: {_next(report, short(report.release))}")


def _next(report: "RunReport", release: str) -> str:
    if report.verdict is Verdict.PASS and report.environment:
        return f"triune promote {release} --to {report.environment}"
    if report.verdict is Verdict.PASS:
        return f"triune serve {release}"
    return "triune gate show" if report.gated else "mend what is named above, and `triune run`"


def _show_detail(step: "Step", report: "RunReport") -> str:
    # What ended the run is told below the table, whole.
    is_the_end = step.verdict is not Verdict.PASS and any(
        step.detail in reason.message for reason in report.reasons
    )
    return "see below" if is_the_end and step.detail else step.detail.partition("\n")[0]
