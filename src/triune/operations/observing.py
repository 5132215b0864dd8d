"""Reads how an environment stands and what its traffic shows, without changing either."""

from dataclasses import dataclass

from triune.domain.analysis import Analysis, RolloutEvidence
from triune.domain.manifest import CLIENT_TIMEOUT_S
from triune.domain.project import EnvironmentSpec
from triune.domain.rollout.convergence import Traffic
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Rollout
from triune.domain.rollout.watch import Watch
from triune.operations import environments
from triune.operations.context import Context
from triune.ports import TrafficRouter, WatchMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """An environment at one moment.

    Parameters
    ----------
    now_s
        When, on the project's clock.
    rollout
        The one that has the say over the traffic; None where there never was one.
    traffic
        None where the traffic process does not answer.
    analysis
        None where no candidate is tried.
    lasted_s
        For how long the present step was watched while it was in force.
    remarks
        What somebody should know of how it was observed, each told once.
    """

    now_s: float
    standing: Standing
    rollout: Rollout | None
    traffic: Traffic | None
    analysis: Analysis | None
    evidence: RolloutEvidence | None
    lasted_s: float
    remarks: tuple[str, ...] = ()


class Observer:
    """Follows one environment from where it was left off.

    Any number may do so side by side: each reads the log of outcomes by a cursor of its own.
    """

    def __init__(
        self,
        context: Context,
        environment: EnvironmentSpec,
        *,
        router: TrafficRouter,
        memory: WatchMemory,
    ) -> None:
        self._context = context
        self._environment = environment
        self._router = router
        self._memory = memory
        self._remarks: list[str] = []
        self.is_begun_anew = False
        self._watch = self._recall()
        self._version = -1
        self._standing: Standing | None = None

    def look(self) -> Observed:
        """Observe what is new."""
        now_s = self._context.clock.now().timestamp()
        standing = self.standing()
        rollout = standing.leading
        traffic = self._router.look()
        rules = self._environment.analysis
        self._watch.follow(rollout, rules)
        if traffic is not None:
            self._read(standing, rollout, now_s)
            self._watch.follow(rollout, rules)
        self._watch.pass_time(rollout, now_s)
        remarks, self._remarks = tuple(self._remarks), []
        return Observed(
            now_s=now_s,
            standing=standing,
            rollout=rollout,
            traffic=traffic,
            analysis=None if rollout is None else self._watch.analyse(rollout, rules, now_s=now_s),
            evidence=self._watch.evidence,
            lasted_s=self._watch.lasted_s,
            remarks=remarks,
        )

    def standing(self) -> Standing:
        """Read how the environment stands; anew only where something was recorded since."""
        name = self._environment.name
        version = environments.version(self._context, name)
        if self._standing is None or version != self._version:
            self._standing = environments.observe(self._context, name)
            self._version = version
        return self._standing

    def keep(self) -> None:
        """Write down what is known, for whoever goes on.

        Raises
        ------
        StoreError
            It could not be written.
        """
        self._memory.keep(self._environment.name, self._watch.to_json())

    def _recall(self) -> Watch:
        """Go on from what was kept; from nothing where it is damaged: that costs evidence alone."""
        try:
            found = self._memory.find(self._environment.name)
            return Watch() if found is None else Watch.from_json(found)
        except (KeyError, TypeError, ValueError):
            self.is_begun_anew = True
            return Watch()

    def _read(self, standing: Standing, rollout: Rollout | None, now_s: float) -> None:
        while (reading := self._router.read(after=self._watch.cursor)) is not None:
            if reading.lost and (self._watch.cursor or self.is_begun_anew):
                self._remarks.append(
                    f"{reading.lost:,} outcomes were no longer kept when they were to be read, "
                    "and count for neither release"
                )
            self._watch.take_in(
                reading,
                rollout=rollout,
                champion=standing.champion,
                rules=self._environment.analysis,
                now_s=now_s,
                timeout_s=float(self._context.spec.serve.get("timeout_s", CLIENT_TIMEOUT_S)),
            )
            if reading.is_complete:
                return
