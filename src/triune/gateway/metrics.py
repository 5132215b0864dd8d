"""Counters and histograms, written out as Prometheus reads them."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
Labels = tuple[str, ...]


class Counter:
    """Counts, by the values of its labels."""

    def __init__(self, name: str, about: str, labels: Sequence[str]) -> None:
        self._name, self._about, self._labels = name, about, tuple(labels)
        self.counts: defaultdict[Labels, int] = defaultdict(int)

    def add(self, *values: str) -> None:
        """Count one more."""
        self.counts[values] += 1

    def lines(self) -> list[str]:
        """Write the counts."""
        return [
            *_head(self._name, self._about, "counter"),
            *(
                f"{self._name}{_labelled(self._labels, values)} {count}"
                for values, count in sorted(self.counts.items())
            ),
        ]


class Histogram:
    """Counts durations by how long they were, by the values of its labels."""

    def __init__(self, name: str, about: str, labels: Sequence[str]) -> None:
        self._name, self._about, self._labels = name, about, tuple(labels)
        self._series: defaultdict[Labels, _Series] = defaultdict(_Series)

    def observe(self, seconds: float, values: Labels) -> None:
        """Count one duration."""
        series = self._series[values]
        series.counts[bisect_left(SECONDS, seconds)] += 1
        series.sum += seconds

    def lines(self) -> list[str]:
        """Write the counts, each with those below it."""
        written = _head(self._name, self._about, "histogram")
        for values, series in sorted(self._series.items(), key=lambda item: item[0]):
            total = 0
            for bound, count in zip((*map(str, SECONDS), "+Inf"), series.counts, strict=True):
                total += count
                labels = _labelled((*self._labels, "le"), (*values, bound))
                written.append(f"{self._name}_bucket{labels} {total}")
            labels = _labelled(self._labels, values)
            written.append(f"{self._name}_sum{labels} {series.sum!r}")
            written.append(f"{self._name}_count{labels} {total}")
        return written


class _Series:
    """How often each bucket was met, and the sum."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.sum = 0.0


def gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> list[str]:
    """Write what is so at the moment."""
    return [
        *_head(name, about, "gauge"),
        *(f"{name}{_labelled((label,), (value,))} {now}" for value, now in values.items()),
    ]


def _head(name: str, about: str, kind: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _labelled(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
