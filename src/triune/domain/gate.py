"""Decides from stored evidence whether a candidate may replace the champion; scores nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from triune.domain.evidence import Layer
from triune.domain.rules import GateMode, GateRules
from triune.domain.verdict import Reason, Verdict, worst
from triune.stats.holm import holm_adjusted
from triune.stats.power import rows_to_settle, smallest_detectable

SLICES_ALPHA = 0.05
"""The chance of any false veto over all slices together."""


class SliceStatus(StrEnum):
    """What a slice says; UNDERPOWERED is never a pass."""

    PASS = "PASS"  # noqa: S105 - a status, not a password
    HARMED = "HARMED"
    UNDERPOWERED = "UNDERPOWERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Candidate against champion on the same ``rows``, as stored.

    ``delta`` is turned so that higher is better; ``lower`` and ``upper`` are one-sided bounds of
    it at ``alpha``, and ``standard_error`` is of it.
    """

    champion: float
    candidate: float
    delta: float
    lower: float
    upper: float
    alpha: float
    standard_error: float
    rows: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCompared:
    """Candidate against champion on one slice.

    ``compared`` is None where the slice holds too little to compare anything, as a single class;
    ``shortage`` then says of what.
    ``p_harm`` is the one-sided p of "the harm is at most the allowed one", small where the slice
    is clearly harmed by more.
    """

    name: str
    rows: int
    min_rows: int
    required: bool
    compared: Compared | None
    p_harm: float | None
    shortage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """What the gate needs to know of a check."""

    layer: Layer
    name: str
    verdict: Verdict
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvidence:
    """All that the decision rests on.

    ``compared`` is None where there is no champion, where ``is_unchanged`` (the candidate predicts
    what the champion does, to the last bit), where no look was left to spend, or where an
    ``obstacle`` says why nothing can be compared on this holdout. ``looks_used`` counts this one.
    """

    candidate: str
    champion: str | None
    holdout: str
    checks: tuple[CheckOutcome, ...]
    is_unchanged: bool
    looks_used: int
    is_holdout_spent: bool
    compared: Compared | None
    slices: tuple[SliceCompared, ...] = ()
    obstacle: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceVerdict:
    """What one slice says; ``p_adjusted`` is Holm's over all slices that could be judged."""

    name: str
    status: SliceStatus
    p_adjusted: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """Whether the candidate may go on, and why.

    ``smallest_detectable`` is the least true delta that this holdout would show with a chance of
    80 %; ``rows_needed`` how many rows would settle the observed one, None where that is no
    question, or where none would.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    slices: tuple[SliceVerdict, ...] = ()
    smallest_detectable: float | None = None
    rows_needed: int | None = None

    @property
    def reason(self) -> Reason:
        """The reason that decided."""
        return self.reasons[0]


def decide(rules: GateRules | None, evidence: GateEvidence) -> GateDecision:
    """Decide by STATISTICS' rules: checks, then what changed, then the comparison and its slices.

    Where there are no ``rules``, because no gate is asked for, the checks decide alone.

    The same rules and evidence always give the same decision, so that it can be recomputed.
    """
    failed = [each for each in evidence.checks if each.verdict is not Verdict.PASS]
    if failed:
        verdict = worst(each.verdict for each in failed)
        failed.sort(key=lambda each: each.verdict is not verdict)
        return GateDecision(verdict=verdict, reasons=tuple(_failed_check(each) for each in failed))
    if rules is None:
        return _passed("NO_GATE", "no gate is asked for, so the checks decided")
    uncompared = _decide_uncompared(rules, evidence)
    if uncompared is not None:
        return uncompared
    if evidence.compared is None:
        raise ValueError("evidence of a changed model lacks its comparison with the champion")
    return _decide_by_comparison(rules, evidence.compared, evidence.slices)


def _decide_uncompared(rules: GateRules, evidence: GateEvidence) -> GateDecision | None:
    """Decide where there is nothing to compare, or no way to; None where the comparison decides."""
    if evidence.champion is None:
        return _passed("FIRST_RELEASE", "there is no champion yet: nothing was compared")
    if evidence.is_unchanged:
        return _passed(
            "MODEL_UNCHANGED", "it predicts what the champion does on every row of the holdout"
        )
    if evidence.is_holdout_spent:
        message = (
            f"{evidence.looks_used} of {rules.looks} looks at this holdout are spent; label new "
            "rows and give them as the holdout"
        )
        return GateDecision(
            verdict=Verdict.INCONCLUSIVE,
            reasons=(Reason(code="HOLDOUT_SPENT", message=message),),
        )
    if evidence.obstacle is not None:
        return GateDecision(verdict=Verdict.INCONCLUSIVE, reasons=(evidence.obstacle,))
    return None


def _failed_check(check: CheckOutcome) -> Reason:
    return Reason(
        code=check.reason.code, message=f"{check.layer}: {check.name}: {check.reason.message}"
    )


def _passed(code: str, message: str) -> GateDecision:
    return GateDecision(verdict=Verdict.PASS, reasons=(Reason(code=code, message=message),))


def _decide_by_comparison(
    rules: GateRules, compared: Compared, slices: Sequence[SliceCompared]
) -> GateDecision:
    judged = judge_slices(slices, max_harm=rules.max_slice_harm)
    required = {each.name for each in slices if each.required}
    vetoes = tuple(_veto(each) for each in judged if each.status is SliceStatus.HARMED)
    doubts = tuple(
        _doubt(each)
        for each in judged
        if each.status is SliceStatus.UNDERPOWERED and each.name in required
    )
    verdict, reason = _JUDGES[rules.mode](rules, compared)
    overall = worst(
        [
            verdict,
            *(Verdict.FAIL for _ in vetoes),
            *(Verdict.INCONCLUSIVE for _ in doubts),
        ]
    )
    by_verdict = {
        Verdict.FAIL: vetoes,
        Verdict.INCONCLUSIVE: doubts,
    }
    reasons = (
        (reason, *vetoes, *doubts)
        if verdict is overall
        else (*by_verdict[overall], reason, *(doubts if overall is Verdict.FAIL else ()))
    )
    return GateDecision(
        verdict=overall,
        reasons=reasons,
        slices=judged,
        smallest_detectable=_detectable(compared),
        rows_needed=_rows_needed(rules, compared) if verdict is Verdict.INCONCLUSIVE else None,
    )


def _judge_improvement(rules: GateRules, compared: Compared) -> tuple[Verdict, Reason]:
    shown = _show(rules, compared)
    least = rules.min_delta
    if compared.upper < least:
        return Verdict.FAIL, Reason(
            code="BELOW_MIN_DELTA",
            message=f"{shown}: clearly less than min_delta {least:+.4f}",
        )
    if rules.strict_delta:
        is_enough, asked = compared.lower > least, f"a lower bound above {least:+.4f}"
    else:
        is_enough = compared.delta >= least and compared.lower > 0
        asked = f"at least {least:+.4f} and a lower bound above 0"
    if is_enough:
        return Verdict.PASS, Reason(code="IMPROVED", message=f"{shown}: {asked} was asked")
    return Verdict.INCONCLUSIVE, Reason(
        code="IMPROVEMENT_UNSURE", message=f"{shown}: {asked} is asked, and this tells neither way"
    )


def _judge_non_inferior(rules: GateRules, compared: Compared) -> tuple[Verdict, Reason]:
    shown, least = _show(rules, compared), -rules.margin
    if compared.upper < least:
        return Verdict.FAIL, Reason(
            code="INFERIOR", message=f"{shown}: clearly worse than the margin of {rules.margin:.4f}"
        )
    if compared.lower > least:
        return Verdict.PASS, Reason(
            code="NON_INFERIOR", message=f"{shown}: within the margin of {rules.margin:.4f}"
        )
    return Verdict.INCONCLUSIVE, Reason(
        code="NON_INFERIORITY_UNSURE",
        message=f"{shown}: a lower bound above {least:+.4f} is asked, and this tells neither way",
    )


_JUDGES = {
    GateMode.IMPROVEMENT: _judge_improvement,
    GateMode.NON_INFERIOR: _judge_non_inferior,
}


def _show(rules: GateRules, compared: Compared) -> str:
    return (
        f"{rules.metric} {compared.champion:.4f} -> {compared.candidate:.4f}, delta "
        f"{compared.delta:+.4f} in [{compared.lower:+.4f}, {compared.upper:+.4f}]"
    )


def _detectable(compared: Compared) -> float | None:
    if not isfinite(compared.standard_error):
        return None
    return smallest_detectable(compared.standard_error, alpha=compared.alpha)


def _rows_needed(rules: GateRules, compared: Compared) -> int | None:
    """Count the rows that would settle the observed delta, against the nearer line it misses."""
    lines = {
        GateMode.NON_INFERIOR: (-rules.margin,),
        GateMode.IMPROVEMENT: (rules.min_delta,)
        if rules.strict_delta or compared.delta < rules.min_delta
        else (0.0,),
    }[rules.mode]
    return rows_to_settle(
        compared.delta - lines[0],
        standard_error=compared.standard_error,
        rows=compared.rows,
        alpha=compared.alpha,
    )


def judge_slices(slices: Sequence[SliceCompared], *, max_harm: float) -> tuple[SliceVerdict, ...]:
    """Judge each slice, Holm-adjusted over all that hold enough rows to be compared."""
    testable = [each for each in slices if each.rows >= each.min_rows and each.p_harm is not None]
    adjusted = dict(
        zip(
            (each.name for each in testable),
            holm_adjusted([each.p_harm for each in testable if each.p_harm is not None]),
            strict=True,
        )
    )
    # The level of the smallest p, which is the strictest that any slice may have to meet.
    alpha = SLICES_ALPHA / max(len(testable), 1)
    return tuple(
        _judge_slice(each, adjusted.get(each.name), max_harm=max_harm, alpha=alpha)
        for each in slices
    )


def _judge_slice(
    each: SliceCompared, p_adjusted: float | None, *, max_harm: float, alpha: float
) -> SliceVerdict:
    compared = each.compared
    if compared is None or p_adjusted is None:
        status = SliceStatus.UNDERPOWERED
        few = f"{each.rows} rows are too few to judge; {each.min_rows} are asked"
        message = each.shortage or few
    else:
        figures = f"delta {compared.delta:+.4f} on {each.rows} rows"
        detectable = smallest_detectable(compared.standard_error, alpha=alpha)
        if p_adjusted <= SLICES_ALPHA:
            status = SliceStatus.HARMED
            message = f"{figures}: worse by more than {max_harm:g} (p {p_adjusted:.2g})"
        elif not detectable <= max_harm:
            status = SliceStatus.UNDERPOWERED
            message = f"{figures}: only a harm of {max_harm + detectable:.4f} would show"
        else:
            status = SliceStatus.PASS
            message = f"{figures}: not worse by more than {max_harm:g} (p {p_adjusted:.2g})"
    return SliceVerdict(name=each.name, status=status, p_adjusted=p_adjusted, message=message)


def _veto(each: SliceVerdict) -> Reason:
    return Reason(code="SLICE_HARMED", message=f"slice {each.name}: {each.message}")


def _doubt(each: SliceVerdict) -> Reason:
    return Reason(
        code="SLICE_UNDERPOWERED", message=f"slice {each.name} is required: {each.message}"
    )
