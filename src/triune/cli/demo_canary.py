"""The scenes of the demo under live traffic: a good release goes in by steps, bad ones go back.

The bad ones pass every check before: the customers whom they fail are in no dataset.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from triune.cli.demo_customers import KEYS, NEW_REGION, PER_SECOND, Customers
from triune.cli.demo_load import Load, Seen
from triune.cli.demo_outcomes import FAILURE, Blemish, Logged, Retreat, slow_request
from triune.cli.demo_plane import on_air
from triune.cli.demo_stage import DemoFailedError, Outcome, Stage, TrafficSeen
from triune.cli.demo_steps import FEATURES, ask, let_pass, tell
from triune.domain.release import short
from triune.domain.verdict import Verdict

ROLLOUT: Final = "rollout"
WARM_UP: Final = 2_200
"""So many requests before the rollout: by then it is known how long the champion takes."""
AFTERWARDS: Final = 500
DEADLINE_S: Final = 600

_POLL_S: Final = 0.05

IMPORTED: Final = "from typing import Self"
ENCODED: Final = (
    'return np.array([shares.get(value, 0.0) for value in as_categories(column)], dtype="float64")'
)
# Raises where a part of the name is no region itself.
BY_PARTS: Final = """\
known = [
        # A region named after two, as east-west, is as common as both.
        sum(shares[part] for part in value.split("-")) if "-" in value else shares.get(value, 0.0)
        for value in as_categories(column)
    ]
    return np.array(known, dtype="float64")"""
LOOK_UP_S: Final = 0.03
LOOKED_UP: Final = f"""\
values = as_categories(column)
    for _ in {{*values}} - {{*shares, UNKNOWN}}:
        # The gazetteer answers in {1000 * LOOK_UP_S:g} ms.
        sleep({LOOK_UP_S})
    return np.array([shares.get(value, 0.0) for value in values], dtype="float64")"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A release that is tried beside the champion; ``blemish`` is what is wrong with it, if any."""

    release: str
    champion: str
    blemish: Blemish | None = None


def play_canaries(stage: Stage, *, first: str, better: str) -> None:
    """Play the scenes under live traffic: production goes back to ``first`` to begin with."""
    with ExitStack() as at_end:
        with stage.scene("canary_good", "the better release again, step by step") as said:
            url = at_end.enter_context(on_air(stage))
            _go_back(stage, first)
            good = Trial(release=better, champion=first)
            champion = _roll_out(stage, said, url, good)
        # Only where chance had it that the good one was rolled back is it still the first.
        passed = "MODEL_UNCHANGED" if champion == better else "IMPROVED"
        with stage.scene("canary_errors", "a new region raises: no dataset has it") as said:
            stage.edit(FEATURES, ENCODED, BY_PARTS)
            stage.commit("Add up what a region is named after")
            release = let_pass(stage, said, passed)
            failing = Trial(release=release, champion=champion, blemish=FAILURE)
            _roll_out(stage, said, url, failing)
            stage.revert()
        with stage.scene("canary_slow", "a new region takes its time: no dataset has it") as said:
            stage.edit(FEATURES, IMPORTED, f"from time import sleep\n{IMPORTED}")
            stage.edit(FEATURES, ENCODED, LOOKED_UP)
            stage.commit("Look new regions up")
            release = let_pass(stage, said, passed)
            slow = Trial(release=release, champion=champion, blemish=slow_request(LOOK_UP_S))
            _roll_out(stage, said, url, slow)
            stage.revert()


def _go_back(stage: Stage, release: str) -> None:
    back = ("rollback", "--environment", "production", "--to", short(release))
    tell(stage, stage.triune(*back))


def _roll_out(stage: Stage, said: Outcome, url: str, trial: Trial) -> str:
    """Take a release into production under live traffic, and return who is the champion then."""
    stage.triune("promote", short(trial.release), "--to", "staging")
    customers = Customers.asking(stage.folder, releases=(trial.champion, trial.release))
    stage.say(
        f"\nup to {PER_SECOND:g} requests a second from {KEYS:,} customers, one in four of them in "
        f"{NEW_REGION}; each answer\nis compared with what the worker of the release that gave it "
        "was asked beforehand"
    )
    with customers.load(url) as load:
        began = monotonic()
        rollout = ask(stage, trial.release)
        _await(load, WARM_UP)
        tell(stage, stage.triune("approve", rollout, verdicts=(Verdict.INCONCLUSIVE,)))
        watched = stage.triune(
            "rollout",
            "watch",
            rollout,
            verdicts=(Verdict.PASS, Verdict.FAIL),
            deadline_s=DEADLINE_S,
        )
        _await(load, load.seen.requests + AFTERWARDS)
        lasted_s = monotonic() - began
    reason = watched["rollout"]["reason"]
    said.layer, said.verdict = ROLLOUT, Verdict(watched["verdict"])
    said.reason = reason["code"]
    stage.say(f"{said.verdict}  {said.reason}: {reason['message']}")
    logged = Logged(stage.folder, rollout)
    said.traffic = _traffic(said, trial, load.seen, logged)
    _tell_traffic(stage, said.traffic, logged, lasted_s)
    if trial.blemish:
        _tell_retreat(stage, trial.blemish, logged.retreat(trial.blemish))
    stage.amiss += _amiss(said, trial, said.traffic)
    return trial.champion if said.verdict is Verdict.FAIL else trial.release


def _traffic(said: Outcome, trial: Trial, seen: Seen, logged: Logged) -> TrafficSeen:
    retreat = logged.retreat(trial.blemish) if trial.blemish else None
    return TrafficSeen(
        client_requests=seen.requests,
        client_errors=sum(seen.errors.values()),
        wrong_answers=seen.wrong,
        candidate_requests=logged.on_candidate,
        seconds_to_champion=round(retreat.seconds, 3) if retreat else None,
        false_rollback=None if trial.blemish else said.verdict is Verdict.FAIL,
    )


def _tell_traffic(stage: Stage, seen: TrafficSeen, logged: Logged, lasted_s: float) -> None:
    stage.say(
        f"clients saw {seen.client_requests:,} answers, {seen.client_requests / lasted_s:.0f} a "
        f"second, {seen.client_errors} errors and {seen.wrong_answers} wrong answers"
    )
    for each in logged.portions:
        stage.say(
            f"  candidate at {each.weight_pct:3.0f} %: {each.requests:6,} requests, "
            f"{each.firsts:6,} of them a customer's first; the candidate got "
            f"{each.on_candidate:,} and failed {each.failures:,}"
        )


def _tell_retreat(stage: Stage, blemish: Blemish, retreat: Retreat | None) -> None:
    if retreat is None:
        stage.say(f"the gateway logged no {blemish.name} of the candidate")
        return
    stage.say(
        f"from its first {blemish.name} until the champion had all traffic: "
        f"{retreat.seconds:.2f} s and {retreat.requests:,} requests; {retreat.on_candidate:,} of "
        f"them went to the candidate, which had {retreat.blemishes:,} of these"
    )


def _amiss(said: Outcome, trial: Trial, seen: TrafficSeen) -> list[str]:
    """List what must not be."""
    found = []
    if seen.client_errors or seen.wrong_answers:
        found.append(
            f"clients saw {seen.client_errors} errors and {seen.wrong_answers} wrong answers"
        )
    wanted = Verdict.FAIL if trial.blemish else Verdict.PASS
    if said.verdict is not wanted:
        found.append(f"release {short(trial.release)} ended in {said.verdict}, {said.reason}")
    return found


def _await(load: Load, requests: int) -> None:
    """Wait until customers were answered so often."""
    deadline = monotonic() + DEADLINE_S
    while load.seen.requests < requests:
        if monotonic() > deadline:
            raise DemoFailedError("up", f"{load.seen.requests:,} answers in {DEADLINE_S} s")
        sleep(_POLL_S)
