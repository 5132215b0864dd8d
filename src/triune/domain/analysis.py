"""What the outcomes of a rollout say: roll back, advance, or neither yet, and why.

It decides from evidence alone. What to do at a deadline, and how the traffic moves, is the
rollout's to say.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from math import ceil, exp, log
from typing import Final, Self

import msgspec
import numpy as np

from triune.domain.canonical import Json
from triune.domain.outcomes import SLOWER, Discordance, Outcome
from triune.domain.rules import AnalysisRules, StepRules
from triune.domain.traffic import Arm, Incident
from triune.domain.verdict import Reason, Verdict
from triune.stats.sequential.latency import QUANTILES
from triune.stats.sequential.rollback import RollbackEvidence, Stream, StreamEvidence, Trials
from triune.stats.sequential.safety import (
    FIRST_STEP_RATIO,
    LATER_STEP_RATIO,
    LN_SUFFICIENT,
    Safety,
    trials_without_failure,
)

QUIET_S: Final = 60.0
"""Without a request for so long, there is no traffic."""
STALE_S: Final = 30.0
"""Telemetry that was not read for so long says nothing of now."""

_FAILED: Final = Incident.FAILED.value
_SLOWER: Final = tuple(incident.value for incident in SLOWER)


class AnalysisCode(StrEnum):
    """Why an analysis came out as it did."""

    CANDIDATE_FAILS_MORE = "CANDIDATE_FAILS_MORE"
    CANDIDATE_IS_DOWN = "CANDIDATE_IS_DOWN"
    CANDIDATE_IS_PASSED_OVER = "CANDIDATE_IS_PASSED_OVER"
    CANDIDATE_IS_SLOWER = "CANDIDATE_IS_SLOWER"
    ERRORS_ABOVE_CEILING = "ERRORS_ABOVE_CEILING"
    P99_ABOVE_CEILING = "P99_ABOVE_CEILING"
    SAFETY_SHOWN = "SAFETY_SHOWN"
    CONTINUE = "CONTINUE"
    DEADLINE = "DEADLINE"
    NO_TRAFFIC = "NO_TRAFFIC"
    NO_TELEMETRY = "NO_TELEMETRY"
    UNITS_TOO_FEW = "UNITS_TOO_FEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutEvidence:
    """All that is known of a rollout: a few dozen numbers, however many requests there were.

    Parameters
    ----------
    rollback
        What speaks against the candidate, carried through all steps.
    step, safety, requests, candidate_requests
        What the present step has shown for the candidate, in how many settled requests, and how
        many of these were on the candidate.
    last_number, last_assigned_at_s
        The last request that was taken in; 0 and None before the first, which has number 1.
    """

    rollback: RollbackEvidence
    step: int
    safety: Safety
    requests: int = 0
    candidate_requests: int = 0
    last_number: int = 0
    last_assigned_at_s: float | None = None

    @classmethod
    def new(cls, rules: AnalysisRules) -> Self:
        """Return what is known before the first request, at step 0."""
        rollback = RollbackEvidence.new(
            error_budget=rules.error_budget, has_p99=rules.p99_s is not None
        )
        return cls(rollback=rollback, step=0, safety=_safety(0, rules))

    def at_step(self, step: int, rules: AnalysisRules) -> Self:
        """Begin a step: safety has to be shown anew, what speaks against the candidate stays."""
        return replace(
            self,
            step=step,
            safety=_safety(step, rules),
            requests=0,
            candidate_requests=0,
        )

    def after(self, outcomes: Iterable[Outcome]) -> Self:
        """Take in outcomes in the order of assignment; those that were taken in before are skipped.

        In how many portions they come makes no difference. An outcome of an earlier step, which
        settled late, does not speak for the safety of this one.

        Raises
        ------
        ValueError
            They are out of order, or of a step that has not begun.
        """
        fresh = [outcome for outcome in outcomes if outcome.number > self.last_number]
        if not fresh:
            return self
        _require_order(fresh, step=self.step)
        present = [outcome for outcome in fresh if outcome.step == self.step]
        firsts = [outcome for outcome in present if outcome.is_first]
        trials = _trials(firsts)
        return replace(
            self,
            rollback=self.rollback.after(_trials(fresh)),
            safety=self.safety.after(trials.on_candidate, trials.failed, trials.rho),
            requests=self.requests + len(present),
            candidate_requests=self.candidate_requests
            + sum(outcome.arm is Arm.CANDIDATE for outcome in present),
            last_number=fresh[-1].number,
            last_assigned_at_s=fresh[-1].assigned_at_s,
        )

    def after_pairs(self, pairs: Sequence[Discordance]) -> Self:
        """Take in pairs of a shadow step, each once and in the order of the log.

        What befell one arm alone befell either with the same chance, had both the same (McNemar).
        For the safety of the candidate all its failures count, also those that it shares.
        """
        if not pairs:
            return self
        # Candidate and champion by turns: of each kind, what enters of a pair is on one of them.
        on_candidate = [True, False] * len(pairs)
        incidents = [arm.value for each in pairs for arm in (each.on_candidate, each.on_champion)]
        nothing = [False] * len(on_candidate)
        trials = Trials.of(
            on_candidate=on_candidate,
            rho=[0.5] * len(on_candidate),
            is_first=nothing,
            failed=nothing,
            is_blamed=[bool(bits & _FAILED) for bits in incidents],
            slower=[[bool(bits & slow) for slow in _SLOWER] for bits in incidents],
            is_alone=nothing,
            is_late=nothing,
        )
        firsts = [each for each in pairs if each.is_first]
        failed = [
            arm
            for each in firsts
            for arm in (
                each.candidate_failed,
                each.champion_failed and not each.candidate_failed,
            )
        ]
        return replace(
            self,
            rollback=self.rollback.after(trials),
            safety=self.safety.after(
                np.array([True, False] * len(firsts), dtype=np.bool_),
                np.array(failed, dtype=np.bool_),
                np.full(len(failed), 0.5),
            ),
            requests=self.requests + len(pairs),
            candidate_requests=self.candidate_requests + len(pairs),
            last_assigned_at_s=max(each.assigned_at_s for each in pairs),
        )

    def to_json(self) -> Json:
        """Write it down, without loss."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_json(cls, document: Json) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        msgspec.ValidationError
            It is something else.
        """
        return msgspec.convert(document, cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The verdict on a rollout at one moment, with the numbers behind it.

    FAIL rolls back, PASS advances, INCONCLUSIVE stays.

    Parameters
    ----------
    streams
        What speaks against the candidate, by stream, and what each must reach.
    ln_safety, ln_safety_needed
        What speaks for advancing, and what it must reach.
    requests, candidate_requests
        Settled at this step.
    requests_needed
        How many more requests until advancing is as likely as not, at the rates seen; None where
        they would take more than ten million.
    is_past_deadline
        Whether the step's deadline has passed: also where the reason is a more telling one.
    """

    verdict: Verdict
    reason: Reason
    streams: tuple[StreamEvidence, ...]
    ln_safety: float
    ln_safety_needed: float
    requests: int
    candidate_requests: int
    requests_needed: int | None
    is_past_deadline: bool

    def to_json(self) -> Json:
        """Write it down."""
        return msgspec.to_builtins(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When an analysis takes place, on one clock, in seconds.

    ``telemetry_at_s`` is when outcomes were last read, None where they never were.
    """

    now_s: float
    step_began_at_s: float
    telemetry_at_s: float | None


def analyse(
    evidence: RolloutEvidence, *, rules: AnalysisRules, step: StepRules, moment: Moment
) -> Analysis:
    """Turn what is known into a verdict.

    Evidence that once sufficed to roll back stays sufficient; evidence to advance has to suffice
    now, with the step's least time and requests passed and telemetry that is fresh.
    """
    streams = evidence.rollback.against(rules.alpha)
    needed = _requests_needed(evidence, rules=rules, step=step)
    verdict, reason = _decide(evidence, streams=streams, needed=needed, step=step, moment=moment)
    return Analysis(
        verdict=verdict,
        reason=reason,
        streams=streams,
        ln_safety=evidence.safety.ln_e,
        ln_safety_needed=LN_SUFFICIENT,
        requests=evidence.requests,
        candidate_requests=evidence.candidate_requests,
        requests_needed=needed,
        is_past_deadline=_elapsed(moment) >= step.deadline_seconds,
    )


def requests_to_advance(
    rules: AnalysisRules, *, step: int, weight: float, usual_rate: float | None = None
) -> int | None:
    """Estimate, before a rollout, how many requests a good candidate takes to advance from a step.

    Parameters
    ----------
    usual_rate
        Of failures on the champion; the error budget where it is not known.
    """
    rate = rules.error_budget if usual_rate is None else usual_rate
    return _safety(step, rules).requests_to_show(rho=weight, usual_rate=rate)


def _requests_needed(
    evidence: RolloutEvidence, *, rules: AnalysisRules, step: StepRules
) -> int | None:
    trials = evidence.safety.requests_to_show(rho=step.weight, usual_rate=rules.error_budget)
    if trials is None:
        return None
    seen = evidence.safety.candidate_trials + evidence.safety.champion_trials
    # Units that come back do not count again, so it takes more requests than first ones.
    requests = ceil(trials * evidence.requests / seen) if seen else trials
    return max(requests, step.min_requests - evidence.requests)


def _decide(
    evidence: RolloutEvidence,
    *,
    streams: Sequence[StreamEvidence],
    needed: int | None,
    step: StepRules,
    moment: Moment,
) -> tuple[Verdict, Reason]:
    sufficient = [stream for stream in streams if stream.is_sufficient]
    if sufficient:
        strongest = max(sufficient, key=lambda stream: stream.ln_peak - stream.ln_threshold)
        return Verdict.FAIL, _against(strongest, evidence.rollback)
    silence = _silence(moment)
    if silence is not None:
        return Verdict.INCONCLUSIVE, silence
    elapsed = _elapsed(moment)
    is_long_enough = elapsed >= step.min_seconds and evidence.requests >= step.min_requests
    if evidence.safety.is_shown and is_long_enough:
        return Verdict.PASS, _shown(evidence)
    for reason in (_standstill(evidence, moment), _too_few_units(evidence)):
        if reason is not None:
            return Verdict.INCONCLUSIVE, reason
    outlook = _outlook(evidence, needed=needed, step=step, elapsed=elapsed)
    if elapsed >= step.deadline_seconds:
        return Verdict.INCONCLUSIVE, Reason(
            code=AnalysisCode.DEADLINE,
            message=f"the deadline of {step.deadline_seconds:,.0f} s has passed: {outlook}",
        )
    return Verdict.INCONCLUSIVE, Reason(code=AnalysisCode.CONTINUE, message=outlook)


def _against(stream: StreamEvidence, evidence: RollbackEvidence) -> Reason:
    code, sentence = _AGAINST[stream.stream](evidence)
    return Reason(
        code=code,
        message=f"{sentence}; evidence {_figure(stream.ln_peak)}, "
        f"{_figure(stream.ln_threshold)} roll back",
    )


def _fails_more(evidence: RollbackEvidence) -> tuple[AnalysisCode, str]:
    seen = evidence.failures
    return AnalysisCode.CANDIDATE_FAILS_MORE, (
        f"the candidate fails more often than the champion: {seen.on_candidate:,} failures "
        f"against {seen.on_champion:,}, which its share of the traffic does not explain"
    )


def _is_down(evidence: RollbackEvidence) -> tuple[AnalysisCode, str]:
    seen = evidence.outage
    if not seen.candidate_failures:
        # Which arm a request is on is part of what was to be expected, and so of the evidence.
        return AnalysisCode.CANDIDATE_IS_PASSED_OVER, (
            f"too few requests reach the candidate: {seen.candidate_trials:,}, and "
            f"{seen.champion_trials:,} the champion, which is not the split that was decided; "
            "see whether the gateway applies it"
        )
    return AnalysisCode.CANDIDATE_IS_DOWN, (
        f"the candidate fails where the champion answers: {seen.candidate_failures:,} of "
        f"{seen.candidate_trials:,} requests against {seen.champion_failures:,} of "
        f"{seen.champion_trials:,}"
    )


def _is_slower(evidence: RollbackEvidence) -> tuple[AnalysisCode, str]:
    streams = evidence.latency.streams
    clearest = max(range(len(streams)), key=lambda place: streams[place].ln_e)
    return AnalysisCode.CANDIDATE_IS_SLOWER, (
        f"the candidate is slower than the champion: {streams[clearest].on_candidate:,} requests "
        f"over the champion's p{100 * QUANTILES[clearest]:.0f} against "
        f"{streams[clearest].on_champion:,}, which its share of the traffic does not explain"
    )


def _above_ceiling(evidence: RollbackEvidence) -> tuple[AnalysisCode, str]:
    seen = evidence.ceiling
    return AnalysisCode.ERRORS_ABOVE_CEILING, (
        f"{seen.failures:,} of {seen.trials:,} requests failed where {seen.allowed:.1%} may; "
        "no champion ran beside the candidate, so what both share would look the same"
    )


def _above_p99(evidence: RollbackEvidence) -> tuple[AnalysisCode, str]:
    seen = evidence.p99_ceiling
    assert seen is not None
    return AnalysisCode.P99_ABOVE_CEILING, (
        f"{seen.failures:,} of {seen.trials:,} requests took longer than the objective for the "
        f"p99, where {seen.allowed:.1%} may; no champion ran beside the candidate, so what both "
        "share would look the same"
    )


_AGAINST: Final[dict[Stream, Callable[[RollbackEvidence], tuple[AnalysisCode, str]]]] = {
    Stream.FAILURES: _fails_more,
    Stream.OUTAGE: _is_down,
    Stream.LATENCY: _is_slower,
    Stream.CEILING: _above_ceiling,
    Stream.P99_CEILING: _above_p99,
}


def _silence(moment: Moment) -> Reason | None:
    if moment.telemetry_at_s is None:
        return Reason(
            code=AnalysisCode.NO_TELEMETRY,
            message="no outcome was ever read from the gateway; see whether it runs",
        )
    # In either direction: of a clock that was set back, nobody knows how long ago it was.
    age = abs(moment.now_s - moment.telemetry_at_s)
    if age < STALE_S:
        return None
    return Reason(
        code=AnalysisCode.NO_TELEMETRY,
        message=f"outcomes were last read from the gateway {age:,.0f} s ago; see whether it runs",
    )


def _shown(evidence: RolloutEvidence) -> Reason:
    safety = evidence.safety
    return Reason(
        code=AnalysisCode.SAFETY_SHOWN,
        message=f"safe enough for more traffic: {safety.candidate_failures:,} of "
        f"{safety.candidate_trials:,} requests failed on the candidate, "
        f"{safety.champion_failures:,} of {safety.champion_trials:,} on the champion; "
        f"evidence {_figure(safety.ln_e)}, {_figure(LN_SUFFICIENT)} advance",
    )


def _standstill(evidence: RolloutEvidence, moment: Moment) -> Reason | None:
    last = evidence.last_assigned_at_s
    since = moment.step_began_at_s if last is None else max(last, moment.step_began_at_s)
    if moment.now_s - since >= QUIET_S:
        return Reason(
            code=AnalysisCode.NO_TRAFFIC,
            message=f"no request for {moment.now_s - since:,.0f} s; send some, or wait",
        )
    return None


def _too_few_units(evidence: RolloutEvidence) -> Reason | None:
    safety = evidence.safety
    least = trials_without_failure(ratio=safety.ratio, budget=safety.budget)
    if safety.is_shown or not safety.candidate_trials < least <= evidence.candidate_requests:
        return None
    return Reason(
        code=AnalysisCode.UNITS_TOO_FEW,
        message=f"{evidence.candidate_requests:,} requests on the candidate came from only "
        f"{safety.candidate_trials:,} routing keys, and each counts once; where nothing fails "
        f"{least:,} are needed: wait for more, raise the weight, or assign per request",
    )


def _outlook(
    evidence: RolloutEvidence, *, needed: int | None, step: StepRules, elapsed: float
) -> str:
    safety = evidence.safety
    if safety.is_shown:
        seconds = max(0.0, step.min_seconds - elapsed)
        requests = max(0, step.min_requests - evidence.requests)
        return (
            "the candidate is safe enough for more traffic, but the step has not lasted long "
            f"enough: {seconds:,.0f} s and {requests:,} requests are left"
        )
    stands = f"evidence for advancing {_figure(safety.ln_e)} of {_figure(LN_SUFFICIENT)}"
    if needed is None:
        return (
            f"{stands}; at the rates seen no more requests will show it: the candidate is too "
            f"close to {safety.ratio:.0f} x the champion's rate or {safety.limit:.1%}"
        )
    return f"{stands}; about {needed:,} more requests are needed"


def _elapsed(moment: Moment) -> float:
    return moment.now_s - moment.step_began_at_s


def _safety(step: int, rules: AnalysisRules) -> Safety:
    ratio = FIRST_STEP_RATIO if step == 0 else LATER_STEP_RATIO
    return Safety.new(ratio=ratio, budget=rules.error_budget)


def _require_order(outcomes: Sequence[Outcome], *, step: int) -> None:
    for before, after in pairwise(outcomes):
        if before.number >= after.number:
            raise ValueError(
                f"request {after.number} comes after {before.number}; "
                "give outcomes in the order of assignment"
            )
    ahead = max(outcome.step for outcome in outcomes)
    if ahead > step:
        raise ValueError(f"an outcome is of step {ahead}, the evidence of step {step}; begin it")


def _trials(outcomes: Sequence[Outcome]) -> Trials:
    # Plain integers: flags are slow to take apart, and this is done for every request.
    incidents = [outcome.incidents.value for outcome in outcomes]
    return Trials.of(
        on_candidate=[outcome.arm is Arm.CANDIDATE for outcome in outcomes],
        rho=[outcome.rho for outcome in outcomes],
        is_first=[outcome.is_first for outcome in outcomes],
        failed=[outcome.failed for outcome in outcomes],
        is_blamed=[bool(bits & _FAILED) for bits in incidents],
        slower=[[bool(bits & slow) for slow in _SLOWER] for bits in incidents],
        is_alone=[outcome.is_alone for outcome in outcomes],
        is_late=[outcome.is_late for outcome in outcomes],
    )


def _figure(ln_e: float) -> str:
    """Say evidence as a number; 1 is none at all."""
    return f"{exp(ln_e):,.1f}" if ln_e < log(1e6) else "over a million"
