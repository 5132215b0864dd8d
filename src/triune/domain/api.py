"""What a release's HTTP interface takes and answers, as an OpenAPI document."""

from typing import Final

from triune.domain.canonical import Json
from triune.domain.manifest import Field, FieldType, Manifest, Outputs, Signature
from triune.domain.refusal import PROBLEM_JSON
from triune.domain.release import short

_TYPES: Final[dict[FieldType, dict[str, Json]]] = {
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.INTEGER: {"type": "integer", "format": "int64"},
    FieldType.NUMBER: {"type": "number"},
    FieldType.STRING: {"type": "string"},
    FieldType.DATE: {"type": "string", "format": "date"},
    FieldType.TIMESTAMP: {"type": "string", "format": "date-time"},
}
_PROBLEMS: Final = {
    "400": "The body is not JSON.",
    "413": "The body is too large.",
    "415": "The body is not said to be JSON.",
    "422": "An input breaks the signature; `errors` names the field.",
    "500": "The model raised, or its answer was invalid.",
    "503": "There is too much to do, or the worker is being started again; ask again.",
    "504": "The model did not answer in time.",
}
_KEY: Final = {
    "name": "X-Triune-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "Requests with the same key stay with the same release.",
}


def describe_api(manifest: Manifest) -> dict[str, Json]:
    """Describe how a release is asked, from its signature; one without a model has none."""
    signature, model = manifest.signature, manifest.model
    assert signature is not None
    assert model is not None
    inputs = {field.name for field in signature.inputs}
    ignored = sorted({name for name in (model.key, model.time) if name} - inputs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Triune", "version": short(manifest.release_id)},
        "paths": {
            "/predict": {"post": _predict()},
            "/health": {
                "get": {
                    "summary": "Tell whether requests are answered.",
                    "responses": {
                        "200": {"description": "They are."},
                        "503": _problem("The release's worker is being started again."),
                    },
                }
            },
        },
        "components": {
            "schemas": {
                "Row": _row(signature, ignored),
                "Answer": _answer(signature.outputs, task=model.task),
                "Problem": _PROBLEM,
            }
        },
    }


def _predict() -> dict[str, Json]:
    return {
        "summary": "Predict for one row, or for a list of rows.",
        "parameters": [_KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _one_or_many("Row")}},
        },
        "responses": {
            "200": {
                "description": "One answer, or a list of them, as was asked.",
                "headers": {
                    "X-Triune-Release": {
                        "schema": {"type": "string"},
                        "description": "The release that answered.",
                    }
                },
                "content": {"application/json": {"schema": _one_or_many("Answer")}},
            },
            **{status: _problem(text) for status, text in _PROBLEMS.items()},
        },
    }


def _one_or_many(name: str) -> dict[str, Json]:
    reference = {"$ref": f"#/components/schemas/{name}"}
    return {"oneOf": [reference, {"type": "array", "items": reference}]}


def _problem(description: str) -> dict[str, Json]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}


def _row(signature: Signature, ignored: list[str]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {
            **{field.name: _input(field) for field in signature.inputs},
            **{name: {"description": "Not an input; it may be sent."} for name in ignored},
        },
        "required": [field.name for field in signature.inputs if not field.nullable],
        "additionalProperties": False,
    }


def _input(field: Field) -> dict[str, Json]:
    if field.type is None:
        return {"type": "null"}
    schema = _TYPES[field.type]
    return {"type": [schema["type"], "null"], **_rest(schema)} if field.nullable else dict(schema)


def _rest(schema: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in schema.items() if name != "type"}


def _answer(outputs: Outputs, *, task: str) -> dict[str, Json]:
    prediction: dict[str, Json] = {"enum": list(outputs.classes)}
    if task == "regression":
        prediction = {"type": "number"}
    probability = {"type": "number", "minimum": 0, "maximum": 1}
    properties: dict[str, Json] = {"prediction": prediction}
    if outputs.probabilities and len(outputs.classes) == 2:
        properties["probability"] = probability
    elif outputs.probabilities:
        names = [str(each) for each in outputs.classes]
        properties["probabilities"] = {
            "type": "object",
            "properties": dict.fromkeys(names, probability),
            "required": names,
        }
    return {"type": "object", "properties": properties, "required": list(properties)}


_PROBLEM: Final[dict[str, Json]] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": ["string", "null"]},
                    "row": {"type": ["integer", "null"]},
                    "message": {"type": "string"},
                },
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}
