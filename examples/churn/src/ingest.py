"""Brings the customers in as they are, generated or from a CSV; prepare makes sense of them."""

import json
import sys
from pathlib import Path

import pandas as pd

from src.generate import generate
from src.source import GENERATED, RESOLVED, SourceError, digest

RAW = Path("data/raw.parquet")


def ingest(source: dict[str, str | int]) -> pd.DataFrame:
    """Generate or read what `src.source.resolve` found.

    A CSV comes in as text, cell by cell: what is blank or no number is for prepare to judge.

    Raises
    ------
    SourceError
        The CSV is gone, no longer the one that was resolved, or no CSV.
    """
    if source["kind"] == GENERATED:
        return generate(int(source["customers"]), seed=int(source["seed"]))
    path = Path(str(source["path"]))
    if digest(path) != source["sha256"]:
        raise SourceError(f"{path} has changed since it was resolved: run `dvc repro` again")
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(f"{path} is no CSV with a header: {error}") from error


def main() -> None:
    """Write the customers as they came."""
    customers = ingest(json.loads(RESOLVED.read_text(encoding="utf-8")))
    customers.to_parquet(RAW, index=False)
    print(f"ingest: {len(customers):,} customers with {len(customers.columns)} columns")


if __name__ == "__main__":
    try:
        main()
    except SourceError as error:
        sys.exit(f"ingest: {error}")
