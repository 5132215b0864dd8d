"""The check ``types``: mypy, by the project's own configuration."""

import json
import re
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from packaging.version import Version

from triune.adapters.process import TAIL_LINES
from triune.adapters.tools.isolation import no_home
from triune.adapters.tools.tool import Bench
from triune.domain.canonical import Json
from triune.domain.code_checks import CodeReason, judge_findings, judge_no_code
from triune.domain.evidence import Finding, Judgement

# 2 also says that a file is no Python, which is a verdict, and that mypy could not do its work.
_VERDICTS: Final = frozenset({0, 1, 2})
_SPEAKS_JSON: Final = Version("1.11")
_LINE: Final = re.compile(
    r"(?P<file>.+?\.pyi?):(?:(?P<line>\d+):)? (?P<severity>error|note|warning): (?P<message>.*)"
)
_INTERNAL_ERROR: Final = "INTERNAL ERROR"
_PYTHON: Final = (".py", ".pyi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Types:
    """Finds what mypy's types do not allow."""

    packages: tuple[str, ...] = ("mypy",)
    extra: str | None = "code"
    reads_tests: bool = False
    is_reusable: bool = True
    settings: Json = "types"

    def judge(self, bench: Bench) -> Judgement:
        """Run mypy on what is included; it installs nothing, whatever its configuration says."""
        files = bench.code.python_files()
        if not files:
            return judge_no_code(check="types")
        told = _Told(bench)
        shown = ["--", *bench.code.targets()]
        ended = bench.run_module(
            "mypy",
            [
                *(("--output=json",) if _speaks_json(bench) else ()),
                "--no-color-output",
                "--no-error-summary",
                "--no-pretty",
                "--no-install-types",
                "--show-traceback",
                "--hide-error-context",
                "--hide-column-numbers",
                f"--cache-dir={bench.caches / 'mypy'}",
                *shown,
            ],
            shown=shown,
            verdicts=_VERDICTS,
            environment=no_home(bench.folder),
            progress=told.hear,
        )
        # In JSON, mypy ends with 1 even where all that it says is notes.
        is_explained = told.findings or (ended.finished.returncode == 1 and told.has_notes)
        if told.is_broken or (ended.finished.returncode and not is_explained):
            raise ended.crash(f"{ended.how}, which is no verdict", output=told.lines)
        return judge_findings(
            told.findings,
            tool="mypy",
            files=len(files),
            clean=CodeReason.TYPES_CLEAN,
            found=CodeReason.TYPES_FOUND,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing that mypy says of a file; only what is an error counts."""

    severity: str
    finding: Finding

    def __str__(self) -> str:
        place = f"{self.finding.file}:{self.finding.line}" if self.finding.line else ""
        return f"{place or self.finding.file}: {self.severity}: {self.finding.message}"


def read_mypy(line: str) -> Remark | None:
    """Read one line of mypy's, in JSON or as people read it; None where it is no remark."""
    if line.startswith("{"):
        return _read_json(line)
    matched = _LINE.fullmatch(line)
    if matched is None or matched["message"].startswith(_INTERNAL_ERROR):
        return None
    return _remark(
        matched["severity"], matched["message"], matched["file"], int(matched["line"] or 0)
    )


def _read_json(line: str) -> Remark | None:
    try:
        said = json.loads(line)
        code = f"  [{said['code']}]" if said["code"] else ""
        return _remark(said["severity"], said["message"] + code, said["file"], said["line"])
    except (KeyError, TypeError, ValueError):
        return None


def _remark(severity: str, message: str, file: str, line: int) -> Remark:
    # What concerns a file as a whole stands at line -1 or 0, or at none.
    return Remark(
        severity=severity,
        finding=Finding(message=message, file=file, line=line if line > 0 else None),
    )


class _Told:
    """Listens to mypy: hands on what it says as people read it, and keeps the errors."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.findings: list[Finding] = []
        self.lines: deque[str] = deque(maxlen=TAIL_LINES)
        self.has_notes = False
        self.is_broken = False

    def hear(self, line: str) -> None:
        remark = read_mypy(line)
        if remark is None:
            self.is_broken |= _INTERNAL_ERROR in line
        elif remark.severity == "error":
            self._keep(remark.finding)
        else:
            self.has_notes = True
        said = line if remark is None else str(remark)
        self.lines.append(said)
        self._bench.progress(said)

    def _keep(self, finding: Finding) -> None:
        file = self._bench.code.inside(finding.file or "")
        if file.endswith(_PYTHON):
            self.findings.append(replace(finding, file=file))
        else:
            # It stumbled over its own settings.
            self.is_broken = True


def _speaks_json(bench: Bench) -> bool:
    return Version(bench.interpreter.version("mypy") or "0") >= _SPEAKS_JSON
