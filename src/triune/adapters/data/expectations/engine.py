"""Evaluates a suite on a table: one scan for all that can share it, and what remains after."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from triune.adapters.data.expectations.gx import GreatExpectations, is_installed
from triune.adapters.data.expectations.passes import Passes
from triune.adapters.data.expectations.placed import (
    ROW,
    SOURCE,
    PlacedColumn,
    PlacedTable,
    Table,
    Unanswerable,
)
from triune.adapters.data.expectations.questions import (
    Answer,
    Counted,
    Flagged,
    Observed,
    Question,
    ask,
)
from triune.adapters.data.expectations.row_rules import ROW_RULES, as_python
from triune.adapters.data.expectations.table_rules import TABLE_RULES
from triune.adapters.data.expectations.value_rules import VALUE_RULES
from triune.adapters.data.session import ANYWHERE, Workspace, open_session
from triune.domain.canonical import Json
from triune.domain.expectations.catalogue import (
    canonical_type,
    find_contradiction,
    find_problem,
    find_signature,
)
from triune.domain.expectations.outcome import (
    PARTIAL_COUNT,
    Offender,
    Outcome,
    ResultFormat,
    RowCounts,
    SuiteOutcome,
)
from triune.domain.expectations.parameters import ParameterError, resolve
from triune.domain.expectations.suite import Expectation, Suite, SuiteError, read_suite
from triune.domain.verdict import Verdict

_RULES: Final = {**ROW_RULES, **VALUE_RULES, **TABLE_RULES}
# SQL takes ever longer to plan queries of more: its time grows faster than their number.
_ASKS_A_QUERY: Final = 256
_FLAGS_A_PASS: Final = 64


def load_suite(path: Path) -> Suite:
    """Read a suite from a file of Great Expectations'.

    Raises
    ------
    SuiteError
        It is missing, or no suite.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SuiteError(
            f"{path} cannot be read: {error.strerror}; name the file of a suite"
        ) from error
    return read_suite(content, source=str(path))


def evaluate(  # noqa: PLR0913 - each says another thing
    table: Table,
    suite: Suite,
    *,
    now: datetime,
    result_format: ResultFormat = ResultFormat.SUMMARY,
    partial_count: int = PARTIAL_COUNT,
    key: str | None = None,
    workspace: Workspace = ANYWHERE,
) -> SuiteOutcome:
    """Evaluate each expectation of a suite, in its order.

    Parameters
    ----------
    table
        What it is evaluated on; it is read once for all that can share a scan.
    suite
        The expectations. What cannot be evaluated becomes an outcome that says why.
    now
        What the parameter ``now()`` stands for.
    result_format
        How much is to be told: rows are not looked for by BOOLEAN_ONLY, and all of them by
        COMPLETE.
    partial_count
        How many rows the others show.
    key
        The column that tells whose a row is, for the rows that are shown; it may be missing.
    workspace
        Where, and within how much memory, it is evaluated.

    Raises
    ------
    DatasetError
        The table cannot be read to its end.
    """
    files = [path for path, _ in table.sql_files]
    with open_session(files, workspace=workspace) as session:
        limit = None if result_format is ResultFormat.COMPLETE else partial_count
        if result_format is ResultFormat.BOOLEAN_ONLY:
            limit = 0
        placed = PlacedTable(table)
        passes = Passes(session, table, placed, limit=limit)
        run = _Run(placed, passes, elsewhere=_Elsewhere(table, result_format))
        outcomes = run.evaluate(suite, now)
        if key in placed.columns:
            outcomes = _with_keys(outcomes, placed.columns[key], passes, most=partial_count)
    return SuiteOutcome(
        suite=suite,
        rows=table.rows,
        outcomes=outcomes,
        result_format=result_format,
        partial_count=partial_count,
    )


@dataclass(frozen=True, slots=True)
class _Posed:
    """A question, and the number of its expectation in the suite."""

    number: int
    question: Question


class _Elsewhere:
    """Asks Great Expectations for what is not known here, where it is installed."""

    def __init__(self, table: Table, result_format: ResultFormat) -> None:
        self._table = table
        self._result_format = result_format
        self._opened: GreatExpectations | None = None

    def evaluate(self, expectation: Expectation) -> Outcome:
        if self._opened is None:
            self._opened = GreatExpectations(self._table, result_format=self._result_format)
        return self._opened.evaluate(expectation)


class _Run:
    def __init__(self, table: PlacedTable, passes: Passes, *, elsewhere: _Elsewhere) -> None:
        self._elsewhere = elsewhere
        self._answered: dict[int, Outcome] = {}
        self._table = table
        self._passes = passes
        self._problems: dict[int, str] = {}
        self._answers: dict[int, Answer] = {}
        self._kwargs: dict[int, Mapping[str, Json]] = {}

    def evaluate(self, suite: Suite, now: datetime) -> tuple[Outcome, ...]:
        posed = list(self._pose(suite, now))
        for chunk in _chunks(posed):
            for each, answers in self._scan(chunk):
                self._conclude(each, answers)
        offenders = self._show()
        return tuple(
            self._outcome(number, expectation, offenders.get(number, ()))
            for number, expectation in enumerate(suite.expectations)
        )

    def _pose(self, suite: Suite, now: datetime) -> Iterator[_Posed]:
        for number, expectation in enumerate(suite.expectations):
            try:
                kwargs = resolve(expectation.kwargs, suite.parameters, now=now)
            except ParameterError as error:
                self._problems[number] = str(error)
                continue
            self._kwargs[number] = kwargs
            if find_signature(expectation.type) is None and is_installed():
                self._ask_elsewhere(number, replace(expectation, kwargs=kwargs))
                continue
            if problem := find_problem(expectation, kwargs):
                self._problems[number] = problem
                continue
            type_ = canonical_type(expectation.type)
            try:
                question = _RULES[type_](ask(type_, kwargs, self._table, self._passes))
            except Unanswerable as error:
                self._problems[number] = str(error)
            else:
                yield _Posed(number, question)

    def _ask_elsewhere(self, number: int, expectation: Expectation) -> None:
        try:
            self._answered[number] = self._elsewhere.evaluate(expectation)
        except Unanswerable as error:
            self._problems[number] = str(error)

    def _scan(self, chunk: Sequence[_Posed]) -> Iterator[tuple[_Posed, Sequence[Any]]]:
        """Ask all at once; where that fails, one by one, to tell whose fault it is."""
        try:
            answers = self._ask(chunk)
        except duckdb.Error:
            if len(chunk) > 1:
                for each in chunk:
                    yield from self._scan([each])
                return
            (each,) = chunk
            self._passes.require_readable(each.question.columns)
            self._conclude_failing(each)
            return
        for each in chunk:
            yield each, [answers[ask_] for ask_ in each.question.asks]

    def _ask(self, chunk: Sequence[_Posed]) -> Mapping[str, Any]:
        asks = list(dict.fromkeys(ask_ for each in chunk for ask_ in each.question.asks))
        if not asks:
            return {}
        columns = frozenset[str]().union(*(each.question.columns for each in chunk))
        return dict(zip(asks, self._passes.scan(columns, asks), strict=True))

    def _conclude_failing(self, each: _Posed) -> None:
        try:
            self._ask([each])
        except duckdb.Error as error:
            self._problems[each.number] = _explain(error)

    def _conclude(self, each: _Posed, answers: Sequence[Any]) -> None:
        try:
            self._answers[each.number] = each.question.conclude(answers, self._passes)
        except Unanswerable as error:
            self._problems[each.number] = str(error)
        except duckdb.Error as error:
            if self._passes.leave_files(each.question.columns):
                self._conclude(each, answers)
                return
            self._passes.require_readable(each.question.columns)
            self._problems[each.number] = _explain(error)

    def _show(self) -> dict[int, tuple[Offender, ...]]:
        """Find rows that break expectations, the first or all, for many in one pass."""
        shown: dict[int, tuple[Offender, ...]] = {}
        flagged: list[tuple[int, Flagged, int]] = []
        for number, answer in self._answers.items():
            if not isinstance(answer, Counted) or not answer.unexpected:
                continue
            if isinstance(answer.offenders, tuple):
                shown[number] = answer.offenders
                continue
            limit = self._passes.limit
            wanted = answer.unexpected if limit is None else min(limit, answer.unexpected)
            if wanted:
                flagged.append((number, answer.offenders, wanted))
        for start in range(0, len(flagged), _FLAGS_A_PASS):
            shown |= self._show_flagged(flagged[start : start + _FLAGS_A_PASS])
        return shown

    def _show_flagged(
        self, flagged: Sequence[tuple[int, Flagged, int]]
    ) -> dict[int, tuple[Offender, ...]]:
        if self._passes.limit is None:
            return self._show_all(flagged)
        rows = self._first_rows(flagged)
        values = self._read_rows(
            [each for _, each, _ in flagged], sorted({row for each in rows for row in each})
        )
        return {
            number: tuple(
                Offender(
                    row=row, value=each.label([values[row][column.sql] for column in each.shown])
                )
                for row in own
            )
            for (number, each, _), own in zip(flagged, rows, strict=True)
        }

    def _first_rows(self, flagged: Sequence[tuple[int, Flagged, int]]) -> list[list[int]]:
        flags = ", ".join(f"({each.sql}) AS f{at}" for at, (_, each, _) in enumerate(flagged))
        firsts = ", ".join(
            f"min(CASE WHEN f{at} THEN {ROW} END, {wanted})"
            for at, (_, _, wanted) in enumerate(flagged)
        )
        query = f"SELECT {firsts} FROM (SELECT {ROW}, {flags} FROM {SOURCE})"  # noqa: S608 - no name of theirs
        (rows,) = self._passes.ask(_columns(each for _, each, _ in flagged), query)
        return [sorted(own or ()) for own in rows]

    def _read_rows(
        self, flagged: Sequence[Flagged], rows: Sequence[int]
    ) -> dict[int, dict[str, Any]]:
        shown = {column.sql: column.name for each in flagged for column in each.shown}
        numbers = ", ".join(str(row) for row in rows)
        query = f"SELECT {', '.join([ROW, *shown])} FROM {SOURCE} WHERE {ROW} IN ({numbers})"  # noqa: S608 - no name of theirs
        found: dict[int, dict[str, Any]] = {}
        for batch in self._passes.stream(shown.values(), query):
            columns = {name: as_python(batch.column(name)) for name in [ROW, *shown]}
            for at, row in enumerate(columns[ROW]):
                found[row] = {name: columns[name][at] for name in shown}
            if len(found) == len(rows):
                break
        return found

    def _show_all(
        self, flagged: Sequence[tuple[int, Flagged, int]]
    ) -> dict[int, tuple[Offender, ...]]:
        found: dict[int, list[Offender]] = {number: [] for number, _, _ in flagged}
        values = dict.fromkeys(column.sql for _, each, _ in flagged for column in each.shown)
        flags = [f"({each.sql}) AS f{at}" for at, (_, each, _) in enumerate(flagged)]
        any_flag = " OR ".join(f"f{at}" for at in range(len(flagged)))
        query = (
            f"SELECT * FROM (SELECT {', '.join([ROW, *values, *flags])} FROM {SOURCE}) "  # noqa: S608 - no name of theirs
            f"WHERE {any_flag} ORDER BY {ROW}"
        )
        for batch in self._passes.stream(_columns(each for _, each, _ in flagged), query):
            for at, (number, each, _) in enumerate(flagged):
                found[number] += _take(batch, f"f{at}", each)
        return {number: tuple(offenders) for number, offenders in found.items()}

    def _outcome(
        self, number: int, expectation: Expectation, offenders: tuple[Offender, ...]
    ) -> Outcome:
        # As it was evaluated: with values in the place of parameters.
        evaluated = replace(expectation, kwargs=self._kwargs.get(number, expectation.kwargs))
        if number in self._answered:
            return self._answered[number]
        if number in self._problems:
            return Outcome(
                expectation=evaluated, verdict=Verdict.ERROR, problem=self._problems[number]
            )
        outcome = self._concluded(number, evaluated, offenders)
        if problem := find_contradiction(evaluated.kwargs):
            return replace(outcome, verdict=Verdict.ERROR, problem=problem)
        return outcome

    def _concluded(
        self, number: int, evaluated: Expectation, offenders: tuple[Offender, ...]
    ) -> Outcome:
        match self._answers[number]:
            case Observed(is_met=is_met, told=told, method=method):
                return Outcome(
                    expectation=evaluated, verdict=_verdict(is_met), method=method, observed=told
                )
            case Counted(total=total, present=present, unexpected=unexpected, method=method):
                rows = RowCounts(
                    total=total, present=present, unexpected=unexpected, offenders=offenders
                )
                mostly = evaluated.kwargs.get("mostly")
                return Outcome(
                    expectation=evaluated,
                    verdict=_verdict(rows.is_met(1.0 if mostly is None else mostly)),
                    method=method,
                    rows=rows,
                )


def _with_keys(
    outcomes: Sequence[Outcome], key: PlacedColumn, passes: Passes, *, most: int
) -> tuple[Outcome, ...]:
    """Tell whose the first offending rows are, having read the key's column once more."""
    rows = sorted({offender.row for each in outcomes for offender in _offenders(each)[:most]})
    if not rows:
        return tuple(outcomes)
    numbers = ", ".join(str(row) for row in rows)
    found = passes.ask(
        [key.name],
        f"SELECT {ROW}, {key.sql} FROM {SOURCE} WHERE {ROW} IN ({numbers})",  # noqa: S608 - no name of theirs
    )
    keys = dict(found)
    return tuple(
        replace(
            each,
            rows=replace(
                each.rows,
                offenders=tuple(
                    replace(offender, key=keys[offender.row]) if offender.row in keys else offender
                    for offender in each.rows.offenders
                ),
            ),
        )
        if each.rows
        else each
        for each in outcomes
    )


def _offenders(outcome: Outcome) -> tuple[Offender, ...]:
    return outcome.rows.offenders if outcome.rows else ()


def _chunks(posed: Iterable[_Posed]) -> Iterator[list[_Posed]]:
    chunk: list[_Posed] = []
    asks: set[str] = set()
    for each in posed:
        if chunk and len(asks | set(each.question.asks)) > _ASKS_A_QUERY:
            yield chunk
            chunk, asks = [], set()
        chunk.append(each)
        asks |= set(each.question.asks)
    if chunk:
        yield chunk


def _columns(flagged: Iterable[Flagged]) -> frozenset[str]:
    return frozenset[str]().union(*(each.columns for each in flagged))


def _take(batch: pa.RecordBatch, flag: str, flagged: Flagged) -> list[Offender]:
    taken = batch.filter(batch.column(flag))
    shown = [as_python(taken.column(column.sql)) for column in flagged.shown]
    return [
        Offender(row=row, value=flagged.label(values))
        for row, values in zip(as_python(taken.column(ROW)), zip(*shown, strict=True), strict=True)
    ]


def _verdict(is_met: bool) -> Verdict:  # noqa: FBT001 - what it is called for
    return Verdict.PASS if is_met else Verdict.FAIL


def _explain(error: duckdb.Error) -> str:
    cause = str(error).partition("\n")[0]
    return f"it cannot be calculated on this data: {cause}; look at the column's values"
