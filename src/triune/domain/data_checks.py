"""Decides what a check of a dataset came to, from what was read; reads nothing itself."""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from math import sqrt
from typing import Final

from triune.domain.drift_report import DriftReport, DriftVerdict, FeatureDrift
from triune.domain.evidence import Finding, Judgement
from triune.domain.expectations.findings import find_breaches
from triune.domain.expectations.outcome import SuiteOutcome
from triune.domain.verdict import Reason, Verdict, worst

MOST_FINDINGS: Final = 100


class DataReason(StrEnum):
    """Why a check of a dataset came out as it did."""

    EXPECTATIONS_MET = "EXPECTATIONS_MET"
    EXPECTATIONS_BROKEN = "EXPECTATIONS_BROKEN"
    EXPECTATIONS_NOT_EVALUATED = "EXPECTATIONS_NOT_EVALUATED"
    SUITE_EMPTY = "SUITE_EMPTY"
    NO_ROWS = "NO_ROWS"
    NO_COMMON_COLUMNS = "NO_COMMON_COLUMNS"
    NO_SKEW = "NO_SKEW"
    SKEW = "SKEW"
    SKEW_EVIDENCE_THIN = "SKEW_EVIDENCE_THIN"
    HOLDOUT_APART = "HOLDOUT_APART"
    HOLDOUT_IN_TRAINING = "HOLDOUT_IN_TRAINING"
    HOLDOUT_REPEATED = "HOLDOUT_REPEATED"
    HOLDOUT_LABELLED = "HOLDOUT_LABELLED"
    LABELS_MISSING = "LABELS_MISSING"


def judge_suite(
    outcome: SuiteOutcome,
    *,
    dataset: str,
    file: str | None,
    key: str | None = None,
    written: Sequence[tuple[str, int]] = (),
) -> Judgement:
    """Judge a dataset by its suite: each expectation met, or else FAIL; ERROR where one is unknown.

    A suite that expects nothing is an ERROR: any data would pass.

    Parameters
    ----------
    key
        The column that tells whose a row is, where there is one.
    written
        File and line of each expectation, where those are known.
    """
    judgement = _judge_outcome(outcome, dataset=dataset, file=file, written=written)
    return replace(
        judgement,
        details={"dataset": dataset, "key": key, "expectations": outcome.document},
    )


def _judge_outcome(
    outcome: SuiteOutcome, *, dataset: str, file: str | None, written: Sequence[tuple[str, int]]
) -> Judgement:
    counts = dict.fromkeys(Verdict, 0)
    for each in outcome.outcomes:
        counts[each.verdict] += 1
    findings = find_breaches(outcome, file=file, written=written)
    figures = {
        "rows": float(outcome.rows),
        "expectations": float(len(outcome.outcomes)),
        "met": float(counts[Verdict.PASS]),
    }
    if outcome.suite.is_empty:
        return _judge(
            Verdict.ERROR,
            DataReason.SUITE_EMPTY,
            f"the suite of {dataset} expects nothing, so that any data would pass; add "
            "expectations, or remove it from data.suites",
            figures=figures,
        )
    if outcome.rows == 0:
        return _judge(
            Verdict.FAIL,
            DataReason.NO_ROWS,
            f"{dataset} holds no row; see what the pipeline made of its sources",
            figures=figures,
        )
    verdict = worst(each.verdict for each in outcome.outcomes)
    # What made it so, whatever else was found before.
    guilty = tuple(each for each in outcome.outcomes if each.verdict is verdict)
    causes = find_breaches(replace(outcome, outcomes=guilty))
    first = f": {causes[0].message}" if causes else ""
    message = {
        Verdict.PASS: f"all {len(outcome.outcomes)} expectations are met on "
        f"{outcome.rows:,} rows of {dataset}",
        Verdict.FAIL: f"{counts[Verdict.FAIL]} of {len(outcome.outcomes)} expectations on "
        f"{dataset} are broken{first}",
        Verdict.ERROR: f"{counts[Verdict.ERROR]} of {len(outcome.outcomes)} expectations on "
        f"{dataset} could not be evaluated{first}",
    }[verdict]
    reason = {
        Verdict.PASS: DataReason.EXPECTATIONS_MET,
        Verdict.FAIL: DataReason.EXPECTATIONS_BROKEN,
        Verdict.ERROR: DataReason.EXPECTATIONS_NOT_EVALUATED,
    }[verdict]
    return _judge(verdict, reason, message, figures=figures, findings=findings)


def judge_skew(report: DriftReport, *, dataset: str, reference: str) -> Judgement:
    """Judge how far a dataset is from its reference: FAIL where any column is too far.

    Too few rows to tell a column from chance are INCONCLUSIVE, and never a pass.
    """
    moved, thin = report.of(DriftVerdict.DRIFT), report.of(DriftVerdict.INCONCLUSIVE)
    figures = {
        "rows": float(report.rows),
        "reference_rows": float(report.reference_rows),
        "features": float(len(report.features)),
        "skewed": float(len(moved)),
        "inconclusive": float(len(thin)),
        "largest_psi": max((feature.psi for feature in report.features), default=0.0),
    }
    details = {"dataset": dataset, "reference": reference, "skew": report.document}
    findings = tuple(
        Finding(message=_describe_feature(feature, report)) for feature in (*moved, *thin)
    )
    sides = f"{dataset} ({report.rows:,} rows) and {reference} ({report.reference_rows:,})"
    if not report.features:
        verdict, reason = Verdict.ERROR, DataReason.NO_COMMON_COLUMNS
        message = f"{sides} have no feature in common to compare; correct data.skew"
    elif not report.rows or not report.reference_rows:
        verdict, reason = Verdict.FAIL, DataReason.NO_ROWS
        empty = dataset if not report.rows else reference
        message = f"{empty} holds no row; see what the pipeline made of its sources"
        findings = ()
    elif moved:
        verdict, reason = Verdict.FAIL, DataReason.SKEW
        first = moved[0]
        message = (
            f"{len(moved)} of {len(report.features)} features differ between {sides}: "
            f"{first.name} by a PSI of {first.psi:.3g}, where {report.threshold:g} is too much; "
            "see what changed there, or train on data like it"
        )
    elif thin:
        verdict, reason = Verdict.INCONCLUSIVE, DataReason.SKEW_EVIDENCE_THIN
        message = (
            f"{len(thin)} of {len(report.features)} features of {sides} cannot be told from "
            f"chance at a PSI of {report.threshold:g}: {_rows_needed(thin)}; collect more rows, or "
            "raise data.skew.psi_max"
        )
    else:
        verdict, reason = Verdict.PASS, DataReason.NO_SKEW
        message = (
            f"none of {len(report.features)} features differs between {sides} by a PSI of "
            f"{report.threshold:g} or more"
        )
    return replace(
        _judge(verdict, reason, message, figures=figures, findings=findings), details=details
    )


def _describe_feature(feature: FeatureDrift, report: DriftReport) -> str:
    told = (
        f"{feature.name}: PSI {feature.psi:.3g}, of which chance explains {feature.by_chance:.3g}"
    )
    if feature.verdict is DriftVerdict.DRIFT:
        return f"{told}; {report.threshold:g} is too much"
    return f"{told}; {_rows_needed([feature])}"


def _rows_needed(features: Sequence[FeatureDrift]) -> str:
    needed = [feature.rows_needed for feature in features]
    if None in needed:
        both = max(feature.reference_needed for feature in features)
        return f"either side needs {both:,} rows, the reference too"
    return f"{max(rows for rows in needed if rows is not None):,} rows are needed"


def is_beyond_chance(shared: int, *, rows: int, repeated_share: float) -> bool:
    """Tell whether a holdout shares more rows with training data than equal rows happen to.

    Where no key says whose row it is, two subjects may well have equal rows. As many of the
    holdout's ``rows`` are then to be expected in the training data as rows of that have an equal
    one there (``repeated_share``), and three standard errors more may be chance.
    """
    spread = sqrt(repeated_share * (1 - repeated_share) / rows) if rows else 0.0
    return shared > rows * (repeated_share + 3 * spread)


def judge_holdout(
    *, rows: int, shared: tuple[int, ...], repeated: tuple[int, ...], has_key: bool
) -> Judgement:
    """Judge whether a holdout can be judged on.

    Parameters
    ----------
    rows
        How many it has.
    shared, repeated
        Numbers (from 0) of its rows that the training data holds too (beyond chance), and of
        those that are equal, column by column, to an earlier one.
    has_key
        Whether a column says whose row it is. Only then do equal rows mean one row twice.
    """
    figures = {
        "rows": float(rows),
        "in_training": float(len(shared)),
        "repeated": float(len(repeated)),
    }
    if shared:
        return _judge(
            Verdict.FAIL,
            DataReason.HOLDOUT_IN_TRAINING,
            f"{_count(shared)} of the holdout's {rows:,} rows (the first is row {shared[0]}) are "
            "in the training data too; part them by subject, so that no row is in both",
            figures=figures,
            findings=tuple(
                Finding(message="this row is in the training data too", row=row) for row in shared
            ),
        )
    if repeated and has_key:
        return _judge(
            Verdict.FAIL,
            DataReason.HOLDOUT_REPEATED,
            f"{_count(repeated)} of the holdout's {rows:,} rows (the first is row {repeated[0]}) "
            "repeat an earlier one, key and all; a row that counts twice makes intervals too "
            "narrow: keep one of each",
            figures=figures,
            findings=tuple(
                Finding(message="this row repeats an earlier one", row=row) for row in repeated
            ),
        )
    return _judge(
        Verdict.PASS,
        DataReason.HOLDOUT_APART,
        f"none of the holdout's {rows:,} rows is in the training data"
        if has_key
        else f"no more of the holdout's {rows:,} rows equal one of the training data than chance "
        "has it (without model.key, equal rows may be different subjects)",
        figures=figures,
    )


def judge_labels(
    *, target: str, rows: int, missing: Sequence[int], key: str | None, keys: Sequence[object]
) -> Judgement:
    """Fail where a row of the holdout has no label, before a model is trained to be judged on it.

    Parameters
    ----------
    missing
        Numbers (from 0) of the rows without one.
    key
        The column that tells whose a row is, where there is one.
    keys
        What the first of these rows have there.
    """
    figures = {"rows": float(rows), "missing": float(len(missing))}
    if not missing:
        return _judge(
            Verdict.PASS,
            DataReason.HOLDOUT_LABELLED,
            f"each of the holdout's {rows:,} rows has a value in {target!r}",
            figures=figures,
        )
    whose = [f", {key} = {value!r}," for value in keys] if key else [""] * len(missing)
    verb = "has" if len(missing) == 1 else "have"
    return _judge(
        Verdict.FAIL,
        DataReason.LABELS_MISSING,
        f"{len(missing):,} of the holdout's {rows:,} rows (the first is row {missing[0]}"
        f"{whose[0].removesuffix(',')}) {verb} no value in the target {target!r}; label them, or "
        "leave them out",
        figures=figures,
        findings=tuple(
            Finding(message=f"this row{each} has no value in {target!r}", row=row)
            for row, each in zip(missing, whose, strict=False)
        ),
    )


def _judge(
    verdict: Verdict,
    reason: DataReason,
    message: str,
    *,
    figures: dict[str, float],
    findings: tuple[Finding, ...] = (),
) -> Judgement:
    return Judgement(
        verdict=verdict,
        reason=Reason(code=reason, message=message),
        figures=figures,
        findings=findings[:MOST_FINDINGS],
    )


def _count(rows: tuple[int, ...]) -> str:
    return f"{len(rows):,}"
