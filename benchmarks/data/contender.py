"""Judges one table once, by one library, in a process of its own: `contender.py NAME JOB`.

It is run by path, with the Python of the environment that the library is installed in.
"""

# Each library is imported by its own contender alone: the import is a part of what is measured.
# ruff: noqa: PLC0415
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def triune(job: Job) -> bool:
    """Evaluate the suite by Triune."""
    from datetime import UTC, datetime

    from triune.adapters.data.duckdb import DuckDbEngine
    from triune.adapters.data.session import Workspace
    from triune.domain.expectations.outcome import ResultFormat
    from triune.domain.expectations.suite import read_suite

    workspace = Workspace(memory_limit=job["memory_limit"])
    outcome = DuckDbEngine(workspace=workspace).evaluate(
        [Path(job["table"])],
        format="parquet",
        suite=read_suite(job["suite"]),
        now=datetime.now(UTC),
        result_format=ResultFormat.SUMMARY,
    )
    return outcome.is_met


def by_hand(job: Job) -> bool:
    """Ask the same by one query, written by hand."""
    import duckdb

    asks = [ask for each in job["suite"]["expectations"] for ask in _by_hand(each)]
    with duckdb.connect() as database:
        if job["memory_limit"]:
            database.execute(f"SET memory_limit = '{job['memory_limit']}'")
        row = database.execute(
            f"SELECT {', '.join(asks)} FROM read_parquet('{job['table']}')"
        ).fetchone()
    return row is not None and all(value is not None for value in row)


def _by_hand(each: dict[str, Any]) -> list[str]:
    kwargs = each["kwargs"]
    column = kwargs["column"]
    match each["type"].removeprefix("expect_column_"):
        case "values_to_be_between":
            breaks = f"{column} < {kwargs['min_value']} OR {column} > {kwargs['max_value']}"
            return [f"count({column})", f"count_if({breaks})"]
        case "values_to_not_be_null":
            return [f"count_if({column} IS NULL)"]
        case "values_to_be_in_set":
            values = ", ".join(f"'{value}'" for value in kwargs["value_set"])
            return [f"count({column})", f"count_if({column} NOT IN ({values}))"]
        case "values_to_match_regex":
            matches = f"regexp_matches({column}, '{kwargs['regex']}')"
            return [f"count({column})", f"count_if(NOT {matches})"]
        case aggregate:
            function = aggregate.removesuffix("_to_be_between")
            return [
                f"{ {'mean': 'fsum', 'stdev': 'stddev_samp'}.get(function, function) }({column})"
            ]


def great_expectations(job: Job) -> bool:
    """Evaluate the suite by Great Expectations, on pandas."""
    import os

    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd

    frame = pd.read_parquet(job["table"])
    suite = gx.ExpectationSuite(
        name="benchmark",
        expectations=[{**each, "meta": {}} for each in job["suite"]["expectations"]],
    )
    asset = (
        gx.get_context(mode="ephemeral")
        .data_sources.add_pandas("pandas")
        .add_dataframe_asset("table")
    )
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    return bool(batch.validate(suite).success)


def pandera(job: Job) -> bool:
    """Validate the same by Pandera, on pandas."""
    import pandas as pd
    import pandera.pandas as pa

    checks: dict[str, list[Any]] = {}
    for each in job["suite"]["expectations"]:
        kwargs = each["kwargs"]
        checks.setdefault(kwargs["column"], []).append(_pandera_check(pa, each["type"], kwargs))
    schema = pa.DataFrameSchema(
        {name: pa.Column(checks=held, nullable=True) for name, held in checks.items()}
    )
    schema.validate(pd.read_parquet(job["table"]), lazy=True)
    return True


def _pandera_check(pa: Any, type_: str, kwargs: dict[str, Any]) -> Any:
    low, high = kwargs.get("min_value", float("-inf")), kwargs.get("max_value", float("inf"))
    match type_.removeprefix("expect_column_"):
        case "values_to_be_between":
            return pa.Check.in_range(low, high)
        case "values_to_not_be_null":
            return pa.Check(lambda held: held.notna().mean() >= kwargs["mostly"], ignore_na=False)
        case "values_to_be_in_set":
            return pa.Check.isin(kwargs["value_set"])
        case "values_to_match_regex":
            return pa.Check.str_matches(kwargs["regex"])
        case aggregate:
            name = aggregate.removesuffix("_to_be_between")
            function = {"stdev": "std"}.get(name, name)
            return pa.Check(lambda held: low <= getattr(held, function)() <= high)


def pointblank(job: Job) -> bool:
    """Interrogate the same by Pointblank, on Polars."""
    import pointblank as pb
    import polars as pl

    asked = pb.Validate(pl.read_parquet(job["table"]))
    for each in job["suite"]["expectations"]:
        asked = _pointblank_step(pl, asked, each["type"], each["kwargs"])
    return bool(asked.interrogate(get_first_n=20).all_passed())


def _pointblank_step(pl: Any, asked: Any, type_: str, kwargs: dict[str, Any]) -> Any:
    column = kwargs["column"]
    low, high = kwargs.get("min_value", -1e308), kwargs.get("max_value", 1e308)
    match type_.removeprefix("expect_column_"):
        case "values_to_be_between":
            return asked.col_vals_between(column, left=low, right=high, na_pass=True)
        case "values_to_not_be_null":
            share = pl.col(column).is_not_null().mean() >= kwargs["mostly"]
            return asked.col_vals_expr(share)
        case "values_to_be_in_set":
            return asked.col_vals_in_set(column, set=kwargs["value_set"])
        case "values_to_match_regex":
            return asked.col_vals_regex(column, pattern=kwargs["regex"])
        case aggregate:
            name = aggregate.removesuffix("_to_be_between")
            value = getattr(pl.col(column), {"stdev": "std"}.get(name, name))()
            return asked.col_vals_expr(value.is_between(low, high))


def triune_drift(job: Job) -> bool:
    """Freeze the profile of one table, count another into it, and compare the two."""
    from triune.adapters.data.duckdb import DuckDbEngine
    from triune.domain.drift_report import compare_profiles

    engine = DuckDbEngine()
    reference = engine.drift_profile([Path(job["table"])], format="parquet", columns=job["columns"])
    current = engine.count_into([Path(job["other"])], format="parquet", reference=reference)
    return len(compare_profiles(reference, current, threshold=0.2).features) == len(job["columns"])


def evidently_drift(job: Job) -> bool:
    """Compare the two by Evidently's preset."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    reference, current = (
        pd.read_parquet(job[name], columns=job["columns"]) for name in ("table", "other")
    )
    Report([DataDriftPreset()]).run(current, reference).dict()
    return True


CONTENDERS: dict[str, Callable[[Job], bool]] = {
    "triune": triune,
    "by hand": by_hand,
    "great_expectations": great_expectations,
    "pandera": pandera,
    "pointblank": pointblank,
    "triune drift": triune_drift,
    "evidently drift": evidently_drift,
}

if __name__ == "__main__":
    name, job = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    sys.exit(0 if CONTENDERS[name](job) else 1)
