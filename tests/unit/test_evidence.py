"""Results of checks as JSON, and back."""

import pytest

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


@pytest.mark.parametrize(
    ("verdict", "code", "status"),
    [
        (Verdict.PASS, "FLOOR_HELD", "PASS"),
        (Verdict.FAIL, "FLOOR_MISSED", "FAIL"),
        (Verdict.PASS, "UNDERPOWERED", "UNDERPOWERED"),
        (Verdict.INCONCLUSIVE, "UNDERPOWERED", "UNDERPOWERED"),
        (Verdict.PASS, "NOT_APPLICABLE", "NOT_APPLICABLE"),
    ],
)
def test_a_check_that_had_nothing_to_judge_says_so_in_the_place_of_a_verdict(
    verdict: Verdict, code: str, status: str
) -> None:
    result = CheckResult(
        layer=Layer.MODEL,
        name="slice: phones",
        verdict=verdict,
        reason=Reason(code=code, message="so it is"),
        seconds=0.5,
        digest="d" * 64,
    )

    assert (result.document["verdict"], result.document["status"]) == (verdict, status)
