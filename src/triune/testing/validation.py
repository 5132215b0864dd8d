"""Holds a table against a suite of Great Expectations, outside of any project."""

import json
from collections.abc import Mapping
from pathlib import Path

from triune.domain.canonical import Json
from triune.domain.errors import UsageError
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import read_suite
from triune.testing.tables import Table


def validate(
    data: object,
    suite: Mapping[str, Json] | str | Path,
    result_format: str = "SUMMARY",
    *,
    memory_limit: str | None = None,
) -> dict[str, Json]:
    """Evaluate each expectation of a suite on a table, and tell what came of it.

    Parameters
    ----------
    data
        A path or a glob (Parquet or CSV), a DataFrame of pandas or Polars, an Arrow table, or a
        list of rows, each a dictionary.
    suite
        A suite as Great Expectations writes it (0.x or 1.x): a dictionary, or the file of one.
    result_format
        How much is told of each: BOOLEAN_ONLY, BASIC, SUMMARY or COMPLETE.
    memory_limit
        What may be held in memory at once, such as ``400MB``: the rest is spilled to a disk.
        Without it, what the variable ``TRIUNE_MEMORY_LIMIT`` says, or most of what the machine has.

    Returns
    -------
    dict
        What Great Expectations 1.x writes: ``success``, ``results``, ``statistics``.

    Raises
    ------
    SuiteError
        The suite is missing, or is none.
    DatasetError
        The table is missing, or cannot be read.
    UsageError
        The format or the limit is none.

    Examples
    --------
    >>> suite = {
    ...     "name": "visits",
    ...     "expectations": [
    ...         {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}
    ...     ],
    ... }
    >>> validate([{"id": 1}, {"id": 2}], suite)["success"]
    True
    """
    try:
        told = ResultFormat(result_format)
    except ValueError:
        raise UsageError(
            f"result_format {result_format!r} is not known; use {', '.join(ResultFormat)}"
        ) from None
    if isinstance(suite, Mapping):
        expected = read_suite(json.dumps(suite, default=str).encode(), source="the suite")
    else:
        from triune.adapters.data.expectations.engine import load_suite

        expected = load_suite(Path(suite))
    table = Table(data, root=Path())
    return table.evaluate(expected, result_format=told, memory_limit=memory_limit).document
