"""Draws how the share of rollouts that were rolled back grows, rule by rule, as SVG."""

from typing import Final

import numpy as np
from benchmarks.rollouts.rivals import MINUTES, TRIUNE, Found

from triune.stats.inputs import FloatArray

_WIDTH: Final = 380
_HEIGHT: Final = 240
_LEFT: Final = 60
_TOP: Final = 50
_GAP: Final = 80
_COLOURS: Final = ("#1b7837", "#d6604d", "#4393c3", "#8073ac")


def draw(found: dict[str, Found], *, panels: tuple[str, ...]) -> str:
    """Draw one panel a scenario: the share rolled back over six hours, for each rule."""
    width = _LEFT + len(panels) * (_WIDTH + _GAP)
    height = _TOP + _HEIGHT + 90
    body = [
        _panel(found[panel].rolled_back, title=panel, left=_LEFT + at * (_WIDTH + _GAP))
        for at, panel in enumerate(panels)
    ]
    legend = [
        f'<line x1="{_LEFT + at * 210}" y1="{height - 14}" x2="{_LEFT + at * 210 + 20}" '
        f'y2="{height - 14}" stroke="{colour}" stroke-width="{_stroke(rule)}"/>'
        f'<text x="{_LEFT + at * 210 + 26}" y="{height - 10}">{rule}</text>'
        for at, (rule, colour) in enumerate(
            zip(found[panels[0]].rolled_back, _COLOURS, strict=True)
        )
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
            "<style>text { font-family: sans-serif; font-size: 12px }</style>",
            '<rect width="100%" height="100%" fill="white"/>',
            *body,
            *legend,
            "</svg>",
            "",
        ]
    )


def _panel(found: dict[str, FloatArray], *, title: str, left: int) -> str:
    bottom = _TOP + _HEIGHT
    parts = [
        f'<text x="{left}" y="{_TOP - 18}" font-weight="bold">rolled back: {title}</text>',
        f'<path d="M{left} {_TOP}V{bottom}H{left + _WIDTH}" fill="none" stroke="black"/>',
        f'<text x="{left + _WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">hours</text>',
    ]
    for percent in range(0, 101, 25):
        y = bottom - _HEIGHT * percent / 100
        parts.append(f'<path d="M{left} {y}h{_WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{percent} %</text>')
    for hour in range(MINUTES // 60 + 1):
        x = left + _WIDTH * hour * 60 / MINUTES
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{hour}</text>')
    for (rule, minutes), colour in zip(found.items(), _COLOURS, strict=True):
        parts.append(
            f'<polyline points="{_points(minutes, left=left, bottom=bottom)}" fill="none" '
            f'stroke="{colour}" stroke-width="{_stroke(rule)}"/>'
        )
    return "\n".join(parts)


def _points(minutes: FloatArray, *, left: int, bottom: int) -> str:
    grid = np.arange(0, MINUTES + 1, 3)
    shares = [float(np.mean(minutes <= minute)) for minute in grid]
    return " ".join(
        f"{left + _WIDTH * minute / MINUTES:.1f},{bottom - _HEIGHT * share:.1f}"
        for minute, share in zip(grid.tolist(), shares, strict=True)
    )


def _stroke(rule: str) -> int:
    return 3 if rule == TRIUNE else 2
