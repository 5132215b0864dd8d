"""Other rules on the very same requests: a threshold a minute, a test a minute, Mann-Whitney.

Each is written here after what such judges do, with usual settings; none is a tool's own code. They
look once a minute, Triune after every request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from benchmarks.rollouts.figures import Figure, generators, median, share
from benchmarks.rollouts.requests import no_evidence, no_safety
from scipy.special import ndtri
from scipy.stats import mannwhitneyu

from triune.domain.rollout.forecast import draw, first_shown, first_sufficient
from triune.stats.inputs import FloatArray
from triune.stats.sequential.rollback import Trials

PER_MINUTE: Final = 120
MINUTES: Final = 360
WEIGHT: Final = 0.05
ALPHA: Final = 0.01
RATE: Final = 0.005

_FEWEST_MINUTES: Final = 5
_WINDOW: Final = 60

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """Requests and failures a minute: (runs, minutes).

    The baseline is a part of the champion's requests, as many as the candidate has.
    """

    candidate: IntArray
    candidate_failures: IntArray
    champion: IntArray
    champion_failures: IntArray
    baseline: IntArray
    baseline_failures: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens to the requests of six hours."""

    what: str
    candidate: float
    has_outage: bool = False
    is_good: bool = True


SCENARIOS: Final = (
    Scenario(what="good", candidate=RATE),
    Scenario(what="good, shared outage of 25 min", candidate=RATE, has_outage=True),
    Scenario(what="fails in 2%", candidate=0.02, is_good=False),
    Scenario(what="fails in 5%", candidate=0.05, is_good=False),
)


def threshold(minutes: Minutes) -> FloatArray:
    """Roll back at the fourth minute in which less than 95 % succeed: three may fail."""
    below = minutes.candidate_failures > 0.05 * minutes.candidate
    return _first(np.cumsum(below, axis=1) > 3)


def z_test(minutes: Minutes) -> FloatArray:
    """Compare the two rates so far by a one-sided z-test at 1 %, anew each minute."""
    candidate, champion = minutes.candidate.cumsum(axis=1), minutes.champion.cumsum(axis=1)
    failures = minutes.candidate_failures.cumsum(axis=1)
    others = minutes.champion_failures.cumsum(axis=1)
    pooled = (failures + others) / (candidate + champion)
    variance = pooled * (1 - pooled) * (1 / np.maximum(candidate, 1) + 1 / champion)
    difference = failures / np.maximum(candidate, 1) - others / champion
    return _first(difference > -ndtri(ALPHA) * np.sqrt(np.maximum(variance, 1e-12)))


def mann_whitney(minutes: Minutes) -> FloatArray:
    """Compare the last hour's rates a minute with the baseline's, at 1 %, anew each minute."""
    candidate = minutes.candidate_failures / np.maximum(minutes.candidate, 1)
    baseline = minutes.baseline_failures / np.maximum(minutes.baseline, 1)
    is_higher = np.zeros(candidate.shape, dtype=np.bool_)
    for minute in range(_FEWEST_MINUTES, MINUTES + 1):
        hour = slice(max(0, minute - _WINDOW), minute)
        tested = mannwhitneyu(
            candidate[:, hour],
            baseline[:, hour],
            alternative="greater",
            axis=1,
            method="asymptotic",
        )
        # Where all rates are equal there is no p.
        is_higher[:, minute - 1] = np.nan_to_num(tested.pvalue, nan=1.0) < ALPHA
    return _first(is_higher)


RULES: Final[dict[str, Callable[[Minutes], FloatArray]]] = {
    "95 % a minute, three may fail": threshold,
    "z-test each minute": z_test,
    "Mann-Whitney each minute": mann_whitney,
}
TRIUNE: Final = "Triune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of the runs of a scenario, in minutes; infinity for what did not happen.

    Parameters
    ----------
    rolled_back
        By rule.
    shown_safe
        When Triune would advance. The other rules know no such thing.
    """

    rolled_back: dict[str, FloatArray]
    shown_safe: FloatArray


def judge(runs: int, progress: Callable[[str], None]) -> dict[str, Found]:
    """Simulate six hours of each scenario, and judge them by every rule."""
    found = {}
    for scenario in SCENARIOS:
        progress(f"other rules: {scenario.what}")
        seen, rolled_back, shown_safe = [], [], []
        for rng in generators(scenario.what, runs):
            trials = _draw(rng, scenario)
            rolled_back.append(_minute(first_sufficient(no_evidence(), trials, alpha=ALPHA)))
            shown_safe.append(_minute(first_shown(no_safety(0), trials)))
            seen.append(_by_minute(rng, trials))
        minutes = Minutes(
            **{name: np.array([each[name] for each in seen]) for name in Minutes.__slots__}
        )
        found[scenario.what] = Found(
            rolled_back={
                TRIUNE: np.array(rolled_back),
                **{name: rule(minutes) for name, rule in RULES.items()},
            },
            shown_safe=np.array(shown_safe),
        )
    return found


def rows(found: dict[str, Found]) -> list[Figure]:
    """Summarise how many good releases are rolled back, and how many bad ones, and when."""
    return [
        figure
        for scenario in SCENARIOS
        for rule, minute in found[scenario.what].rolled_back.items()
        for figure in _figures(scenario, rule, minute, found[scenario.what].shown_safe)
    ]


def _figures(
    scenario: Scenario, rule: str, minute: FloatArray, shown_safe: FloatArray
) -> list[Figure]:
    inconclusive = np.isinf(minute) & np.isinf(shown_safe) if rule == TRIUNE else None
    what = f"{scenario.what}: {rule}"
    six_hours = np.isfinite(minute)
    if scenario.is_good:
        return [
            share(f"{what}, in 1 h", minute <= 60),
            share(f"{what}, in 6 h", six_hours, inconclusive=inconclusive),
        ]
    return [
        share(f"{what}, in 6 h", six_hours, inconclusive=inconclusive),
        median(f"{what}, median", minute, unit="min"),
    ]


def _minute(request: int | None) -> float:
    return np.inf if request is None else (request + 1) / PER_MINUTE


def _draw(rng: np.random.Generator, scenario: Scenario) -> Trials:
    rates = np.full(PER_MINUTE * MINUTES, RATE)
    candidate = np.full(PER_MINUTE * MINUTES, scenario.candidate)
    if scenario.has_outage:
        begin = int(rng.integers(len(rates) - 3_000))
        for each in (rates, candidate):
            each[begin : begin + 3_000] = 0.3
    return draw(rng, len(rates), weight=WEIGHT, champion=rates, candidate=candidate)


def _by_minute(rng: np.random.Generator, trials: Trials) -> dict[str, IntArray]:
    candidate, failed = trials.on_candidate, trials.failed
    baseline = ~candidate & (rng.random(len(failed)) < WEIGHT / (1 - WEIGHT))
    return {
        name: np.count_nonzero(flags.reshape(MINUTES, PER_MINUTE), axis=1)
        for name, flags in {
            "candidate": candidate,
            "candidate_failures": candidate & failed,
            "champion": ~candidate,
            "champion_failures": ~candidate & failed,
            "baseline": baseline,
            "baseline_failures": baseline & failed,
        }.items()
    }


def _first(rolls_back: npt.NDArray[np.bool_]) -> FloatArray:
    """Find the minute of the first True of each run, infinity where there is none."""
    return np.where(rolls_back.any(axis=1), rolls_back.argmax(axis=1) + 1.0, np.inf)
