"""What a controller knows of an environment's traffic, from a log that it reads in portions."""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec
import pytest
from tests.rollouts import CANDIDATE, CHAMPION, NOON, a_running_rollout

from triune.domain.analysis import RolloutEvidence
from triune.domain.canonical import Json
from triune.domain.outcomes import Answer
from triune.domain.rollout.champion_times import FEWEST_TIMES
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.state import Rollout, Status
from triune.domain.rollout.watch import Logged, Reading, Watch
from triune.domain.rules import AnalysisRules
from triune.domain.traffic import arm_of, unit_id

RULES = AnalysisRules()
TIMEOUT_S = 2.0
OK = Answer(failed=False, latency_s=0.01, service_s=0.004)
FAILED = Answer(failed=True, latency_s=0.01)


def a_request(
    number: int,
    rollout: Rollout,
    *,
    key: str | None = None,
    answer: Answer | None = OK,
    token: FencingToken | None = None,
    weight: float | None = None,
) -> Logged:
    """Assign a request as the gateway does; without a key it stays with the champion."""
    share = rollout.split.weight if weight is None else weight
    unit = unit_id(key or f"own-{number}", salt=rollout.id)
    arm = arm_of(unit, weight=share)
    return Logged(
        number=number,
        token=token or rollout.token,
        rollout=rollout.id,
        release=CANDIDATE if arm == "candidate" else CHAMPION,
        arm=arm,
        weight=share,
        unit=unit,
        assigned_at_s=NOON + number / 100,
        answer=answer,
        is_timed=True,
    )


def traffic(rollout: Rollout, *, seed: int, count: int, first: int = 1) -> list[Logged]:
    """Draw requests of keys that come back, of which some fail and some are slow."""
    rng = random.Random(seed)
    return [
        a_request(
            first + at,
            rollout,
            key=f"c{rng.randrange(count // 2)}",
            answer=Answer(
                failed=rng.random() < 0.05,
                latency_s=0.01,
                service_s=rng.expovariate(200),
                batch_size=rng.choice([1, 1, 2, 9]),
            ),
        )
        for at in range(count)
    ]


def take_in(
    watch: Watch,
    rollout: Rollout,
    settled: Iterable[Logged],
    *,
    waiting: Iterable[Logged] = (),
    now_s: float = NOON,
    cursor: int | None = None,
    is_complete: bool = True,
) -> None:
    entries = tuple(settled)
    watch.follow(rollout, RULES)
    watch.take_in(
        Reading(
            cursor=watch.cursor + len(entries) if cursor is None else cursor,
            settled=entries,
            open=tuple(waiting),
            is_complete=is_complete,
        ),
        rollout=rollout,
        champion=CHAMPION,
        rules=RULES,
        now_s=now_s,
        timeout_s=TIMEOUT_S,
    )
    watch.follow(rollout, RULES)


def known(watch: Watch) -> RolloutEvidence:
    assert watch.evidence is not None
    return watch.evidence


def rounded(document: Json) -> Json:
    """Round to what sums in another order agree on."""
    return json.loads(
        msgspec.json.encode(document), parse_float=lambda text: float(f"{float(text):.9g}")
    )


def portions(requests: Sequence[Logged], *, seed: int) -> Iterable[list[Logged]]:
    rng = random.Random(seed)
    left = list(requests)
    while left:
        size = rng.randrange(1, 400)
        yield left[:size]
        left = left[size:]


@pytest.fixture
def rollout() -> Rollout:
    return a_running_rollout(step=1)


@pytest.mark.parametrize("is_timed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_in_how_many_portions_and_over_how_many_lives_it_is_read_makes_no_difference(
    rollout: Rollout, seed: int, is_timed: bool
) -> None:
    requests = traffic(rollout, seed=seed, count=1_500, first=FEWEST_TIMES + 1)
    at_once, in_portions = Watch(), Watch()
    idle = replace(rollout, status=Status.REJECTED)
    timed = [a_request(at + 1, rollout, weight=0.0) for at in range(is_timed * FEWEST_TIMES)]
    take_in(at_once, idle, timed)
    take_in(in_portions, idle, timed)
    take_in(at_once, rollout, requests)

    for portion in portions(requests, seed=seed):
        take_in(in_portions, rollout, portion)
        in_portions = Watch.from_json(json.loads(msgspec.json.encode(in_portions.to_json())))
        in_portions.follow(rollout, RULES)

    assert known(at_once).requests == 1_500
    assert rounded(in_portions.to_json()) == rounded(at_once.to_json())


def test_what_was_read_before_does_not_count_again(rollout: Rollout) -> None:
    requests = traffic(rollout, seed=1, count=500)
    watch = Watch()
    take_in(watch, rollout, requests)
    before = known(watch)

    take_in(watch, rollout, requests[250:], cursor=500)

    assert known(watch) == before


def test_a_request_without_an_answer_holds_back_those_after_it(rollout: Rollout) -> None:
    slow = a_request(3, rollout, answer=None)
    watch = Watch()

    take_in(watch, rollout, [a_request(1, rollout), a_request(4, rollout)], waiting=[slow])

    assert known(watch).last_number == 1

    take_in(watch, rollout, [a_request(5, rollout)], waiting=[slow])
    take_in(watch, rollout, [replace(slow, answer=OK)])

    assert known(watch).last_number == 5
    assert known(watch).requests == 4


def test_a_request_that_is_past_its_time_has_failed_once(rollout: Rollout) -> None:
    hanging = a_request(1, rollout, key="hangs", answer=None)
    watch = Watch()

    take_in(watch, rollout, [a_request(2, rollout)], waiting=[hanging], now_s=NOON + TIMEOUT_S + 1)
    take_in(watch, rollout, [replace(hanging, answer=FAILED)])

    assert known(watch).requests == 2
    assert known(watch).safety.champion_failures + known(watch).safety.candidate_failures == 1


def test_pages_of_the_log_are_judged_once_the_last_is_read(rollout: Rollout) -> None:
    watch = Watch()

    take_in(watch, rollout, [a_request(2, rollout)], is_complete=False)

    assert known(watch).requests == 0

    take_in(watch, rollout, [a_request(1, rollout), a_request(3, rollout)])

    assert known(watch).requests == 3


def test_what_was_assigned_at_the_step_before_does_not_speak_for_this_one() -> None:
    first = a_running_rollout()
    second = replace(first, step=1, token=first.token.next())
    watch = Watch()
    take_in(watch, first, traffic(first, seed=2, count=100))

    late = [a_request(101, first, answer=FAILED), a_request(102, second)]
    take_in(watch, second, late)

    assert known(watch).step == 1
    assert known(watch).requests == 1
    assert known(watch).last_number == 102


def test_requests_of_which_the_candidate_could_get_none_are_left_out(rollout: Rollout) -> None:
    watch = Watch()

    take_in(watch, rollout, [a_request(1, rollout, weight=0.0), a_request(2, rollout)])

    assert known(watch).requests == 1


def test_a_log_that_began_anew_is_read_on(rollout: Rollout) -> None:
    watch = Watch()
    take_in(watch, rollout, traffic(rollout, seed=3, count=200))

    take_in(watch, rollout, traffic(rollout, seed=4, count=50), cursor=50)
    take_in(watch, rollout, traffic(rollout, seed=5, count=50, first=51))

    assert known(watch).requests == 300
    assert known(watch).last_number == 300


def test_the_time_of_a_step_begins_with_it_whatever_was_kept_of_the_one_before() -> None:
    first, second = a_running_rollout(step=0), a_running_rollout(step=1)
    watch = Watch()
    watch.follow(first, RULES)
    for at_s in (0.0, 20.0):
        watch.pass_time(first, NOON + at_s)
    kept = Watch.from_json(json.loads(json.dumps(watch.to_json())))

    kept.follow(second, RULES)
    kept.pass_time(second, NOON + 21.0)

    assert watch.lasted_s == 20.0
    assert kept.lasted_s <= 1.0


def test_another_rollout_begins_without_evidence(rollout: Rollout) -> None:
    watch = Watch()
    take_in(watch, rollout, traffic(rollout, seed=6, count=200))
    other = replace(rollout, id="another", token=rollout.token.next_term())

    take_in(watch, other, [])

    assert known(watch).requests == 0

    watch.follow(replace(other, status=Status.ROLLED_BACK), RULES)

    assert watch.evidence is None


def slow_on_the_candidate(rollout: Rollout, *, first: int, count: int) -> list[Logged]:
    requests = [a_request(first + at, rollout) for at in range(count)]
    slow = Answer(failed=False, latency_s=0.2, service_s=0.1)
    return [replace(each, answer=slow) if each.release == CANDIDATE else each for each in requests]


@pytest.mark.parametrize("measured", [0, FEWEST_TIMES - 60, FEWEST_TIMES])
def test_the_champions_times_are_frozen_once_there_are_enough(
    rollout: Rollout, measured: int
) -> None:
    idle = replace(rollout, status=Status.REJECTED)
    watch = Watch()
    take_in(watch, idle, [a_request(at + 1, rollout, weight=0.0) for at in range(measured)])

    take_in(watch, rollout, slow_on_the_candidate(rollout, first=measured + 1, count=1))
    take_in(watch, rollout, slow_on_the_candidate(rollout, first=measured + 2, count=40))

    latency = known(watch).rollback.latency
    assert (latency.ln_peak > 0) == (measured == FEWEST_TIMES)


@pytest.mark.parametrize("is_one_reading", [True, False])
def test_what_was_assigned_before_the_times_are_frozen_is_not_compared_with_them(
    rollout: Rollout, is_one_reading: bool
) -> None:
    early = slow_on_the_candidate(rollout, first=1, count=100)
    alone = [a_request(101 + at, rollout, weight=0.0) for at in range(FEWEST_TIMES)]
    late = slow_on_the_candidate(rollout, first=101 + FEWEST_TIMES, count=100)
    watch = Watch()

    if is_one_reading:
        take_in(watch, rollout, [*early, *alone])
    else:
        take_in(watch, rollout, early)
        take_in(watch, rollout, alone)
    before = known(watch).rollback.latency.ln_peak
    take_in(watch, rollout, late)

    assert before == 0
    assert known(watch).rollback.latency.ln_peak > 0


def test_the_times_are_frozen_anew_from_what_is_taken_beside_the_candidate(
    rollout: Rollout,
) -> None:
    idle = replace(rollout, status=Status.REJECTED)
    colder = Answer(failed=False, latency_s=0.03, service_s=0.02)
    watch = Watch()
    take_in(watch, idle, [a_request(at + 1, rollout, weight=0.0) for at in range(FEWEST_TIMES)])
    beside = [
        a_request(FEWEST_TIMES + 1 + at, rollout, answer=colder) for at in range(8 * FEWEST_TIMES)
    ]

    take_in(watch, rollout, beside)

    frozen = watch.to_json()["times"]["frozen"]
    assert [after for after, _ in frozen] == sorted(after for after, _ in frozen)
    assert [times["by_class"][0][0] for _, times in frozen] == [0.004, 0.02, 0.02, 0.02]
    assert frozen[1][1]["by_class"][0] == (0.02, 0.02, 0.02, None)
    assert frozen[3][1]["by_class"][1:] == frozen[0][1]["by_class"][1:]


def test_under_load_the_times_of_larger_batches_are_what_is_compared_with(rollout: Rollout) -> None:
    idle = replace(rollout, status=Status.REJECTED)
    together = Answer(failed=False, latency_s=0.01, service_s=0.004, batch_size=5)
    watch = Watch()
    take_in(
        watch,
        idle,
        [a_request(at + 1, rollout, weight=0.0, answer=together) for at in range(FEWEST_TIMES)],
    )

    take_in(watch, rollout, slow_on_the_candidate(rollout, first=FEWEST_TIMES + 1, count=100))

    assert known(watch).rollback.latency.ln_peak > 0


def test_the_times_of_a_champion_that_is_none_any_more_are_forgotten(rollout: Rollout) -> None:
    idle = replace(rollout, status=Status.REJECTED)
    watch = Watch()
    take_in(watch, idle, [a_request(at + 1, rollout, weight=0.0) for at in range(FEWEST_TIMES)])
    empty = Reading(cursor=FEWEST_TIMES, settled=(), open=(), is_complete=True)
    watch.take_in(
        empty, rollout=None, champion="d" * 64, rules=RULES, now_s=NOON, timeout_s=TIMEOUT_S
    )

    times = watch.to_json()["times"]
    assert (times["alone"], times["together"]) == ([], [])


def test_what_is_no_watch_is_refused() -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Watch.from_json({"cursor": 1})
