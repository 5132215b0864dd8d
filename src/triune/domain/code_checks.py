"""Decides what a check of the code came to, from what its tool saw; runs no tool itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from math import floor
from typing import Final

from triune.domain.evidence import NO_CHAMPION, Finding, Judgement
from triune.domain.verdict import Reason, Verdict

MOST_FINDINGS: Final = 100
LONGEST_MESSAGE: Final = 4000
"""Characters of one finding."""


class CodeReason(StrEnum):
    """Why a check of the code came out as it did."""

    LINT_CLEAN = "LINT_CLEAN"
    LINT_FOUND = "LINT_FOUND"
    TYPES_CLEAN = "TYPES_CLEAN"
    TYPES_FOUND = "TYPES_FOUND"
    SECURITY_CLEAN = "SECURITY_CLEAN"
    SECURITY_FOUND = "SECURITY_FOUND"
    NO_CODE = "NO_CODE"
    TESTS_PASSED = "TESTS_PASSED"
    TESTS_FAILED = "TESTS_FAILED"
    COVERAGE_LOW = "COVERAGE_LOW"
    NO_TESTS = "NO_TESTS"
    TESTS_SKIPPED = "TESTS_SKIPPED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    COMMAND_PASSED = "COMMAND_PASSED"
    COMMAND_FAILED = "COMMAND_FAILED"
    TOOL_MISSING = "TOOL_MISSING"
    TOOL_CRASHED = "TOOL_CRASHED"
    TOOL_TIMED_OUT = "TOOL_TIMED_OUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of tests: a finding for each that failed, and for each that was skipped."""

    passed: int
    failures: tuple[Finding, ...]
    skipped: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTests:
    """Tests that a project asks for: where they are, and ``by`` what to take out of where."""

    path: str
    by: str


CODE_TESTS: Final = AskedTests(path="tests/code", by="`tests` out of code.checks")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCoverage:
    """What tests ran of one file: of its lines and, where those were watched, its branches.

    ``ran`` of ``possible`` counts both; ``missing_lines`` never ran, ``missing_branches`` (from
    line, to line) were never taken.
    """

    file: str
    ran: int
    possible: int
    missing_lines: tuple[int, ...] = ()
    missing_branches: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What tests ran of the included code."""

    files: tuple[FileCoverage, ...]

    @property
    def percent(self) -> float | None:
        """Tell how much of it ran; None where there is nothing that could run."""
        possible = sum(file.possible for file in self.files)
        return 100 * sum(file.ran for file in self.files) / possible if possible else None


def judge_findings(
    findings: Sequence[Finding], *, tool: str, files: int, clean: CodeReason, found: CodeReason
) -> Judgement:
    """Pass where a tool that looked at ``files`` found nothing, fail where it found anything."""
    figures = {"files": files, "findings": len(findings)}
    if not findings:
        message = f"{tool} found nothing in {_count(files, 'file')}"
        return _judge(Verdict.PASS, clean, message, figures=figures)
    message = (
        f"{tool} found {_count(len(findings), 'problem')} in "
        f"{_count(len({finding.file for finding in findings}), 'file')}; mend what it names"
    )
    ordered = sorted(findings, key=lambda finding: (finding.file or "", finding.line or 0))
    return _judge(Verdict.FAIL, found, message, findings=ordered, figures=figures)


def judge_tests(
    tally: Tally,
    coverage: Coverage | None,
    *,
    coverage_min: float | None = None,
    asked: AskedTests = CODE_TESTS,
) -> Judgement:
    """Pass where tests ran, none failed, and they ran enough of the code.

    Where all were skipped it is INCONCLUSIVE: nothing failed, and nothing was tested.

    Parameters
    ----------
    coverage
        None where it was not measured, which fails nothing: whoever asks for a minimum measures.
    coverage_min
        In percent.
    """
    percent = coverage.percent if coverage else None
    figures: dict[str, float] = {
        "passed": tally.passed,
        "failed": len(tally.failures),
        "skipped": len(tally.skipped),
    }
    if percent is not None:
        figures["coverage"] = percent
    if tally.failures:
        total = tally.passed + len(tally.failures)
        message = f"{len(tally.failures)} of {_count(total, 'test')} failed; mend what they name"
        return _judge(
            Verdict.FAIL,
            CodeReason.TESTS_FAILED,
            message,
            findings=tally.failures,
            figures=figures,
        )
    if not tally.passed:
        judgement = _judge_skipped(tally.skipped, asked) if tally.skipped else judge_no_tests(asked)
        return replace(judgement, figures=figures)
    if coverage and coverage_min is not None and (percent is None or percent < coverage_min):
        return _judge(
            Verdict.FAIL,
            CodeReason.COVERAGE_LOW,
            _describe_low_coverage(percent, coverage_min),
            findings=_missing(coverage),
            figures=figures,
        )
    skipped = f", {len(tally.skipped)} skipped" if tally.skipped else ""
    covered = "" if percent is None else f"; they ran {_percent(percent)} of the included code"
    message = f"{_count(tally.passed, 'test')} passed{skipped}{covered}"
    return _judge(Verdict.PASS, CodeReason.TESTS_PASSED, message, figures=figures)


def judge_no_tests(asked: AskedTests = CODE_TESTS) -> Judgement:
    """Fail where there is no test."""
    message = f"no test in {asked.path} ran, so nothing was tested; write one, or take {asked.by}"
    return _judge(Verdict.FAIL, CodeReason.NO_TESTS, message)


def judge_no_code(*, check: str) -> Judgement:
    """Fail where code is to be checked and there is none."""
    message = (
        f"code.include names no Python file, so `{check}` has nothing to look at; include the "
        f"code, or take `{check}` out of code.checks"
    )
    return _judge(Verdict.FAIL, CodeReason.NO_CODE, message)


# What a shell ends with, by POSIX, where a command was never run.
_NOT_RUN: Final = {
    126: "the shell found what it names, and cannot execute it",
    127: "the shell did not find what it names",
}


def judge_command(*, returncode: int, how: str, output: Sequence[str]) -> Judgement:
    """Pass where a command of the project's own ended with 0; ``how`` says how it did end."""
    if returncode == 0:
        return _judge(Verdict.PASS, CodeReason.COMMAND_PASSED, f"the command {how}")
    if returncode in _NOT_RUN:
        return _judge(
            Verdict.ERROR,
            CodeReason.TOOL_MISSING,
            f"the command {how}: {_NOT_RUN[returncode]}; install what it runs, or mend its line in "
            "triune.yaml",
            findings=_quote(output),
        )
    return _judge(
        Verdict.FAIL,
        CodeReason.COMMAND_FAILED,
        f"the command {how}; see its last lines",
        findings=_quote(output),
    )


def judge_fault(reason: CodeReason, message: str, *, output: Sequence[str] = ()) -> Judgement:
    """Say that a tool came to no verdict, and what it printed last."""
    return _judge(Verdict.ERROR, reason, message, findings=_quote(output))


def list_lines(lines: Iterable[int]) -> str:
    """List line numbers, runs of them as from-to.

    Examples
    --------
    >>> list_lines([9, 3, 4, 5])
    '3-5, 9'
    """
    numbered = enumerate(sorted(set(lines)))
    runs = [
        [line for _, line in run]
        for _, run in groupby(numbered, key=lambda entry: entry[1] - entry[0])
    ]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _judge_skipped(skipped: Sequence[Finding], asked: AskedTests) -> Judgement:
    """Tell neither way where there are tests, and each chose not to run.

    A first release has no champion, so tests that compare with it do not apply to it.
    """
    if all(NO_CHAMPION in finding.message for finding in skipped):
        return _judge(
            Verdict.PASS,
            CodeReason.NOT_APPLICABLE,
            f"not judged: all tests in {asked.path} compare with a champion, and there is none yet",
            findings=skipped,
        )
    each = "the one test" if len(skipped) == 1 else f"each of the {len(skipped)} tests"
    return _judge(
        Verdict.INCONCLUSIVE,
        CodeReason.TESTS_SKIPPED,
        f"{each} in {asked.path} was skipped, so nothing was tested ({skipped[0].message}); give "
        f"them what they wait for, add one that runs, or take {asked.by}",
        findings=skipped,
    )


def _judge(
    verdict: Verdict,
    reason: CodeReason,
    message: str,
    *,
    findings: Iterable[Finding] = (),
    figures: Mapping[str, float] | None = None,
) -> Judgement:
    shown = tuple(findings)[:MOST_FINDINGS]
    return Judgement(
        verdict=verdict,
        reason=Reason(code=reason, message=message),
        findings=tuple(replace(each, message=_shorten(each.message)) for each in shown),
        figures=figures or {},
    )


def _missing(coverage: Coverage) -> tuple[Finding, ...]:
    """List the files of which something did not run, the one with most of it first."""
    lacking = [file for file in coverage.files if file.ran < file.possible]
    lacking.sort(key=lambda file: (file.ran - file.possible, file.file))
    return tuple(_finding(file) for file in lacking)


def _finding(file: FileCoverage) -> Finding:
    parts = []
    if file.missing_lines:
        noun = "lines" if len(file.missing_lines) > 1 else "line"
        parts.append(f"{noun} {list_lines(file.missing_lines)} never ran")
    if file.missing_branches:
        # To a line that is not positive a branch leaves the function.
        jumps = (f"{start}->{end if end > 0 else 'exit'}" for start, end in file.missing_branches)
        parts.append(f"never went {', '.join(jumps)}")
    starts = (*file.missing_lines, *(start for start, _ in file.missing_branches))
    return Finding(
        message="; ".join(parts) or "never ran as a whole",
        file=file.file,
        line=min(starts, default=None),
    )


def _describe_low_coverage(percent: float | None, coverage_min: float) -> str:
    if percent is None:
        return (
            f"nothing was measured, where code.coverage_min asks for {coverage_min:g} %; see that "
            "code.include names the code, and that coverage's own settings do not omit it"
        )
    return (
        f"the tests run {_percent(percent)} of the included code, less than the "
        f"{coverage_min:g} % of code.coverage_min; test the lines that are named"
    )


def _percent(value: float) -> str:
    # Rounded down: what is below a minimum must not read as if it were there.
    return f"{floor(value * 100) / 100:g} %"


def _quote(output: Sequence[str]) -> tuple[Finding, ...]:
    text = "\n".join(output).strip("\n")
    return (Finding(message=text[-LONGEST_MESSAGE:]),) if text else ()


def _shorten(message: str) -> str:
    if len(message) <= LONGEST_MESSAGE:
        return message
    return f"{message[: LONGEST_MESSAGE - 1]}…"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
