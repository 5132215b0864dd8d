"""What a simulation found: a figure with its own uncertainty, beside the goal it has to reach."""

from dataclasses import dataclass
from math import sqrt
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
from benchmarks.goals import columns

from triune.stats.proportion import clopper_pearson_interval

SEED: Final = 20_260_105


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table.

    ``low`` and ``high`` bound the figure at 95 %, which is but a simulation's. ``goal`` is the most
    that is allowed, None where the figure is only shown. ``inconclusive`` is the share of runs that
    ended with neither verdict, None where a row does not ask for one.
    """

    what: str
    value: float
    low: float
    high: float
    unit: str
    runs: int
    goal: float | None = None
    inconclusive: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure reaches its goal, if it has one."""
        return self.goal is None or self.value <= self.goal

    @property
    def verdict(self) -> str:
        """Say whether the goal is met, and whether more runs might say otherwise."""
        if self.goal is None:
            return ""
        is_sure = self.high <= self.goal if self.is_met else self.low > self.goal
        return ("met" if self.is_met else "MISSED") + ("" if is_sure else ", not for sure")


def share(
    what: str,
    hits: npt.ArrayLike,
    *,
    goal: float | None = None,
    inconclusive: npt.ArrayLike | None = None,
) -> Figure:
    """Summarise a yes or no per run, in percent, with the interval of Clopper and Pearson."""
    found = np.asarray(hits, dtype=np.bool_)
    interval = clopper_pearson_interval(int(found.sum()), len(found))
    return Figure(
        what=what,
        value=100 * float(found.mean()),
        low=100 * interval.low,
        high=100 * interval.high,
        unit="%",
        runs=len(found),
        goal=goal,
        inconclusive=_share_of(inconclusive),
    )


def mean(
    what: str,
    values: npt.ArrayLike,
    *,
    unit: str,
    goal: float | None = None,
    inconclusive: npt.ArrayLike | None = None,
) -> Figure:
    """Summarise a number per run by its mean, bounded by 1.96 standard errors."""
    seen = np.asarray(values, dtype=np.float64)
    reach = 1.96 * float(seen.std(ddof=1)) / sqrt(len(seen))
    middle = float(seen.mean())
    return Figure(
        what=what,
        value=middle,
        low=middle - reach,
        high=middle + reach,
        unit=unit,
        runs=len(seen),
        goal=goal,
        inconclusive=_share_of(inconclusive),
    )


def median(
    what: str, values: npt.ArrayLike, *, unit: str, inconclusive: npt.ArrayLike | None = None
) -> Figure:
    """Summarise a number per run by its median, bounded by order statistics."""
    seen = np.sort(np.asarray(values, dtype=np.float64))
    reach = 0.98 * sqrt(len(seen))
    middle = len(seen) / 2
    return Figure(
        what=what,
        value=float(np.median(seen)),
        low=float(seen[max(0, int(middle - reach))]),
        high=float(seen[min(len(seen) - 1, int(middle + reach))]),
        unit=unit,
        runs=len(seen),
        inconclusive=_share_of(inconclusive),
    )


def generators(what: str, runs: int) -> list[np.random.Generator]:
    """Give each run of a row randomness of its own, the same at every call."""
    seeds = np.random.SeedSequence([SEED, crc32(what.encode())]).spawn(runs)
    return [np.random.default_rng(seed) for seed in seeds]


def table(title: str, figures: list[Figure]) -> str:
    """Lay figures out in columns."""
    head = ("what", "goal", "figure", "95 % interval", "", "inconclusive", "runs")
    return columns(title, [head, *(_cells(figure) for figure in figures)])


def _cells(figure: Figure) -> tuple[str, ...]:
    def number(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.2f}"

    return (
        figure.what,
        "" if figure.goal is None else f"<= {figure.goal:g} {figure.unit}",
        f"{number(figure.value)} {figure.unit}",
        f"{number(figure.low)} to {number(figure.high)}",
        figure.verdict,
        "" if figure.inconclusive is None else f"{figure.inconclusive:.1%}",
        str(figure.runs),
    )


def _share_of(flags: npt.ArrayLike | None) -> float | None:
    return None if flags is None else float(np.mean(np.asarray(flags, dtype=np.float64)))
