"""Reads the body of a request against a release's signature, and says what is wrong with it."""

import datetime as dt
import json
import math
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec.structs import astuple

from triune.domain.canonical import Json
from triune.domain.errors import nearest
from triune.domain.manifest import Field, FieldType, Signature
from triune.domain.refusal import InputProblem, Refusal

MAX_PROBLEMS: Final = 20
_NOT_FINITE: Final = (
    "is NaN or infinite, which JSON does not have; give a number, or null for a missing value"
)

Row = dict[str, Json]


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """One request, or a list of them: the values of each row, one for each of ``names``."""

    names: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    is_list: bool

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The values of each input."""
        return columns_of(self.names, self.rows)


def columns_of(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Turn rows into the columns that a model is asked with."""
    if not rows:
        return {name: [] for name in names}
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


class RequestReader:
    """Reads bodies against one signature, most of them at once: decoded and checked in one pass.

    Parameters
    ----------
    ignored
        Columns of the training data that are no inputs; a client may send them.
    """

    def __init__(self, signature: Signature, *, ignored: Collection[str]) -> None:
        self._signature = signature
        self._ignored = ignored
        row = _row_type(signature, ignored)
        self._one = None if row is None else msgspec.json.Decoder(row)
        self._many = None if row is None else msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
        self._names = tuple(field.name for field in signature.inputs)

    def read(self, body: bytes) -> Requests | Refusal:
        """Decode a JSON object, or a list of objects, and check each against the signature."""
        if self._one is not None and self._many is not None:
            is_list = body[:1] == b"["
            try:
                rows = self._many.decode(body) if is_list else [self._one.decode(body)]
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                # It may be but unusual, and what is refused is told in detail only by the other.
                return read_requests(body, self._signature, ignored=self._ignored)
            values = list(map(astuple, rows))
            if self._ignored:
                values = [row[: len(self._names)] for row in values]
            return Requests(names=self._names, rows=values, is_list=is_list)
        return read_requests(body, self._signature, ignored=self._ignored)


def _row_type(signature: Signature, ignored: Collection[str]) -> type[msgspec.Struct] | None:
    """Make a type that decodes exactly those rows that need no second look; None if there is none.

    Of what else is valid, such as 5.0 for an integer, it decodes nothing.
    """
    inputs = {field.name for field in signature.inputs}
    if any(field.type not in _DECODED for field in signature.inputs):
        return None
    fields: list[Any] = []
    rename = {}
    for index, field in enumerate(signature.inputs):
        name, decoded = _attribute(index), _DECODED[field.type]
        fields.append((name, decoded | None, None) if field.nullable else (name, decoded))
        rename[name] = field.name
    for index, column in enumerate(sorted(set(ignored) - inputs)):
        fields.append((f"ignored_{index}", Any, None))
        rename[f"ignored_{index}"] = column
    try:
        return msgspec.defstruct(
            "Row", fields, rename=rename, forbid_unknown_fields=True, kw_only=True, gc=False
        )
    except ValueError:
        # A name with a quotation mark or a control character in it.
        return None


def _attribute(index: int) -> str:
    return f"input_{index}"


def read_requests(
    body: bytes, signature: Signature, *, ignored: Collection[str]
) -> Requests | Refusal:
    """Do what `RequestReader` does, value by value, and say of each what is wrong with it."""
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
            return Requests(
                names=tuple(columns),
                rows=list(zip(*columns.values(), strict=True)) if columns else [()] * len(rows),
                is_list=document is rows,
            )
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
    read = _read_moment if field.zone else _READERS[field.type]
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


def _read_date(value: Json) -> dt.date:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
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


def _read_moment(value: Json) -> dt.datetime:
    """Read a time for a column that has a zone; one without an offset could mean any moment."""
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
            if moment.tzinfo:
                return moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass
    raise ValueError(
        f'is {_kind(value)}; give a time with its offset, such as "2026-01-31T12:00:00+00:00"'
    )


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
_DECODED: Final[dict[FieldType | None, Any]] = {
    FieldType.BOOLEAN: bool,
    FieldType.INTEGER: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    FieldType.NUMBER: float,
    FieldType.STRING: str,
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
