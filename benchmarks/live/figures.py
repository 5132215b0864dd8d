"""What was measured over several runs: the median and the worst of them, beside the goal."""

from dataclasses import dataclass
from math import inf
from statistics import median
from typing import Final, Self

from benchmarks.goals import columns

PRINTED: Final = {"s": ".2f", "ms": ".1f"}
"""How figures are printed by their unit; whole where it is no measure of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row of the table.

    Parameters
    ----------
    values
        One of each run; infinite where what was waited for did not come about.
    goal
        The most that is allowed in every single run, None where the figure is only shown.
    """

    what: str
    values: tuple[float, ...]
    unit: str
    goal: float | None = None

    @classmethod
    def of(
        cls, what: str, values: list[float], *, unit: str = "", goal: float | None = None
    ) -> Self:
        """Take what each run came to."""
        return cls(what=what, values=tuple(values), unit=unit, goal=goal)

    @property
    def is_met(self) -> bool:
        """Whether the worst run reaches the goal, if there is one."""
        return self.goal is None or max(self.values) <= self.goal


def table(title: str, figures: list[Figure]) -> str:
    """Lay figures out in columns."""
    head = ("what", "goal", "median", "worst", "", "runs")
    return columns(title, [head, *(_cells(figure) for figure in figures)])


def _cells(figure: Figure) -> tuple[str, ...]:
    def number(value: float) -> str:
        if value == inf:
            return "never"
        return f"{value:{PRINTED.get(figure.unit, '.0f')}} {figure.unit}".rstrip()

    return (
        figure.what,
        "" if figure.goal is None else f"<= {figure.goal:g} {figure.unit}".rstrip(),
        number(median(figure.values)),
        number(max(figure.values)),
        "" if figure.goal is None else ("met" if figure.is_met else "MISSED"),
        str(len(figure.values)),
    )
