"""Reads what coverage reports of the code that tests ran."""

import ast
import warnings
from pathlib import Path

from triune.adapters.tools.code import Code
from triune.adapters.tools.reports import parse_report
from triune.domain.canonical import Json
from triune.domain.code_checks import Coverage, FileCoverage


def read_coverage(content: bytes, code: Code) -> Coverage:
    """Read the report as far as it is of included files.

    A file that is not in it was left out by the project's own settings, unless it is no Python:
    coverage passes over such a file, where here it counts as one that never ran.
    """
    files = parse_report(content)["files"]
    reported = {code.inside(name): said for name, said in files.items()}
    found = (
        _file_coverage(name, reported[name])
        if name in reported
        else _unparsable(code.root / name, name)
        for name in code.modules()
    )
    return Coverage(files=tuple(file for file in found if file))


def _file_coverage(name: str, said: Json) -> FileCoverage:
    summary = said["summary"]
    return FileCoverage(
        file=name,
        ran=summary["covered_lines"] + summary.get("covered_branches", 0),
        possible=summary["num_statements"] + summary.get("num_branches", 0),
        missing_lines=tuple(said["missing_lines"]),
        missing_branches=tuple((start, end) for start, end in said.get("missing_branches", ())),
    )


def _unparsable(path: Path, name: str) -> FileCoverage | None:
    """Count a file that is no Python as one that never ran: coverage passes over it."""
    content = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content)
    except (SyntaxError, ValueError):
        lines = range(1, len(content.splitlines()) + 1)
        return FileCoverage(file=name, ran=0, possible=len(lines), missing_lines=tuple(lines))
    return None
