"""A rollout and its analysis together, as a controller runs them."""

from dataclasses import dataclass, field

from tests.rollouts import NOON, a_command, a_plan, a_rollout, seen

from triune.domain.analysis import Analysis, AnalysisCode, Moment, RolloutEvidence, analyse
from triune.domain.outcomes import Outcome
from triune.domain.rollout.commands import pause, resume
from triune.domain.rollout.plan import OnDeadline
from triune.domain.rollout.progress import advance
from triune.domain.rollout.state import Move, Rollout, RolloutCode, Status
from triune.domain.rules import AnalysisRules
from triune.domain.traffic import Arm, Incident
from triune.domain.verdict import Verdict

RULES = AnalysisRules()
TICK_S = 30.0
REQUESTS_A_TICK = 600


@dataclass
class Watch:
    """A rollout under even traffic, of which the candidate fails every so many requests."""

    rollout: Rollout
    evidence: RolloutEvidence = field(default_factory=lambda: RolloutEvidence.new(RULES))
    now_s: float = NOON
    requests: int = 0
    codes: list[str] = field(default_factory=list)

    def tick(self, *, failing_every: int = 0, requests: int = REQUESTS_A_TICK) -> Move:
        self.now_s += TICK_S
        self.evidence = self.evidence.after(
            self._outcome(failing_every=failing_every) for _ in range(requests)
        )
        move = advance(self.rollout, seen(self.rollout, self._analyse()), self.now_s)
        if move.rollout.step != self.rollout.step:
            self.evidence = self.evidence.at_step(move.rollout.step, RULES)
        self.rollout = move.rollout
        self.codes.append(move.reason.code)
        return move

    def _analyse(self) -> Analysis:
        return analyse(
            self.evidence,
            rules=RULES,
            step=self.rollout.step_rules,
            moment=Moment(
                now_s=self.now_s,
                step_began_at_s=self.rollout.step_began_at_s,
                telemetry_at_s=self.now_s,
            ),
        )

    def _outcome(self, *, failing_every: int) -> Outcome:
        self.requests += 1
        percent = self.rollout.split.candidate
        is_candidate = self.requests * 37 % 100 < percent
        failed = bool(is_candidate and failing_every and self.requests % failing_every == 0)
        return Outcome(
            number=self.requests,
            step=self.rollout.step,
            arm=Arm.CANDIDATE if is_candidate else Arm.CHAMPION,
            rho=percent / 100,
            is_first=True,
            failed=failed,
            incidents=Incident.FAILED if failed else Incident.NONE,
            is_alone=percent == 100,
            is_late=False,
            assigned_at_s=self.now_s,
        )


def test_a_good_candidate_goes_through_all_steps_on_evidence() -> None:
    watch = Watch(a_rollout())

    while watch.rollout.is_open and watch.now_s < NOON + 7200:
        watch.tick()

    assert watch.rollout.status is Status.PROMOTED
    assert watch.codes.count(AnalysisCode.SAFETY_SHOWN) == 3
    assert watch.codes.count(RolloutCode.STEP_BEGAN) == 3
    assert RolloutCode.BAKING in watch.codes
    assert watch.now_s - NOON >= 300 + 300 + 600


def test_a_candidate_that_breaks_at_the_second_step_is_rolled_back() -> None:
    watch = Watch(a_rollout())
    while watch.rollout.step == 0:
        watch.tick()

    while watch.rollout.is_open and watch.now_s < NOON + 7200:
        watch.tick(failing_every=7)

    assert watch.rollout.status is Status.ROLLED_BACK
    assert watch.rollout.step == 1
    assert watch.rollout.verdict is Verdict.FAIL
    assert watch.codes[-1] in {AnalysisCode.CANDIDATE_FAILS_MORE, AnalysisCode.CANDIDATE_IS_DOWN}


def test_neither_a_pause_nor_a_step_forgets_what_speaks_against_the_candidate() -> None:
    watch = Watch(a_rollout())
    while watch.evidence.rollback.failures.ln_e < 1:
        watch.tick(failing_every=300)
    failures = watch.evidence.rollback.failures.on_candidate

    watch.rollout = pause(watch.rollout, a_command(watch.rollout), now_s=watch.now_s).rollout
    watch.tick()
    watch.rollout = resume(watch.rollout, a_command(watch.rollout), now_s=watch.now_s).rollout
    while watch.rollout.step == 0 and watch.now_s < NOON + 36_000:
        watch.tick()

    assert watch.rollout.step == 1
    assert watch.evidence.rollback.failures.on_candidate == failures > 0
    assert watch.evidence.candidate_requests == 0


def test_without_traffic_a_step_ends_at_its_deadline_and_says_what_was_missing() -> None:
    watch = Watch(a_rollout(plan=a_plan(on_deadline=OnDeadline.ROLL_BACK, deadline_seconds=900)))

    while watch.rollout.is_open and watch.now_s < NOON + 2000:
        watch.tick(requests=0)

    assert watch.rollout.status is Status.ROLLED_BACK
    assert watch.codes[-1] == RolloutCode.DEADLINE
    assert "no request for" in watch.rollout.reason.message
    assert watch.now_s - NOON >= 900
