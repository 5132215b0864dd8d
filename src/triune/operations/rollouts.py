"""Moves the rollouts of one environment: observe, decide, record, act; one tick after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from triune.domain.errors import LedgerError
from triune.domain.project import EnvironmentSpec
from triune.domain.release import short
from triune.domain.rollout.convergence import Traffic
from triune.domain.rollout.progress import Seen, advance, settle
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Move, Rollout, Status
from triune.domain.verdict import Verdict
from triune.operations import environments
from triune.operations.context import Context
from triune.operations.environments import Decision
from triune.operations.observing import Observed, Observer
from triune.operations.traffic import converge
from triune.ports import TrafficRouter, WatchMemory

ACTOR: Final = "triune"
"""Who is recorded for what a rollout does by itself."""
ATTEMPTS: Final = 3
"""How often a release is tried to be run before it counts as one that cannot be."""
KEPT_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """What a tick came to.

    Parameters
    ----------
    move
        Of the rollout that has the say; None where there is none.
    is_done
        Whether the traffic process does what is wanted.
    """

    observed: Observed
    move: Move | None
    is_done: bool

    @property
    def is_busy(self) -> bool:
        """Whether the next tick should come soon."""
        return not self.is_done or (self.move is not None and self.move.rollout.has_traffic)


class Conductor:
    """Moves what is open in one environment, and has its traffic process follow.

    One at a time may do so: its caller holds the lease. Should two do it all the same, the ledger
    takes the moves of one of them, and the traffic process follows the newer order.
    """

    def __init__(
        self,
        context: Context,
        environment: EnvironmentSpec,
        *,
        router: TrafficRouter,
        memory: WatchMemory,
        report: Callable[[str], None],
    ) -> None:
        self._context = context
        self._name = environment.name
        self._router = router
        self._observer = Observer(context, environment, router=router, memory=memory)
        self._report = report
        self._kept_at_s = 0.0
        self._said: tuple[str, str] | None = None
        self._failures: dict[str, int] = {}
        self._failed: Mapping[str, str] = {}
        self._tidied: frozenset[str] | None = None
        self._untimed: str | None = None
        if self._observer.is_begun_anew:
            aside = memory.put_aside(self._name)
            report(
                f"{self._name}: what was kept of the evidence is damaged, or of another version; "
                f"it is put aside as {aside}, and begins anew with what the log still holds"
            )

    def tick(self) -> Ticked:
        """Look, decide, record, act.

        Raises
        ------
        TriuneError
            The ledger, the store or the traffic process is out of order; the next tick repairs
            what this one left undone.
        """
        observed = self._observer.look()
        for remark in observed.remarks:
            self._report(f"{self._name}: {remark}")
        if observed.traffic is None:
            self._router.start()
        move = self._decide(observed)
        if move is not None and move.has_changed:
            self._record(observed, move)
        if observed.traffic is not None:
            self._say_untimed(observed.traffic)
        is_done = observed.traffic is not None and self._act(observed.traffic)
        self._keep(observed.now_s)
        return Ticked(observed=observed, move=move, is_done=is_done)

    def close(self) -> None:
        """Write down what is known, for whoever goes on."""
        self._observer.keep()

    def _decide(self, observed: Observed) -> Move | None:
        rollout, traffic = observed.rollout, observed.traffic
        if rollout is None:
            return None
        seen = Seen(
            rollout=rollout.id,
            version=rollout.version,
            analysis=observed.analysis,
            applied=traffic.applied if traffic else None,
            breaker=traffic.breaker if traffic else None,
            latest=rollout.token,
            unable=self._unable(rollout),
            lasted_s=observed.lasted_s,
        )
        move = advance(rollout, seen, observed.now_s)
        if not move.has_changed and rollout.status is Status.PROMOTED:
            move = settle(rollout, seen, observed.now_s)
        self._say(move)
        return move

    def _unable(self, rollout: Rollout) -> str | None:
        """Tell why a release that this rollout waits for cannot be run, after some attempts."""
        awaited = rollout.champion if rollout.status is Status.PROMOTED else rollout.release
        if awaited is None or self._failures.get(awaited, 0) < ATTEMPTS:
            return None
        return self._failed.get(awaited, "it ended again and again")

    def _record(self, observed: Observed, move: Move) -> None:
        rollout = observed.rollout
        assert rollout is not None
        if move.verdict is Verdict.PASS and rollout.has_traffic:
            # What was shown at the step that is over is carried on, and must not be lost.
            self._observer.keep()
            self._kept_at_s = observed.now_s
        try:
            outcome = environments.settle(
                self._context,
                self._name,
                lambda standing: _as_decided(standing, rollout, move),
                by=ACTOR,
            )
        except LedgerError:
            self._go_back_unrecorded(move, observed.traffic)
            raise
        for reason in outcome.reasons:
            self._report(f"{self._name}: {reason.code}: {reason.message}")

    def _go_back_unrecorded(self, move: Move, traffic: Traffic | None) -> None:
        """Protect clients though nothing can be recorded: the way back is the same for everybody.

        The order carries the token that the move will have once it is recorded, and the champion
        runs already.
        """
        routing = move.rollout.routing
        if traffic is None or move.rollout.status is not Status.ROLLED_BACK:
            return
        # It went back by itself, and forgets that with the next order.
        if traffic.breaker is not None:
            return
        if routing.token > traffic.routing.token:
            self._router.apply(routing)

    def _act(self, traffic: Traffic) -> bool:
        done = converge(self._context, self._observer.standing(), self._router, traffic)
        for release, reason in done.failed.items():
            if release not in self._failed:
                self._failures[release] = self._failures.get(release, 0) + 1
                if self._failures[release] <= ATTEMPTS:
                    self._report(f"{self._name}: release {short(release)} does not run: {reason}")
        for release, reason in done.lost.items():
            if self._failures.get(release) != ATTEMPTS:
                self._failures[release] = ATTEMPTS
                self._report(f"{self._name}: release {short(release)} cannot run: {reason}")
        self._failed = {**done.failed, **done.lost}
        for each in traffic.releases:
            if each.state == "ready":
                self._failures.pop(each.release, None)
        if done.is_done:
            self._tidy(traffic)
        return done.is_done

    def _tidy(self, traffic: Traffic) -> None:
        """Tidy up once after each change of what runs.

        For the controller alone: a command may be about to lay a release out.
        """
        running = frozenset(each.release for each in traffic.releases)
        if running != self._tidied:
            self._router.keep_only(running)
            self._tidied = running

    def _keep(self, now_s: float) -> None:
        # In either direction: the clock may be set back.
        if abs(now_s - self._kept_at_s) >= KEPT_EVERY_S:
            self._observer.keep()
            self._kept_at_s = now_s

    def _say_untimed(self, traffic: Traffic) -> None:
        """Report that nothing can be compared by its times, once for each worker."""
        control = traffic.control
        if control is None or control.state == "ready":
            self._untimed = None
        elif control.reason is not None and self._untimed != control.release:
            self._untimed = control.release
            self._report(
                f"{self._name}: nobody tells whether the candidate is slower: one more worker of "
                f"release {short(control.release)}, to time it by, does not start: "
                f"{control.reason}"
            )

    def _say(self, move: Move) -> None:
        """Report why an open rollout stays, once for each reason."""
        said = (move.rollout.id, move.reason.code)
        if said == self._said or move.has_changed or not move.rollout.is_open:
            return
        self._said = said
        self._report(f"{self._name}: {move.reason.code}: {move.reason.message}")


def _as_decided(standing: Standing, rollout: Rollout, move: Move) -> Decision:
    """Decide what was decided, unless the environment moved on meanwhile."""
    if standing.leading != rollout:
        return Decision.refusing()
    return Decision(verdict=move.verdict, reasons=(move.reason,), rollout=rollout.id, moves=(move,))
