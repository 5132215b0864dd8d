r"""Measures data tests beside Great Expectations, Pandera, Pointblank and a query by hand.

Each contender judges the same Parquet file in a process of its own, so that what is measured has
the import in it: seconds on the clock, seconds of CPU, and the most memory that was resident. The
others live in an environment of their own, whose Python is named by `--rivals`:

    uv venv ENV && uv pip install --python ENV/bin/python great-expectations pandera pointblank \
        polars pandas pyarrow

What is not installed there is left out, and said. `--drift-rival` names the Python of another
environment, with evidently.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks.data.workload import NUMBERS, a_suite

CONTENDER = Path(__file__).with_name("contender.py")
OURS = frozenset({"triune", "by hand", "triune drift"})
SUITE_RIVALS = ("great_expectations", "pandera", "pointblank")
DRIFT_COLUMNS = (*NUMBERS, "plan", "region")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="default: 10,000,000")
    parser.add_argument("--wide-rows", type=int, default=1_000_000, help="of 102 expectations")
    parser.add_argument("--drift-rows", type=int, default=1_000_000, help="on either side")
    parser.add_argument("--runs", type=int, default=1, help="the median of so many")
    parser.add_argument("--rivals", type=Path, help="the Python of the others' environment")
    parser.add_argument("--drift-rival", type=Path, help="the Python of Evidently's environment")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()

    rivals = SUITE_RIVALS if arguments.rivals else ()
    told: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        narrow, wide, other = (Path(folder) / f"{name}.parquet" for name in ("a", "b", "c"))
        write_table(narrow, arguments.rows)
        write_table(wide, max(arguments.wide_rows, arguments.drift_rows))
        write_table(other, arguments.drift_rows, seed=2)
        job = {"table": str(narrow), "suite": a_suite(20), "memory_limit": None}
        told[f"20 expectations, {arguments.rows:,} rows"] = run(
            ("triune", "by hand", *rivals), job, arguments
        )
        told["the same, within 400 MB"] = run(
            ("triune", "by hand"), {**job, "memory_limit": "400MB"}, arguments
        )
        if arguments.wide_rows != max(arguments.wide_rows, arguments.drift_rows):
            write_table(wide, arguments.wide_rows)
        job = {"table": str(wide), "suite": a_suite(102), "memory_limit": None}
        told[f"102 expectations, {arguments.wide_rows:,} rows"] = run(
            ("triune", "by hand", *rivals), job, arguments
        )
        write_table(wide, arguments.drift_rows)
        drift = {"table": str(wide), "other": str(other), "columns": DRIFT_COLUMNS}
        told[f"drift of 10 columns, 2 x {arguments.drift_rows:,} rows"] = run(
            ("triune drift", *(("evidently drift",) if arguments.drift_rival else ())),
            drift,
            arguments,
        )
    if arguments.json:
        print(json.dumps(told, indent=2))
        return
    for title, rows in told.items():
        print(f"\n{title}")
        for row in rows:
            print(describe(row))


def write_table(path: Path, rows: int, *, seed: int = 1) -> None:
    """Write the table in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.data.table", str(path), str(rows), str(seed)]
    subprocess.run(command, check=True)


def run(
    names: tuple[str, ...], job: dict[str, Any], arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Run contenders in turn, and take the medians; the first is what the ratios are of."""
    rounds = [[measure(name, job, arguments) for name in names] for _ in range(arguments.runs)]
    rows = []
    for contender in zip(*rounds, strict=True):
        row = dict(contender[0])
        for figure in ("seconds", "cpu_s", "peak_mb"):
            if all(figure in each for each in contender):
                row[figure] = round(median(each[figure] for each in contender), 2)
        rows.append(row)
    for row in rows[1:]:
        for figure in ("seconds", "cpu_s", "peak_mb"):
            if figure in row and figure in rows[0]:
                row[f"{figure}_ratio"] = round(row[figure] / rows[0][figure], 2)
    return rows


def measure(name: str, job: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one contender once, in a process of its own."""
    theirs = arguments.drift_rival if name == "evidently drift" else arguments.rivals
    python = sys.executable if name in OURS else str(theirs)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job))
        with (Path(folder) / "said").open("w+b") as said:
            started = perf_counter()
            process = subprocess.Popen(
                [python, "-W", "ignore", CONTENDER, name, path], stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            seconds = perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            last = said.read().decode(errors="replace").splitlines()[-1:]
    if process.returncode:
        return {"contender": name, "failed": " ".join(last) or f"exit {process.returncode}"}
    return {
        "contender": name,
        "seconds": seconds,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def describe(row: dict[str, Any]) -> str:
    """Write a contender's figures on one line, with their ratios to Triune's."""
    if "failed" in row:
        return f"  {row['contender']:20} left out: {row['failed']}"
    ratio = (
        f"  = {row['seconds_ratio']} x, {row['cpu_s_ratio']} x CPU, {row['peak_mb_ratio']} x memory"
        if "seconds_ratio" in row
        else ""
    )
    return (
        f"  {row['contender']:20} {row['seconds']:7.2f} s  {row['cpu_s']:7.2f} s CPU  "
        f"{row['peak_mb']:7.0f} MB{ratio}"
    )


if __name__ == "__main__":
    main()
