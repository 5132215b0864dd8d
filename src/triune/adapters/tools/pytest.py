"""The check ``tests``: pytest on the tests of the code, and what of the code they run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triune.adapters.tools.code import CODE_TESTS, Code
from triune.adapters.tools.coverage import read_coverage
from triune.adapters.tools.junit import read_junit
from triune.adapters.tools.reports import read_report
from triune.adapters.tools.tool import Bench
from triune.domain.canonical import Json
from triune.domain.code_checks import Judgement, judge_no_code, judge_no_tests, judge_tests

# 2 says that tests could not be collected, which the report names, or that pytest was stopped.
_VERDICTS: Final = frozenset({0, 1, 2, 5})
_PLUGIN: Final = "pytest-cov"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTests:
    """Runs the tests; ``coverage_min`` (percent) of what is included must be run by them."""

    coverage_min: float | None = None
    extra: str | None = None
    reads_tests: bool = True
    is_reusable: bool = True

    @property
    def packages(self) -> tuple[str, ...]:
        """Ask for what measures coverage only where it matters."""
        return ("pytest",) if self.coverage_min is None else ("pytest", _PLUGIN)

    @property
    def settings(self) -> Json:
        """Say what is asked of the tests."""
        return {"tests": {"coverage_min": self.coverage_min}}

    def judge(self, bench: Bench) -> Judgement:
        """Run pytest; where its plugin for coverage is installed, coverage is measured too."""
        if not bench.code.has_tests():
            return judge_no_tests()
        if self.coverage_min is not None and not bench.code.modules():
            return judge_no_code(check="tests")
        junit, coverage = bench.folder / "junit.xml", bench.folder / "coverage.json"
        is_measured = bench.interpreter.version(_PLUGIN) is not None
        ended = bench.run_module(
            "pytest",
            [
                "--color=no",
                # From its lines the failing one is read.
                "--tb=short",
                f"--rootdir={bench.code.root}",
                f"--override-ini=cache_dir={bench.caches / 'pytest'}",
                # The only kind that names files.
                "--override-ini=junit_family=xunit1",
                "--override-ini=junit_logging=no",
                f"--junitxml={junit}",
                *(_measuring(bench.code, coverage) if is_measured else ()),
                CODE_TESTS,
            ],
            shown=[CODE_TESTS],
            verdicts=_VERDICTS,
            environment={"COVERAGE_FILE": str(bench.folder / "coverage")},
            is_import_root=True,
        )
        tally = read_report(
            junit, ended, lambda content: read_junit(content, inside=bench.code.inside)
        )
        if ended.finished.returncode in {1, 2} and not tally.failures:
            raise ended.crash(f"{ended.how}, and no test failed")
        # Where tests failed, settings may have it that nothing is reported.
        is_due = self.coverage_min is not None and tally.passed > 0 and not tally.failures
        measured = None
        if is_due or coverage.exists():
            measured = read_report(
                coverage, ended, lambda content: read_coverage(content, bench.code)
            )
        return judge_tests(tally, measured, coverage_min=self.coverage_min)


def _measuring(code: Code, report: Path) -> list[str]:
    """Have the included code watched, by branches too where the project's settings say so."""
    return [
        # Each folder by itself: below one, those that are no packages would not be looked for.
        *(f"--cov={folder}" for folder in code.folders()),
        f"--cov-report=json:{report}",
        "--cov-fail-under=0",
    ]
