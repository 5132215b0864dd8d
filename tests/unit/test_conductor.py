"""A controller's ticks, against a clock, a ledger and a traffic process that go wrong."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.deliveries import ONE, TWO, a_delivery, add_release, released
from tests.routers import AClock, AMemory, APlane, ARouter, failing_to_write

from triune.adapters.memory import MemoryLedger
from triune.bootstrap import open_project
from triune.domain.analysis import AnalysisCode
from triune.domain.errors import LedgerError
from triune.domain.rollout.convergence import RunningRelease
from triune.domain.rollout.routing import NOTHING_ORDERED, Breaker
from triune.domain.rollout.state import Rollout, RolloutCode, Status
from triune.domain.verdict import Verdict
from triune.operations.approvals import approve, find_rollout, pause, resume
from triune.operations.audit import verify_ledger
from triune.operations.context import Context
from triune.operations.environments import observe
from triune.operations.following import follow
from triune.operations.promotion import promote
from triune.operations.rollback import roll_back
from triune.operations.rollouts import Conductor, Ticked

TICK_S = 10.0
HOUR_S = 3600.0
SETTINGS = """environments:
  production:
    listen: "127.0.0.1:8702"
    strategy: canary
    steps: [50, 100]
    {more}
    step: {{min_seconds: 300, min_requests: 500, deadline_seconds: 7200, bake_seconds: 600,
            on_deadline: roll_back}}
"""


@dataclass
class AController:
    """A controller of production, on a clock that it is told, with releases one and two."""

    context: Context
    router: ARouter
    clock: AClock
    memory: AMemory = field(default_factory=AMemory)
    said: list[str] = field(default_factory=list)
    conductor: Conductor = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Begin anew, from what was kept."""
        self.conductor = self.another()

    def another(self) -> Conductor:
        return Conductor(
            self.context,
            self.context.spec.environments[0],
            router=self.router,
            memory=self.memory,
            report=self.said.append,
        )

    @property
    def rollout(self) -> Rollout:
        found = observe(self.context, "production").leading
        assert found
        return found

    @property
    def code(self) -> str:
        return self.said[-1].split(": ")[1]

    def promote(self, release: str) -> None:
        # As if it had been laid out already: the store has nothing of it.
        (self.router.folder / release).mkdir(parents=True)
        promote(self.context, released(self.context, release), to="production")

    def tick(
        self, *, requests: int = 60, candidate_fails: bool = False, seconds: float = TICK_S
    ) -> Ticked:
        self.clock.now_s += seconds
        self.router.serve(requests, candidate_fails=candidate_fails)
        return self.conductor.tick()

    def tick_until(self, condition: Callable[[], bool], *, ticks: int = 400) -> int:
        """Tick until something is so, and say how often that took."""
        for count in range(ticks):
            if condition():
                return count
            self.tick()
        raise AssertionError(f"it did not come about: {self.rollout.reason}; {self.said[-5:]}")

    def in_force(self) -> bool:
        return self.rollout.is_step_in_force


def a_controller(folder: Path, more: str = "") -> AController:
    project = a_delivery(folder / "visits", SETTINGS.format(more=more))
    clock = AClock()
    router = ARouter(folder=folder / "bundles", clock=clock)
    with open_project(project) as opened:
        context = replace(opened, ledger=MemoryLedger(), clock=clock, planes=APlane(router))
    for release in (ONE, TWO):
        add_release(context, release)
    return AController(context=context, router=router, clock=clock)


@pytest.fixture
def trying(tmp_path: Path) -> Iterator[AController]:
    """Let one serve, and two be at its first step."""
    controller = a_controller(tmp_path)
    controller.promote(ONE)
    controller.tick_until(lambda: controller.rollout.status is Status.PROMOTED)
    controller.promote(TWO)
    controller.tick_until(controller.in_force)
    yield controller
    verify_ledger(controller.context.ledger)


def test_a_good_release_takes_its_least_time_and_its_evidence(trying: AController) -> None:
    first = trying.tick_until(lambda: trying.rollout.step == 1)
    last = trying.tick_until(lambda: trying.rollout.status is Status.PROMOTED)

    assert first * TICK_S >= 300
    assert last * TICK_S >= 600
    assert trying.router.routing.candidate == TWO
    assert observe(trying.context, "production").champion == TWO


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S, 400 * 24 * HOUR_S, -400 * 24 * HOUR_S])
def test_a_clock_that_is_set_neither_shortens_a_step_nor_ends_it_nor_holds_it_up(
    trying: AController, step: int, jump_s: float
) -> None:
    trying.tick_until(lambda: trying.rollout.step == step and trying.in_force())
    before = trying.rollout

    trying.clock.now_s += jump_s
    taken = trying.tick_until(lambda: trying.rollout.version > before.version)

    least_s = 300 if step == 0 else 600
    assert trying.rollout.reason.code == AnalysisCode.SAFETY_SHOWN
    # A jump counts like the longest look: of half a minute.
    assert least_s - 30 <= taken * TICK_S <= least_s + 2 * TICK_S


def test_a_clock_that_goes_to_and_fro_does_not_save_a_bad_release(trying: AController) -> None:
    for at in range(20):
        trying.clock.now_s += HOUR_S if at % 2 else -HOUR_S
        trying.tick(candidate_fails=True)

    assert trying.rollout.status is Status.ROLLED_BACK
    assert trying.router.routing.candidate is None


def test_a_deadline_still_comes(trying: AController) -> None:
    before = trying.rollout
    for _ in range(7200 // 30 + 2):
        trying.tick(requests=0, seconds=30)

    assert trying.rollout.id == before.id
    assert trying.rollout.reason.code == RolloutCode.DEADLINE


def test_a_pause_counts_for_nothing(trying: AController) -> None:
    record = find_rollout(trying.context, trying.rollout.id)
    pause(trying.context, record)
    for _ in range(20):
        trying.tick(seconds=30)
    paused = trying.rollout
    resume(trying.context, record)

    taken = trying.tick_until(lambda: trying.rollout.step == 1)

    assert (paused.status, paused.step) == (Status.PAUSED, 0)
    assert taken * TICK_S >= 300 - 2 * 30


def test_a_controller_that_goes_on_counts_the_time_from_where_it_was_kept(
    trying: AController,
) -> None:
    for _ in range(15):
        trying.tick()
    trying.clock.now_s += 2 * HOUR_S
    trying.start()

    taken = trying.tick_until(lambda: trying.rollout.step == 1)

    assert 300 - 30 <= (15 + taken) * TICK_S <= 300 + 2 * TICK_S


def test_without_telemetry_for_ten_minutes_it_holds_and_says_so_and_then_goes_on(
    trying: AController,
) -> None:
    trying.tick()
    trying.router.tells_nothing = True
    before = trying.rollout
    for _ in range(int(600 / TICK_S)):
        trying.tick()
    held, code = trying.rollout, trying.code
    trying.router.tells_nothing = False

    trying.tick_until(lambda: trying.rollout.status is Status.PROMOTED)

    assert held == before
    assert code == AnalysisCode.NO_TELEMETRY
    assert sum(entry.weight > 0 for entry in trying.router.log) > 0


def test_telemetry_that_is_gone_as_the_clock_is_set_back_does_not_look_fresh(
    trying: AController,
) -> None:
    for _ in range(10):
        trying.tick()
    trying.router.tells_nothing = True
    trying.clock.now_s -= HOUR_S

    for _ in range(40):
        trying.tick()

    assert trying.rollout.step == 0
    assert trying.code == AnalysisCode.NO_TELEMETRY


def test_where_nothing_can_be_recorded_a_bad_release_loses_its_traffic_and_it_is_recorded_later(
    trying: AController,
) -> None:
    sound = trying.context
    trying.context = replace(
        sound, ledger=failing_to_write(sound.ledger, LedgerError("the disk is full"))
    )
    trying.start()
    for _ in range(10):
        with suppress(LedgerError):
            trying.tick(candidate_fails=True)
    protected = trying.router.routing
    unrecorded = trying.rollout
    trying.context = sound
    trying.start()

    trying.tick(candidate_fails=True)

    assert unrecorded.status is Status.RUNNING
    assert (protected.candidate, protected.split.candidate) == (None, 0)
    assert trying.rollout.status is Status.ROLLED_BACK
    assert trying.router.routing == trying.rollout.routing == protected


def test_what_a_traffic_process_took_back_by_itself_is_recorded_as_soon_as_that_can_be(
    trying: AController,
) -> None:
    sound, before = trying.context, trying.router.routing
    trying.context = replace(
        sound, ledger=failing_to_write(sound.ledger, LedgerError("the disk is full"))
    )
    trying.start()
    trying.router.breaker = Breaker(rollout=trying.rollout.id, requests=20, failures=19)
    with pytest.raises(LedgerError):
        trying.tick()
    remembered = trying.router.breaker, trying.router.routing
    trying.context = sound
    trying.start()

    trying.tick()

    assert remembered == (Breaker(rollout=trying.rollout.id, requests=20, failures=19), before)
    assert trying.rollout.status is Status.ROLLED_BACK
    assert trying.rollout.reason.code == RolloutCode.LOCAL_BREAKER
    assert trying.router.breaker is None


def test_evidence_that_cannot_be_read_is_told_of_and_begins_anew(trying: AController) -> None:
    trying.tick()
    trying.conductor.close()
    trying.memory.kept["production"]["units"] = "damaged"
    trying.start()

    trying.tick()
    trying.tick()

    (told,) = [each for each in trying.said if "begins anew" in each]
    assert told.startswith("production: ")
    assert trying.memory.kept["production.damaged"]["units"] == "damaged"


def test_a_control_that_does_not_start_is_told_of_once(trying: AController) -> None:
    control = RunningRelease(release=ONE, state="failed", reason="there is no memory left")
    for state in ("failed", "starting", "failed", "ready", "failed"):
        trying.router.control = replace(control, state=state)
        trying.tick()

    told = [each for each in trying.said if "whether the candidate is slower" in each]
    assert len(told) == 2
    assert told[0].endswith("does not start: there is no memory left")


def test_outcomes_that_were_lost_before_they_were_read_are_told_of(trying: AController) -> None:
    trying.tick()
    trying.router.lost = 1234

    trying.tick()

    assert "production: 1,234 outcomes were no longer kept" in trying.said[-1]


def test_where_nothing_can_be_recorded_a_good_release_stays_where_it_is(
    trying: AController,
) -> None:
    sound, before = trying.context, trying.router.routing
    trying.context = replace(
        sound, ledger=failing_to_write(sound.ledger, LedgerError("the disk is full"))
    )
    trying.start()
    for _ in range(40):
        with suppress(LedgerError):
            trying.tick()
    held = trying.router.routing
    trying.context = sound
    trying.start()

    trying.tick_until(lambda: trying.rollout.status is Status.PROMOTED)

    assert held == before
    assert observe(trying.context, "production").champion == TWO


def test_a_controller_that_ends_as_a_step_begins_leaves_the_next_its_whole_time(
    trying: AController,
) -> None:
    while not (trying.rollout.step == 1 and trying.in_force()):
        trying.tick(seconds=1.0)
    began_s = trying.clock.now_s
    trying.start()

    trying.tick_until(lambda: trying.rollout.status is Status.PROMOTED)

    assert trying.clock.now_s - began_s >= 600


def test_a_return_that_the_traffic_does_not_follow_is_no_pass_and_says_what_does_not_run(
    trying: AController,
) -> None:
    trying.tick_until(lambda: trying.rollout.status is Status.PROMOTED)
    outcome = roll_back(trying.context, environment="production")
    trying.router.states[ONE] = "failed"

    def wait(seconds: float) -> None:
        trying.clock.now_s += max(seconds, 1.0)

    followed = follow(trying.context, outcome, wait=wait, progress=lambda _: None)

    assert outcome.verdict is Verdict.PASS
    assert (followed.outcome.verdict, followed.seconds) == (Verdict.INCONCLUSIVE, None)
    last = followed.outcome.reasons[-1]
    assert last.code == RolloutCode.NOT_APPLIED
    assert f"release {ONE[:12]} does not run: it raises" in last.message


@pytest.mark.parametrize("fails", [False, True])
def test_two_controllers_at_once_come_to_one_champion(trying: AController, fails: bool) -> None:
    other = trying.another()

    for _ in range(400):
        if not trying.rollout.is_open:
            break
        trying.tick(candidate_fails=fails)
        other.tick()
    trying.tick()
    other.tick()

    rollout, standing = trying.rollout, observe(trying.context, "production")
    assert rollout.status is (Status.ROLLED_BACK if fails else Status.PROMOTED)
    assert standing.champion == (ONE if fails else TWO)
    assert trying.router.routing == rollout.routing
    tokens = [order.token for order in trying.router.orders]
    assert tokens == sorted(set(tokens))


def test_a_traffic_process_that_forgot_everything_is_told_again(trying: AController) -> None:
    trying.router.routing, trying.router.running = NOTHING_ORDERED, {}
    trying.tick(requests=0)
    trying.tick(requests=0)

    assert trying.router.routing == trying.rollout.routing


def test_a_release_that_waits_for_consent_gets_no_traffic_and_no_worker(tmp_path: Path) -> None:
    controller = a_controller(tmp_path, "approvals: {required: 1}")
    controller.promote(ONE)
    for _ in range(5):
        controller.tick(requests=0)
    waiting = dict(controller.router.running)

    (controller.router.folder / ONE).mkdir()
    approve(controller.context, find_rollout(controller.context, controller.rollout.id))
    controller.tick_until(lambda: controller.rollout.status is Status.PROMOTED)

    assert waiting == {}
    assert set(controller.router.running) == {ONE}
