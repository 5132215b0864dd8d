"""Checks as JUnit XML: a test case for each check, and for each expectation of a suite."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from triune.domain.canonical import Json
from triune.domain.evidence import CheckResult, Layer
from triune.domain.verdict import Verdict

# XML 1.0 has no way to write these, and a value of a dataset may hold any.
_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[CheckResult]) -> bytes:
    """Write results as JUnit XML, a test suite for each layer.

    FAIL is a failure and ERROR an error. So that it never passes silently, INCONCLUSIVE is a
    failure of that type: JUnit has no word for it. What had nothing to judge is skipped.
    """
    root = ET.Element("testsuites", name="triune")
    for layer in Layer:
        found = [result for result in results if result.layer is layer]
        if not found:
            continue
        suite = ET.SubElement(root, "testsuite", name=str(layer))
        cases = [case for result in found for case in _cases(result)]
        suite.extend(cases)
        suite.set("tests", str(len(cases)))
        for kind, counted in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            count = sum(case.find(kind) is not None for case in cases)
            suite.set(counted, str(count))
        suite.set("time", f"{sum(result.seconds for result in found):.3f}")
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _cases(result: CheckResult) -> Iterator[ET.Element]:
    yield _case(
        f"triune.{result.layer}",
        result.name,
        result.verdict,
        seconds=result.seconds,
        message=result.reason.message,
        told="\n".join(finding.message for finding in result.findings),
        is_judged=result.status == result.verdict,
    )
    for each in result.details.get("expectations", {}).get("results", ()):
        yield _case(
            f"triune.{result.layer}.{result.name}",
            name_expectation(each["expectation_config"]),
            Verdict(each["meta"]["verdict"]),
            message=each["exception_info"]["exception_message"] or "it is not met",
            told=json.dumps(each["result"], ensure_ascii=False, indent=1),
        )


def name_expectation(config: dict[str, Json]) -> str:
    """Name an expectation as a test: its type, and what it is given."""
    given = ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}"
        for name, value in config["kwargs"].items()
    )
    return f"{config['type']}({given})"


def _case(  # noqa: PLR0913 - each says another thing
    classname: str,
    name: str,
    verdict: Verdict,
    *,
    message: str,
    told: str,
    seconds: float = 0.0,
    is_judged: bool = True,
) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=_writable(classname),
        name=_writable(name),
        time=f"{seconds:.3f}",
    )
    if verdict is not Verdict.PASS:
        kind = "error" if verdict is Verdict.ERROR else "failure"
        fault = ET.SubElement(case, kind, type=str(verdict), message=_writable(message))
        fault.text = _writable(told)
    elif not is_judged:
        ET.SubElement(case, "skipped", message=_writable(message))
    return case


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)
