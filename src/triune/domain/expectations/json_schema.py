"""Validates JSON against a JSON Schema, as far as one document describes another by itself.

What is not known here is refused, not passed over: references to other documents, and what depends
on what was evaluated before.
"""

import re
from collections.abc import Callable, Mapping
from math import isclose
from typing import Any, Final, TypeAlias

from triune.domain.canonical import Json

_Check: TypeAlias = Callable[[Any, Any, Mapping[str, Json]], bool]


class SchemaError(ValueError):
    """A JSON Schema cannot be used here."""


def require_schema(schema: Json) -> None:
    """See that a schema says nothing that is not known here.

    Raises
    ------
    SchemaError
        It does.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise SchemaError(f"json_schema holds {schema!r} where a schema is due: an object")
    for keyword, held in schema.items():
        if keyword in _UNKNOWN:
            raise SchemaError(
                f"json_schema has {keyword!r}, which is not evaluated here; write out what it "
                "stands for, or `pip install 'triune[gx]'` and run it with Great Expectations"
            )
        for part in _parts(keyword, held):
            require_schema(part)
        for pattern in _patterns(keyword, held):
            _require_pattern(pattern)
    for name in _names(schema.get("type", [])):
        if name not in _TYPES:
            raise SchemaError(f"json_schema has type {name!r}; use {', '.join(_TYPES)}")


def find_mismatch(document: Json, schema: Json) -> str | None:
    """Name the first keyword of a schema that a document does not meet; None if it meets all."""
    if isinstance(schema, bool):
        return None if schema else "false"
    for keyword, held in schema.items():
        check = _CHECKS.get(keyword)
        if check is not None and not check(document, held, schema):
            return str(keyword)
    return None


def _parts(keyword: str, held: Json) -> list[Json]:
    """List the schemas inside a keyword."""
    if keyword in {"properties", "patternProperties"} and isinstance(held, Mapping):
        return list(held.values())
    if keyword in {"allOf", "anyOf", "oneOf", "prefixItems"}:
        return list(held)
    if keyword == "items" and isinstance(held, list):
        return list(held)
    one = {
        "items",
        "additionalProperties",
        "propertyNames",
        "contains",
        "not",
        "if",
        "then",
        "else",
    }
    return [held] if keyword in one else []


def _patterns(keyword: str, held: Json) -> list[Json]:
    if keyword == "pattern":
        return [held]
    return list(held) if keyword == "patternProperties" else []


def _require_pattern(pattern: Json) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise SchemaError(
            f"json_schema has the pattern {pattern!r}, which is no regular expression: {error}"
        ) from error


def _names(held: Json) -> list[Json]:
    return held if isinstance(held, list) else [held]


def _is_number(document: Json) -> bool:
    return isinstance(document, int | float) and not isinstance(document, bool)


_TYPES: Final[Mapping[str, Callable[[Json], bool]]] = {
    "null": lambda document: document is None,
    "boolean": lambda document: isinstance(document, bool),
    "integer": lambda document: _is_number(document) and document % 1 == 0,
    "number": _is_number,
    "string": lambda document: isinstance(document, str),
    "array": lambda document: isinstance(document, list),
    "object": lambda document: isinstance(document, dict),
}
_UNKNOWN: Final = frozenset(
    {
        "$ref", "$dynamicRef", "$recursiveRef", "dependencies", "dependentRequired",
        "dependentSchemas", "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip


def _same(left: Json, right: Json) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right)


def _meets(document: Json, schema: Json) -> bool:
    return find_mismatch(document, schema) is None


def _for_numbers(check: Callable[[Any, Any], bool]) -> _Check:
    return lambda document, held, _: not _is_number(document) or check(document, held)


def _for_texts(check: Callable[[Any, Any], bool]) -> _Check:
    return lambda document, held, _: not isinstance(document, str) or check(document, held)


def _for_arrays(check: Callable[[Any, Any], bool]) -> _Check:
    return lambda document, held, _: not isinstance(document, list) or check(document, held)


def _for_objects(check: Callable[[Any, Any], bool]) -> _Check:
    return lambda document, held, _: not isinstance(document, dict) or check(document, held)


def _is_multiple(document: float, of: float) -> bool:
    if isinstance(document, int) and isinstance(of, int):
        return document % of == 0
    quotient = document / of
    return isclose(quotient, round(quotient), rel_tol=1e-15, abs_tol=0) or quotient == 0


def _is_unique(document: list[Json], wanted: bool) -> bool:  # noqa: FBT001 - the keyword's value
    return not wanted or not any(
        _same(one, other) for at, one in enumerate(document) for other in document[:at]
    )


def _items(document: Json, held: Json, schema: Mapping[str, Json]) -> bool:
    if not isinstance(document, list):
        return True
    if isinstance(held, list):
        return all(map(_meets, document, held))
    return all(_meets(each, held) for each in document[len(schema.get("prefixItems", [])) :])


def _additional(document: Json, held: Json, schema: Mapping[str, Json]) -> bool:
    if not isinstance(document, dict):
        return True
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", {})]
    return all(
        _meets(value, held)
        for name, value in document.items()
        if name not in schema.get("properties", {})
        and not any(pattern.search(name) for pattern in patterns)
    )


def _matching(document: dict[str, Json], held: Mapping[str, Json]) -> bool:
    return all(
        _meets(value, part)
        for pattern, part in held.items()
        for name, value in document.items()
        if re.search(pattern, name)
    )


def _branch(document: Json, held: Json, schema: Mapping[str, Json]) -> bool:
    taken = schema.get("then", True) if _meets(document, held) else schema.get("else", True)
    return _meets(document, taken)


_CHECKS: Final[Mapping[str, _Check]] = {
    "type": lambda document, held, _: any(_TYPES[name](document) for name in _names(held)),
    "enum": lambda document, held, _: any(_same(document, each) for each in held),
    "const": lambda document, held, _: _same(document, held),
    "minimum": _for_numbers(lambda document, held: document >= held),
    "maximum": _for_numbers(lambda document, held: document <= held),
    "exclusiveMinimum": _for_numbers(lambda document, held: document > held),
    "exclusiveMaximum": _for_numbers(lambda document, held: document < held),
    "multipleOf": _for_numbers(_is_multiple),
    "minLength": _for_texts(lambda document, held: len(document) >= held),
    "maxLength": _for_texts(lambda document, held: len(document) <= held),
    "pattern": _for_texts(lambda document, held: re.search(held, document) is not None),
    "items": _items,
    "prefixItems": _for_arrays(lambda document, held: all(map(_meets, document, held))),
    "contains": _for_arrays(lambda document, held: any(_meets(each, held) for each in document)),
    "minItems": _for_arrays(lambda document, held: len(document) >= held),
    "maxItems": _for_arrays(lambda document, held: len(document) <= held),
    "uniqueItems": _for_arrays(_is_unique),
    "required": _for_objects(lambda document, held: all(name in document for name in held)),
    "properties": _for_objects(
        lambda document, held: all(
            _meets(document[name], part) for name, part in held.items() if name in document
        )
    ),
    "patternProperties": _for_objects(_matching),
    "additionalProperties": _additional,
    "propertyNames": _for_objects(
        lambda document, held: all(_meets(name, held) for name in document)
    ),
    "minProperties": _for_objects(lambda document, held: len(document) >= held),
    "maxProperties": _for_objects(lambda document, held: len(document) <= held),
    "allOf": lambda document, held, _: all(_meets(document, part) for part in held),
    "anyOf": lambda document, held, _: any(_meets(document, part) for part in held),
    "oneOf": lambda document, held, _: sum(_meets(document, part) for part in held) == 1,
    "not": lambda document, held, _: not _meets(document, held),
    "if": _branch,
}
