"""A JSON Schema lets through what it describes, and is refused where it is not understood."""

from typing import Any

import pytest

from triune.domain.expectations.json_schema import SchemaError, find_mismatch, require_schema


@pytest.mark.parametrize(
    ("schema", "fitting", "other"),
    [
        (True, 1, ...),
        (False, ..., 1),
        ({}, {"a": 1}, ...),
        ({"type": "integer"}, 1.0, 1.5),
        ({"type": "integer"}, 1, True),
        ({"type": ["string", "null"]}, None, 1),
        ({"type": "number"}, 1.5, "1"),
        ({"type": "boolean"}, True, 1),
        ({"enum": [1, "a", None]}, 1.0, True),
        ({"const": {"a": [1]}}, {"a": [1.0]}, {"a": [True]}),
        ({"minimum": 1, "maximum": 3}, 3, 4),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 3}, 2, 3),
        ({"minimum": 1}, "text is no number", 0),
        ({"multipleOf": 0.1}, 0.3, 0.35),
        ({"multipleOf": 3}, 9, 10),
        ({"minLength": 2, "maxLength": 3}, "äöü", "a"),
        ({"pattern": "^a"}, "ab", "ba"),
        ({"required": ["a"]}, {"a": 1}, {"b": 1}),
        ({"properties": {"a": {"type": "integer"}}}, {"b": "x"}, {"a": "x"}),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"a": 1}, {"a": 1, "b": 1}),
        ({"patternProperties": {"^x": {"type": "null"}}, "additionalProperties": {"minLength": 1}},
         {"x1": None, "y": "s"}, {"x1": 1}),
        ({"patternProperties": {"^x": {}}, "additionalProperties": False}, {"x1": 1}, {"y": 1}),
        ({"propertyNames": {"maxLength": 1}}, {"a": 1}, {"ab": 1}),
        ({"minProperties": 1, "maxProperties": 1}, {"a": 1}, {}),
        ({"items": {"type": "integer"}}, [1, 2], [1, "2"]),
        ({"items": [{"type": "integer"}]}, [1, "2"], ["1"]),
        ({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}, ["a", 1], ["a", "b"]),
        ({"contains": {"const": 3}}, [1, 3], [1]),
        ({"minItems": 1, "maxItems": 2}, [1], [1, 2, 3]),
        ({"uniqueItems": True}, [1, True, "1"], [1, 1.0]),
        ({"allOf": [{"minimum": 1}, {"maximum": 2}]}, 2, 3),
        ({"anyOf": [{"type": "null"}, {"minimum": 1}]}, 1, 0),
        ({"oneOf": [{"minimum": 1}, {"minimum": 3}]}, 2, 4),
        ({"not": {"type": "string"}}, 1, "a"),
        ({"if": {"type": "integer"}, "then": {"minimum": 3}, "else": {"type": "null"}}, 3, 2),
        ({"if": {"type": "integer"}, "then": {"minimum": 3}, "else": {"type": "null"}}, None, "a"),
        ({"title": "a", "description": "b", "default": 1, "format": "date"}, "no date", ...),
    ],
)  # fmt: skip
def test_a_document_is_told_from_one_that_does_not_fit(
    schema: Any, fitting: Any, other: Any
) -> None:
    require_schema(schema)

    if fitting is not ...:
        assert find_mismatch(fitting, schema) is None
    if other is not ...:
        assert find_mismatch(other, schema) is not None


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "#/definitions/a"}, r"'\$ref', which is not evaluated here"),
        ({"properties": {"a": {"unevaluatedProperties": False}}}, "unevaluatedProperties"),
        ({"allOf": [{"type": "text"}]}, "type 'text'; use null, boolean"),
        ({"pattern": "("}, "no regular expression"),
        ({"patternProperties": {"(": {}}}, "no regular expression"),
        ({"not": 3}, "3 where a schema is due"),
    ],
)
def test_what_is_not_understood_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        require_schema(schema)
