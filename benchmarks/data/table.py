"""Writes the table that is judged: `python -m benchmarks.data.table PATH ROWS SEED`.

In a process of its own: what a process held when it started another is told as the other's peak.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.data.workload import NUMBERS, PLANS, REGIONS

_CHUNK = 1_000_000


def write_table(path: Path, rows: int, seed: int) -> None:
    """Write twelve columns: an id, eight of numbers, two of categories, a code."""
    random = np.random.default_rng(seed)
    writer: pq.ParquetWriter | None = None
    for start in range(0, rows, _CHUNK):
        table = _chunk(random, start, min(_CHUNK, rows - start))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def _chunk(random: np.random.Generator, start: int, rows: int) -> pa.Table:
    columns: dict[str, Any] = {"id": np.arange(start, start + rows)}
    for number, name in enumerate(NUMBERS):
        values = random.normal(50, 5, rows)
        missing = random.random(rows) < 0.02 if number % 2 else None
        columns[name] = pa.array(values, mask=missing)
    columns["plan"] = np.array(PLANS)[random.integers(0, len(PLANS), rows)]
    columns["region"] = np.array(REGIONS)[random.integers(0, len(REGIONS), rows)]
    columns["code"] = pa.array([f"C{number:05}" for number in random.integers(0, 10**5, rows)])
    return pa.table(columns)


if __name__ == "__main__":
    write_table(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
