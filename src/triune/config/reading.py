"""Reads ``triune.yaml`` into settings, and says everything that is wrong with it at once."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from triune.config.cross_checks import cross_check
from triune.config.document import Document, Location, dotted, read_document
from triune.config.model import VERSION, Settings
from triune.config.schema import known_keys
from triune.domain.canonical import Json
from triune.domain.errors import ConfigError, Problem, nearest

_MARKS: Final = frozenset({"[key]", "<word>", "<mapping>", "<list>", "<model>", "<app>"})
_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list: [one, two]",
    "dict_type": "a mapping: {{key: value}}",
    "model_type": "a mapping: {{key: value}}",
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "more than {gt:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt:g}",
    "literal_error": "{expected}",
}
_SAID: Final[Mapping[str, str]] = {
    "missing": "missing",
    "too_short": "empty; give at least one, or remove it",
}
_NUMBER: Final = re.compile(r"[-+]?[0-9]*\.?[0-9]+")


def read_settings(path: Path) -> Settings:
    """Read a settings file.

    Raises
    ------
    ConfigError
        It cannot be used; ``problems`` lists everything wrong with it, by line.
    """
    document = read_document(path)
    if problem := _version_problem(document):
        # Another version may mean anything by its keys: there is no use in judging them.
        raise ConfigError.listing([problem])
    problems = [*document.problems]
    problems += _empty_values(document, blamed=_keys(problems))
    try:
        settings = Settings.model_validate(document.value)
    except ValidationError as error:
        problems += _explain(document, error, blamed=_keys(problems))
    else:
        settings._document = document  # noqa: SLF001 - known only once the settings are
    problems += cross_check(document)
    if problems:
        raise ConfigError.listing(sorted(problems, key=lambda problem: problem.line))
    return settings


def _version_problem(document: Document) -> Problem | None:
    version = document.at(("version",))
    if version is None or (type(version) is int and version == VERSION):
        return None
    return document.problem(
        ("version",),
        f"{_show(version)} is not known; this Triune reads version {VERSION}: upgrade Triune, "
        f"or write `version: {VERSION}`",
    )


def _keys(problems: list[Problem]) -> frozenset[str]:
    return frozenset(problem.key for problem in problems)


def _empty_values(document: Document, *, blamed: frozenset[str]) -> Iterator[Problem]:
    for place in document.lines:
        # What a row is given, or an expectation, may be missing; a setting may not.
        is_of_a_row = place[:2] == ("model", "behaviour") and len(place) == 5
        is_given = place[:2] == ("data", "suites") and len(place) > 5
        may_be_empty = is_of_a_row or is_given
        if document.at(place) is None and not may_be_empty and dotted(place) not in blamed:
            yield document.problem(place, "no value; give one, or remove it")


def _explain(
    document: Document, error: ValidationError, *, blamed: frozenset[str]
) -> Iterator[Problem]:
    for details in error.errors(include_url=False):
        place = _place(document, details["loc"])
        # A list is also too short for pydantic where its items are wrong, which is said already.
        is_echo = details["type"] == "too_short" and details["input"]
        is_blamed = dotted(place) in blamed and document.at(place) is None
        if not is_blamed and not is_echo:
            yield document.problem(place, _message(place, details))


def _place(document: Document, location: Location) -> Location:
    """Leave out what pydantic adds: tags of unions, and the mark of a key."""
    place: Location = ()
    for part in location:
        if part not in _MARKS or (*place, part) in document.lines:
            place = (*place, part)
    return place


def _message(place: Location, details: ErrorDetails) -> str:
    kind, given, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(place[-1]), known_keys(place[:-1]))
    if kind == "value_error":
        return str(context["error"])
    if kind in _SAID:
        return _SAID[kind]
    if kind not in _EXPECTED:
        return details["msg"]
    expected = _EXPECTED[kind].format(**context)
    if details["loc"][-1] == "<word>":
        is_suite = place[:2] == ("data", "suites")
        expected += ", or a list of expectations" if is_suite else ", or a mapping with `run`"
    return f"expected {expected}, got {_show(given)}{_hint(kind, given, expected)}"


def _unknown_key(name: str, keys: tuple[str, ...]) -> str:
    if name in keys:
        return "does not go with this `kind`"
    return f"unknown key{nearest(name, keys) or '; known are ' + ', '.join(dict.fromkeys(keys))}"


def _hint(kind: str, given: Json, expected: str) -> str:
    if kind == "string_type" and isinstance(given, int | float):
        return "; quote it"
    if kind in {"int_type", "float_type"} and isinstance(given, str) and _NUMBER.fullmatch(given):
        return "; take away the quotes"
    if kind == "literal_error" and isinstance(given, str):
        return nearest(given, re.findall(r"'([^']*)'", expected))
    return ""


def _show(value: Json) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case tuple():
            return "a list"
        case str() if len(value) > 60:
            return repr(value[:60] + "...")
        case _:
            return repr(value)
