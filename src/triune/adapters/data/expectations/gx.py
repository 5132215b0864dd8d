"""Runs expectations that are not known here by Great Expectations itself, where it is installed.

It holds the whole table in memory, as a DataFrame of pandas. An expectation of the user's own is
known once the module that defines it has been imported.
"""

import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from triune.adapters.data.expectations.placed import Table, Unanswerable
from triune.domain.canonical import Json
from triune.domain.expectations.catalogue import nearest_type
from triune.domain.expectations.outcome import Method, Outcome, ResultFormat
from triune.domain.expectations.suite import Expectation
from triune.domain.verdict import Verdict


def is_installed() -> bool:
    """Tell whether Great Expectations could be asked; it is not imported for that."""
    return find_spec("great_expectations") is not None


class GreatExpectations:
    """One table, as Great Expectations sees it.

    Raises
    ------
    DatasetError
        The table cannot be read to its end.
    """

    def __init__(self, table: Table, *, result_format: ResultFormat) -> None:
        # It would tell its makers of every run.
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        names = table.schema.names
        frame = pa.Table.from_batches(table.batches(names), table.schema).to_pandas()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import great_expectations as gx  # noqa: PLC0415 - takes seconds, and may be missing

            source = gx.get_context(mode="ephemeral").data_sources.add_pandas("triune")
            batches = source.add_dataframe_asset("table").add_batch_definition_whole_dataframe(
                "all"
            )
            self._batch = batches.get_batch({"dataframe": frame})
        self._result_format = result_format

    def evaluate(self, expectation: Expectation) -> Outcome:
        """Evaluate one expectation, its arguments as they are.

        Raises
        ------
        Unanswerable
            Great Expectations does not know it either, or refuses its arguments.
        """
        from great_expectations.exceptions import GreatExpectationsError  # noqa: PLC0415 - as above
        from great_expectations.expectations.registry import (  # noqa: PLC0415 - as above
            get_expectation_impl,
        )

        try:
            known = get_expectation_impl(expectation.type)
        except GreatExpectationsError as error:
            raise Unanswerable(
                f"Great Expectations knows no {expectation.type!r} either; the nearest is "
                f"{nearest_type(expectation.type)!r}; correct the name, or, if it is one of your "
                "own, hold the data against it in a test that imports it: "
                "`triune.testing.validate`"
            ) from error
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                asked = known(**expectation.kwargs)
                told = self._batch.validate(asked, result_format=str(self._result_format))
        # Whatever somebody's own expectation raises.
        except Exception as error:
            cause = str(error).partition("\n")[0]
            raise Unanswerable(
                f"Great Expectations cannot evaluate it: {type(error).__name__}: {cause}"
            ) from error
        return _outcome(expectation, told.to_json_dict())


def _outcome(expectation: Expectation, told: Mapping[str, Any]) -> Outcome:
    if problem := _problem(told["exception_info"]):
        return Outcome(
            expectation=expectation,
            verdict=Verdict.ERROR,
            method=Method.GX,
            problem=f"Great Expectations cannot evaluate it: {problem}",
        )
    return Outcome(
        expectation=expectation,
        verdict=Verdict.PASS if told["success"] else Verdict.FAIL,
        method=Method.GX,
        observed=told["result"],
    )


def _problem(info: Mapping[str, Json]) -> str | None:
    """Find what was raised: it is told once, or once for each thing that was measured."""
    if "raised_exception" in info:
        return info["exception_message"] if info["raised_exception"] else None
    raised = [each["exception_message"] for each in info.values() if each["raised_exception"]]
    return raised[0] if raised else None
