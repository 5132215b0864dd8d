r"""Measures data tests beside Great Expectations, Pandera, Pointblank and a query by hand.

Each contender judges the same Parquet file in a process of its own, so that what is measured has
the import in it: seconds on the clock, seconds of CPU, and the most memory that was resident. The
others live in an environment of their own, whose Python is named by `--rivals`:

    uv venv ENV && uv pip install --python ENV/bin/python great-expectations pandera pointblank \
        polars pandas pyarrow

What is not installed there is left out, and said. `--drift-rival` names the Python of another
environment, with evidently and pandas before 3. The contenders take turns, so that what else a
machine does falls on each; where it does much, look at the seconds of CPU. Every goal is told as
met, or as missed; they are for the rows by default, as fewer have more of the start in them.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
LIMIT = "400MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """How many times as much of something as Triune another is to take, at least."""

    rival: str
    figure: str
    at_least: float

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> str | None:
        """Tell whether it is met; None where the other one was left out."""
        ratio = next((row.get(self.figure) for row in rows if row["contender"] == self.rival), None)
        if ratio is None:
            return None
        said = "met" if ratio >= self.at_least else "MISSED"
        return f"  {said}: {self.rival}, {self.figure} {ratio}, goal {self.at_least} at least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """How much memory Triune may hold, in megabytes."""

    peak_mb: float

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> str | None:
        """Tell whether it is met."""
        peak = rows[0].get("peak_mb")
        if peak is None:
            return None
        said = "met" if peak < self.peak_mb else "MISSED"
        return f"  {said}: {peak:.0f} MB resident, goal below {self.peak_mb:.0f}"


_FEW = 1_000
BY_HAND = tuple(
    Goal(rival="by hand", figure=figure, at_least=round(1 / 1.3, 2))
    for figure in ("seconds_ratio", "cpu_s_ratio")
)
GX = "great_expectations"
GOALS: Mapping[str, tuple[Goal | Ceiling, ...]] = {
    "narrow": (Goal(rival=GX, figure="seconds_ratio", at_least=4), *BY_HAND),
    "limited": (Ceiling(peak_mb=600), *BY_HAND),
    "wide": (Goal(rival=GX, figure="seconds_ratio", at_least=3.5),),
    "drift": (Goal(rival="evidently drift", figure="cpu_s_ratio", at_least=40),),
}


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
    parser.add_argument("--folder", type=Path, help="for the tables: 800 MB of 10,000,000 rows")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()

    told: dict[str, Any] = {}
    for name, title, rows in measured(arguments):
        verdicts = [said for goal in GOALS[name] if (said := goal.judge(rows))]
        told[name] = {"title": title, "contenders": rows, "goals": verdicts}
        if not arguments.json:
            print("\n".join(["", title, *map(describe, rows), *verdicts]), flush=True)
    if arguments.json:
        print(json.dumps(told, indent=2))


def measured(arguments: argparse.Namespace) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Measure one thing after the other: its name, what it is, and each contender's figures."""
    rivals = SUITE_RIVALS if arguments.rivals else ()
    drift_rivals = ("evidently drift",) if arguments.drift_rival else ()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        table, other = Path(folder) / "a.parquet", Path(folder) / "b.parquet"
        # As an installed library has its bytecode, each has it made once, on a few rows.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/bytecode"
        write_table(table, _FEW)
        job = {"table": str(table), "suite": a_suite(20), "memory_limit": None}
        run(("triune", "by hand", *rivals), job, arguments)
        drift = {"table": str(table), "other": str(table), "columns": DRIFT_COLUMNS}
        run(("triune drift", *drift_rivals), drift, arguments)
        write_table(table, arguments.rows)
        job = {"table": str(table), "suite": a_suite(20), "memory_limit": None}
        title = f"20 expectations, {arguments.rows:,} rows"
        yield "narrow", title, run(("triune", "by hand", *rivals), job, arguments)
        job["memory_limit"] = LIMIT
        title = f"the same, within {LIMIT}"
        yield "limited", title, run(("triune", "by hand"), job, arguments)
        write_table(table, arguments.wide_rows)
        job = {"table": str(table), "suite": a_suite(102), "memory_limit": None}
        title = f"102 expectations, {arguments.wide_rows:,} rows"
        yield "wide", title, run(("triune", "by hand", *rivals), job, arguments)
        write_table(table, arguments.drift_rows)
        write_table(other, arguments.drift_rows, seed=2)
        drift = {"table": str(table), "other": str(other), "columns": DRIFT_COLUMNS}
        title = f"drift of 10 columns, 2 x {arguments.drift_rows:,} rows"
        yield "drift", title, run(("triune drift", *drift_rivals), drift, arguments)


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
