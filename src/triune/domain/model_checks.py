"""Decides what a check of the model came to, from what was measured; scores and measures nothing.

Where there is nothing to be said (a slice of too few rows, a behaviour in a column without a value)
the verdict is PASS, so that it vetoes nothing, and the reason says so: it is shown as that reason
and never as passed.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from triune.domain.canonical import Json
from triune.domain.errors import nearest
from triune.domain.evidence import Finding, Judgement
from triune.domain.manifest import Field, FieldType, Outputs
from triune.domain.project import BehaviourSpec, SliceSpec
from triune.domain.verdict import Reason, Verdict, worst
from triune.domain.wording import counted
from triune.stats.estimate import Estimate
from triune.stats.power import rows_to_settle

MOST_FINDINGS: Final = 10
"""Rows that are named, of those with the same thing wrong."""

# What is left of a sum of probabilities that were rounded to single precision, and a bit more.
_TOLERANCE: Final = 1e-4
# Two answers this close differ by rounding alone.
_ROUNDING: Final = 1e-12

_Array = npt.NDArray[Any]
_Floats = npt.NDArray[np.float64]


class ModelReason(StrEnum):
    """Why a check of the model came out as it did."""

    HOLDOUT_SOUND = "HOLDOUT_SOUND"
    ROWS_REPEAT = "ROWS_REPEAT"
    ONE_LABEL = "ONE_LABEL"
    NO_ROWS = "NO_ROWS"
    PREDICTIONS_VALID = "PREDICTIONS_VALID"
    PREDICTIONS_INVALID = "PREDICTIONS_INVALID"
    PREDICTIONS_CONSTANT = "PREDICTIONS_CONSTANT"
    NOT_SCORED = "NOT_SCORED"
    NOT_MET = "NOT_MET"
    FLOOR_HELD = "FLOOR_HELD"
    FLOOR_MISSED = "FLOOR_MISSED"
    FLOOR_UNSURE = "FLOOR_UNSURE"
    TOO_FEW_ROWS = "TOO_FEW_ROWS"
    NO_FLOOR = "NO_FLOOR"
    UNDERPOWERED = "UNDERPOWERED"
    BEHAVIOUR_HELD = "BEHAVIOUR_HELD"
    BEHAVIOUR_BROKEN = "BEHAVIOUR_BROKEN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The worst value of a metric that a model may have: the least, or of a loss the greatest."""

    metric: str
    worst: float
    higher_is_better: bool

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.higher_is_better else '<='} {self.worst:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A metric that has a floor, on some rows.

    ``estimate`` is None where they are too few, of a class perhaps: ``shortage`` says of what.
    """

    floor: Floor
    estimate: Estimate | None
    shortage: str = ""


def judge_holdout(
    *,
    rows: int,
    labels: Mapping[str, int],
    subjects: int,
    has_key: bool,
) -> Judgement:
    """Tell what a holdout can say at all.

    Parameters
    ----------
    labels
        The rows of each label that occurs; for numbers it need not name more than two.
    subjects
        How many different keys there are; without a key, how many different rows.
    has_key
        Whether the project names a column that tells subjects apart.
    """
    figures = {"rows": rows, "subjects": subjects}
    if rows == 0:
        return _judge_empty()
    if len(labels) == 1:
        (label,) = labels
        message = (
            f"{_all_of(rows)} of the holdout has the label {label}, so that it cannot tell good "
            "predictions from bad ones; label rows of other kinds"
        )
        return _judge(Verdict.INCONCLUSIVE, ModelReason.ONE_LABEL, message, figures=figures)
    repeats = rows - subjects
    if repeats and not has_key:
        message = (
            f"{repeats} of {rows} rows repeat another one in every column, and count as one with "
            "it; if they are different subjects, name the column that tells them apart as model.key"
        )
        return _judge(Verdict.PASS, ModelReason.ROWS_REPEAT, message, figures=figures)
    of = f" of {subjects} subjects, whose rows count together" if repeats else ""
    return _judge(
        Verdict.PASS, ModelReason.HOLDOUT_SOUND, f"{rows} labelled rows{of}", figures=figures
    )


def judge_predictions(
    *, rows: int, labels: _Array, probabilities: _Floats | None, outputs: Outputs, task: str
) -> Judgement:
    """Pass where each row has a finite valid prediction, and they are not all the same."""
    if rows == 0:
        message = "the dataset has no rows, so that nothing was predicted"
        return _judge(Verdict.INCONCLUSIVE, ModelReason.NO_ROWS, message)
    if wrong := _wrong_shape(rows, labels, probabilities, outputs):
        return _judge(Verdict.FAIL, ModelReason.PREDICTIONS_INVALID, wrong, figures={"rows": rows})
    if invalid := _invalid(labels, probabilities, outputs, task):
        message = (
            f"{len(invalid)} of {rows} rows have no valid prediction; look at what the model makes "
            "of the rows that are named"
        )
        return _judge(
            Verdict.FAIL,
            ModelReason.PREDICTIONS_INVALID,
            message,
            findings=invalid[:MOST_FINDINGS],
            figures={"rows": rows, "invalid": len(invalid)},
        )
    scores = _scores(labels, probabilities, task)
    figures: dict[str, float] = {"rows": rows}
    if scores is not None and scores.ndim == 1:
        figures |= {"least": float(scores.min()), "greatest": float(scores.max())}
    if rows > 1 and _is_constant(labels, scores):
        answer = labels[0] if scores is None or scores.ndim > 1 else f"{scores[0]:g}"
        message = (
            f"the model answers the same for every row: {answer} for each of {rows}; look at its "
            "features, and at what it was trained on"
        )
        return _judge(Verdict.FAIL, ModelReason.PREDICTIONS_CONSTANT, message, figures=figures)
    return _judge(
        Verdict.PASS,
        ModelReason.PREDICTIONS_VALID,
        f"each of {rows} rows has a valid prediction",
        figures=figures,
    )


def judge_unscored(message: str) -> Judgement:
    """Fail where the model, asked for predictions, raised or broke its worker."""
    return _judge(Verdict.FAIL, ModelReason.PREDICTIONS_INVALID, message)


def judge_not_scored() -> Judgement:
    """Say that there are no predictions to look at."""
    return _judge(
        # The check of the predictions says what is wrong, and how badly.
        Verdict.INCONCLUSIVE,
        ModelReason.NOT_SCORED,
        "there are no valid predictions to look at; see the check `predictions`",
    )


def judge_not_met() -> Judgement:
    """Say that the predictions did not meet the labels."""
    return _judge(
        # The check of the holdout says why, once for all that is measured on it.
        Verdict.INCONCLUSIVE,
        ModelReason.NOT_MET,
        "the predictions did not meet the labels; see the check `holdout`",
    )


def judge_refused(reason: Reason) -> Judgement:
    """Say that the predictions may not meet the labels."""
    return Judgement(verdict=Verdict.INCONCLUSIVE, reason=reason)


def judge_floor(measured: Measured, *, rows: int) -> Judgement:
    """Pass where both bounds hold the floor, fail where neither does."""
    estimate, floor = measured.estimate, measured.floor
    if estimate is None:
        return _judge(
            Verdict.INCONCLUSIVE,
            ModelReason.TOO_FEW_ROWS,
            f"{floor.metric} cannot be judged: {measured.shortage}",
            figures={"floor": floor.worst, "rows": rows},
        )
    verdict, reason, message = _judge_estimate(floor, estimate, rows)
    return _judge(
        verdict,
        reason,
        message,
        figures={
            "estimate": estimate.value,
            "lower": estimate.bounds.lower,
            "upper": estimate.bounds.upper,
            "floor": floor.worst,
            "rows": rows,
        },
    )


def judge_slice(spec: SliceSpec, *, rows: int, measured: Sequence[Measured]) -> Judgement:
    """Judge a slice by its floors, where it has the rows for it.

    Too few rows, in all or of a class, are shown as UNDERPOWERED, and veto where it is required.
    """
    figures: dict[str, float] = {"rows": rows, "min_rows": spec.min_rows}
    for each in measured:
        name = each.floor.metric
        figures[f"{name}_floor"] = each.floor.worst
        if each.estimate is not None:
            figures[name] = each.estimate.value
            figures[f"{name}_lower"] = each.estimate.bounds.lower
            figures[f"{name}_upper"] = each.estimate.bounds.upper
    if shortage := is_short(spec, rows=rows) or _shortages(measured):
        verdict = Verdict.INCONCLUSIVE if spec.required else Verdict.PASS
        demand = "; it is required" if spec.required else ""
        return _judge(
            verdict, ModelReason.UNDERPOWERED, f"not judged: {shortage}{demand}", figures=figures
        )
    if not measured:
        message = f"{rows} rows, and no floor to hold here"
        return _judge(Verdict.PASS, ModelReason.NO_FLOOR, message, figures=figures)
    judged = [
        _judge_estimate(each.floor, each.estimate, rows)
        for each in measured
        if each.estimate is not None
    ]
    verdict = worst(each[0] for each in judged)
    decisive = [each for each in judged if each[0] is verdict]
    return _judge(verdict, decisive[0][1], "; ".join(each[2] for each in decisive), figures=figures)


def is_short(spec: SliceSpec, *, rows: int) -> str:
    """Say of what a slice has too few, before any label is looked at; nothing where it has not."""
    if rows == 0:
        return f"no row of the holdout is in it, where {spec.min_rows} are asked"
    if rows < spec.min_rows:
        verb = "is" if rows == 1 else "are"
        held = f"{counted(rows, 'row')} of the holdout {verb} in it"
        return f"{held}, where {spec.min_rows} are asked"
    return ""


def judge_behaviour(
    spec: BehaviourSpec,
    *,
    against: _Floats,
    given: _Floats,
    notes: Sequence[str] = (),
    shown: tuple[_Array, _Array] | None = None,
) -> Judgement:
    """Pass where enough rows answer to the change as they should.

    Parameters
    ----------
    against, given
        What each row scores with the values of ``against``, and with those of ``set``.
    notes
        What is odd about the values themselves.
    shown
        What to show instead of the scores.
    """
    rows = len(given)
    if rows == 0:
        return _judge_empty()
    change = given - against
    holds = {
        "increase": change > 0,
        "decrease": change < 0,
        "same": np.abs(change) <= spec.tolerance + _ROUNDING,
    }[spec.expect]
    held = int(holds.sum())
    figures = {
        "rows": rows,
        "held": held,
        "share": held / rows,
        "at_least": spec.at_least,
        "mean_change": float(change.mean()),
    }
    before, after = shown or (against, given)
    wrong = [
        Finding(
            message=f"{_write(spec.against)}: {_show(before[row])}; {_write(spec.set)}: "
            f"{_show(after[row])}",
            row=int(row),
        )
        for row in np.flatnonzero(~holds)[:MOST_FINDINGS]
    ]
    meant = f"stay within {spec.tolerance:g}" if spec.expect == "same" else spec.expect
    message = (
        f"predictions {meant} from {_write(spec.against)} to {_write(spec.set)} in {held} of "
        f"{rows} rows ({held / rows:.1%}), where {spec.at_least:.1%} are asked"
    )
    is_enough = held >= spec.at_least * rows - _ROUNDING * rows
    return _judge(
        Verdict.PASS if is_enough else Verdict.FAIL,
        ModelReason.BEHAVIOUR_HELD if is_enough else ModelReason.BEHAVIOUR_BROKEN,
        "; ".join([message, *notes]),
        findings=[*(Finding(message=note) for note in notes), *wrong],
        figures=figures,
    )


def judge_not_applicable(columns: Sequence[str]) -> Judgement:
    """Say that no row has a value in columns that a behaviour is about."""
    listed = ", ".join(repr(column) for column in columns)
    return _judge(
        Verdict.PASS,
        ModelReason.NOT_APPLICABLE,
        f"not judged: no row of the holdout has a value in {listed}",
    )


def misfit(field: Field, value: Json) -> str | None:
    """Say why the model could not be given a value in one of its columns; None where it could."""
    if value is None:
        return None if field.nullable else "it is missing, where the training data had every value"
    if field.categories is not None and value not in field.categories:
        hint = nearest(str(value), field.categories) or _list(field.categories)
        return f"it is none of the column's categories{hint}"
    if not _HELD[field.type](value):
        return f"the training data holds {field.type} there"
    return None


def _judge_estimate(
    floor: Floor, estimate: Estimate, rows: int
) -> tuple[Verdict, ModelReason, str]:
    lower, upper = estimate.bounds.lower, estimate.bounds.upper
    between = f"[{lower:.4f}, {upper:.4f}]"
    shown = f"{floor.metric} is {estimate.value:.4f}, in {between}, on {counted(rows, 'row')}"
    clears = lower >= floor.worst if floor.higher_is_better else upper <= floor.worst
    misses = upper < floor.worst if floor.higher_is_better else lower > floor.worst
    if clears:
        return Verdict.PASS, ModelReason.FLOOR_HELD, f"{shown}: clearly {floor}"
    if misses:
        return Verdict.FAIL, ModelReason.FLOOR_MISSED, f"{shown}: clearly not {floor}"
    needed = rows_to_settle(
        estimate.value - floor.worst,
        standard_error=estimate.standard_error,
        rows=rows,
        alpha=estimate.bounds.alpha,
    )
    advice = f"; some {needed} rows would tell" if needed and needed > rows else ""
    return (
        Verdict.INCONCLUSIVE,
        ModelReason.FLOOR_UNSURE,
        f"{shown}: whether it is {floor} cannot be told{advice}",
    )


def _shortages(measured: Sequence[Measured]) -> str:
    return "; ".join(each.shortage for each in measured if each.estimate is None)


def _wrong_shape(
    rows: int, labels: _Array, probabilities: _Floats | None, outputs: Outputs
) -> str | None:
    if labels.shape != (rows,):
        return f"the model gave {len(labels)} predictions for {rows} rows; it must give one each"
    if probabilities is None:
        return (
            "the model gave no probabilities, and said that it would"
            if outputs.probabilities
            else None
        )
    if probabilities.shape != (rows, len(outputs.classes)):
        return (
            f"the model gave probabilities of shape {probabilities.shape} for {rows} rows and "
            f"{len(outputs.classes)} classes"
        )
    return None


def _invalid(
    labels: _Array, probabilities: _Floats | None, outputs: Outputs, task: str
) -> list[Finding]:
    """Name the rows without a valid prediction, and what they have instead."""
    answered = labels.tolist()
    if task == "regression":
        return [
            Finding(message=f"predicts {value}, which is no finite number", row=row)
            for row, value in enumerate(answered)
            if isinstance(value, str) or value is None or not isfinite(value)
        ]
    known = set(outputs.classes)
    found = {
        row: f"predicts {label!r}, which is none of the classes {list(outputs.classes)}"
        for row, label in enumerate(answered)
        if known and label not in known
    }
    if probabilities is not None:
        with np.errstate(invalid="ignore"):
            sound = (
                np.isfinite(probabilities).all(axis=1)
                & ((probabilities >= 0) & (probabilities <= 1)).all(axis=1)
                & (np.abs(probabilities.sum(axis=1) - 1) <= _TOLERANCE)
            )
        for row in np.flatnonzero(~sound).tolist():
            found[row] = (
                f"has the probabilities {probabilities[row].tolist()}, which do not lie within "
                "[0, 1] or do not add up to 1"
            )
    return [Finding(message=found[row], row=row) for row in sorted(found)]


def _scores(labels: _Array, probabilities: _Floats | None, task: str) -> _Floats | None:
    """Take what a model answers as numbers: of the positive class, where there are two."""
    if task == "regression":
        return labels.astype(np.float64)
    if probabilities is None:
        return None
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def _is_constant(labels: _Array, scores: _Floats | None) -> bool:
    if scores is None:
        return bool((labels == labels[0]).all())
    spread = np.ptp(scores, axis=0)
    return bool((spread <= _ROUNDING * np.abs(scores).max()).all())


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _is_moment(value: Json) -> bool:
    try:
        dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


_HELD: Final = {
    None: lambda _: True,
    FieldType.BOOLEAN: lambda value: value in {True, False},
    FieldType.INTEGER: _is_whole,
    FieldType.NUMBER: _is_number,
    FieldType.STRING: lambda value: not isinstance(value, bool),
    FieldType.DATE: _is_moment,
    FieldType.TIMESTAMP: _is_moment,
}


def _judge_empty() -> Judgement:
    message = "the holdout has no rows; add some"
    return _judge(Verdict.INCONCLUSIVE, ModelReason.NO_ROWS, message)


def _judge(
    verdict: Verdict,
    reason: ModelReason,
    message: str,
    *,
    findings: Iterable[Finding] = (),
    figures: Mapping[str, float] | None = None,
) -> Judgement:
    return Judgement(
        verdict=verdict,
        reason=Reason(code=reason, message=message),
        findings=tuple(findings),
        # A bound may be infinite, which JSON cannot say.
        figures={name: value for name, value in (figures or {}).items() if isfinite(value)},
    )


def _write(values: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in values.items())


def _show(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _list(names: Sequence[str]) -> str:
    return f": {', '.join(names)}"


def _all_of(rows: int) -> str:
    return "the one row" if rows == 1 else f"each of the {rows} rows"
