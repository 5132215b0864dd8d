"""Single values of ``triune.yaml``: which texts and numbers are meant, and how a wrong one is told.

Messages complete ``triune.yaml:LINE: some.key: ...``.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

GLOB_SIGNS: Final = "*?["
_NOT_BLANK: Final = r"[\s\S]*\S[\s\S]*"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text looks like; ``says`` completes "expected ..."."""

    pattern: str
    says: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the text after pydantic has seen that it is one."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Publish the pattern."""
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}

    def _check(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"expected {self.says}, got {text!r}")
        return text


def _inside_project(text: str) -> str:
    path = PurePosixPath(text)
    if not text.strip() or "\0" in text or "\\" in text:
        raise ValueError(f"expected a path with forward slashes, got {text!r}")
    if path.is_absolute() or text.startswith("~") or re.match(r"[A-Za-z]:", text):
        raise ValueError(f"{text!r} is absolute; give a path relative to triune.yaml")
    if ".." in path.parts:
        raise ValueError(f"{text!r} leads out of the project; keep it inside, without `..`")
    return str(path)


def _dataset(text: str) -> str:
    if not text.endswith((".parquet", ".csv")):
        raise ValueError(f"{text!r} is no dataset; expected .parquet, .csv, or a glob of either")
    return text


def _artifact(text: str) -> str:
    if any(sign in text for sign in GLOB_SIGNS):
        raise ValueError(f"{text!r} is a glob; a release has one model, so name its path")
    suffix = PurePosixPath(text).suffix
    if suffix not in {"", ".joblib", ".pkl", ".skops", ".onnx"}:
        raise ValueError(
            f"{suffix} is no format of a model that can be run; expected .joblib, .pkl, .skops, "
            ".onnx, or an MLflow model folder"
        )
    return text


_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: object) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,6})([smhdw])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"expected a duration such as 90s, 30m, 24h, 1d or 2w, got {value!r}")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


_CRON_FIELDS: Final = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day of the month", 1, 31, ""),
    ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    ("day of the week", 0, 7, "sun mon tue wed thu fri sat"),
)


def _cron(text: str) -> str:
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS):
        raise ValueError(
            f"expected the five fields of cron (minute hour day month weekday), got {text!r}"
        )
    for given, (name, low, high, words) in zip(fields, _CRON_FIELDS, strict=True):
        numbers = {word: low + place for place, word in enumerate(words.split())}
        if not all(_is_cron_item(item, low, high, numbers) for item in given.split(",")):
            raise ValueError(f"{given!r} is no {name} of cron ({low} to {high}) in {text!r}")
    return text


def _is_cron_item(item: str, low: int, high: int, words: dict[str, int]) -> bool:
    span, has_step, step = item.partition("/")
    if len(item) > 20 or (has_step and not (step.isdecimal() and int(step) > 0)):
        return False
    if span == "*":
        return True
    bounds = [
        words.get(bound.lower(), int(bound) if bound.isdecimal() else -1)
        for bound in span.split("-")
    ]
    return len(bounds) <= 2 and low <= bounds[0] <= bounds[-1] <= high


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", host) or not _is_port(port):
        raise ValueError(f'expected host:port such as "127.0.0.1:8701", got {text!r}')
    return text


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


def _steps(percents: tuple[int, ...]) -> tuple[int, ...]:
    ascending = all(one < two for one, two in pairwise(percents))
    if not ascending or percents[0] < 1 or percents[-1] != 100:
        raise ValueError(
            "expected percents that rise from at least 1 and end with 100, "
            f"such as [5, 25, 100], got {list(percents)}"
        )
    return percents


def _scalar(value: object) -> object:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("expected one value of a column: text, a number, true, false or null")
    return value


ProjectName = Annotated[
    str,
    Shape(
        "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "a name of letters, digits, dots, dashes and underscores, at most 64",
    ),
]
Name = Annotated[
    str,
    Shape("[A-Za-z][A-Za-z0-9_-]{0,63}", "a name of letters, digits, dashes and underscores"),
]
Title = Annotated[str, Shape(_NOT_BLANK, "a name")]
Column = Annotated[str, Shape(r"[\s\S]+", "the name of a column")]
ExpectationType = Annotated[
    str,
    Shape(
        "[A-Za-z][A-Za-z0-9_]*",
        "the name of an expectation such as expect_column_values_to_not_be_null",
    ),
]
METRIC_SHAPE: Final = "[a-z][a-z0-9_]*"
Metric = Annotated[str, Shape(METRIC_SHAPE, "the name of a metric such as roc_auc")]
Command = Annotated[str, Shape(_NOT_BLANK, "a command")]
Condition = Annotated[str, Shape(_NOT_BLANK, "a condition such as is_enterprise = 1")]
AppPath = Annotated[
    str, Shape(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", "an ASGI app such as app.main:app")
]
Route = Annotated[str, Shape(r"(?:[A-Z]+ )?/\S*", "a route such as POST /score")]
Webhook = Annotated[
    str,
    Shape(
        r"(?:https?://|\$\{[A-Za-z_][A-Za-z0-9_]*\})\S*", "an http(s) address or ${SOME_VARIABLE}"
    ),
]

ProjectPath = Annotated[str, AfterValidator(_inside_project)]
DatasetPath = Annotated[ProjectPath, AfterValidator(_dataset)]
ArtifactPath = Annotated[ProjectPath, AfterValidator(_artifact)]

Count = Annotated[int, Field(ge=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Steps = Annotated[tuple[int, ...], Field(min_length=1), AfterValidator(_steps)]
Scalar = Annotated[
    Any,
    AfterValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Anything = Annotated[Any, WithJsonSchema({})]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,6}[smhdw]$"}),
]
Cron = Annotated[str, AfterValidator(_cron)]
Address = Annotated[str, AfterValidator(_address)]
