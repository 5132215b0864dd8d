"""What a controller knows of an environment's traffic: evidence, and how far the log was read.

It is written down together with the cursor that it was read to, so that after any crash the log is
read on from there: nothing counts twice, and nothing is passed over.
"""

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
from triune.domain.rollout.champion_times import ChampionTimes
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.state import Rollout, Status
from triune.domain.rules import AnalysisRules
from triune.domain.traffic import Arm, Units
from triune.stats.sequential.latency import ServiceTimes

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

    Before a rollout it learns how long the champion takes, for what is compared with that.
    """

    def __init__(self) -> None:
        self.cursor = 0
        self.telemetry_at_s: float | None = None
        self._rollout: str | None = None
        self._evidence: RolloutEvidence | None = None
        self._units = Units()
        self._times = ChampionTimes()
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
        self._times.freeze()

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
            "times": self._times.to_json(),
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
        watch._times = ChampionTimes.from_json(document["times"])
        watch._waiting = tuple(msgspec.convert(each, Logged) for each in document["waiting"])
        watch._base = document["base"]
        watch._looked_at_s = document["looked_at_s"]
        watch._lasted_s = float(document["lasted_s"])
        return watch

    def _leave(self) -> None:
        if self._rollout is not None:
            self._rollout, self._evidence = None, None
            self._times.leave()
            self._units, self._waiting = Units(), ()
            self._lasted_s = 0.0

    def _keep_numbers_growing(self, reading: Reading) -> None:
        """Notice where somebody removed the log: its numbers then begin anew."""
        if reading.cursor >= self.cursor:
            return
        self._base = 0 if self._evidence is None else self._evidence.last_number
        self._waiting = ()

    def _learn(self, settled: Iterable[Logged], champion: str | None) -> None:
        """Remember how long the champion's worker took."""
        self._times.follow(champion)
        for each in settled:
            answer = each.answer
            if each.release != champion or answer is None or answer.service_s is None:
                continue
            if each.rollout == self._rollout:
                self._times.learn_beside(
                    answer.service_s,
                    answer.batch_size,
                    number=self._base + each.number,
                    is_timed=each.is_timed and each.weight > 0,
                )
            else:
                self._times.learn(answer.service_s, answer.batch_size)

    def _compared_with(self, each: Logged | LoggedPair) -> ServiceTimes | None:
        return self._times.frozen_before(self._base + each.number) if each.is_timed else None

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
