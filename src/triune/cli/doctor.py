"""`triune doctor`: what is missing on this machine or in this project, and how to get it."""

from pathlib import Path

import typer

from triune.cli.output import EXIT_CODES, AsJson, print_json, print_table


def doctor(as_json: AsJson = False) -> None:
    """Check machine and project; say what is missing and how to get it."""
    from triune.bootstrap import open_project
    from triune.domain.verdict import worst
    from triune.operations.diagnosis import diagnose

    found = diagnose(lambda: open_project(Path.cwd()))
    verdict = worst(each.verdict for each in found)
    if as_json:
        print_json(
            {
                "verdict": verdict,
                "checks": [
                    {"name": each.name, "verdict": each.verdict, "message": each.message}
                    for each in found
                ],
            }
        )
    else:
        rows = [(each.name, each.verdict, each.message) for each in found]
        print_table(("what", "verdict", "found"), rows)
    raise typer.Exit(EXIT_CODES[verdict])
