"""The checks ``tests``: pytest on the tests of the code, and on those of the served release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triune.adapters.tools.code import CODE_TESTS, Code
from triune.adapters.tools.coverage import read_coverage
from triune.adapters.tools.junit import read_junit
from triune.adapters.tools.reports import read_report
from triune.adapters.tools.tool import Bench, Ended
from triune.domain.canonical import Json
from triune.domain.code_checks import (
    AskedTests,
    Tally,
    judge_no_code,
    judge_no_tests,
    judge_tests,
)
from triune.domain.evidence import Judgement

# 2 says that tests could not be collected, which the report names, or that pytest was stopped.
_VERDICTS: Final = frozenset({0, 1, 2, 5})
_PLUGIN: Final = "pytest-cov"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTests:
    """Runs the tests; ``coverage_min`` (percent) of what is included must be run by them."""

    coverage_min: float | None = None
    extra: str | None = "code"
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
        coverage = bench.folder / "coverage.json"
        is_measured = bench.interpreter.version(_PLUGIN) is not None
        ended, tally = _run(
            bench,
            CODE_TESTS,
            arguments=_measuring(bench.code, coverage) if is_measured else (),
            environment={"COVERAGE_FILE": str(bench.folder / "coverage")},
        )
        # Where tests failed, settings may have it that nothing is reported.
        is_due = self.coverage_min is not None and tally.passed > 0 and not tally.failures
        measured = None
        if is_due or coverage.exists():
            measured = read_report(
                coverage, ended, lambda content: read_coverage(content, bench.code)
            )
        return judge_tests(tally, measured, coverage_min=self.coverage_min)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationTests:
    """Runs the tests at ``path``; ``environment`` says what they are about, a service say.

    ``by`` says what to take out of where, to have none.
    """

    path: str
    environment: Mapping[str, str]
    by: str = "`tests` out of integration"
    packages: tuple[str, ...] = ("pytest",)
    extra: str | None = "code"
    reads_tests: bool = True
    # They may ask whatever they like of whatever they reach.
    is_reusable: bool = False

    @property
    def settings(self) -> Json:
        """Say which tests they are; the environment is another each time."""
        return {"integration_tests": self.path}

    def judge(self, bench: Bench) -> Judgement:
        """Run pytest."""
        asked = AskedTests(path=self.path, by=self.by)
        if not bench.code.has_tests(self.path):
            return judge_no_tests(asked)
        _, tally = _run(bench, self.path, environment=self.environment)
        return judge_tests(tally, None, asked=asked)


def _run(
    bench: Bench,
    path: str,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str],
) -> tuple[Ended, Tally]:
    """Run pytest on the tests at a path, and read what became of each."""
    junit = bench.folder / "junit.xml"
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
            # By default they stay behind in the system's folder for temporary files.
            f"--basetemp={bench.folder / 'tmp'}",
            *arguments,
            path,
        ],
        shown=[path],
        verdicts=_VERDICTS,
        environment=environment,
        is_import_root=True,
    )
    tally = read_report(junit, ended, lambda content: read_junit(content, inside=bench.code.inside))
    if ended.finished.returncode in {1, 2} and not tally.failures:
        raise ended.crash(f"{ended.how}, and no test failed")
    return ended, tally


def _measuring(code: Code, report: Path) -> list[str]:
    """Have the included code watched, by branches too where the project's settings say so."""
    return [
        # Each folder by itself: below one, those that are no packages would not be looked for.
        *(f"--cov={folder}" for folder in code.folders()),
        f"--cov-report=json:{report}",
        "--cov-fail-under=0",
    ]
