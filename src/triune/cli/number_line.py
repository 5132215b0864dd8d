"""Draws an interval on a line of text, with the values that it is held against."""

from collections.abc import Mapping
from math import isfinite

WIDTH = 60


def draw_interval(
    *, low: float, value: float, high: float, marks: Mapping[str, float]
) -> list[str]:
    """Draw ``[----*----]``, and under it where the marks lie and what they are called.

    Nothing is drawn where a bound is infinite, or all is one point.
    """
    points = [low, value, high, *marks.values()]
    span = max(points) - min(points)
    if not isfinite(span) or span <= 0:
        return []
    start = min(points)

    def place(point: float) -> int:
        return round((point - start) / span * (WIDTH - 1))

    line = [" "] * WIDTH
    line[place(low) : place(high) + 1] = "-" * (place(high) - place(low) + 1)
    line[place(low)], line[place(high)], line[place(value)] = "[", "]", "*"
    return ["".join(line).rstrip(), *_name_marks({place(at): name for name, at in marks.items()})]


def _name_marks(names: Mapping[int, str]) -> list[str]:
    """Write each name under its place, on lines of their own where two would touch."""
    ticks = [" "] * WIDTH
    for at in names:
        ticks[at] = "|"
    lines = ["".join(ticks).rstrip()]
    free = 0
    text = ""
    for at, name in sorted(names.items()):
        if at < free:
            lines.append(text)
            text = ""
        text = f"{text:<{at}}{name}"
        free = len(text) + 1
    return [*lines, text]
