"""The check ``lint``: ruff, by the project's own configuration."""

from collections.abc import Callable
from dataclasses import dataclass

from triune.adapters.tools.linter import run_linter
from triune.adapters.tools.reports import parse_report
from triune.adapters.tools.tool import Bench
from triune.domain.canonical import Json
from triune.domain.code_checks import CodeReason, judge_no_code
from triune.domain.evidence import Finding, Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """Finds what ruff's rules find."""

    packages: tuple[str, ...] = ("ruff",)
    extra: str | None = "code"
    reads_tests: bool = False
    is_reusable: bool = True
    settings: Json = "lint"

    def judge(self, bench: Bench) -> Judgement:
        """Run ruff on what is included; it mends nothing, whatever its configuration says."""
        files = bench.code.python_files()
        if not files:
            return judge_no_code(check="lint")
        report = bench.folder / "ruff.json"
        reporting = ["--output-format=json", f"--output-file={report}"]
        keeping = ["--no-fix", "--no-show-fixes", f"--cache-dir={bench.caches / 'ruff'}"]
        shown = ["check", "--force-exclude", "--", *bench.code.targets()]
        return run_linter(
            bench,
            "ruff",
            ["check", *reporting, *keeping, *shown[1:]],
            shown=shown,
            report=report,
            read=read_ruff,
            files=len(files),
            clean=CodeReason.LINT_CLEAN,
            found=CodeReason.LINT_FOUND,
        )


def read_ruff(content: bytes, *, inside: Callable[[str], str]) -> list[Finding]:
    """Read ruff's report in JSON; ``inside`` spells a path as one inside the project."""
    return [
        Finding(
            message=f"{each['code']}: {each['message']}" if each["code"] else each["message"],
            file=inside(each["filename"]),
            # Of a file that cannot be opened there is no place.
            line=each["location"] and each["location"]["row"],
        )
        for each in parse_report(content)
    ]
