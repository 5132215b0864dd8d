"""What checks found: one result a check, and their results together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from triune.domain.canonical import Json
from triune.domain.verdict import Reason, Verdict

NOT_JUDGED: Final = ("UNDERPOWERED", "NOT_APPLICABLE")
"""Reasons of checks that had nothing to judge: what they veto is for the verdict to say."""

NO_CHAMPION: Final = "there is no champion"
"""Begins the reason of whatever waits for a champion to compare with."""


class Layer(StrEnum):
    """Where a release can break: in its code, its data, its model, or put together."""

    CODE = "code"
    DATA = "data"
    MODEL = "model"
    INTEGRATION = "integration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found, and where: a file and line, or a row of a dataset from 0."""

    message: str
    file: str | None = None
    line: int | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a check came to, before anybody says how long it took."""

    verdict: Verdict
    reason: Reason
    findings: tuple[Finding, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check.

    ``digest`` (sha256) stands for all that the check read, so that it need not be run again on
    the same; ``findings`` may be cut short, ``figures`` count them all. ``details`` are what the
    check has to say in a form of its own, as JSON: of a suite, what came of each expectation.
    """

    layer: Layer
    name: str
    verdict: Verdict
    reason: Reason
    seconds: float
    digest: str
    figures: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """The verdict, or in its place why there was nothing to judge."""
        code = str(self.reason.code)
        return code if code in NOT_JUDGED else str(self.verdict)

    @property
    def document(self) -> dict[str, Json]:
        """The result as JSON."""
        return {
            "layer": str(self.layer),
            "name": self.name,
            "verdict": str(self.verdict),
            "status": self.status,
            "reason": {"code": str(self.reason.code), "message": self.reason.message},
            "seconds": round(self.seconds, 3),
            "digest": self.digest,
            "figures": dict(self.figures),
            "findings": [
                {
                    "message": finding.message,
                    "file": finding.file,
                    "line": finding.line,
                    "row": finding.row,
                }
                for finding in self.findings
            ],
            **({"details": dict(self.details)} if self.details else {}),
        }

    @classmethod
    def of(cls, document: Mapping[str, Json]) -> Self:
        """Read a result back from its `document`.

        Raises
        ------
        KeyError, TypeError, ValueError
            It is no such document.
        """
        return cls(
            layer=Layer(document["layer"]),
            name=document["name"],
            verdict=Verdict(document["verdict"]),
            reason=Reason(**document["reason"]),
            seconds=document["seconds"],
            digest=document["digest"],
            figures=dict(document["figures"]),
            findings=tuple(Finding(**finding) for finding in document["findings"]),
            details=dict(document.get("details", {})),
        )
