"""Foretells what the rollout steps of an environment mean at a rate of traffic."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np

from triune.domain.errors import UsageError
from triune.domain.project import EnvironmentSpec
from triune.domain.rollout.forecast import Fate, StepForecast, forecast_fate, forecast_steps
from triune.domain.rollout.plan import OnDeadline, Strategy
from triune.domain.rollout.state import Rollout
from triune.operations.context import Context
from triune.operations.environments import find_environment
from triune.operations.traffic import requests_per_s
from triune.ports import Progress

FAILURE_RATES: Final = (0.01, 0.02, 0.05, 0.2)
SEED: Final = 20_260_105


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the steps of an environment mean; ``fates`` has one entry a failure rate."""

    environment: EnvironmentSpec
    requests_per_s: float
    steps: tuple[StepForecast, ...]
    fates: tuple[Fate, ...]
    warnings: tuple[str, ...]


def forecast(context: Context, name: str, *, requests_per_s: float, progress: Progress) -> Forecast:
    """Tell how long each step takes, what it catches, and where a deadline comes too soon.

    Raises
    ------
    UnknownEnvironmentError
        ``triune.yaml`` names no such environment.
    UsageError
        The rate is none, or the environment compares nothing.
    """
    environment = find_environment(context.spec, name)
    plan, rules = environment.plan, environment.analysis
    if not (isfinite(requests_per_s) and requests_per_s > 0):
        raise UsageError(
            f"{requests_per_s:g} requests a second show nothing; give more than 0, as --rps 2"
        )
    if plan.strategy is Strategy.INSTANT:
        raise UsageError(
            f"{name} has `strategy: instant`, which takes all at once: nothing is compared; to "
            "compare, set canary, blue_green, rolling or shadow"
        )
    rng = np.random.default_rng(SEED)
    fates = []
    for rate in FAILURE_RATES:
        progress(f"simulating candidates that fail in {rate:.0%}")
        fates.append(
            forecast_fate(plan, rules, failure_rate=rate, requests_per_s=requests_per_s, rng=rng)
        )
    steps = forecast_steps(plan, rules, requests_per_s=requests_per_s)
    return Forecast(
        environment=environment,
        requests_per_s=requests_per_s,
        steps=steps,
        fates=tuple(fates),
        warnings=tuple(_warnings(environment, steps, requests_per_s)),
    )


def forecast_at_rate_seen(
    context: Context, rollout: Rollout, *, progress: Progress
) -> Forecast | None:
    """Tell what the steps of a rollout mean at the traffic that its environment has now.

    None where nothing is compared, or there is hardly any traffic.
    """
    if not any(step.needs_evidence for step in rollout.plan.steps):
        return None
    router = context.planes.of(find_environment(context.spec, rollout.environment))
    traffic = router.look()
    if traffic is None:
        return None
    rate = requests_per_s(router, traffic, now_s=context.clock.now().timestamp())
    if not rate:
        return None
    return forecast(context, rollout.environment, requests_per_s=rate, progress=progress)


def _warnings(
    environment: EnvironmentSpec, steps: tuple[StepForecast, ...], requests_per_s: float
) -> list[str]:
    pace = environment.plan.pace
    then = (
        "it is rolled back before it can go on"
        if pace.on_deadline is OnDeadline.ROLL_BACK
        else "it is held there past it"
    )
    found = []
    for at, step in enumerate(steps, start=1):
        if not step.is_too_slow:
            continue
        where = f"step {at} ({step.candidate_pct:g} %)"
        if step.requests is None:
            found.append(
                f"{where}: no number of requests shows a good release safe enough; raise "
                "analysis.slo.error_rate"
            )
            continue
        found.append(
            f"{where}: a good release takes about {step.requests:,} requests, and by its deadline "
            f"there are {step.requests_by_deadline:,}: {then}; set step.deadline_seconds to "
            f"{_round_up(2 * step.requests / requests_per_s):,} or so"
        )
    return found


def _round_up(seconds: float) -> int:
    """Round to whole hours: the median is not enough, and no more digits are known."""
    return 3600 * int(np.ceil(seconds / 3600))
