"""Suites of expectations, read from Great Expectations' own files; evaluating is for others.

Two dialects are read: that of 0.x (``expectation_suite_name``, ``expectation_type``) and that of
1.x (``name``, ``type``).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from triune.domain.canonical import Json
from triune.domain.errors import UsageError


class SuiteError(UsageError):
    """A suite of expectations cannot be read as one."""

    code = "SUITE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that data must be: the name of a type, and its arguments.

    A type that is not known is kept as it is, for it to be reported where it is evaluated.
    """

    type: str
    kwargs: Mapping[str, Json]
    id: str | None = None
    severity: str | None = None
    meta: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Expectations in their order; ``parameters`` are the values that ``$PARAMETER`` names."""

    name: str
    expectations: tuple[Expectation, ...]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    meta: Mapping[str, Json] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is expected, so that any data would pass."""
        return not self.expectations


class _Dialect(NamedTuple):
    version: str
    name: str
    type: str
    parameters: str


_OLD: Final = _Dialect("0.x", "expectation_suite_name", "expectation_type", "evaluation_parameters")
_NEW: Final = _Dialect("1.x", "name", "type", "suite_parameters")


def read_suite(document: bytes | str | Mapping[str, Json], *, source: str = "the suite") -> Suite:
    """Read a suite from the content of a file, or from what JSON made of it.

    Parameters
    ----------
    document
        JSON as Great Expectations writes it, or the object in it.
    source
        What messages call it: the file's path, say.

    Raises
    ------
    SuiteError
        It is no JSON or no suite, or mixes the dialects.
    """
    suite = document if isinstance(document, Mapping) else _parse(document, source)
    expectations = suite.get("expectations")
    if not isinstance(expectations, list):
        raise SuiteError(
            f"{source} has no list `expectations`: it is no suite of Great Expectations; export "
            "one, or write [] where nothing is expected"
        )
    dialect = _dialect(suite, expectations, source)
    name = suite.get(dialect.name)
    return Suite(
        name=name if isinstance(name, str) else source,
        expectations=tuple(
            _expectation(each, dialect, f"{source}: expectation {number}")
            for number, each in enumerate(expectations, start=1)
        ),
        parameters=_object(suite, dialect.parameters, source),
        meta=_object(suite, "meta", source),
    )


def _parse(content: bytes | str, source: str) -> Mapping[str, Json]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise SuiteError(f"{source} is no JSON: {error}; export the suite again") from error
    if not isinstance(document, dict):
        raise SuiteError(
            f"{source} holds no JSON object: it is no suite of Great Expectations; a suite has a "
            "name and a list `expectations`"
        )
    return document


def _dialect(suite: Mapping[str, Json], expectations: list[Json], source: str) -> _Dialect:
    """Tell the dialect by the suite's own keys, or, where it has no name, by its expectations'."""
    if _OLD.name in suite and _NEW.name in suite:
        raise SuiteError(
            f"{source} has `{_OLD.name}` (0.x) beside `{_NEW.name}` (1.x); keep the one of the "
            "version that wrote it"
        )
    if _OLD.name in suite:
        return _OLD
    if _NEW.name in suite:
        return _NEW
    old = any(isinstance(each, dict) and _OLD.type in each for each in expectations)
    return _OLD if old else _NEW


def _expectation(document: Json, dialect: _Dialect, where: str) -> Expectation:
    if not isinstance(document, dict):
        raise SuiteError(f"{where} is no JSON object; it needs `{dialect.type}` and `kwargs`")
    other = _NEW if dialect is _OLD else _OLD
    if other.type in document:
        raise SuiteError(
            f"{where} has `{other.type}`, a key of {other.version}, in a suite of "
            f"{dialect.version}; write `{dialect.type}`"
        )
    type_ = document.get(dialect.type)
    if not isinstance(type_, str) or not type_:
        raise SuiteError(
            f"{where} has no `{dialect.type}`; name one, such as "
            '"expect_column_values_to_not_be_null"'
        )
    return Expectation(
        type=type_,
        kwargs=_object(document, "kwargs", f"{where} ({type_})"),
        id=_text(document, "id"),
        severity=_text(document, "severity"),
        meta=_object(document, "meta", f"{where} ({type_})"),
    )


def _object(document: Mapping[str, Json], key: str, where: str) -> Mapping[str, Json]:
    held = document.get(key)
    if held is None:
        return {}
    if not isinstance(held, Mapping):
        raise SuiteError(f"{where}: `{key}` is no JSON object; write {{}} where it is empty")
    return held


def _text(document: Mapping[str, Json], key: str) -> str | None:
    held = document.get(key)
    return held if isinstance(held, str) else None
