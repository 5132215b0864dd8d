"""`triune rollout watch`: a rollout as it goes on, live in a terminal, in plain lines elsewhere."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from math import exp
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from triune.cli.arguments import RolloutName
from triune.cli.output import EXIT_CODES, AsJson, print_json, report_progress

if TYPE_CHECKING:
    from triune.domain.rollout.state import Rollout
    from triune.operations.observing import Observed

LOOK_EVERY_S: Final = 0.5
SAY_EVERY_S: Final = 10.0
"""Where nothing but figures changes, and nobody looks at a terminal."""

_MOST_SHOWN: Final = 1e6


def watch(
    name: RolloutName,
    once: Annotated[bool, typer.Option("--once", help="Show it as it stands, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Follow a rollout to its end: 0 where it was promoted, 1 where it was not, 3 while it runs."""
    from triune.bootstrap import controller_of, observer, open_project
    from triune.domain.verdict import Verdict
    from triune.operations.approvals import find_rollout
    from triune.operations.environments import find_environment
    from triune.operations.following import verdict_of

    with open_project(Path.cwd()) as context:
        record = find_rollout(context, name)
        follower = observer(context, find_environment(context.spec, record.environment))
        shown: Observed | None = None
        verdict, is_warned = Verdict.INCONCLUSIVE, False
        show = _shower(as_json=as_json)
        controller = controller_of(context.root)
        try:
            for _ in _moments(once=once):
                shown = follower.look()
                verdict = verdict_of(shown.standing.rollout(record.id))
                show(shown, record.id)
                if verdict is not Verdict.INCONCLUSIVE:
                    break
                if not is_warned and not controller.is_running():
                    is_warned = True
                    report_progress("no controller runs, and nothing moves: `triune up`")
        finally:
            show.close()
    if as_json and shown is not None:
        print_json({"verdict": verdict, **_document(shown, shown.standing.rollout(record.id))})
    raise typer.Exit(EXIT_CODES[verdict])


def _moments(*, once: bool) -> Iterator[None]:
    yield
    while not once:
        sleep(LOOK_EVERY_S)
        yield


class _Plain:
    """Prints what is new: each change at once, figures now and then."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._to_stderr = to_stderr
        self._said: tuple[object, ...] = ()
        self._at_s = 0.0

    def __call__(self, observed: "Observed", rollout_id: str) -> None:
        rollout = observed.standing.rollout(rollout_id)
        news = (rollout.status, rollout.step, rollout.version)
        if news == self._said and monotonic() < self._at_s + SAY_EVERY_S:
            return
        self._said, self._at_s = news, monotonic()
        if self._to_stderr:
            report_progress(_line(observed, rollout))
        else:
            typer.echo(_line(observed, rollout))

    def close(self) -> None:
        """Leave what was printed."""


class _Live:
    """Draws the rollout over itself, and leaves the last picture."""

    def __init__(self) -> None:
        from rich.live import Live

        self._live = Live(auto_refresh=False)
        self._live.start()

    def __call__(self, observed: "Observed", rollout_id: str) -> None:
        self._live.update(_picture(observed, observed.standing.rollout(rollout_id)), refresh=True)

    def close(self) -> None:
        self._live.stop()


def _shower(*, as_json: bool) -> _Plain | _Live:
    if as_json or not sys.stdout.isatty():
        return _Plain(to_stderr=as_json)
    return _Live()


def _line(observed: "Observed", rollout: "Rollout") -> str:
    parts = [f"rollout {rollout.id}: {rollout.status.replace('_', ' ')}"]
    if rollout.has_traffic:
        parts.append(
            f"step {rollout.step + 1} of {len(rollout.plan.steps)}, {rollout.split.candidate:g} %"
        )
    analysis = _analysis(observed, rollout)
    if analysis is None:
        return f"{', '.join(parts)}; {rollout.reason.code}: {rollout.reason.message}"
    for arm in _arms(observed):
        low, high = arm["interval"]
        parts.append(
            f"{arm['arm']} {arm['failures']:,} of {arm['first_requests']:,} failed "
            f"[{low:.2%}, {high:.2%}]"
        )
    nearest = max(analysis.streams, key=lambda stream: stream.ln_peak - stream.ln_threshold)
    return (
        f"{', '.join(parts)}; to roll back: {nearest.stream.replace('_', ' ')} "
        f"{_figure(nearest.ln_peak)} of {_figure(nearest.ln_threshold)}; "
        f"{_needed(observed, rollout)}; {analysis.reason.code}: {analysis.reason.message}"
    )


def _picture(observed: "Observed", rollout: "Rollout") -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from triune.domain.release import short

    lines: list[Any] = [
        Text(
            f"rollout {rollout.id}  {rollout.status.replace('_', ' ')}: release "
            f"{short(rollout.release)} into {rollout.environment}"
        )
    ]
    plan = rollout.plan
    steps = "  ".join(
        f"[{plan.split_at(at).candidate:g} %]"
        if at == rollout.step and rollout.has_traffic
        else f"{plan.split_at(at).candidate:g} %"
        for at in range(len(plan.steps))
    )
    lines.append(Text(f"steps    {steps}"))
    analysis = _analysis(observed, rollout)
    if analysis is None:
        return Group(*lines, Text(f"{rollout.reason.code}: {rollout.reason.message}"))
    arms = Table("arm", "release", "weight", "requests", "failed", "rate, 95 % interval", box=None)
    for arm in _arms(observed):
        low, high = arm["interval"]
        arms.add_row(
            arm["arm"],
            short(arm["release"]) if arm["release"] else "-",
            f"{arm['weight_pct']:g} %",
            f"{arm['requests']:,}",
            f"{arm['failures']:,} of {arm['first_requests']:,}",
            f"{arm['rate']:.2%} [{low:.2%}, {high:.2%}]",
        )
    evidence = Table("evidence", "E", "of", box=None)
    evidence.add_row("to advance", _figure(analysis.ln_safety), _figure(analysis.ln_safety_needed))
    for stream in analysis.streams:
        evidence.add_row(
            f"to roll back: {stream.stream.replace('_', ' ')}",
            _figure(stream.ln_peak),
            _figure(stream.ln_threshold),
        )
    return Group(
        *lines,
        arms,
        evidence,
        Text(_needed(observed, rollout)),
        Text(f"{analysis.reason.code}: {analysis.reason.message}"),
    )


def _needed(observed: "Observed", rollout: "Rollout") -> str:
    outlook = _outlook(observed, rollout)
    parts = [f"at this step for {outlook.lasted_s:,.0f} s of at least {outlook.least_s:,.0f}"]
    if outlook.requests is not None:
        parts.append(f"needs about {outlook.requests:,} more requests")
    if outlook.seconds is not None:
        parts.append(f"{outlook.seconds:,.0f} s at the rate seen")
    left_s = outlook.deadline_s
    parts.append(f"deadline in {left_s:,.0f} s" if left_s > 0 else "its deadline has passed")
    return ", ".join(parts)


def _outlook(observed: "Observed", rollout: "Rollout") -> Any:
    from triune.operations.outlook import outlook_of

    return outlook_of(rollout, _analysis(observed, rollout), lasted_s=observed.lasted_s)


def _arms(observed: "Observed") -> list[dict[str, Any]]:
    """Tell of each arm what the present step has shown."""
    from triune.stats.proportion import clopper_pearson_bounds

    evidence, rollout = observed.evidence, observed.rollout
    if evidence is None or rollout is None:
        return []
    safety = evidence.safety
    arms = (
        (
            "candidate",
            rollout.release,
            rollout.split.candidate,
            evidence.candidate_requests,
            safety.candidate_failures,
            safety.candidate_trials,
        ),
        (
            "champion",
            rollout.champion,
            rollout.split.champion,
            evidence.requests - evidence.candidate_requests,
            safety.champion_failures,
            safety.champion_trials,
        ),
    )
    told = []
    for arm, release, weight_pct, requests, failures, trials in arms:
        bounds = clopper_pearson_bounds(failures, trials) if trials else None
        told.append(
            {
                "arm": arm,
                "release": release,
                "weight_pct": weight_pct,
                "requests": requests,
                "first_requests": trials,
                "failures": failures,
                "rate": failures / trials if trials else 0.0,
                "interval": [bounds.lower, bounds.upper] if bounds else [0.0, 1.0],
            }
        )
    return told


def _analysis(observed: "Observed", rollout: "Rollout") -> Any:
    """Return what is known of a rollout while it is the one that is tried."""
    is_tried = observed.rollout is not None and observed.rollout.id == rollout.id
    return observed.analysis if is_tried and rollout.has_traffic else None


def _document(observed: "Observed", rollout: "Rollout") -> dict[str, Any]:
    analysis = _analysis(observed, rollout)
    return {
        "rollout": {
            "id": rollout.id,
            "status": rollout.status,
            "environment": rollout.environment,
            "release": rollout.release,
            "champion": rollout.champion,
            "step": rollout.step,
            "weight_pct": rollout.split.candidate,
            "reason": {"code": rollout.reason.code, "message": rollout.reason.message},
        },
        "arms": _arms(observed) if analysis is not None else [],
        "analysis": analysis.to_json() if analysis is not None else None,
        "outlook": asdict(_outlook(observed, rollout)) if analysis is not None else None,
    }


def _figure(ln_e: float) -> str:
    return f"{exp(ln_e):,.2f}" if exp(min(ln_e, 50)) < _MOST_SHOWN else "over a million"
