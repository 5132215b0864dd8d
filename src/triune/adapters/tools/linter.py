"""Runs a linter: a program that looks at files and lists what it finds in a report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from triune.adapters.tools.isolation import no_home
from triune.adapters.tools.reports import read_report
from triune.adapters.tools.tool import Bench
from triune.domain.code_checks import CodeReason, judge_findings
from triune.domain.evidence import Finding, Judgement

_VERDICTS: Final = frozenset({0, 1})


class ReadFindings(Protocol):
    """Reads a linter's report."""

    def __call__(self, content: bytes, *, inside: Callable[[str], str]) -> list[Finding]:
        """List the findings; ``inside`` spells a path as one inside the project."""


def run_linter(  # noqa: PLR0913 - all but the bench and the tool are named
    bench: Bench,
    tool: str,
    arguments: Sequence[str],
    *,
    shown: Sequence[str],
    report: Path,
    read: ReadFindings,
    files: int,
    clean: CodeReason,
    found: CodeReason,
) -> Judgement:
    """Run a linter that ends with 1 where it found anything, and judge its report.

    Parameters
    ----------
    shown
        The arguments that matter to a user.
    files
        How many it looks at.

    Raises
    ------
    NoVerdictError
        It ended otherwise, or its report does not say why it ended so.
    """
    ended = bench.run_module(
        tool, arguments, shown=shown, verdicts=_VERDICTS, environment=no_home(bench.folder)
    )
    findings = read_report(report, ended, lambda content: read(content, inside=bench.code.inside))
    if ended.finished.returncode and not findings:
        raise ended.crash(f"{ended.how} and reported nothing")
    return judge_findings(findings, tool=tool, files=files, clean=clean, found=found)
