"""How checks of datasets are shown: each expectation, and the first rows that break it."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import typer

from triune.cli.output import print_table

if TYPE_CHECKING:
    from triune.domain.canonical import Json
    from triune.domain.evidence import CheckResult

ROWS_SHOWN: Final = 5
"""Rows of one expectation; ``--json`` has twenty."""

_LONGEST: Final = 60
_COLUMN_KEYS: Final = ("column", "column_A", "column_B", "column_list", "column_set")


def print_data_results(results: "Sequence[CheckResult]") -> None:
    """Print what came of each expectation, and how far each feature is from its reference."""
    for result in results:
        if "expectations" in result.details:
            _print_suite(result)
        elif "skew" in result.details:
            _print_skew(result)


def _print_suite(result: "CheckResult") -> None:
    document = result.details["expectations"]
    counts = document["statistics"]
    typer.echo(
        f"\n{result.name}: {counts['successful_expectations']} of "
        f"{counts['evaluated_expectations']} expectations met on {document['meta']['rows']:,} rows"
    )
    print_table(
        ("verdict", "expectation", "columns", "asked", "seen"),
        [_describe(each) for each in document["results"]],
    )
    for each in document["results"]:
        _print_rows(each, result.details["key"])


def _describe(each: "dict[str, Json]") -> tuple[str, str, str, str, str]:
    config = each["expectation_config"]
    kwargs = config["kwargs"]
    asked = ", ".join(
        f"{name}={shorten(value)}"
        for name, value in kwargs.items()
        if name not in _COLUMN_KEYS and value is not None
    )
    columns = ", ".join(shorten(kwargs[name]) for name in _COLUMN_KEYS if name in kwargs)
    return each["meta"]["verdict"], config["type"], columns, _cut(asked), _seen(each)


def _seen(each: "dict[str, Json]") -> str:
    said = each["exception_info"]["exception_message"]
    if said:
        return str(said)
    result = each["result"]
    if "unexpected_count" in result:
        judged = result["element_count"] - result.get("missing_count", 0)
        return f"{result['unexpected_count']:,} of {judged:,} rows unexpected"
    return shorten(result["observed_value"]) if "observed_value" in result else ""


def _print_rows(each: "dict[str, Json]", key: str | None) -> None:
    result = each["result"]
    rows = result.get("partial_unexpected_index_list", [])[:ROWS_SHOWN]
    if not rows or each["success"]:
        return
    config = each["expectation_config"]
    values = result["partial_unexpected_list"]
    keys = each["meta"].get("partial_unexpected_keys", [])
    on = next(
        (f" on {shorten(config['kwargs'][k])}" for k in _COLUMN_KEYS if k in config["kwargs"]), ""
    )
    typer.echo(f"\n{config['type']}{on}: the first rows that break it")
    table = [
        (str(row), *((shorten(keys[at]),) if keys else ()), shorten(values[at]))
        for at, row in enumerate(rows)
    ]
    print_table(("row", *((key or "key",) if keys else ()), "value"), table)


def _print_skew(result: "CheckResult") -> None:
    report = result.details["skew"]
    typer.echo(
        f"\n{result.name}: {report['rows']:,} rows against {report['reference_rows']:,} of "
        f"{result.details['reference']}; a PSI of {report['psi_max']:g} is too much"
    )
    print_table(
        ("verdict", "feature", "psi", "by chance", "rows needed"),
        [
            (
                feature["verdict"],
                feature["name"],
                f"{feature['psi']:.4f}",
                "-" if feature["by_chance"] is None else f"{feature['by_chance']:.4f}",
                "-"
                if feature["verdict"] == "DRIFT"
                else f"{feature['rows_needed']:,}"
                if feature["rows_needed"] is not None
                else f"{feature['reference_needed']:,} on both sides",
            )
            for feature in sorted(report["features"], key=lambda feature: -feature["psi"])
        ],
    )


def shorten(value: Any) -> str:
    """Write a value of a dataset on one line."""
    return _cut(value if isinstance(value, str) and value.isprintable() else _as_json(value))


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
