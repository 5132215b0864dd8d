"""Measures rollouts on real processes: controller, gateway, workers, and customers who look.

Run from the root of the repository: ``python -m benchmarks.live``. Two hundred requests a second,
of fifty thousand customers, and every answer compared with what the release named in it answers.
"""

import argparse
import compileall
import os
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.goals import progress, summary
from benchmarks.live import canaries, commands, outages
from benchmarks.live.figures import table
from benchmarks.live.stage import KEYS, PER_SECOND

SOURCE: Final = Path(__file__).parents[2] / "src"
COMMANDS: Final = ("warm", "cold")
NAMES: Final = ("latency", *canaries.BAD, *COMMANDS, "outage")


def main() -> None:
    """Roll out, roll back, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="of each (10); outages twice that")
    parser.add_argument(
        "--only", choices=NAMES, action="append", help="one of all; may be given again"
    )
    parser.add_argument(
        "--outage-seconds", type=float, default=120.0, help="how long both arms fail (120)"
    )
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error("--repeats must be at least 1")
    names = [name for name in NAMES if name in (arguments.only or NAMES)]
    # As `make install` does: else each command compiles anew what changed since.
    compileall.compile_dir(SOURCE, quiet=1)
    began, load_before = time.monotonic(), _load()

    parts = {}
    with tempfile.TemporaryDirectory(prefix="triune-live-") as scratch:
        folder = Path(scratch)
        if canary := [name for name in names if name == "latency" or name in canaries.BAD]:
            parts["Canaries, first step at 5 %"] = canaries.rows(
                folder / "canaries", canary, arguments.repeats, progress
            )
        for name in COMMANDS:
            if name in names:
                title = f"`triune rollback`, {name}"
                parts[title] = commands.rows(folder / name, name, arguments.repeats, progress)
        if "outage" in names:
            parts["A shared outage"] = outages.rows(
                folder / "outage", 2 * arguments.repeats, arguments.outage_seconds, progress
            )

    print(
        f"{PER_SECOND:g} requests/s of {KEYS:,} keys; {os.cpu_count()} cores, load average "
        f"{load_before} before, {_load()} after\n"
    )
    print("\n\n".join(table(title, figures) for title, figures in parts.items()))
    print(f"\n{summary(parts)}; {(time.monotonic() - began) / 60:.1f} min")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
