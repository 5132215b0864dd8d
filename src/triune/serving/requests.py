"""Reads the body of a request against a release's signature, and says what is wrong with it."""

import datetime as dt
import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from triune.domain.canonical import Json
from triune.domain.errors import nearest
from triune.domain.manifest import Field, FieldType, Signature
from triune.domain.refusal import InputProblem, Refusal

MAX_PROBLEMS: Final = 20
_NOT_FINITE: Final = (
    "is NaN or infinite, which JSON does not have; give a number, or null for a missing value"
)

Row = dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """One request, or a list of them, as columns of values; ``columns`` follow the signature."""

    columns: dict[str, list[Any]]
    count: int
    is_list: bool


def read_requests(
    body: bytes, signature: Signature, *, ignored: Collection[str]
) -> Requests | Refusal:
    """Decode a JSON object, or a list of objects, and check each against the signature.

    Parameters
    ----------
    ignored
        Columns of the training data that are no inputs; a client may send them.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return _refuse_not_finite(body) or Refusal(
            status=400, detail=f"the body is not JSON: {error}"
        )
    except RecursionError:
        return Refusal(status=400, detail="the body is nested too deeply")
    rows = document if isinstance(document, list) else [document]
    problems = _misshapen(rows)
    if not problems:
        columns, problems = _read_columns(rows, signature, ignored)
        if not problems:
            return Requests(columns=columns, count=len(rows), is_list=document is rows)
    return _refuse(problems, is_list=document is rows)


def _refuse_not_finite(body: bytes) -> Refusal | None:
    """Name the fields that hold NaN or an infinity: no JSON, yet what Python's json writes."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    rows = document if isinstance(document, list) else [document]
    problems = [
        InputProblem(message=_NOT_FINITE, field=name, row=index)
        for index, row in enumerate(rows)
        if isinstance(row, dict)
        for name, value in row.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]
    return _refuse(problems, is_list=document is rows) if problems else None


def _refuse(problems: Sequence[InputProblem], *, is_list: bool) -> Refusal:
    ordered = sorted(problems, key=lambda problem: (problem.row or 0, problem.field or ""))
    shown = [
        problem if is_list else InputProblem(message=problem.message, field=problem.field)
        for problem in ordered[:MAX_PROBLEMS]
    ]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Refusal(status=422, detail=f"{shown[0]}{more}", errors=shown)


def _misshapen(rows: Sequence[Json]) -> list[InputProblem]:
    return [
        InputProblem(message=f"is {_kind(row)}, where an object of inputs is needed", row=index)
        for index, row in enumerate(rows)
        if not isinstance(row, dict)
    ]


def _read_columns(
    rows: Sequence[Row], signature: Signature, ignored: Collection[str]
) -> tuple[dict[str, list[Any]], list[InputProblem]]:
    problems = _unknown(rows, {field.name for field in signature.inputs}, ignored)
    columns = {}
    for field in signature.inputs:
        columns[field.name], found = _read_column(rows, field)
        problems += found
    return columns, problems


def _unknown(
    rows: Sequence[Row], inputs: Collection[str], ignored: Collection[str]
) -> list[InputProblem]:
    accepted = {*inputs, *ignored}
    return [
        InputProblem(
            message=f"the model has no such input{nearest(name, inputs)}", field=name, row=index
        )
        for index, row in enumerate(rows)
        for name in row.keys() - accepted
    ]


def _read_column(rows: Sequence[Row], field: Field) -> tuple[list[Any], list[InputProblem]]:
    read = _READERS[field.type]
    values: list[Any] = []
    problems = []
    for index, row in enumerate(rows):
        value = row.get(field.name)
        try:
            if value is None and not field.nullable:
                raise _missing(row, field)
            values.append(None if value is None else read(value))
        except ValueError as error:
            problems.append(InputProblem(message=str(error), field=field.name, row=index))
    return values, problems


def _missing(row: Row, field: Field) -> ValueError:
    what = "is null" if field.name in row else "is missing"
    return ValueError(f"{what}; give {_WANTED[field.type]}")


def _read_boolean(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    raise _mistyped(value, FieldType.BOOLEAN)


def _read_integer(value: Json) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mistyped(value, FieldType.INTEGER)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"is {value}, beyond the integers of 64 bits")
    return value


def _read_number(value: Json) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _mistyped(value, FieldType.NUMBER)
    try:
        return float(value)
    except OverflowError:
        raise ValueError("is an integer beyond what a number of 64 bits can hold") from None


def _read_string(value: Json) -> str:
    if isinstance(value, str):
        return value
    raise _mistyped(value, FieldType.STRING)


def _read_date(value: Json) -> dt.datetime:
    if isinstance(value, str):
        try:
            return dt.datetime.combine(dt.date.fromisoformat(value), dt.time())
        except ValueError:
            pass
    raise _mistyped(value, FieldType.DATE)


def _read_timestamp(value: Json) -> dt.datetime:
    """Read a time; one with an offset becomes UTC, one without is taken as it stands."""
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
            return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
        except (ValueError, OverflowError):
            pass
    raise _mistyped(value, FieldType.TIMESTAMP)


def _read_nothing(value: Json) -> None:
    raise _mistyped(value, None)


def _mistyped(value: Json, wanted: FieldType | None) -> ValueError:
    return ValueError(f"is {_kind(value)}; give {_WANTED[wanted]}")


def _kind(value: Json) -> str:
    """Say what a JSON value is, briefly."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the string {value if len(value) <= 40 else value[:40] + '...'!r}"
        case list():
            return "a list"
        case _:
            return "an object"


_WANTED: Final[dict[FieldType | None, str]] = {
    None: "null, or leave it out: the training data held no value here",
    FieldType.BOOLEAN: "true or false",
    FieldType.INTEGER: "an integer",
    FieldType.NUMBER: "a number",
    FieldType.STRING: "a string",
    FieldType.DATE: 'a date, such as "2026-01-31"',
    FieldType.TIMESTAMP: 'a time, such as "2026-01-31T12:00:00"',
}
_READERS: Final[dict[FieldType | None, Callable[[Json], Any]]] = {
    None: _read_nothing,
    FieldType.BOOLEAN: _read_boolean,
    FieldType.INTEGER: _read_integer,
    FieldType.NUMBER: _read_number,
    FieldType.STRING: _read_string,
    FieldType.DATE: _read_date,
    FieldType.TIMESTAMP: _read_timestamp,
}
