"""What a controller knows of an environment's traffic: evidence, and how far the log was read.

It is written down together with the cursor that it was read to, so that after any crash the log is
read on from there: nothing counts twice, and nothing is passed over.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from triune.domain.analysis import Analysis, Moment, RolloutEvidence, analyse
from triune.domain.canonical import Json
from triune.domain.outcomes import (
    Answer,
    Pair,
    Request,
    discordances_of,
    outcomes_of,
    settle,
)
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.state import Rollout, Status
from triune.domain.rules import AnalysisRules
from triune.domain.traffic import Arm, Units
from triune.stats.sequential.latency import ServiceTimes

FEWEST_TIMES: Final = 100
"""Of the champion's service times that its quantiles are frozen from: five beyond its p95."""
MOST_TIMES: Final = 20_000
"""Of requests that travelled alone, as those do that are compared."""
MOST_TIMES_TOGETHER: Final = 2_000
LONGEST_LOOK_S: Final = 30.0
"""What lies between two looks counts for so long at most: nobody watched, or a clock was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A request that was assigned, as the traffic process tells of it.

    Parameters
    ----------
    number
        Its place in the order of assignment.
    token
        Of the order in force at its assignment.
    answer
        None as long as there is none.
    is_timed
        Whether it was chosen to have its service time compared.
    """

    number: int
    token: FencingToken
    rollout: str
    release: str
    arm: Arm
    weight: float
    unit: bytes | None
    assigned_at_s: float
    answer: Answer | None
    is_timed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPair:
    """A request of a shadow step, as the traffic process tells of it."""

    number: int
    rollout: str
    unit: bytes | None
    assigned_at_s: float
    champion: Answer
    candidate: Answer
    is_timed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the log of outcomes held beyond a cursor.

    Parameters
    ----------
    cursor
        What to read on from.
    settled, open
        Requests with an answer, and those that had none yet; the latter only where all was read.
    pairs
        Requests that the champion answered and the candidate was sent a copy of.
    is_complete
        Whether all was read.
    lost
        How many outcomes after the cursor that was read from are no longer kept.
    """

    cursor: int
    settled: tuple[Logged, ...]
    open: tuple[Logged, ...]
    is_complete: bool
    pairs: tuple[LoggedPair, ...] = ()
    lost: int = 0


class Watch:
    """Follows one environment, rollout after rollout.

    Before a rollout it learns how long the champion takes. These times are frozen as it begins, or
    as soon as there are enough of them, and anew whenever twice as many were taken beside the
    candidate, by a worker that is asked as seldom. A request is compared with what was frozen
    before it was assigned.
    """

    def __init__(self) -> None:
        self.cursor = 0
        self.telemetry_at_s: float | None = None
        self._rollout: str | None = None
        self._evidence: RolloutEvidence | None = None
        self._units = Units()
        # By the number after which it holds.
        self._frozen: list[tuple[int, ServiceTimes]] = []
        self._learned_until = 0
        self._beside: list[float] = []
        self._champion: str | None = None
        self._alone: deque[float] = deque(maxlen=MOST_TIMES)
        self._together: deque[tuple[float, int]] = deque(maxlen=MOST_TIMES_TOGETHER)
        self._waiting: tuple[Logged, ...] = ()
        self._looked_at_s: float | None = None
        self._lasted_s = 0.0
        # What to add to the numbers of a log that began anew.
        self._base = 0

    @property
    def evidence(self) -> RolloutEvidence | None:
        """What is known of the rollout that is followed."""
        return self._evidence

    def follow(self, rollout: Rollout | None, rules: AnalysisRules) -> None:
        """Turn to the rollout that has the traffic, at its present step."""
        if rollout is None or not rollout.has_traffic:
            self._leave()
            return
        if rollout.id != self._rollout or self._evidence is None:
            self._leave()
            self._rollout = rollout.id
            self._evidence = RolloutEvidence.new(rules)
        if self._evidence.step < rollout.step:
            self._evidence = self._evidence.at_step(rollout.step, rules)
            # What was kept of the step before may be all that a new controller has.
            self._lasted_s = 0.0
        self._freeze()

    @property
    def lasted_s(self) -> float:
        """For how long the present step was watched while it was in force, pauses left out."""
        return self._lasted_s

    def pass_time(self, rollout: Rollout | None, now_s: float) -> None:
        """Let the time since the last look count for the step.

        It is measured from look to look, and not from the step's beginning: a clock that is set
        forward neither makes a step old enough to advance nor brings its deadline, and one that is
        set back does not hold it up.
        """
        before_s, self._looked_at_s = self._looked_at_s, now_s
        if rollout is None or rollout.id != self._rollout or not rollout.is_step_in_force:
            self._lasted_s = 0.0
        elif before_s is not None and rollout.status is not Status.PAUSED:
            self._lasted_s += min(max(0.0, now_s - before_s), LONGEST_LOOK_S)

    def take_in(  # noqa: PLR0913 - each says another thing
        self,
        reading: Reading,
        *,
        rollout: Rollout | None,
        champion: str | None,
        rules: AnalysisRules,
        now_s: float,
        timeout_s: float,
    ) -> None:
        """Take in what was read; the rollout is the one that is followed.

        Parameters
        ----------
        champion
            The release whose times a candidate's are going to be compared with.
        timeout_s
            Without an answer for so long, a request has failed.
        """
        self._keep_numbers_growing(reading)
        self.cursor = reading.cursor
        self.telemetry_at_s = now_s
        self._learn(reading.settled, champion)
        if rollout is None or self._evidence is None or rollout.id != self._rollout:
            return
        self._compare([each for each in reading.pairs if each.rollout == rollout.id])
        beyond = self._evidence.last_number - self._base
        ours = [
            each
            for each in (*self._waiting, *reading.settled, *reading.open)
            # As long as the candidate gets nothing, nothing is compared.
            if each.rollout == rollout.id and each.weight > 0 and each.number > beyond
        ]
        if not reading.is_complete:
            # Which of them are still waited for is not known yet.
            self._waiting = tuple(ours)
            return
        self._judge(ours, rollout=rollout, rules=rules, now_s=now_s, timeout_s=timeout_s)

    def analyse(self, rollout: Rollout, rules: AnalysisRules, *, now_s: float) -> Analysis | None:
        """Say what is known of a rollout; None where it is not the one that is followed."""
        if self._evidence is None or rollout.id != self._rollout:
            return None
        moment = Moment(
            now_s=now_s,
            step_began_at_s=now_s - self._lasted_s,
            telemetry_at_s=self.telemetry_at_s,
        )
        return analyse(self._evidence, rules=rules, step=rollout.step_rules, moment=moment)

    def to_json(self) -> Json:
        """Write it down, without loss."""
        return {
            "cursor": self.cursor,
            "telemetry_at_s": self.telemetry_at_s,
            "rollout": self._rollout,
            "evidence": self._evidence and self._evidence.to_json(),
            "units": self._units.to_json(),
            "frozen": [[after, msgspec.to_builtins(times)] for after, times in self._frozen],
            "learned_until": self._learned_until,
            "beside": self._beside,
            "champion": self._champion,
            "alone": list(self._alone),
            "together": [list(each) for each in self._together],
            "waiting": [msgspec.to_builtins(each) for each in self._waiting],
            "base": self._base,
            "looked_at_s": self._looked_at_s,
            "lasted_s": self._lasted_s,
        }

    @classmethod
    def from_json(cls, document: Json) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        KeyError, ValueError, TypeError
            It is something else.
        """
        watch = cls()
        watch.cursor = document["cursor"]
        watch.telemetry_at_s = document["telemetry_at_s"]
        watch._rollout = document["rollout"]
        evidence = document["evidence"]
        watch._evidence = None if evidence is None else RolloutEvidence.from_json(evidence)
        watch._units = Units.from_json(document["units"])
        watch._frozen = [
            (int(after), msgspec.convert(times, ServiceTimes))
            for after, times in document["frozen"]
        ]
        watch._learned_until = int(document["learned_until"])
        watch._beside = [float(each) for each in document["beside"]]
        watch._champion = document["champion"]
        watch._alone.extend(float(each) for each in document["alone"])
        watch._together.extend((float(time), int(size)) for time, size in document["together"])
        watch._waiting = tuple(msgspec.convert(each, Logged) for each in document["waiting"])
        watch._base = document["base"]
        watch._looked_at_s = document["looked_at_s"]
        watch._lasted_s = float(document["lasted_s"])
        return watch

    def _leave(self) -> None:
        if self._rollout is not None:
            self._rollout, self._evidence = None, None
            self._frozen, self._learned_until, self._beside = [], 0, []
            self._units, self._waiting = Units(), ()
            self._lasted_s = 0.0

    def _keep_numbers_growing(self, reading: Reading) -> None:
        """Notice where somebody removed the log: its numbers then begin anew."""
        if reading.cursor >= self.cursor:
            return
        self._base = 0 if self._evidence is None else self._evidence.last_number
        self._waiting = ()

    def _learn(self, settled: Iterable[Logged], champion: str | None) -> None:
        """Remember how long the champion's worker took, until that is frozen."""
        if champion != self._champion:
            self._champion = champion
            self._alone.clear()
            self._together.clear()
        for each in settled:
            answer = each.answer
            if each.release != champion or answer is None or answer.service_s is None:
                continue
            is_ours = each.rollout == self._rollout
            if is_ours:
                self._learned_until = max(self._learned_until, self._base + each.number)
            if is_ours and each.is_timed and each.weight > 0:
                self._beside.append(answer.service_s)
                self._freeze_anew()
            if not self._frozen:
                if answer.batch_size == 1:
                    self._alone.append(answer.service_s)
                else:
                    self._together.append((answer.service_s, answer.batch_size))
                if self._rollout is not None:
                    self._freeze()

    def _freeze(self) -> None:
        if not self._frozen and len(self._alone) + len(self._together) >= FEWEST_TIMES:
            measured = [*((time, 1) for time in self._alone), *self._together]
            times, sizes = zip(*measured, strict=True)
            # Under load few travel alone.
            frozen = ServiceTimes.measured(times, sizes).filled()
            self._frozen = [(self._learned_until, frozen)]

    def _freeze_anew(self) -> None:
        count = len(self._beside)
        times_fewest, rest = divmod(count, FEWEST_TIMES)
        # Once, twice, four times, eight times as many.
        if rest or times_fewest.bit_count() != 1:
            return
        frozen = ServiceTimes.measured(self._beside, [1] * count)
        if self._frozen:
            frozen = frozen.or_else(self._frozen[-1][1])
        self._frozen.append((self._learned_until, frozen))

    def _compared_with(self, each: Logged | LoggedPair) -> ServiceTimes | None:
        """Find what was frozen last before a request was assigned, if it is timed."""
        number = self._base + each.number
        found = (times for after, times in reversed(self._frozen) if after < number)
        return next(found, None) if each.is_timed else None

    def _compare(self, pairs: Sequence[LoggedPair]) -> None:
        assert self._evidence is not None
        compared = discordances_of(
            (
                Pair(
                    unit=each.unit,
                    assigned_at_s=each.assigned_at_s,
                    champion=each.champion,
                    candidate=each.candidate,
                    compared_with=self._compared_with(each),
                )
                for each in pairs
            ),
            units=self._units,
        )
        self._evidence = self._evidence.after_pairs(compared)

    def _judge(
        self,
        ours: Sequence[Logged],
        *,
        rollout: Rollout,
        rules: AnalysisRules,
        now_s: float,
        timeout_s: float,
    ) -> None:
        assert self._evidence is not None
        requests = [self._request(each, rollout) for each in ours]
        judged, _ = settle(requests, now_s=now_s, timeout_s=timeout_s)
        outcomes = outcomes_of(
            judged,
            units=self._units,
            p99_s=rules.p99_s,
        )
        self._evidence = self._evidence.after(outcomes)
        beyond = self._evidence.last_number - self._base
        self._waiting = tuple(
            each for each in ours if each.answer is not None and each.number > beyond
        )

    def _request(self, each: Logged, rollout: Rollout) -> Request:
        # What was assigned before the present step's order belongs to the step before.
        is_present = each.token >= rollout.token
        return Request(
            number=self._base + each.number,
            step=rollout.step if is_present else rollout.step - 1,
            weight=each.weight,
            arm=each.arm,
            unit=each.unit,
            assigned_at_s=each.assigned_at_s,
            answer=each.answer,
            compared_with=self._compared_with(each),
        )
