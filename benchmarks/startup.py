"""Times `triune --help` against a bare `python -c pass`: whole processes, in turn, one run."""

import json
import subprocess
import sys
from statistics import median
from time import perf_counter

RUNS = 15
FLOOR = [sys.executable, "-c", "pass"]
COMMANDS = {
    "triune --help": [sys.executable, "-m", "triune.cli", "--help"],
    "triune release --help": [sys.executable, "-m", "triune.cli", "release", "--help"],
}

GOALS = {"triune --help": 12.0}


def time_command(command: list[str]) -> float:
    """Run a command once and return its wall-clock seconds."""
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - started


def measure() -> list[dict[str, object]]:
    """Time every command beside the floor, pair by pair, and take the median ratio."""
    rows: list[dict[str, object]] = []
    for name, command in COMMANDS.items():
        time_command(command)
        pairs = [(time_command(FLOOR), time_command(command)) for _ in range(RUNS)]
        rows.append(
            {
                "command": name,
                "floor_s": round(median(floor for floor, _ in pairs), 4),
                "seconds": round(median(seconds for _, seconds in pairs), 4),
                "ratio": round(median(seconds / floor for floor, seconds in pairs), 2),
                "goal": GOALS.get(name),
            }
        )
    return rows


def main() -> None:
    """Print the table, or JSON with --json."""
    rows = measure()
    if "--json" in sys.argv:
        print(json.dumps({"startup": rows}))
        return
    print("start-up, whole process, median of", RUNS)
    for row in rows:
        goal = f"; goal: at most {row['goal']} x" if row["goal"] else ""
        print(
            f"  {row['command']:24} {row['seconds']} s, {row['ratio']} x `python -c pass` "
            f"({row['floor_s']} s){goal}"
        )


if __name__ == "__main__":
    main()
