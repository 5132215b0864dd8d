"""`triune schema`: the JSON Schema of triune.yaml, for editors."""

from triune.cli.output import AsJson, print_json


def schema(as_json: AsJson = False) -> None:  # noqa: ARG001 - the schema is JSON either way
    """Print the JSON Schema of triune.yaml."""
    from triune.config import json_schema

    print_json(json_schema())
