"""What checks found: one result a check, and their results together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from triune.domain.verdict import Reason, Verdict


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
class CheckResult:
    """The outcome of one check.

    ``digest`` (sha256) stands for all that the check read, so that it need not be run again on
    the same; ``findings`` may be cut short, ``figures`` count them all.
    """

    layer: Layer
    name: str
    verdict: Verdict
    reason: Reason
    seconds: float
    digest: str
    figures: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
