"""Measures how long a ledger of 100,000 events takes to verify, beside the least it could take.

The floor is measured in the same run: the same rows read with bare sqlite3 and their bytes put
through SHA-256, with no ledger around it.
"""

import argparse
import hashlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from triune.adapters.ledger.sql import SqlLedger
from triune.domain.events import EventDraft, EventKind, verify_chain

BATCH = 1_000
RELEASES = 50


def main() -> None:
    """Build, verify, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="default: 100,000")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()

    figures = measure(arguments.events)
    print(json.dumps(figures) if arguments.json else describe(figures))


def measure(count: int) -> dict[str, float]:
    """Measure a new ledger of ``count`` events, rounded up to whole batches."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        with SqlLedger.open(path) as ledger:
            build_s = timed(lambda: build(ledger, count))
            verify_s = best_of_three(lambda: verify(ledger))
            records_s = best_of_three(lambda: check_records(ledger))
            floor_s = best_of_three(lambda: read_and_hash(path))
            return {
                "events": ledger.head().sequence,
                "build_s": build_s,
                "verify_s": verify_s,
                "records_s": records_s,
                "floor_s": floor_s,
                "verify_to_floor": verify_s / floor_s,
            }


def describe(figures: dict[str, float]) -> str:
    """Say the figures in words."""
    return (
        f"{figures['events']:,} events: built in {figures['build_s']:.2f} s, "
        f"chain verified in {figures['verify_s']:.2f} s "
        f"({figures['verify_to_floor']:.1f} times the floor of {figures['floor_s']:.2f} s), "
        f"records compared in {figures['records_s']:.2f} s"
    )


def build(ledger: SqlLedger, count: int) -> None:
    """Append events as runs leave them: many of few releases."""
    for batch in range(-(-count // BATCH)):
        release = hashlib.sha256(b"%d" % (batch % RELEASES)).hexdigest()
        aggregate = f"release:{release}"
        ledger.append(
            [a_run(aggregate, release, number) for number in range(BATCH)],
            expected_version=batch // RELEASES * BATCH,
        )


def a_run(aggregate: str, release: str, number: int) -> EventDraft:
    """Draft one event of a usual size."""
    if number == 0:
        return EventDraft(
            aggregate=aggregate,
            kind=EventKind.RELEASE_CUT,
            actor="bench@example.org",
            time="2026-01-05T12:00:00.000000Z",
            data={
                "release": release,
                "project": "churn",
                "commit": release[:40],
                "dirty": False,
                "repository": "git@example.org:churn",
                "authors": ["bench@example.org"],
                "hardware": "x86_64",
                "metrics": {"roc_auc": 0.875, "accuracy": 0.8125},
            },
        )
    return EventDraft(
        aggregate=aggregate,
        kind=EventKind.RUN_FINISHED,
        actor="bench@example.org",
        time=f"2026-01-05T12:00:00.{number:06d}Z",
        data={
            "release": release,
            "verdict": "PASS",
            "reasons": [{"code": "RELEASE_CUT", "message": f"release {release[:12]} was cut"}],
        },
    )


def verify(ledger: SqlLedger) -> None:
    """Do what `triune audit verify` does with the chain."""
    if verify_chain(ledger.events()) != ledger.head():
        raise SystemExit("the ledger does not verify")


def check_records(ledger: SqlLedger) -> None:
    """Do what `triune audit verify` does with the records."""
    if ledger.changed_records():
        raise SystemExit("the records are not what the events fold to")


def read_and_hash(path: Path) -> None:
    """Read every byte that the chain covers, and hash it, with nothing in between."""
    columns = "previous, sequence, aggregate, version, kind, actor, time, content"
    with closing(sqlite3.connect(path)) as connection:
        for row in connection.execute(f"SELECT {columns} FROM events ORDER BY sequence"):
            hashlib.sha256("".join(map(str, row)).encode()).hexdigest()


def best_of_three(work: Callable[[], None]) -> float:
    """Time work three times, for the least that others disturbed it."""
    return min(timed(work) for _ in range(3))


def timed(work: Callable[[], None]) -> float:
    """Time work once, in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
