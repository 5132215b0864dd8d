"""What is wrong with data, as findings for people: one for each expectation that is not met."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from triune.domain.canonical import Json
from triune.domain.evidence import Finding
from triune.domain.expectations.outcome import Outcome, RowCounts, SuiteOutcome, as_json
from triune.domain.verdict import Verdict

_SHOWN_ROWS: Final = 3
_LONG: Final = 80
_COLUMN_KEYS: Final = ("column", "column_A", "column_B", "column_list", "column_set")
_BESIDE_ARGUMENTS: Final = (*_COLUMN_KEYS, "condition_parser", "result_format", "meta", "batch_id")


def find_breaches(
    outcome: SuiteOutcome, *, file: str | None = None, written: Sequence[tuple[str, int]] = ()
) -> tuple[Finding, ...]:
    """Tell each expectation that was not met, could not be evaluated, or had nothing to judge.

    Parameters
    ----------
    outcome
        What came of the suite, evaluated with rows (not as ``BOOLEAN_ONLY``).
    file
        The dataset's file, where it is one.
    written
        File and line of each expectation, where those are known; one that could not be evaluated
        is to be mended there.
    """
    return tuple(_findings(outcome, file, written))


def _findings(
    outcome: SuiteOutcome, file: str | None, written: Sequence[tuple[str, int]]
) -> Iterator[Finding]:
    for number, each in enumerate(outcome.outcomes):
        said = _say(each)
        if said is None:
            continue
        if each.verdict is Verdict.ERROR and written:
            place, line = written[number]
            yield Finding(message=f"{_name(each)}: {said}", file=place, line=line)
        else:
            offenders = each.rows.offenders if each.rows else ()
            yield Finding(
                message=f"{_name(each)}: {said}",
                file=file,
                row=offenders[0].row if offenders and each.verdict is Verdict.FAIL else None,
            )


def _say(outcome: Outcome) -> str | None:
    if outcome.verdict is Verdict.ERROR:
        return f"not evaluated: {outcome.problem}"
    if outcome.is_vacuous:
        return "met, but no row held a value to judge"
    if outcome.verdict is Verdict.PASS:
        return None
    if outcome.rows is not None:
        return _say_rows(outcome.rows, outcome.expectation.kwargs.get("mostly"))
    return _say_observed(outcome.observed)


def _say_rows(rows: RowCounts, mostly: Json) -> str:
    share = rows.unexpected / rows.judged
    tolerated = "" if mostly in {None, 1} else f", where {1 - mostly:.4g} may"
    shown = [
        f"row {offender.row} holds {_shorten(offender.value)}"
        for offender in rows.offenders[:_SHOWN_ROWS]
    ]
    rest = ", ..." if rows.unexpected > len(shown) else ""
    where = f"; {', '.join(shown)}{rest}" if shown else ""
    return f"{rows.unexpected} of {rows.judged} rows break it ({share:.4g}{tolerated}){where}"


def _say_observed(observed: Mapping[str, Json]) -> str:
    if (value := observed.get("observed_value")) is not None:
        return f"observed {_shorten(value)}"
    said = []
    for kind in ("unexpected", "missing"):
        if count := observed.get(f"{kind}_count"):
            values = observed.get(f"partial_{kind}_list", [])
            listed = ", ".join(_shorten(value) for value in values[:_SHOWN_ROWS])
            said.append(f"{count} {kind}: {listed}{', ...' if count > _SHOWN_ROWS else ''}")
    return "; ".join(said) or "observed nothing to compare: no row holds a value"


def _name(outcome: Outcome) -> str:
    kwargs = outcome.expectation.kwargs
    columns = [_shorten(kwargs[key]) for key in _COLUMN_KEYS if key in kwargs]
    arguments = ", ".join(
        f"{name}={_shorten(value)}"
        for name, value in kwargs.items()
        if name not in _BESIDE_ARGUMENTS and value is not None
    )
    on = f" on {', '.join(columns)}" if columns else ""
    return f"{outcome.expectation.type}{on}{f' ({arguments})' if arguments else ''}"


def _shorten(value: Json) -> str:
    text = repr(as_json(value))
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
