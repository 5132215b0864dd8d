"""What came of a suite: one outcome an expectation, and the document that says so.

The document has the shape of Great Expectations' own, so that what reads one reads the other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite, isnan
from typing import Final

from triune.domain.canonical import Json
from triune.domain.expectations.suite import Expectation, Suite
from triune.domain.verdict import Verdict

PARTIAL_COUNT: Final = 20


class Method(StrEnum):
    """How an outcome came to be; none of them approximates.

    SCAN is the one pass over the data that all expectations share (what is known from the
    columns' names and types alone counts as that too), SECOND_PASS reads columns again, PYTHON
    judges value by value, GX is Great Expectations itself.
    """

    SCAN = "scan"
    SECOND_PASS = "second_pass"  # noqa: S105 - a pass over data, not a password
    PYTHON = "python"
    GX = "gx"


class ResultFormat(StrEnum):
    """How much a document tells of each outcome, as Great Expectations names it."""

    BOOLEAN_ONLY = "BOOLEAN_ONLY"
    BASIC = "BASIC"
    SUMMARY = "SUMMARY"
    COMPLETE = "COMPLETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """A row that breaks an expectation: its number from 0, what it holds, and whose it is."""

    row: int
    value: Json
    key: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """How many rows an expectation judged, and how many of them broke it.

    ``present`` counts the rows with something to judge; it is None for the expectations that are
    about missing values themselves. ``offenders`` are the first, or all, as was asked.
    """

    total: int
    present: int | None
    unexpected: int
    offenders: tuple[Offender, ...] = ()

    @property
    def judged(self) -> int:
        """The rows that a share is of."""
        return self.total if self.present is None else self.present

    def is_met(self, mostly: float) -> bool:
        """Tell whether at least the share ``mostly`` is as expected; of no rows, all are."""
        return not self.judged or (self.judged - self.unexpected) / self.judged >= mostly


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one expectation.

    ``rows`` is what an expectation about rows counted, ``observed`` what another one saw, as the
    document has it; ``problem`` is why it could not be evaluated, and what to do.
    """

    expectation: Expectation
    verdict: Verdict
    method: Method | None = None
    rows: RowCounts | None = None
    observed: Mapping[str, Json] = field(default_factory=dict)
    problem: str | None = None

    @property
    def is_vacuous(self) -> bool:
        """Whether it was met because there was nothing to judge."""
        return self.rows is not None and not self.rows.judged and self.verdict is Verdict.PASS


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOutcome:
    """What came of a suite, in its order; ``rows`` counts those of the data."""

    suite: Suite
    rows: int
    outcomes: tuple[Outcome, ...]
    result_format: ResultFormat
    partial_count: int = PARTIAL_COUNT

    @property
    def is_met(self) -> bool:
        """Whether each expectation was."""
        return all(outcome.verdict is Verdict.PASS for outcome in self.outcomes)

    @property
    def document(self) -> dict[str, Json]:
        """The outcome as one JSON object, as Great Expectations 1.x writes it."""
        met = sum(outcome.verdict is Verdict.PASS for outcome in self.outcomes)
        evaluated = len(self.outcomes)
        return {
            "success": self.is_met,
            "results": [self._result(outcome) for outcome in self.outcomes],
            "suite_name": self.suite.name,
            "suite_parameters": as_json(self.suite.parameters),
            "statistics": {
                "evaluated_expectations": evaluated,
                "successful_expectations": met,
                "unsuccessful_expectations": evaluated - met,
                "success_percent": _percent(met, evaluated),
            },
            "meta": {"engine": "triune", "rows": self.rows},
            "id": None,
        }

    def _result(self, outcome: Outcome) -> dict[str, Json]:
        expectation = outcome.expectation
        result = {} if self.result_format is ResultFormat.BOOLEAN_ONLY else self._told(outcome)
        return {
            "success": outcome.verdict is Verdict.PASS,
            "expectation_config": {
                "type": expectation.type,
                "kwargs": as_json(expectation.kwargs),
                "meta": as_json(expectation.meta),
                "id": expectation.id,
                "severity": expectation.severity,
            },
            "result": as_json(result),
            "exception_info": {
                "raised_exception": outcome.problem is not None,
                "exception_message": outcome.problem,
                "exception_traceback": None,
            },
            "meta": {"method": outcome.method, "verdict": outcome.verdict, **self._keys(outcome)},
        }

    def _keys(self, outcome: Outcome) -> dict[str, Json]:
        """Tell whose the rows of ``partial_unexpected_list`` are, where that is known."""
        offenders = outcome.rows.offenders[: self.partial_count] if outcome.rows else ()
        keys = [as_json(offender.key) for offender in offenders]
        return {"partial_unexpected_keys": keys} if any(key is not None for key in keys) else {}

    def _told(self, outcome: Outcome) -> dict[str, Json]:
        told = dict(outcome.observed)
        if outcome.rows is None:
            return told
        told |= _basic(outcome.rows, self.partial_count)
        if self.result_format in {ResultFormat.SUMMARY, ResultFormat.COMPLETE}:
            told |= _summary(outcome.rows.offenders, self.partial_count)
        if self.result_format is ResultFormat.COMPLETE:
            told["unexpected_list"] = [offender.value for offender in outcome.rows.offenders]
            told["unexpected_index_list"] = [offender.row for offender in outcome.rows.offenders]
        return told


def as_json(value: Json) -> Json:  # noqa: PLR0911 - one return for each type
    """Reduce a value to what strict JSON can hold, in the shape that people would write it in."""
    if isinstance(value, Mapping):
        return {str(key): as_json(held) for key, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(held) for held in value]
    if isinstance(value, float):
        if isnan(value):
            return None
        return value if isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Decimal):
        return as_json(float(value))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def plain_datetime(moment: datetime) -> datetime:
    """Write a moment without its zone, in UTC, as columns of moments are compared."""
    offset = moment.utcoffset()
    return moment if offset is None else (moment - offset).replace(tzinfo=None)


def _basic(rows: RowCounts, partial_count: int) -> dict[str, Json]:
    told: dict[str, Json] = {
        "element_count": rows.total,
        "unexpected_count": rows.unexpected,
        "unexpected_percent": _percent(rows.unexpected, rows.judged) if rows.total else None,
        "partial_unexpected_list": [each.value for each in rows.offenders[:partial_count]],
    }
    if rows.present is not None:
        missing = rows.total - rows.present
        told |= {
            "missing_count": missing,
            "missing_percent": _percent(missing, rows.total),
            "unexpected_percent_total": _percent(rows.unexpected, rows.total),
            "unexpected_percent_nonmissing": _percent(rows.unexpected, rows.present),
        }
    return told


def _summary(offenders: Sequence[Offender], partial_count: int) -> dict[str, Json]:
    counted = Counter(_hashable(offender.value) for offender in offenders)
    common = counted.most_common(partial_count)
    return {
        "partial_unexpected_index_list": [each.row for each in offenders[:partial_count]],
        "partial_unexpected_counts": [
            {"value": value, "count": count}
            for value, count in sorted(common, key=lambda pair: (-pair[1], str(pair[0])))
        ],
    }


def _hashable(value: Json) -> Json:
    if isinstance(value, Mapping):
        return tuple(value.values())
    return tuple(value) if isinstance(value, list) else value


def _percent(part: int, whole: int) -> float | None:
    # In this order, as Great Expectations has it: the last digit differs in the other.
    return part / whole * 100 if whole else None
