"""Prints how the analysis of a rollout does in seeded simulations, beside goals and other rules.

Run from the root of the repository: ``python -m benchmarks.rollouts``.
"""

import argparse
import time
from pathlib import Path

from benchmarks.goals import progress, summary
from benchmarks.rollouts import advances, delays, false_rollbacks, latency, plot, rivals
from benchmarks.rollouts.figures import table

PANELS = ("good", "good, shared outage of 25 min", "fails in 2%")


def main() -> None:
    """Simulate, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=400, help="of a million requests; others in proportion (400)"
    )
    parser.add_argument("--svg", type=Path, default=Path("build/rollouts.svg"), help="the plot")
    arguments = parser.parse_args()
    if arguments.runs < 2:
        parser.error("--runs must be at least 2")
    begun = time.process_time()

    found = rivals.judge(arguments.runs, progress)
    parts = {
        "False rollbacks of good releases within 1,000,000 requests": false_rollbacks.rows(
            arguments.runs, progress
        ),
        "False rollbacks by latency, 90,000 requests": latency.rows(
            max(2, arguments.runs // 4), progress
        ),
        "Mean delay until a rollback, champion at 0.5 %": delays.rows(2 * arguments.runs, progress),
        f"Advancing, within {advances.HORIZON:,} requests": advances.rows(arguments.runs, progress),
        "Beside other rules: 2 requests/s, weight 5 %, champion at 0.5 %, 6 hours": rivals.rows(
            found
        ),
    }
    arguments.svg.parent.mkdir(parents=True, exist_ok=True)
    arguments.svg.write_text(plot.draw(found, panels=PANELS))

    print("\n\n".join(table(title, rows) for title, rows in parts.items()))
    print(f"\n{summary(parts)}; {time.process_time() - begun:,.0f} s; plot: {arguments.svg}")


if __name__ == "__main__":
    main()
