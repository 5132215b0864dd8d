"""Shadow steps: what pairs of answers say of a candidate that no client has seen."""

import numpy as np
import pytest
from tests.rollouts import NOON

from triune.domain.analysis import Analysis, AnalysisCode, Moment, RolloutEvidence, analyse
from triune.domain.outcomes import Answer, Pair, discordances_of
from triune.domain.rules import AnalysisRules, StepRules
from triune.domain.traffic import Units, unit_id
from triune.domain.verdict import Verdict
from triune.stats.sequential.latency import ServiceTimes

RULES = AnalysisRules()
STEP = StepRules(weight=0.0, min_seconds=0.0, min_requests=100)
TIMES = ServiceTimes(by_class=((0.01, 0.02, 0.025, 0.03),) * 4)


def a_pair(number: int, *, candidate: Answer, champion: Answer, key: str | None = None) -> Pair:
    return Pair(
        unit=None if key is None else unit_id(key, salt="rollout-7"),
        assigned_at_s=NOON + number / 100,
        champion=champion,
        candidate=candidate,
        compared_with=TIMES,
    )


def an_answer(*, failed: bool = False, service_s: float = 0.005) -> Answer:
    return Answer(failed=failed, latency_s=0.01, service_s=None if failed else service_s)


def judged(pairs: list[Pair], *, portion: int = 97) -> Analysis:
    units = Units()
    evidence = RolloutEvidence.new(RULES)
    for at in range(0, len(pairs), portion):
        found = discordances_of(pairs[at : at + portion], units=units)
        evidence = evidence.after_pairs(found)
    now_s = NOON + len(pairs) / 100
    moment = Moment(now_s=now_s, step_began_at_s=NOON, telemetry_at_s=now_s)
    return analyse(evidence, rules=RULES, step=STEP, moment=moment)


def drawn(
    count: int, *, seed: int, on_candidate: float, on_champion: float, shared: float = 0.0
) -> list[Pair]:
    """Draw pairs of which each arm fails by itself, and both together, so often."""
    rng = np.random.default_rng(seed)
    both = rng.random(count) < shared
    candidate, champion = rng.random(count) < on_candidate, rng.random(count) < on_champion
    return [
        a_pair(
            at,
            candidate=an_answer(failed=bool(both[at] or candidate[at])),
            champion=an_answer(failed=bool(both[at] or champion[at])),
        )
        for at in range(count)
    ]


def test_a_candidate_that_fails_where_the_champion_answers_goes_back() -> None:
    found = judged(drawn(300, seed=1, on_candidate=0.2, on_champion=0.002))

    assert found.verdict is Verdict.FAIL
    assert found.reason.code == AnalysisCode.CANDIDATE_FAILS_MORE


def test_a_candidate_that_answers_is_safe_enough_after_some_hundreds_of_pairs() -> None:
    found = judged(drawn(1_000, seed=2, on_candidate=0.0, on_champion=0.0))

    assert found.verdict is Verdict.PASS


def test_what_both_fail_speaks_for_neither_and_shows_no_safety() -> None:
    found = judged(drawn(2_000, seed=3, on_candidate=0.0, on_champion=0.0, shared=0.3))

    assert found.verdict is Verdict.INCONCLUSIVE
    assert max(stream.ln_peak for stream in found.streams) == 0


def test_a_slower_candidate_goes_back() -> None:
    pairs = [
        a_pair(at, candidate=an_answer(service_s=0.05), champion=an_answer()) for at in range(200)
    ]

    found = judged(pairs)

    assert found.verdict is Verdict.FAIL
    assert found.reason.code == AnalysisCode.CANDIDATE_IS_SLOWER


def test_one_unit_that_comes_back_counts_once() -> None:
    bad, good = an_answer(failed=True), an_answer()
    pairs = [a_pair(at, candidate=bad, champion=good, key="same") for at in range(500)]

    found = judged(pairs)

    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("portion", [1, 13, 2_000])
def test_in_how_many_portions_they_come_makes_no_difference(portion: int) -> None:
    pairs = drawn(2_000, seed=4, on_candidate=0.02, on_champion=0.02)

    found = judged(pairs, portion=portion)

    at_once = judged(pairs)
    assert [stream.ln_peak for stream in found.streams] == pytest.approx(
        [stream.ln_peak for stream in at_once.streams]
    )
    assert found.ln_safety == pytest.approx(at_once.ln_safety)


def test_a_candidate_that_is_as_good_is_seldom_sent_back() -> None:
    runs = 100

    back = sum(
        judged(drawn(1_500, seed=seed, on_candidate=0.02, on_champion=0.02)).verdict is Verdict.FAIL
        for seed in range(runs)
    )

    # At most 1 % are to be: five of 100 or more would happen in 0.4 % of the cases.
    assert back < 5
