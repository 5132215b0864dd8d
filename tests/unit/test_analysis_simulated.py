"""Seeded simulations of whole rollouts: from requests of sticky units to the verdict."""

import numpy as np
import pytest

from triune.domain.analysis import Moment, RolloutEvidence, analyse
from triune.domain.outcomes import Answer, Request, outcomes_of
from triune.domain.rules import AnalysisRules, StepRules
from triune.domain.traffic import Units, arm_of, unit_id
from triune.domain.verdict import Verdict

WEIGHTS = (0.05, 0.25, 0.95)
GOOD = Answer(failed=False, latency_s=0.01)
BAD = Answer(failed=True, latency_s=0.01)


def roll_out(
    run: int, *, rates: list[float], visits: int, worse: float = 0.0, rules: AnalysisRules
) -> Verdict:
    """Let units visit in random order through a ramp; each fails at a rate of its own.

    ``worse`` is added to the rate on the candidate.
    """
    rng = np.random.default_rng(run)
    ids = [unit_id(f"unit-{number}", salt=f"rollout-{run}") for number in range(len(rates))]
    units, evidence, number = Units(), RolloutEvidence.new(rules), 0
    for step, weight in enumerate(WEIGHTS):
        evidence = evidence.at_step(step, rules)
        requests = []
        for visitor in rng.permutation(np.repeat(np.arange(len(rates)), visits)).tolist():
            number += 1
            arm = arm_of(ids[visitor], weight=weight)
            rate = rates[visitor] + (worse if arm == "candidate" else 0.0)
            requests.append(
                Request(
                    number=number,
                    step=step,
                    weight=weight,
                    arm=arm,
                    unit=ids[visitor],
                    assigned_at_s=float(number),
                    answer=BAD if rng.random() < rate else GOOD,
                )
            )
        evidence = evidence.after(outcomes_of(requests, units=units, p99_s=rules.p99_s))
    moment = Moment(now_s=float(number), step_began_at_s=0.0, telemetry_at_s=float(number))
    return analyse(evidence, rules=rules, step=StepRules(weight=0.95), moment=moment).verdict


def share_rolled_back(runs: int, *, rates: list[float], visits: int, worse: float = 0.0) -> float:
    rules = AnalysisRules(alpha=0.05)
    verdicts = [
        roll_out(run, rates=rates, visits=visits, worse=worse, rules=rules) for run in range(runs)
    ]
    return sum(verdict is Verdict.FAIL for verdict in verdicts) / runs


def test_a_few_units_that_fail_again_and_again_do_not_roll_a_good_release_back() -> None:
    few_are_bad = [0.6] * 4 + [0.01] * 56

    # Counted at every failure, the first bad unit on the candidate would be the end of it.
    assert share_rolled_back(120, rates=few_are_bad, visits=8) <= 0.05


def test_a_ramp_does_not_roll_a_good_release_back() -> None:
    # Judged by the probabilities of the first step, the candidate would get the blame for having
    # more of the traffic.
    assert share_rolled_back(60, rates=[0.1] * 250, visits=1) <= 0.05


def test_a_bad_release_is_rolled_back() -> None:
    assert share_rolled_back(30, rates=[0.01] * 250, visits=1, worse=0.3) == pytest.approx(
        1.0, abs=0.04
    )
