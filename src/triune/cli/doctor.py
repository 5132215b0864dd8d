"""`triune doctor`: what is missing on this machine or in this project, and how to get it."""

from pathlib import Path

import typer

from triune.cli.output import EXIT_CODES, AsJson, print_json, print_table


def doctor(as_json: AsJson = False) -> None:
    """Check machine and project; say what is missing and how to get it. Nothing is changed."""
    from triune.bootstrap import diagnose_project
    from triune.domain.verdict import worst

    found = diagnose_project(Path.cwd())
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
        rows: list[tuple[str, str, str]] = []
        for each in found:
            first, *others = each.message.splitlines()
            rows.append((each.name, each.verdict, first))
            rows += [("", "", line) for line in others]
        print_table(("what", "verdict", "found"), rows)
    raise typer.Exit(EXIT_CODES[verdict])
