"""`triune check`: the checks of one layer, of several, or of all."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triune.cli.data import MemoryLimit
from triune.cli.data_tables import print_data_results
from triune.cli.layers import describe_layer, print_layers
from triune.cli.output import EXIT_CODES, AsJson, describe_reason, print_json, report_progress
from triune.domain.errors import UsageError
from triune.domain.evidence import Layer
from triune.domain.verdict import Verdict, worst

if TYPE_CHECKING:
    from triune.operations.layers import LayerReport


def check(  # noqa: PLR0913, PLR0917 - each option says another thing
    layers: Annotated[
        list[Layer] | None,
        typer.Argument(help="code, data, model or integration; all of them if none is named."),
    ] = None,
    release: Annotated[
        str, typer.Option(help="The release that model and integration look at.")
    ] = "latest",
    dataset: Annotated[
        str | None, typer.Option(metavar="NAME", help="With data: this dataset alone.")
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With data: this suite, in place of the dataset's own."),
    ] = None,
    memory_limit: MemoryLimit = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what came of it as JUnit XML too.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Check again what was checked on the same before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run checks: of the code and the data as they are now, of the model and the service cut."""
    from triune.bootstrap import open_project
    from triune.operations.data_layer import DataSelection
    from triune.operations.layers import check_layers

    wanted = tuple(dict.fromkeys(layers or Layer))
    is_data = wanted == (Layer.DATA,)
    if not is_data and (dataset is not None or suite is not None):
        option = "--dataset" if dataset is not None else "--suite"
        raise UsageError(
            f"{option} selects from the data layer, and other layers were asked for too; name "
            f"that layer alone: `triune check data {option} ...`"
        )
    with open_project(Path.cwd(), memory_limit=memory_limit) as context:
        reports = check_layers(
            context,
            wanted,
            release=release,
            force=force,
            progress=report_progress,
            selection=DataSelection(dataset=dataset, suite=suite),
        )
    verdict = worst(report.verdict for report in reports if report.verdict)
    if junit is not None:
        _write_junit(junit, reports)
    if as_json:
        print_json(_document(verdict, reports))
    else:
        print_layers(reports, is_detailed=is_data)
        if is_data:
            print_data_results([result for report in reports for result in report.results])
        typer.echo()
        # The tables may have left what it was far above.
        for result in (result for report in reports for result in report.results):
            if is_data and result.verdict is not Verdict.PASS:
                typer.echo(f"{result.verdict}  {result.name}: {result.reason.message}")
        typer.echo(verdict)
    raise typer.Exit(EXIT_CODES[verdict])


def _write_junit(path: Path, reports: "tuple[LayerReport, ...]") -> None:
    from triune.reports.junit import junit_xml

    content = junit_xml([result for report in reports for result in report.results])
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {path}: {error.strerror}; name a file in a folder "
            "that is there"
        ) from error


def _document(verdict: Verdict, reports: "tuple[LayerReport, ...]") -> dict[str, Any]:
    reasons = [
        describe_reason(result.reason)
        for report in reports
        for result in report.results
        if result.verdict is not Verdict.PASS
    ]
    return {
        "verdict": verdict,
        "reasons": reasons,
        "layers": [describe_layer(report) for report in reports],
    }
