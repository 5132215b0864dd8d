"""The one schema of prepared data, and how tables are kept in it."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

KEY = "customer_id"
TIME = "observed_at"
TARGET = "churned"

# Times are UTC without saying so. A column that is null throughout keeps its type here: a source
# without it must not look like another kind of data.
SCHEMA = pa.schema(
    [
        pa.field(KEY, pa.string(), nullable=False),
        pa.field(TIME, pa.timestamp("us")),
        pa.field("tenure", pa.int64()),  # months
        pa.field("monthly_spend", pa.float64()),
        pa.field("total_spend", pa.float64()),
        pa.field("contract_type", pa.string()),  # monthly, annual, two_year
        pa.field("payment_method", pa.string()),
        pa.field("region", pa.string()),
        pa.field("is_enterprise", pa.int64()),  # 0 or 1
        pa.field("support_tickets", pa.int64()),  # in the last 90 days
        pa.field("signup_at", pa.timestamp("us")),
        pa.field("last_login_at", pa.timestamp("us")),
        pa.field(TARGET, pa.int64(), nullable=False),  # 1: left within the month after observed_at
    ]
)
INPUTS = tuple(name for name in SCHEMA.names if name not in {KEY, TIME, TARGET})


def to_table(frame: pd.DataFrame) -> pa.Table:
    """Bring a frame into the schema; a value that does not fit its column raises ArrowInvalid."""
    table = pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False)
    # What pandas notes beside the data names its version, and would make equal data differ.
    return table.replace_schema_metadata(None)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Keep a frame as Parquet; equal frames make equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(to_table(frame), path, compression="zstd")


def read_table(path: Path) -> pd.DataFrame:
    """Read what `write_table` kept."""
    return pq.read_table(path).to_pandas()
