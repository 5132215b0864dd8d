"""Judges of single values, where SQL has no word for what is expected."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, TypeAlias

from triune.adapters.data.expectations.placed import Unanswerable
from triune.domain.canonical import Json
from triune.domain.errors import MissingExtraError
from triune.domain.expectations.json_schema import SchemaError, find_mismatch, require_schema

Judge: TypeAlias = Callable[[Any], bool]
"""Tells whether a value, which is never missing, is as expected."""


def searches(patterns: Sequence[str], *, join: Callable[[Any], bool]) -> Judge:
    """Search text for regular expressions; other values as Python writes them."""
    compiled = [re.compile(pattern) for pattern in patterns]

    def judge(value: Any) -> bool:
        written = str(value)
        return join(pattern.search(written) is not None for pattern in compiled)

    return judge


def has_format(format: str) -> Judge:
    """Read text as a moment in a format of `strptime`'s."""

    def judge(value: Any) -> bool:
        try:
            datetime.strptime(value, format)  # noqa: DTZ007 - only whether it reads
        except ValueError:
            return False
        return True

    return judge


def is_date() -> Judge:
    """Read text as whatever date dateutil takes it for.

    Raises
    ------
    Unanswerable
        dateutil is not installed.
    """
    try:
        parse = import_module("dateutil.parser").parse
    except ImportError as error:
        missing = MissingExtraError(needed_for="reading dates as dateutil does", extra="gx")
        raise Unanswerable(str(missing)) from error

    def judge(value: Any) -> bool:
        try:
            parse(value)
        except (ValueError, OverflowError, TypeError):
            return False
        return True

    return judge


def is_json(value: Any) -> bool:
    """Read text as JSON."""
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def meets_schema(schema: Json) -> Judge:
    """Validate text against a JSON Schema, as JSON.

    Raises
    ------
    Unanswerable
        The schema says what is not known here; or, when judging, the text is no JSON.
    """
    try:
        require_schema(schema)
    except SchemaError as error:
        raise Unanswerable(str(error)) from error

    def judge(value: Any) -> bool:
        try:
            document = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise Unanswerable(
                f"{value!r} is no JSON ({error}); expect_column_values_to_be_json_parseable finds "
                "all such values"
            ) from error
        return find_mismatch(document, schema) is None

    return judge
