"""Publishes the format of ``triune.yaml`` as a JSON Schema, and answers which keys are known."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from triune.config.document import Location
from triune.config.model import Settings
from triune.domain.canonical import Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _WithoutNull(GenerateJsonSchema):
    """An optional key is left out, not null: an empty value is refused where it is read."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if described.get("default", ...) is None:
            del described["default"]
        return described

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        described = super().dict_schema(schema)
        # Each mapping has a pattern for its keys; what does not match one is refused.
        return {**described, "additionalProperties": False}


def json_schema() -> dict[str, Json]:
    """Describe ``triune.yaml`` for editors: JSON Schema, draft 2020-12."""
    schema = Settings.model_json_schema(schema_generator=_WithoutNull)
    return {"$schema": DIALECT, **schema, "title": "triune.yaml"}


def known_keys(location: Location) -> tuple[str, ...]:
    """List the keys that a place of the file may have."""
    schemas = [_schema()]
    for part in location:
        schemas = [
            child for schema in schemas for each in _variants(schema) for child in _at(each, part)
        ]
    return tuple(
        name
        for schema in schemas
        for each in _variants(schema)
        for name in each.get("properties", {})
    )


@cache
def _schema() -> dict[str, Json]:
    return json_schema()


def _variants(schema: dict[str, Json]) -> Iterator[dict[str, Json]]:
    if "$ref" in schema:
        yield from _variants(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "oneOf" in schema:
        for each in schema["oneOf"]:
            yield from _variants(each)
    else:
        yield schema


def _at(schema: dict[str, Json], part: str | int) -> Iterator[dict[str, Json]]:
    if isinstance(part, int):
        yield from [schema["items"]] if "items" in schema else []
    elif part in schema.get("properties", {}):
        yield schema["properties"][part]
    else:
        # Keys that the project chooses, such as the names of environments.
        yield from schema.get("patternProperties", {}).values()
