"""Measures the paired DeLong test on a million rows, beside the sorting that it cannot do without.

The floor is measured in the same run, in turn with the test: one `numpy.argsort` of each model's
scores.
"""

import argparse
import json
from statistics import median
from time import perf_counter

import numpy as np

from triune.stats.auc import compare_auc

RUNS = 7
GOAL = 3.0
KINDS = ("distinct scores", "scores of three decimals")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: 1,000,000")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()

    rows = [measure(kind, arguments.rows) for kind in KINDS]
    if arguments.json:
        print(json.dumps({"delong": rows}))
        return
    print(f"paired DeLong on {arguments.rows:,} rows, median of {RUNS}")
    for row in rows:
        print(
            f"  {row['scores']:24} {row['seconds']} s, {row['ratio']} x two argsorts "
            f"({row['floor_s']} s); goal: at most {GOAL} x"
        )


def measure(kind: str, count: int) -> dict[str, object]:
    """Time the test beside the two sorts, pair by pair, and take the median ratio."""
    truth, champion, candidate = two_models(count, decimals=3 if kind == KINDS[1] else None)
    pairs = []
    for _ in range(RUNS):
        started = perf_counter()
        np.argsort(champion)
        np.argsort(candidate)
        sorted_at = perf_counter()
        compare_auc(truth, champion=champion, candidate=candidate)
        pairs.append((sorted_at - started, perf_counter() - sorted_at))
    return {
        "scores": kind,
        "rows": count,
        "floor_s": round(median(floor for floor, _ in pairs), 4),
        "seconds": round(median(seconds for _, seconds in pairs), 4),
        "ratio": round(median(seconds / floor for floor, seconds in pairs), 2),
        "goal": GOAL,
    }


def two_models(count: int, *, decimals: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score rows of which one in five is positive by two models that are alike."""
    rng = np.random.default_rng(1)
    truth = rng.random(count) < 0.2
    shared = rng.standard_normal(count) + truth
    scores = [1 / (1 + np.exp(-shared - rng.standard_normal(count) / 2)) for _ in range(2)]
    if decimals is not None:
        scores = [np.round(each, decimals) for each in scores]
    return truth, scores[0], scores[1]


if __name__ == "__main__":
    main()
