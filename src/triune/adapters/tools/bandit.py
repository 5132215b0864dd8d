"""The check ``security``: bandit, by the project's own configuration."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from triune.adapters.tools.linter import run_linter
from triune.adapters.tools.reports import parse_report
from triune.adapters.tools.tool import Bench
from triune.domain.canonical import Json
from triune.domain.code_checks import CodeReason, judge_no_code
from triune.domain.evidence import Finding, Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Finds what bandit takes for dangerous, of any severity."""

    packages: tuple[str, ...] = ("bandit",)
    extra: str | None = "security"
    reads_tests: bool = False
    is_reusable: bool = True
    settings: Json = "security"

    def judge(self, bench: Bench) -> Judgement:
        """Run bandit on the files that are included; one that it cannot read is a finding too."""
        # One by one: of a folder it would look at ignored files too, a virtual environment's say.
        files = bench.code.modules()
        if not files:
            return judge_no_code(check="security")
        report = bench.folder / "bandit.json"
        configured = _configuration(bench.code.root)
        return run_linter(
            bench,
            "bandit",
            ["--quiet", "--format=json", f"--output={report}", *configured, "--", *files],
            shown=[*configured, "-r", "--", *bench.code.targets()],
            report=report,
            read=read_bandit,
            files=len(files),
            clean=CodeReason.SECURITY_CLEAN,
            found=CodeReason.SECURITY_FOUND,
        )


def read_bandit(content: bytes, *, inside: Callable[[str], str]) -> list[Finding]:
    """Read bandit's report in JSON; ``inside`` spells a path as one inside the project."""
    report = parse_report(content)
    found = [
        Finding(
            message=f"{each['test_id']} ({each['issue_severity'].lower()} severity, "
            f"{each['issue_confidence'].lower()} confidence): {each['issue_text'].strip()}",
            file=inside(each["filename"]),
            line=each["line_number"],
        )
        for each in report["results"]
    ]
    unread = [
        Finding(message=f"could not be looked at: {each['reason']}", file=inside(each["filename"]))
        for each in report["errors"]
    ]
    return found + unread


def _configuration(root: Path) -> list[str]:
    """Name the project's configuration, which bandit does not find by itself given single files."""
    chosen = []
    if _has_table(root / "pyproject.toml"):
        chosen.append("--configfile=pyproject.toml")
    if (root / ".bandit").is_file():
        chosen.append("--ini=.bandit")
    return chosen


def _has_table(path: Path) -> bool:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        # Bandit says best what is wrong with it.
        return True
    tool = content.get("tool")
    return isinstance(tool, dict) and "bandit" in tool
