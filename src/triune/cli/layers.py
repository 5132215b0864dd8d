"""How the checks of the layers are shown: a table with what they found, or JSON."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from triune.cli.output import print_table
from triune.domain.verdict import Verdict

if TYPE_CHECKING:
    from triune.domain.evidence import CheckResult, Finding
    from triune.operations.layers import LayerReport

MOST_SHOWN: Final = 5
"""Findings of one check; ``--json`` has them all."""


def describe_layer(report: "LayerReport") -> dict[str, Any]:
    """Turn what a layer came to into JSON; ``verdict`` is null where it has no check."""
    return {
        "name": report.layer,
        "verdict": report.verdict,
        "checks": [result.document for result in report.results],
    }


def print_layers(reports: "Sequence[LayerReport]", *, is_detailed: bool = False) -> None:
    """Print a line for each check, and what those that did not pass found.

    Parameters
    ----------
    is_detailed
        Whether the checks that have details of their own are shown by those, elsewhere.
    """
    rows: list[tuple[str, str, str, str, str]] = [
        (
            result.layer,
            result.name,
            result.status,
            f"{result.seconds:.1f}",
            f"{result.reason.code}: {_first_line(result.reason.message)}",
        )
        for report in reports
        for result in report.results
    ]
    rows += [
        (report.layer, "-", "-", "-", "not applicable: triune.yaml asks for no such check")
        for report in reports
        if not report.results
    ]
    print_table(("layer", "check", "verdict", "seconds", "why"), rows)
    results = [result for report in reports for result in report.results]
    print_findings([result for result in results if not (is_detailed and result.details)])


def print_findings(results: "Sequence[CheckResult]") -> None:
    """Print what checks found that did not pass."""
    for result in results:
        if result.verdict is Verdict.PASS or not result.findings:
            continue
        typer.echo(f"\n{result.layer}: {result.name}")
        for finding in result.findings[:MOST_SHOWN]:
            typer.echo(f"  {_place(finding)}{finding.message}")
        left = len(result.findings) - MOST_SHOWN
        if left > 0:
            typer.echo(f"  ... and {left} more: `triune check {result.layer} --json`")


def _place(finding: "Finding") -> str:
    parts = [part for part in (finding.file, finding.line) if part is not None]
    place = ":".join(str(part) for part in parts)
    row = f"row {finding.row}" if finding.row is not None else ""
    where = " ".join(part for part in (place, row) if part)
    return f"{where}: " if where else ""


def _first_line(message: str) -> str:
    return message.split("\n", maxsplit=1)[0]
