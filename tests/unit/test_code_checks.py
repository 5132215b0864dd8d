"""What a check of the code comes to, from what its tool saw."""

import pytest

from triune.domain.code_checks import (
    LONGEST_MESSAGE,
    MOST_FINDINGS,
    CodeReason,
    Coverage,
    FileCoverage,
    Tally,
    judge_command,
    judge_fault,
    judge_findings,
    judge_tests,
    list_lines,
)
from triune.domain.evidence import Finding, Judgement
from triune.domain.verdict import Verdict


def a_tally(*, passed: int = 1, failed: int = 0, skipped: int = 0) -> Tally:
    failures, skips = (
        tuple(Finding(message=f"test {number}") for number in range(count))
        for count in (failed, skipped)
    )
    return Tally(passed=passed, failures=failures, skipped=skips)


def a_coverage(*, ran: int, possible: int) -> Coverage:
    missing = tuple(range(1, possible - ran + 1))
    file = FileCoverage(file="a.py", ran=ran, possible=possible, missing_lines=missing)
    return Coverage(files=(file,))


def judge_lint(findings: list[Finding]) -> Judgement:
    return judge_findings(
        findings,
        tool="ruff",
        files=3,
        clean=CodeReason.LINT_CLEAN,
        found=CodeReason.LINT_FOUND,
    )


def outcome(judgement: Judgement) -> tuple[Verdict, str]:
    return judgement.verdict, judgement.reason.code


def test_nothing_found_passes_and_anything_fails() -> None:
    clean, found = judge_lint([]), judge_lint([Finding(message="wrong", file="a.py")])

    assert outcome(clean) == (Verdict.PASS, "LINT_CLEAN")
    assert clean.reason.message == "ruff found nothing in 3 files"
    assert outcome(found) == (Verdict.FAIL, "LINT_FOUND")
    assert found.reason.message == "ruff found 1 problem in 1 file; mend what it names"


def test_findings_are_ordered_by_their_place() -> None:
    places = [("b.py", 1), ("a.py", 9), ("a.py", 2), (None, None)]
    findings = [Finding(message="wrong", file=file, line=line) for file, line in places]

    judgement = judge_lint(findings)

    ordered = [(finding.file, finding.line) for finding in judgement.findings]
    assert ordered == [(None, None), ("a.py", 2), ("a.py", 9), ("b.py", 1)]


def test_findings_are_cut_short_and_counted_in_full() -> None:
    many = [Finding(message="x" * 9999, file="a.py")] * 999

    judgement = judge_lint(many)

    assert judgement.figures["findings"] == 999
    assert len(judgement.findings) == MOST_FINDINGS
    assert len(judgement.findings[0].message) == LONGEST_MESSAGE


def test_failed_tests_fail_whatever_they_cover() -> None:
    judgement = judge_tests(
        a_tally(passed=3, failed=1), a_coverage(ran=0, possible=4), coverage_min=80
    )

    assert outcome(judgement) == (Verdict.FAIL, "TESTS_FAILED")
    assert judgement.reason.message == "1 of 4 tests failed; mend what they name"
    assert [finding.message for finding in judgement.findings] == ["test 0"]


def test_tests_none_of_which_ran_are_no_pass_whatever_they_cover() -> None:
    covered = a_coverage(ran=4, possible=4)

    none = judge_tests(a_tally(passed=0), covered, coverage_min=80)
    skipped = judge_tests(a_tally(passed=0, skipped=2), covered, coverage_min=80)

    assert outcome(none) == (Verdict.FAIL, "NO_TESTS")
    assert outcome(skipped) == (Verdict.INCONCLUSIVE, "TESTS_SKIPPED")
    assert skipped.figures["skipped"] == 2
    assert [finding.message for finding in skipped.findings] == ["test 0", "test 1"]
    assert "each of the 2 tests in tests/code was skipped" in skipped.reason.message
    assert "(test 0)" in skipped.reason.message


def test_tests_that_all_wait_for_a_champion_do_not_apply_to_a_first_release() -> None:
    waiting = Finding(message="test_better: Skipped: there is no champion yet: nothing serves")
    other = Finding(message="test_other: Skipped: not today")

    first = judge_tests(Tally(passed=0, failures=(), skipped=(waiting, waiting)), None)
    mixed = judge_tests(Tally(passed=0, failures=(), skipped=(waiting, other)), None)

    assert outcome(first) == (Verdict.PASS, "NOT_APPLICABLE")
    assert outcome(mixed) == (Verdict.INCONCLUSIVE, "TESTS_SKIPPED")


def test_a_failure_beside_skips_is_a_failure() -> None:
    judgement = judge_tests(a_tally(passed=0, failed=1, skipped=2), None)

    assert outcome(judgement) == (Verdict.FAIL, "TESTS_FAILED")


@pytest.mark.parametrize(
    ("ran", "code"), [(7999, "COVERAGE_LOW"), (8000, "TESTS_PASSED"), (8001, "TESTS_PASSED")]
)
def test_coverage_may_equal_its_minimum(ran: int, code: str) -> None:
    judgement = judge_tests(a_tally(), a_coverage(ran=ran, possible=10_000), coverage_min=80)

    assert judgement.reason.code == code


def test_coverage_below_its_minimum_never_reads_as_if_it_were_there() -> None:
    coverage = a_coverage(ran=79_999, possible=100_000)

    judgement = judge_tests(a_tally(), coverage, coverage_min=80)

    assert "79.99 % of the included code, less than the 80 %" in judgement.reason.message


def test_coverage_without_a_minimum_is_told_and_fails_nothing() -> None:
    judgement = judge_tests(a_tally(passed=2, skipped=1), a_coverage(ran=1, possible=4))

    assert outcome(judgement) == (Verdict.PASS, "TESTS_PASSED")
    assert judgement.reason.message == (
        "2 tests passed, 1 skipped; they ran 25 % of the included code"
    )


def test_nothing_that_could_be_covered_is_below_any_minimum() -> None:
    judgement = judge_tests(a_tally(), Coverage(files=()), coverage_min=0)

    assert outcome(judgement) == (Verdict.FAIL, "COVERAGE_LOW")
    assert "coverage" not in judgement.figures


def test_what_did_not_run_is_listed_by_file_the_worst_first() -> None:
    files = (
        FileCoverage(file="whole.py", ran=4, possible=4),
        FileCoverage(file="b.py", ran=3, possible=4, missing_lines=(9,)),
        FileCoverage(file="a.py", ran=3, possible=4, missing_branches=((7, 9), (7, -1))),
        FileCoverage(file="worst.py", ran=0, possible=4, missing_lines=(1, 2, 3, 9)),
    )

    judgement = judge_tests(a_tally(), Coverage(files=files), coverage_min=100)

    assert judgement.findings == (
        Finding(message="lines 1-3, 9 never ran", file="worst.py", line=1),
        Finding(message="never went 7->9, 7->exit", file="a.py", line=7),
        Finding(message="line 9 never ran", file="b.py", line=9),
    )


def test_a_command_passes_by_0_alone_and_quotes_its_end_where_it_fails() -> None:
    passed = judge_command(returncode=0, how="ended with exit code 0", output=["fine"])
    failed = judge_command(returncode=1, how="ended with exit code 1", output=["a", "b" * 9999])

    assert outcome(passed) == (Verdict.PASS, "COMMAND_PASSED")
    assert passed.findings == ()
    assert outcome(failed) == (Verdict.FAIL, "COMMAND_FAILED")
    assert failed.findings[0].message == "b" * LONGEST_MESSAGE


def test_a_fault_is_an_error_with_what_was_printed_if_anything_was() -> None:
    silent = judge_fault(CodeReason.TOOL_CRASHED, "it crashed")
    loud = judge_fault(CodeReason.TOOL_CRASHED, "it crashed", output=["", "why", ""])

    assert outcome(silent) == (Verdict.ERROR, "TOOL_CRASHED")
    assert silent.findings == ()
    assert loud.findings == (Finding(message="why"),)


def test_runs_of_lines_are_listed_as_from_to() -> None:
    assert list_lines([9, 3, 4, 5, 4]) == "3-5, 9"
    assert list_lines([]) == ""
