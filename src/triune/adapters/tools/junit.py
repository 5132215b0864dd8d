"""Reads pytest's report of what became of each test."""

import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

from triune.adapters.tools.code import CODE_TESTS
from triune.domain.code_checks import Tally
from triune.domain.evidence import Finding

_COLLECTING: Final = "collection failure"
_NOT_COLLECTED: Final = "collection skipped"
_WHY_SKIPPED: Final = re.compile(r"Skipped: (.+)['\"]\)$")
_ENTRY: Final = re.compile(r"^(?P<file>[^\n]+?):(?P<line>\d+): ", re.MULTILINE)
_SYNTAX: Final = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)')
_SAID: Final = re.compile(r"^E +(.+)$", re.MULTILINE)


def read_junit(content: bytes, *, inside: Callable[[str], str]) -> Tally:
    """Read pytest's report; ``inside`` spells a path as one inside the project.

    Raises
    ------
    ValueError
        A test began and did not end.
    """
    passed, skipped, failures = 0, [], []
    # Written by the user's own tests, which can do worse than write an odd report.
    for case in ET.fromstring(content).iter("testcase"):  # noqa: S314 - see above
        if "name" not in case.attrib:
            raise ValueError("a test ended pytest before it was done itself")
        failed = next((each for each in case if each.tag in {"failure", "error"}), None)
        if failed is not None:
            failures.append(_failure(case, failed, inside=inside))
        elif (left_out := case.find("skipped")) is not None:
            skipped.append(_skip(case, left_out, inside=inside))
        else:
            passed += 1
    return Tally(passed=passed, failures=tuple(failures), skipped=tuple(skipped))


def _failure(case: ET.Element, failed: ET.Element, *, inside: Callable[[str], str]) -> Finding:
    body, message = failed.text or "", failed.get("message", "")
    if message == _COLLECTING:
        message = "cannot be collected: " + (_SAID.findall(body) or [body.strip()])[-1]
    # A report by a plugin need not say where its test is.
    file = inside(case.get("file", CODE_TESTS))
    return Finding(
        message=f"{_title(case, file)}: {message}", file=file, line=_line(case, body, file, inside)
    )


def _skip(case: ET.Element, skipped: ET.Element, *, inside: Callable[[str], str]) -> Finding:
    file = inside(case.get("file", CODE_TESTS))
    why = skipped.get("message", "").strip()
    if why == _NOT_COLLECTED:
        why = (_WHY_SKIPPED.findall(skipped.text or "") or [why])[-1]
    return Finding(
        message=f"{_title(case, file)}: {why or 'it does not say why'}",
        file=file,
        line=_start_of(case),
    )


def _title(case: ET.Element, file: str) -> str:
    """Name a test as one would within its file: its class, where it has one, and itself."""
    name, holder = case.attrib["name"], case.get("classname", "")
    module = PurePosixPath(file).with_suffix("").as_posix().replace("/", ".")
    if name == module:
        return PurePosixPath(file).name
    inside_module = holder.removeprefix(module).strip(".")
    return f"{inside_module}.{name}" if inside_module else name


def _line(case: ET.Element, body: str, file: str, inside: Callable[[str], str]) -> int | None:
    """Find the line of the test's file where it failed, else where the test begins."""
    for pattern in (_ENTRY, _SYNTAX):
        lines = [
            int(entry["line"]) for entry in pattern.finditer(body) if inside(entry["file"]) == file
        ]
        if lines:
            return lines[-1]
    return _start_of(case)


def _start_of(case: ET.Element) -> int | None:
    # Counted from 0 there.
    return int(case.attrib["line"]) + 1 if "line" in case.attrib else None
