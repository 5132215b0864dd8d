"""What became of requests, in the order of assignment, as the analysis of a rollout takes it in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from triune.domain.traffic import Arm, Incident, Units
from triune.stats.sequential.latency import ServiceTimes

SLOWER: Final = (
    Incident.SLOWER_THAN_P50,
    Incident.SLOWER_THAN_P90,
    Incident.SLOWER_THAN_P95,
    Incident.SLOWER_THAN_P99,
)
"""Than each of the champion's quantiles, from the lowest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a request ended.

    Parameters
    ----------
    failed
        An error, a timeout, an invalid answer, a 4xx where the champion accepts: also where the
        client got the champion's answer instead.
    latency_s
        How long the client waited.
    service_s, batch_size
        How long the worker took for the batch that carried the request, without the wait in the
        queue; None where no batch was answered.
    """

    failed: bool
    latency_s: float
    service_s: float | None = None
    batch_size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that was assigned to an arm: none that was pinned, a shadow, or a retry.

    Parameters
    ----------
    number
        Its place in the order of assignment.
    step, weight
        The rollout's step, and the candidate's weight in force.
    unit
        The id of its unit, None where it has no routing key and is its own.
    answer
        None as long as there is none.
    compared_with
        What its service time is compared with, frozen before it was assigned; None where it is not
        compared, or nothing is known yet. Who is compared is chosen before its arm is looked at,
        and travels alone.
    """

    number: int
    step: int
    weight: float
    arm: Arm
    unit: bytes | None
    assigned_at_s: float
    answer: Answer | None
    compared_with: ServiceTimes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A request that the champion answered and the candidate was sent a copy of."""

    unit: bytes | None
    assigned_at_s: float
    champion: Answer
    candidate: Answer
    compared_with: ServiceTimes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discordance:
    """A pair as the analysis takes it in.

    Parameters
    ----------
    is_first
        Whether it is its unit's first.
    candidate_failed, champion_failed
        Whatever the other did.
    on_candidate, on_champion
        What befell that arm alone, and is its unit's first of the kind in the whole rollout. Had
        both releases the same chances, either would be as likely as the other.
    """

    is_first: bool
    candidate_failed: bool
    champion_failed: bool
    on_candidate: Incident
    on_champion: Incident
    assigned_at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A request as the analysis takes it in.

    Parameters
    ----------
    rho
        The probability of the candidate at its assignment.
    is_first
        Whether it is its unit's first at this weight.
    incidents
        What befell it and is its unit's first of the kind in the whole rollout.
    is_alone
        Whether all traffic went to the candidate.
    is_late
        Whether the client waited longer than the objective for the p99.
    """

    number: int
    step: int
    arm: Arm
    rho: float
    is_first: bool
    failed: bool
    incidents: Incident
    is_alone: bool
    is_late: bool
    assigned_at_s: float


def settle(
    requests: Iterable[Request], *, now_s: float, timeout_s: float
) -> tuple[tuple[Request, ...], tuple[Request, ...]]:
    """Part requests, in whatever order they come, into those to judge now and those to wait for.

    In the order of assignment it goes as far as all have an answer or are past the timeout, which
    is a failure. So what is slow enters at its own place, and never after what was faster.
    """
    ordered = sorted(requests, key=lambda request: request.number)
    for place, request in enumerate(ordered):
        if request.answer is None:
            if now_s < request.assigned_at_s + timeout_s:
                return tuple(ordered[:place]), tuple(ordered[place:])
            ordered[place] = replace(request, answer=Answer(failed=True, latency_s=timeout_s))
    return tuple(ordered), ()


def outcomes_of(
    requests: Iterable[Request],
    *,
    units: Units,
    p99_s: float | None,
) -> tuple[Outcome, ...]:
    """Say of settled requests what they are to the analysis.

    Parameters
    ----------
    units
        Remembers them: to be called once for each request, in the order of assignment.
    p99_s
        The objective for the p99 of what clients wait, if there is one.

    Raises
    ------
    ValueError
        A request has no answer, or is on an arm that its unit is not assigned to.
    """
    return tuple(_outcome(request, units=units, p99_s=p99_s) for request in requests)


def discordances_of(pairs: Iterable[Pair], *, units: Units) -> tuple[Discordance, ...]:
    """Say of pairs what they are to the analysis; all is remembered as in `outcomes_of`."""
    return tuple(_discordance(pair, units=units) for pair in pairs)


def _discordance(pair: Pair, *, units: Units) -> Discordance:
    times = pair.compared_with
    candidate, champion = _incidents(pair.candidate, times), _incidents(pair.champion, times)
    is_first, apart = True, candidate ^ champion
    if pair.unit is not None:
        # The champion's answer goes out, so that is where its unit is.
        is_first = units.assign(pair.unit, weight=0.0).is_first
        apart = units.count(pair.unit, apart)
    return Discordance(
        is_first=is_first,
        candidate_failed=pair.candidate.failed,
        champion_failed=pair.champion.failed,
        on_candidate=candidate & apart,
        on_champion=champion & apart,
        assigned_at_s=pair.assigned_at_s,
    )


def _outcome(
    request: Request,
    *,
    units: Units,
    p99_s: float | None,
) -> Outcome:
    answer = request.answer
    if answer is None:
        raise ValueError(f"request {request.number} has no answer; settle the requests first")
    rho, is_first, incidents = request.weight, True, _incidents(answer, request.compared_with)
    if request.unit is not None:
        assignment = units.assign(request.unit, weight=request.weight)
        if assignment.arm is not request.arm:
            raise ValueError(
                f"request {request.number} went to the {request.arm} where the hash of its unit "
                f"says {assignment.arm} at weight {request.weight}; assign by the same hash"
            )
        rho, is_first = assignment.rho, assignment.is_first
        incidents = units.count(request.unit, incidents)
    return Outcome(
        number=request.number,
        step=request.step,
        arm=request.arm,
        rho=rho,
        is_first=is_first,
        failed=answer.failed,
        incidents=incidents,
        is_alone=request.weight >= 1,
        is_late=p99_s is not None and answer.latency_s > p99_s,
        assigned_at_s=request.assigned_at_s,
    )


def _incidents(answer: Answer, times: ServiceTimes | None) -> Incident:
    incidents = Incident.FAILED if answer.failed else Incident.NONE
    if times is not None and answer.service_s is not None:
        slower = times.slower_than(answer.service_s, answer.batch_size)
        for incident, is_slower in zip(SLOWER, slower, strict=True):
            if is_slower:
                incidents |= incident
    return incidents
