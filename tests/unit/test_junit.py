"""Checks as JUnit XML."""

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from triune.domain.evidence import CheckResult, Finding, Layer
from triune.domain.verdict import Reason, Verdict
from triune.reports.junit import junit_xml


def a_result(verdict: Verdict = Verdict.PASS, **known: Any) -> CheckResult:
    usual: dict[str, Any] = {
        "layer": Layer.MODEL,
        "name": "floors",
        "verdict": verdict,
        "reason": Reason(code="WHY", message="it is so"),
        "seconds": 1.25,
        "digest": "0" * 64,
    }
    return CheckResult(**{**usual, **known})


def cases(*results: CheckResult) -> list[ET.Element]:
    return list(ET.fromstring(junit_xml(results)).iter("testcase"))


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (Verdict.PASS, None),
        (Verdict.FAIL, "failure"),
        (Verdict.INCONCLUSIVE, "failure"),
        (Verdict.ERROR, "error"),
    ],
)
def test_what_does_not_pass_is_a_failure_or_an_error(verdict: Verdict, kind: str | None) -> None:
    (case,) = cases(a_result(verdict, findings=(Finding(message="a line"),)))

    assert (case.get("classname"), case.get("name"), case.get("time")) == (
        "triune.model",
        "floors",
        "1.250",
    )
    assert [fault.tag for fault in case] == ([kind] if kind else [])
    for fault in case:
        assert (fault.get("type"), fault.get("message")) == (verdict, "it is so")
        assert fault.text == "a line"


def test_what_had_nothing_to_judge_is_skipped_unless_it_vetoes() -> None:
    reason = Reason(code="UNDERPOWERED", message="too few rows")

    root = ET.fromstring(
        junit_xml([a_result(reason=reason), a_result(Verdict.INCONCLUSIVE, reason=reason)])
    )

    assert [[each.tag for each in case] for case in root.iter("testcase")] == [
        ["skipped"],
        ["failure"],
    ]
    assert [root[0].get(kind) for kind in ("tests", "failures", "skipped")] == ["2", "1", "1"]


def test_what_xml_cannot_write_is_replaced() -> None:
    said = Reason(code="WHY", message='row 3 holds "\x00\x1b\ud800" <&>')

    (case,) = cases(a_result(Verdict.FAIL, reason=said, name="\x0b"))

    assert case.get("name") == "\ufffd"
    assert case[0].get("message") == 'row 3 holds "\ufffd\ufffd\ufffd" <&>'


def test_layers_are_suites_that_count_their_cases() -> None:
    root = ET.fromstring(
        junit_xml([a_result(Verdict.ERROR), a_result(layer=Layer.CODE), a_result(Verdict.FAIL)])
    )

    assert [(each.get("name"), each.get("tests")) for each in root] == [
        ("code", "1"),
        ("model", "2"),
    ]
    assert [(each.get("failures"), each.get("errors")) for each in root] == [("0", "0"), ("1", "1")]
