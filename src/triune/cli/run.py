"""`triune run`: the whole order, from the datasets to the release."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.output import (
    EXIT_CODES,
    AsJson,
    describe_reason,
    exit_code_of,
    print_json,
    print_table,
    report_progress,
)

if TYPE_CHECKING:
    from triune.operations.runs import RunReport


def run(
    wait: Annotated[
        bool, typer.Option(help="Wait while another run works in this project.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Make the datasets, train, and cut a release of code, data, model and runtime."""
    from triune.bootstrap import open_project
    from triune.operations import runs

    with open_project(Path.cwd()) as context:
        report = runs.run(context, progress=report_progress, wait=wait)
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
        "layers": [],
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

    rows = [
        (step.name, step.verdict, f"{step.seconds:.1f}", step.detail.split("\n", maxsplit=1)[0])
        for step in report.steps
    ]
    print_table(("step", "verdict", "seconds", "what"), rows)
    if report.checkout.dirty:
        typer.echo(f"recorded as dirty: {len(report.checkout.dirty)} uncommitted changes")
    for reason in report.reasons:
        typer.echo(f"\n{report.verdict}  {reason.code}: {reason.message}")
    if report.release:
        typer.echo(f"next: triune serve {short(report.release)}")
