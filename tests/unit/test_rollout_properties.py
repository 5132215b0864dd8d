"""One environment in which everything may go wrong, and what must hold in it all the same."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from tests.rollouts import an_analysis

from triune.domain.analysis import Analysis
from triune.domain.canonical import canonical_json
from triune.domain.rollout.approval import Identified, Person
from triune.domain.rollout.commands import (
    Command,
    abort,
    approve,
    pause,
    reject,
    resume,
    roll_back,
)
from triune.domain.rollout.plan import KEEP_WARM_S, Approvals, OnDeadline, Pace, Plan, Strategy
from triune.domain.rollout.progress import Seen, advance, settle
from triune.domain.rollout.routing import Applied, Breaker, FencingToken, Routing
from triune.domain.rollout.state import Move, Rollout, RolloutCode, Status, open_rollout
from triune.domain.traffic import TrafficSplit
from triune.domain.verdict import Verdict

PEOPLE = ("ann@example.org", "Ann@Example.org", "bob@example.org", "zoe@example.org")
AUTHORS = ("zoe@example.org",)
RELEASES = tuple(letter * 64 for letter in "abc")
MOST_ROLLOUTS = 7
VERDICTS = (Verdict.PASS, Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL, None)

POSSIBLE = {
    Status.AWAITING_APPROVAL: {
        Status.AWAITING_APPROVAL,
        Status.RUNNING,
        Status.REJECTED,
        Status.CANCELLED,
    },
    Status.RUNNING: {
        Status.RUNNING,
        Status.PAUSED,
        Status.PROMOTED,
        Status.ROLLED_BACK,
        Status.CANCELLED,
    },
    Status.PAUSED: {Status.RUNNING, Status.ROLLED_BACK, Status.CANCELLED},
    Status.PROMOTED: {Status.PROMOTED, Status.ROLLED_BACK},
    Status.ROLLED_BACK: set(),
    Status.REJECTED: set(),
    Status.CANCELLED: set(),
}

REACHED: set[str] = set()
"""What happened in any of the runs: a property that is never put to the test says nothing."""


@dataclass(frozen=True)
class Read:
    """A rollout as a controller or a command has read it, with how far the ledger was then."""

    rollout: Rollout
    latest: FencingToken
    events: int


@dataclass
class Gateway:
    """A traffic process that refuses what is older than its last."""

    routing: Routing | None = None
    breaker: Breaker | None = None

    @property
    def applied(self) -> Applied | None:
        if self.routing is None:
            return None
        split = TrafficSplit.giving(0) if self.breaker else self.routing.split
        return Applied(token=self.routing.token, split=split)

    def apply(self, routing: Routing) -> None:
        if self.routing is None or routing.token > self.routing.token:
            self.routing, self.breaker = routing, None


@dataclass(frozen=True)
class Happening:
    """Something that may happen in the environment, with what has to be drawn for it."""

    name: str
    is_possible: Callable[["Environment"], object]
    draws: dict[str, st.SearchStrategy[Any]]


HAPPENINGS: list[Happening] = []
Method = TypeVar("Method", bound=Callable[..., None])


def happens(
    weight: int, *, when: Callable[["Environment"], object] = lambda _: True, **draws: Any
) -> Callable[[Method], Method]:
    """Let something happen so many times as often as others.

    Rules of hypothesis would do, but it leaves about half of them out of each run, and so seldom
    gets far.
    """

    def register(method: Method) -> Method:
        happening = Happening(name=method.__name__, is_possible=when, draws=draws)
        HAPPENINGS.extend([happening] * weight)
        return method

    return register


def subject_of(name: str) -> str:
    return name.casefold()


class Environment(RuleBasedStateMachine):
    """Controllers, people and a traffic process that crash, repeat themselves and come late."""

    def __init__(self) -> None:
        super().__init__()
        self.rollouts: list[Rollout] = []
        self.events = 0
        self.champion: str | None = None
        self.gateway = Gateway()
        self.now_s = 0.0
        self.reads: list[Read] = []
        self.sent: list[Routing] = []
        self.commands: list[tuple[str, str, Command]] = []
        self.wanted: dict[FencingToken, Routing] = {}
        # What really happened, kept beside the code that is tried.
        self.passed: set[tuple[str, int]] = set()
        self.consents: dict[str, set[str]] = {}
        self.blamed: set[str] = set()
        self.watched_since: dict[str, float] = {}
        self.paused_at: dict[str, float] = {}

    @property
    def latest(self) -> FencingToken | None:
        return max((rollout.token for rollout in self.rollouts), default=None)

    @property
    def last(self) -> Rollout:
        return max(self.rollouts, key=lambda rollout: rollout.token)

    @property
    def promoted(self) -> list[Rollout]:
        return [each for each in self.rollouts if each.status is Status.PROMOTED]

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        possible = [each for each in HAPPENINGS if each.is_possible(self)]
        happening = data.draw(st.sampled_from(possible))
        drawn = {
            name: data if name == "data" else data.draw(strategy)
            for name, strategy in happening.draws.items()
        }
        getattr(self, happening.name)(**drawn)

    def read(self, rollout: Rollout) -> Read:
        assert self.latest is not None
        return Read(rollout=rollout, latest=self.latest, events=self.events)

    # What happens.

    @initialize(promoted=st.sampled_from([2, 2, 1, 0]))
    def begin(self, *, promoted: int) -> None:
        for release in RELEASES[:promoted]:
            self._open(Plan.of(Strategy.INSTANT), release=release)
            for _ in range(3):
                self._tick(self.read(self.last), verdict=None)
            assert self.champion == release

    @happens(
        3,
        when=lambda self: len(self.rollouts) < MOST_ROLLOUTS,
        is_beside_another=st.booleans(),
        strategy=st.sampled_from(Strategy),
        required=st.integers(0, 2),
        not_author=st.booleans(),
        on_deadline=st.sampled_from(OnDeadline),
        release=st.sampled_from(RELEASES),
    )
    def open(
        self,
        *,
        is_beside_another: bool,
        strategy: Strategy,
        required: int,
        not_author: bool,
        on_deadline: OnDeadline,
        release: str,
    ) -> None:
        if self.rollouts and self.last.is_open and not is_beside_another:
            return
        plan = Plan.of(
            strategy,
            approvals=Approvals(required=required, not_author=not_author),
            pace=Pace(on_deadline=on_deadline),
        )
        self._open(plan, release=release)

    @happens(1, seconds=st.sampled_from([1.0, 59.3, 700.0, 8000.0, -50.0]))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @happens(1, when=lambda self: self.rollouts, data=st.data())
    def look(self, data: st.DataObject) -> None:
        self.reads.append(self.read(data.draw(st.sampled_from(self.rollouts))))

    @happens(
        5,
        when=lambda self: self.rollouts,
        ticks=st.integers(1, 12),
        seconds=st.sampled_from([100.0, 700.0]),
    )
    def tick_as_it_should_be(self, ticks: int, seconds: float) -> None:
        for _ in range(ticks):
            self.now_s += seconds
            self._tick(self.read(self.last), verdict=Verdict.PASS)

    @happens(2, when=lambda self: len(self.rollouts) > 1, seconds=st.sampled_from([1.0, 700.0]))
    def tick_those_that_were_followed(self, seconds: float) -> None:
        for rollout in self.rollouts:
            self.now_s += seconds
            if rollout.id != self.last.id:
                self._tick(self.read(rollout), verdict=Verdict.PASS)

    @happens(
        4,
        when=lambda self: self.rollouts,
        verdict=st.sampled_from(VERDICTS),
        is_past_deadline=st.booleans(),
    )
    def tick_with_the_step_in_force(self, verdict: Verdict | None, is_past_deadline: bool) -> None:
        for _ in range(2):
            self._tick(self.read(self.last), verdict=Verdict.INCONCLUSIVE)
        self._tick(self.read(self.last), verdict=verdict, is_past_deadline=is_past_deadline)

    @happens(
        4,
        when=lambda self: self.rollouts,
        data=st.data(),
        verdict=st.sampled_from(VERDICTS),
        is_past_deadline=st.booleans(),
        version=st.sampled_from([0, 0, 0, -1, 1]),
        crashes=st.sampled_from(["", "", "before it is recorded", "before it is applied"]),
    )
    def tick(
        self,
        data: st.DataObject,
        verdict: Verdict | None,
        is_past_deadline: bool,
        version: int,
        crashes: str,
    ) -> None:
        read = self.read(self._one_of_the_rollouts(data))
        self._tick(
            read,
            verdict=verdict,
            is_past_deadline=is_past_deadline,
            version=version,
            crashes=crashes,
        )

    @happens(
        1,
        when=lambda self: self.reads,
        data=st.data(),
        verdict=st.sampled_from(VERDICTS),
        is_past_deadline=st.booleans(),
    )
    def tick_on_what_was_read_before(
        self, data: st.DataObject, verdict: Verdict | None, is_past_deadline: bool
    ) -> None:
        read = data.draw(st.sampled_from(self.reads))
        self._tick(read, verdict=verdict, is_past_deadline=is_past_deadline)

    @happens(
        3,
        when=lambda self: self.rollouts,
        data=st.data(),
        verb=st.sampled_from(["approve", "reject", "pause", "resume", "abort", "roll back"]),
        name=st.sampled_from(PEOPLE),
        version=st.sampled_from([0, 0, 0, -1, 1]),
    )
    def command(self, data: st.DataObject, verb: str, name: str, version: int) -> None:
        self._command_now(verb, self._one_of_the_rollouts(data), by=name, version=version)

    @happens(2, when=lambda self: self.rollouts, names=st.permutations(PEOPLE))
    def let_all_approve(self, names: list[str]) -> None:
        for name in names:
            self._command_now("approve", self.last, by=name)

    @happens(2, when=lambda self: self.rollouts, seconds=st.sampled_from([30.0, 9000.0, -50.0]))
    def pause_for_a_while(self, seconds: float) -> None:
        self._command_now("pause", self.last)
        self.now_s += seconds
        self._tick(self.read(self.last), verdict=Verdict.PASS)
        self._command_now("resume", self.last)

    @happens(
        1,
        when=lambda self: self.rollouts and self.last.is_open,
        verb=st.sampled_from(["reject", "abort"]),
    )
    def end_it(self, verb: str) -> None:
        self._command_now(verb, self.last)

    @happens(
        2,
        when=lambda self: (
            self.rollouts and self.last.has_traffic and len(self.rollouts) < MOST_ROLLOUTS
        ),
        release=st.sampled_from(RELEASES),
    )
    def open_beside_one_that_is_about_to_advance(self, release: str) -> None:
        for _ in range(2):
            self._tick(self.read(self.last), verdict=Verdict.INCONCLUSIVE)
        followed = self.last
        self._open(Plan.of(Strategy.CANARY), release=release)
        self.now_s += 700
        self._tick(self.read(followed), verdict=Verdict.PASS)

    @happens(2, when=lambda self: self.rollouts and self.last.has_traffic)
    def let_the_deadline_pass(self) -> None:
        self._tick(self.read(self.last), verdict=Verdict.INCONCLUSIVE, is_past_deadline=True)

    @happens(2, when=lambda self: self.promoted, data=st.data())
    def roll_back_what_was_promoted(self, data: st.DataObject) -> None:
        self._command_now("roll back", data.draw(st.sampled_from(self.promoted)))

    @happens(1, when=lambda self: self.commands, data=st.data())
    def repeat_a_command(self, data: st.DataObject) -> None:
        verb, of, command = data.draw(st.sampled_from(self.commands))
        rollout = next(each for each in self.rollouts if each.id == of)
        read = self.read(rollout)
        self._command(verb, read, replace(command, latest=read.latest))

    @happens(1, when=lambda self: self.commands and self.reads, data=st.data())
    def command_on_what_was_read_before(self, data: st.DataObject) -> None:
        verb, _, command = data.draw(st.sampled_from(self.commands))
        read = data.draw(st.sampled_from(self.reads))
        late = replace(command, version=read.rollout.version, latest=read.latest)
        self._command(verb, read, late)

    @happens(1, when=lambda self: self.sent, data=st.data())
    def deliver_late(self, data: st.DataObject) -> None:
        self.gateway.apply(data.draw(st.sampled_from(self.sent)))

    @happens(1)
    def restart_the_gateway(self) -> None:
        self.gateway = Gateway()

    @happens(
        2, when=lambda self: self.gateway.routing and 0 < self.gateway.routing.split.candidate < 100
    )
    def trip_the_breaker(self) -> None:
        assert self.gateway.routing is not None
        rollout = self.gateway.routing.rollout
        self.gateway.breaker = Breaker(rollout=rollout, requests=20, failures=20)

    @happens(1, when=lambda self: self.rollouts and self.last.has_traffic)
    def find_that_the_candidate_cannot_be_run(self) -> None:
        self._tick(self.read(self.last), verdict=None, unable="its worker ends at once")

    @happens(
        2,
        when=lambda self: self.promoted,
        data=st.data(),
        seconds=st.sampled_from([0.0, KEEP_WARM_S]),
        unable=st.sampled_from([None, "its worker ends at once"]),
    )
    def let_the_champion_before_go(
        self, data: st.DataObject, seconds: float, unable: str | None
    ) -> None:
        self.now_s += seconds
        read = self.read(data.draw(st.sampled_from(self.promoted)))
        rollout = read.rollout

        move = settle(rollout, self._seen(read, unable=unable), self.now_s)

        if move.has_changed:
            kept_s = self.now_s - (rollout.promoted_at_s or 0.0)
            assert rollout.token == self.latest
            assert rollout.champion is None or unable or kept_s >= KEEP_WARM_S
        self._carry_out(read, move, crashes="", is_blamed=False)

    @happens(1, when=lambda self: self.rollouts)
    def let_it_settle(self) -> None:
        """Tick until nothing is left to do: what the ledger says is then what serves."""
        for _ in range(4):
            self._tick(self.read(self.last), verdict=Verdict.INCONCLUSIVE)
        assert self.gateway.applied == Applied(token=self.last.token, split=self.last.split)
        assert self.gateway.routing == self.last.routing

    # How it happens.

    def _open(self, plan: Plan, *, release: str) -> None:
        rollout = open_rollout(
            id=f"rollout-{len(self.rollouts)}",
            environment="production",
            release=release,
            champion=self.champion,
            authors=AUTHORS,
            plan=plan,
            latest=self.latest,
            now_s=self.now_s,
        )
        assert self.latest is None or rollout.token > self.latest
        self.rollouts.append(rollout)
        self.consents[rollout.id] = set()
        self.wanted[rollout.token] = rollout.routing
        self.events += 1

    def _one_of_the_rollouts(self, data: st.DataObject) -> Rollout:
        """Draw a rollout, mostly the one that has the say."""
        return data.draw(st.sampled_from([*self.rollouts, *[self.last] * 6]))

    def _tick(
        self,
        read: Read,
        *,
        verdict: Verdict | None,
        is_past_deadline: bool = False,
        version: int = 0,
        crashes: str = "",
        unable: str | None = None,
    ) -> None:
        rollout = read.rollout
        analysis = (
            None if verdict is None else an_analysis(verdict, is_past_deadline=is_past_deadline)
        )
        seen = self._seen(read, analysis, version=version, unable=unable)
        wanted = Applied(token=rollout.token, split=rollout.split)
        if verdict is Verdict.PASS and version == 0 and seen.applied == wanted:
            self.passed.add((rollout.id, rollout.version))

        move = advance(rollout, seen, self.now_s)

        restored = Rollout.from_json(json.loads(canonical_json(rollout.to_json())))
        assert advance(restored, seen, self.now_s) == move
        assert not (move.has_changed and advance(move.rollout, seen, self.now_s).has_changed)
        is_blamed = (
            verdict is Verdict.FAIL
            or unable is not None
            or (seen.breaker is not None and seen.breaker.rollout == rollout.id)
        )
        if is_blamed and rollout.has_traffic and rollout.champion is not None:
            assert move.rollout.status is Status.ROLLED_BACK
        elif move.has_changed and move.rollout.status is Status.ROLLED_BACK:
            assert is_past_deadline
            assert rollout.plan.pace.on_deadline is OnDeadline.ROLL_BACK
            assert rollout.status is Status.RUNNING
            assert rollout.plan.steps[rollout.step].needs_evidence
        assert move.rollout.approvals == rollout.approvals
        self._carry_out(read, move, crashes=crashes, is_blamed=is_blamed)

    def _seen(
        self,
        read: Read,
        analysis: Analysis | None = None,
        *,
        version: int = 0,
        unable: str | None = None,
    ) -> Seen:
        return Seen(
            rollout=read.rollout.id,
            version=read.rollout.version + version,
            analysis=analysis,
            applied=self.gateway.applied,
            breaker=self.gateway.breaker,
            latest=read.latest,
            unable=unable,
        )

    def _command_now(
        self, verb: str, rollout: Rollout, *, by: str = PEOPLE[0], version: int = 0
    ) -> None:
        read = self.read(rollout)
        command = Command(
            by=Person(subject=by, identified=Identified.TOKEN),
            version=rollout.version + version,
            latest=read.latest,
        )
        self.commands.append((verb, rollout.id, command))
        self._command(verb, read, command)

    def _command(self, verb: str, read: Read, command: Command) -> None:
        rollout = read.rollout
        if verb == "approve" and not (
            rollout.plan.approvals.not_author and command.by.is_among(AUTHORS)
        ):
            self.consents[rollout.id].add(subject_of(command.by.subject))
        serving = self.promoted[-1].id if self.promoted else ""
        perform: dict[str, Callable[[Rollout], Move]] = {
            "approve": lambda it: approve(it, command, release=rollout.release, now_s=self.now_s),
            "reject": lambda it: reject(it, command),
            "pause": lambda it: pause(it, command, now_s=self.now_s),
            "resume": lambda it: resume(it, command, now_s=self.now_s),
            "abort": lambda it: abort(it, command),
            "roll back": lambda it: roll_back(it, command, serving=serving),
        }

        move = perform[verb](rollout)

        assert not perform[verb](move.rollout).has_changed
        if command.version != rollout.version:
            assert not move.has_changed
        if rollout.status is Status.PROMOTED and move.has_changed:
            assert verb == "roll back"
        self._carry_out(read, move, is_command=True)

    def _carry_out(
        self,
        read: Read,
        move: Move,
        *,
        crashes: str = "",
        is_blamed: bool = False,
        is_command: bool = False,
    ) -> None:
        REACHED.add(move.reason.code)
        if not move.has_changed:
            assert move.rollout == read.rollout
        elif crashes == "before it is recorded" or read.events != self.events:
            return
        else:
            self._check(read.rollout, move, is_command=is_command)
            self._record(move)
            if is_blamed:
                self.blamed.add(move.rollout.id)
        if move.to_apply is not None and crashes != "before it is applied":
            self.sent.append(move.to_apply)
            self.gateway.apply(move.to_apply)

    def _record(self, move: Move) -> None:
        written = json.loads(json.dumps(move.rollout.to_json()))
        at = next(at for at, each in enumerate(self.rollouts) if each.id == move.rollout.id)
        self.rollouts[at] = Rollout.from_json(written)
        assert self.rollouts[at] == move.rollout
        self.events += 1
        if move.changes_champion:
            self.champion = move.rollout.serving
        REACHED.add(move.rollout.status)

    # What must hold of each move.

    def _check(self, before: Rollout, move: Move, *, is_command: bool) -> None:
        after = move.rollout
        assert after.status in POSSIBLE[before.status]
        assert after.version == before.version + 1
        assert before.step <= after.step <= before.step + 1
        assert after.token >= before.token
        if after.routing != before.routing:
            assert after.token not in self.wanted
            self.wanted[after.token] = after.routing
        assert before.id not in self.blamed
        if before.status is Status.PROMOTED:
            assert is_command or (after.is_settled and not before.is_settled)
        self._check_consent(before, after)
        self._check_evidence(before, after)
        self._follow_the_clock(before, after)

    def _check_consent(self, before: Rollout, after: Rollout) -> None:
        if before.status is Status.AWAITING_APPROVAL and after.has_traffic:
            assert len(self.consents[after.id]) >= after.plan.approvals.required

    def _check_evidence(self, before: Rollout, after: Rollout) -> None:
        is_promoted = after.status is Status.PROMOTED and before.status is not Status.PROMOTED
        if not (after.step > before.step or is_promoted):
            return
        # Nobody goes past somebody who has the say since.
        assert before.token == self.latest
        assert before.status is Status.RUNNING
        if not before.plan.steps[before.step].needs_evidence:
            assert before.champion is None or before.plan.strategy is Strategy.INSTANT
            return
        assert (before.id, before.version) in self.passed
        if is_promoted:
            assert before.step == len(before.plan.steps) - 1
            watched_s = self.now_s - self.watched_since[before.id]
            assert watched_s >= before.plan.pace.bake_seconds - 1e-6

    def _follow_the_clock(self, before: Rollout, after: Rollout) -> None:
        if after.step > before.step:
            del self.watched_since[after.id]
        if after.is_step_in_force and not before.is_step_in_force:
            assert self.gateway.applied == Applied(token=before.token, split=before.split)
            self.watched_since[after.id] = self.now_s
        if after.status is Status.PAUSED and before.status is Status.RUNNING:
            self.paused_at[after.id] = self.now_s
        if after.status is Status.RUNNING and before.status is Status.PAUSED:
            away_s = max(0.0, self.now_s - self.paused_at[after.id])
            if after.is_step_in_force:
                self.watched_since[after.id] += away_s

    # What must hold at any time.

    @invariant()
    def a_candidate_gets_no_more_than_its_step_allows(self) -> None:
        for rollout in self.rollouts:
            split = rollout.split
            assert split.champion + split.candidate == 100
            step = rollout.plan.steps[rollout.step]
            if rollout.status is Status.PROMOTED:
                allowed = 0.0 if rollout.is_settled else 100.0
            elif rollout.has_traffic:
                allowed = min(step.candidate_pct, 95.0 if step.needs_evidence else 100.0)
            else:
                allowed = 0.0
            assert split.candidate <= allowed

    @invariant()
    def there_is_one_champion_and_whoever_has_the_say_knows_it(self) -> None:
        assert self.champion == (self.promoted[-1].release if self.promoted else None)
        if not self.rollouts:
            return
        routing = self.last.routing
        if self.last.status is Status.PROMOTED and not self.last.is_settled:
            assert routing.candidate == self.champion
        else:
            assert routing.champion == self.champion

    @invariant()
    def the_blame_stays(self) -> None:
        for rollout in self.rollouts:
            if rollout.id in self.blamed and rollout.champion is not None:
                assert rollout.status is Status.ROLLED_BACK


def test_nothing_that_can_go_wrong_breaks_what_a_rollout_promises() -> None:
    REACHED.clear()

    run_state_machine_as_test(
        Environment,
        settings=settings(
            max_examples=100,
            stateful_step_count=60,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

    unreached = {*Status, *RolloutCode} - REACHED
    assert unreached <= {RolloutCode.OPENED, RolloutCode.OTHER_RELEASE, Status.AWAITING_APPROVAL}
