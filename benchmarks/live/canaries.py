"""Candidates of a canary: how soon each bad one is rolled back, and what clients see of it all.

A rollout is timed by the gateway's log of outcomes, from the candidate's first request to its last,
and the decision by the ledger's event. Evidence is gathered as `triune.yaml` has it by default: the
first step stays at 5 % for five minutes at least, so all of it happens there.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Final

from benchmarks.live.figures import Figure
from benchmarks.live.stage import (
    BEFORE_S,
    GOOD,
    Behaviour,
    Stage,
    a_stage,
    cursor,
    logged,
    until,
)
from tests.projects import triune

from triune.bootstrap import open_project
from triune.cli.demo_load import Load, Seen
from triune.domain.analysis import RolloutEvidence
from triune.domain.events import EventKind
from triune.domain.outcomes import Request, outcomes_of
from triune.domain.rollout.state import Status
from triune.domain.rollout.watch import Logged
from triune.domain.rules import AnalysisRules
from triune.domain.traffic import Arm, Units
from triune.ports import TrafficRouter

SETTINGS: Final = "strategy: canary\nsteps: [5, 25, 100]"
RULES: Final = AnalysisRules()
HELD_S: Final = 15.0
"""For so long latencies are taken, with and without a candidate."""
PATIENCE_S: Final = 180.0
AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """A candidate that is to be rolled back, within so many seconds and requests of its own."""

    what: str
    behaviour: Behaviour
    goal_s: float
    goal_requests: float | None = None


BAD: Final = {
    "fails100": Bad(
        what="fails 100 %", behaviour=Behaviour(fails=1.0), goal_s=1.0, goal_requests=10
    ),
    "fails10": Bad(what="fails 10 %", behaviour=Behaviour(fails=0.1), goal_s=30.0),
    "slower": Bad(what="all x 1.5", behaviour=Behaviour(times=1.5), goal_s=60.0),
    "partly": Bad(what="5 % x 5", behaviour=Behaviour(slow=0.05), goal_s=120.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """What one rollout came to; infinite where it was not rolled back.

    Parameters
    ----------
    seconds, requests
        From the candidate's first request to its last, and how many it had.
    settling_s
        From the decision to the candidate's last request; 0 where that came before.
    followed_s
        From the decision to the first request that went by the new order.
    deciding_s
        From the answer with which the failures sufficed to the decision; None where no failures
        did.
    """

    seconds: float = inf
    requests: float = inf
    settling_s: float = inf
    followed_s: float = inf
    deciding_s: float | None = None


@dataclass(slots=True)
class _Found:
    rolled_back: dict[str, list[RolledBack]]
    p99_alone_ms: list[float] = field(default_factory=list)
    p99_beside_ms: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    requests: int = 0


def rows(
    folder: Path, names: list[str], repeats: int, progress: Callable[[str], None]
) -> list[Figure]:
    """Roll out each candidate in turn, over and over; ``latency`` is one that is good."""
    bad = {name: BAD[name] for name in names if name in BAD}
    behaviours = {"champion": GOOD, "latency": GOOD}
    behaviours |= {name: each.behaviour for name, each in bad.items()}
    found = _Found({name: [] for name in bad})
    with (
        a_stage(folder, behaviours, settings=SETTINGS) as stage,
        stage.router() as router,
        stage.load() as load,
    ):
        progress(f"the champion's own times, {BEFORE_S:g} s")
        time.sleep(BEFORE_S)
        for at in range(repeats):
            if "latency" in names:
                progress(f"latencies, {at + 1} of {repeats}")
                _take_latencies(stage, load, found)
            for name, each in bad.items():
                load.reset()
                found.rolled_back[name].append(_roll_out(stage, router, name))
                _count(found, load.seen)
                progress(f"{each.what}, {at + 1} of {repeats}: {found.rolled_back[name][-1]}")
    return _figures(bad, found)


def _figures(bad: Mapping[str, Bad], found: _Found) -> list[Figure]:
    figures = []
    for name, each in bad.items():
        runs = found.rolled_back[name]
        what = f"{each.what}: from its first request to its last"
        figures.append(Figure.of(what, [run.seconds for run in runs], unit="s", goal=each.goal_s))
        what = f"{each.what}: requests that it had"
        figures.append(Figure.of(what, [run.requests for run in runs], goal=each.goal_requests))
    runs = [run for each in found.rolled_back.values() for run in each]
    if runs:
        deciding = [1000 * run.deciding_s for run in runs if run.deciding_s is not None]
        if deciding:
            what = "from the failure that sufficed to the decision"
            figures.append(Figure.of(what, deciding, unit="ms"))
        settling = [1000 * run.settling_s for run in runs]
        what = "from the decision to the candidate's last request"
        figures.append(Figure.of(what, settling, unit="ms", goal=100.0))
        followed = [1000 * run.followed_s for run in runs]
        what = "from the decision to the first request by the new order"
        figures.append(Figure.of(what, followed, unit="ms"))
    if found.p99_alone_ms:
        figures += [
            Figure.of("p99 of clients, champion alone", found.p99_alone_ms, unit="ms"),
            Figure.of("p99 of clients, 5 % on a good candidate", found.p99_beside_ms, unit="ms"),
        ]
    what = f"of {found.requests:,} requests"
    figures += [
        Figure.of(f"errors that a client saw, {what}", found.errors, goal=0.0),
        Figure.of(f"wrong answers, {what}", found.wrong, goal=0.0),
    ]
    return figures


def _roll_out(stage: Stage, router: TrafficRouter, name: str) -> RolledBack:
    """Promote a bad candidate, and wait until it is rolled back."""
    live = stage.live
    after = cursor(router)
    rollout = str(live.promote(name)["rollout"]["id"])
    if not until(lambda: not live.rollout().is_open, within_s=PATIENCE_S):
        _abort(stage, rollout)
        return RolledBack()
    time.sleep(AFTER_S)
    if live.rollout().status is not Status.ROLLED_BACK:
        return RolledBack()
    decided_s = _decided_s(stage, rollout)
    seen = [each for each in logged(router, after=after) if each.rollout == rollout]
    candidate = [each for each in seen if each.arm is Arm.CANDIDATE]
    last_s = candidate[-1].assigned_at_s
    sufficed_s = _sufficed_s(seen)
    order = candidate[-1].token
    return RolledBack(
        seconds=last_s - candidate[0].assigned_at_s,
        requests=len(candidate),
        settling_s=max(0.0, last_s - decided_s),
        followed_s=max(
            0.0, next(each.assigned_at_s for each in seen if each.token > order) - decided_s
        ),
        deciding_s=None if sufficed_s is None else decided_s - sufficed_s,
    )


def _decided_s(stage: Stage, rollout: str) -> float:
    """Tell when the ledger says that a rollout was rolled back."""
    with open_project(stage.live.folder) as context:
        for event in context.ledger.events(aggregate="environment:production"):
            if (
                event.kind == EventKind.ROLLOUT_MOVED
                and event.data["rollout"] == rollout
                and event.data["status"] == Status.ROLLED_BACK
            ):
                return datetime.fromisoformat(event.time).timestamp()
    raise SystemExit(f"the ledger has no event of the rollback of {rollout}")


def _sufficed_s(seen: list[Logged]) -> float | None:
    """Tell when the answer was there with which failures sufficed, judged one by one."""
    evidence, units = RolloutEvidence.new(RULES), Units()
    for each in seen:
        if each.weight <= 0 or each.answer is None:
            continue
        request = Request(
            number=each.number,
            step=0,
            weight=each.weight,
            arm=each.arm,
            unit=each.unit,
            assigned_at_s=each.assigned_at_s,
            answer=each.answer,
        )
        evidence = evidence.after(outcomes_of([request], units=units, p99_s=None))
        if any(stream.is_sufficient for stream in evidence.rollback.against(RULES.alpha)):
            return each.assigned_at_s + each.answer.latency_s
    return None


def _take_latencies(stage: Stage, load: Load, found: _Found) -> None:
    """Take the p99 without a candidate, and with a good one that is held at its first step."""
    load.reset()
    time.sleep(HELD_S)
    found.p99_alone_ms.append(_p99_ms(load.seen))
    _count(found, load.seen)
    live = stage.live
    rollout = str(live.promote("latency")["rollout"]["id"])
    if not until(lambda: live.rollout().is_step_in_force, within_s=PATIENCE_S):
        raise SystemExit(f"a good candidate did not start\n{live.log}")
    load.reset()
    time.sleep(HELD_S)
    found.p99_beside_ms.append(_p99_ms(load.seen))
    _count(found, load.seen)
    _abort(stage, rollout)


def _abort(stage: Stage, rollout: str) -> None:
    live = stage.live
    triune(live.folder, "rollout", "abort", rollout)
    if not until(lambda: not live.rollout().is_open, within_s=PATIENCE_S):
        raise SystemExit(f"rollout {rollout} could not be aborted\n{live.log}")


def _p99_ms(seen: Seen) -> float:
    ordered = sorted(seen.latencies_s)
    return 1000 * ordered[len(ordered) * 99 // 100]


def _count(found: _Found, seen: Seen) -> None:
    found.requests += seen.requests
    found.errors.append(float(seen.errors.total()))
    found.wrong.append(float(seen.wrong))
