"""Results of checks as JSON, and back."""

from triune.domain.evidence import CheckResult, Finding, Layer
from triune.domain.verdict import Reason, Verdict


def test_a_result_comes_back_from_its_document_as_it_was() -> None:
    result = CheckResult(
        layer=Layer.DATA,
        name="train",
        verdict=Verdict.FAIL,
        reason=Reason(code="EXPECTATIONS_BROKEN", message="1 of 3"),
        seconds=0.5,
        digest="d" * 64,
        figures={"rows": 3.0},
        findings=(Finding(message="no", file="a.csv", line=3), Finding(message="no", row=0)),
    )

    assert CheckResult.of(result.document) == result
