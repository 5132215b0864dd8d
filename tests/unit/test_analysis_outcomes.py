from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.domain.outcomes import Answer, Outcome, Request, outcomes_of, settle
from triune.domain.traffic import Arm, Incident, Units, arm_of, unit_id
from triune.stats.sequential.latency import ServiceTimes

GOOD = Answer(failed=False, latency_s=0.01, service_s=0.001)
BAD = Answer(failed=True, latency_s=0.01)


def a_request(
    number: int = 1,
    *,
    key: str | None = None,
    weight: float = 0.05,
    at_s: float = 0.0,
    answer: Answer | None = GOOD,
) -> Request:
    unit = None if key is None else unit_id(key, salt="rollout-1")
    arm = Arm.CHAMPION if unit is None else arm_of(unit, weight=weight)
    return Request(
        number=number,
        step=0,
        weight=weight,
        arm=arm,
        unit=unit,
        assigned_at_s=at_s,
        answer=answer,
    )


def outcomes(
    *requests: Request,
    units: Units | None = None,
    times: ServiceTimes | None = None,
    p99_s: float | None = None,
) -> tuple[Outcome, ...]:
    return outcomes_of(
        [replace(each, compared_with=times) for each in requests],
        units=units or Units(),
        p99_s=p99_s,
    )


def measured_times() -> ServiceTimes:
    return ServiceTimes.measured(np.linspace(0, 1, 4000), np.ones(4000, dtype=np.int64))


def test_requests_settle_up_to_the_first_that_is_still_open() -> None:
    requests = [
        a_request(3, at_s=2.0),
        a_request(1, at_s=0.0),
        a_request(2, at_s=1.0, answer=None),
    ]

    settled, waiting = settle(requests, now_s=2.5, timeout_s=2.0)

    assert [request.number for request in settled] == [1]
    assert [request.number for request in waiting] == [2, 3]


def test_a_request_that_is_open_past_the_timeout_is_a_failure_in_its_own_place() -> None:
    requests = [a_request(1, at_s=0.0, answer=None), a_request(2, at_s=1.0)]

    settled, waiting = settle(requests, now_s=2.0, timeout_s=2.0)

    assert [outcome.failed for outcome in outcomes(*settled)] == [True, False]
    assert not waiting


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_the_order_of_answers_makes_no_difference(order: list[int], read_first: int) -> None:
    # Requests that came a second apart are answered in any order; outcomes are read twice.
    def read(answered: list[int]) -> list[Request]:
        return [
            a_request(number, at_s=float(number), answer=GOOD if number in answered else None)
            for number in range(1, 9)
        ]

    first, waiting = settle(read(order[:read_first]), now_s=8.0, timeout_s=100.0)
    rest = [replace(request, answer=GOOD) for request in waiting]
    second, none_left = settle(rest, now_s=9.0, timeout_s=100.0)

    assert [request.number for request in (*first, *second)] == list(range(1, 9))
    assert not none_left


def test_a_request_without_a_key_is_a_unit_of_its_own() -> None:
    both = outcomes(a_request(1, answer=BAD), a_request(2, answer=BAD))

    assert [outcome.is_first for outcome in both] == [True, True]
    assert [outcome.incidents for outcome in both] == [Incident.FAILED, Incident.FAILED]
    assert [outcome.rho for outcome in both] == [0.05, 0.05]


def test_a_unit_is_blamed_for_its_first_failure_alone_and_first_once_a_weight() -> None:
    units = Units()

    seen = outcomes(
        a_request(1, key="ada", weight=0.05),
        a_request(2, key="ada", weight=0.05, answer=BAD),
        a_request(3, key="ada", weight=0.25, answer=BAD),
        a_request(4, key="ada", weight=0.25, answer=BAD),
        units=units,
    )

    assert [outcome.failed for outcome in seen] == [False, True, True, True]
    assert [bool(outcome.incidents) for outcome in seen] == [False, True, False, False]
    assert [outcome.is_first for outcome in seen] == [True, False, True, False]
    assert [outcome.rho for outcome in seen] == pytest.approx([0.05, 0.05, 0.2 / 0.95, 0.2 / 0.95])


def test_a_slow_request_counts_for_each_quantile_that_it_exceeds() -> None:
    slow = Answer(failed=False, latency_s=3.0, service_s=1.0, batch_size=1)

    first, again = outcomes(
        a_request(1, key="ada", answer=slow),
        a_request(2, key="ada", at_s=9.0, answer=replace(slow, service_s=1.06)),
        times=measured_times(),
    )

    assert first.incidents == Incident.SLOWER_THAN_P50 | Incident.SLOWER_THAN_P90
    assert again.incidents == Incident.SLOWER_THAN_P95


def test_the_wait_in_the_queue_is_no_slowness_of_the_worker() -> None:
    (waited,) = outcomes(
        a_request(answer=Answer(failed=False, latency_s=60.0, service_s=0.1)),
        times=measured_times(),
        p99_s=0.2,
    )

    assert not waited.incidents
    assert waited.is_late


def test_without_times_or_an_objective_nothing_is_slow_or_late() -> None:
    (slow,) = outcomes(a_request(answer=Answer(failed=False, latency_s=60.0, service_s=60.0)))

    assert not slow.incidents
    assert not slow.is_late


def test_a_request_is_alone_where_all_traffic_goes_to_the_candidate() -> None:
    beside, alone = outcomes(
        a_request(1, key="ada", weight=0.95), a_request(2, key="ada", weight=1.0)
    )

    assert [beside.is_alone, alone.is_alone] == [False, True]


def test_a_request_on_another_arm_than_its_hash_says_is_refused() -> None:
    request = a_request(7, key="ada", weight=0.05)
    other = Arm.CHAMPION if request.arm is Arm.CANDIDATE else Arm.CANDIDATE

    with pytest.raises(ValueError, match=r"request 7 went to the .* assign by the same hash"):
        outcomes(replace(request, arm=other))


def test_a_request_without_an_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="request 7 has no answer"):
        outcomes(a_request(7, answer=None))
