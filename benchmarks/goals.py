"""Prints figures beside their goals, and counts those that are met."""

import sys
from collections.abc import Mapping, Sequence
from typing import Protocol


class Figure(Protocol):
    """A row of a table; ``goal`` is None where the figure is only shown."""

    @property
    def what(self) -> str:
        """What was measured."""

    @property
    def goal(self) -> float | None:
        """The most that is allowed."""

    @property
    def is_met(self) -> bool:
        """Whether the figure reaches its goal, if it has one."""


def columns(title: str, rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out below a title, the first of them their head."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([title, "", *(line.rstrip() for line in lines)])


def summary(parts: Mapping[str, Sequence[Figure]]) -> str:
    """Count the goals, and name those that are missed."""
    goals = [row for rows in parts.values() for row in rows if row.goal is not None]
    missed = [row.what for row in goals if not row.is_met]
    return f"{len(goals) - len(missed)} of {len(goals)} goals met" + (
        f"; missed: {'; '.join(missed)}" if missed else ""
    )


def progress(what: str) -> None:
    """Say on stderr what is being done."""
    print(f"... {what}", file=sys.stderr, flush=True)
