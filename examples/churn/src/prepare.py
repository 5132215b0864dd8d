"""Brings customers of either source into the one schema, and parts them into disjoint rows.

A source is told by its columns. One that has those of `src.schema` is taken as it is. The public
telco file (21 columns, one row for each customer) is mapped:

===============  ================  ==============================================================
ours             telco             values
===============  ================  ==============================================================
customer_id      customerID
tenure           tenure            months
monthly_spend    MonthlyCharges
total_spend      TotalCharges      blank, for those without a bill yet, is null
contract_type    Contract          Month-to-month, One year, Two year: monthly, annual, two_year
payment_method   PaymentMethod     electronic_check, mailed_check, bank_transfer, credit_card
churned          Churn             No, Yes: 0, 1
===============  ================  ==============================================================

It knows no observed_at, region, is_enterprise, support_tickets, signup_at and last_login_at:
they are null, nothing is made up. Its other columns are not used.
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from src.params import Split, read_params
from src.schema import KEY, SCHEMA, TARGET, TIME, to_table, write_table

RAW = Path("data/raw.parquet")
TRAIN = "train"
HOLDOUT = "holdout"
PRODUCTION = "production_snapshot_latest"


class DataError(Exception):
    """The source's data cannot be brought into the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a source names our columns, and what its values mean in those that it writes its way."""

    columns: Mapping[str, str]
    meanings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


OURS = Layout(columns={name: name for name in SCHEMA.names})
TELCO = Layout(
    columns={
        KEY: "customerID",
        "tenure": "tenure",
        "monthly_spend": "MonthlyCharges",
        "total_spend": "TotalCharges",
        "contract_type": "Contract",
        "payment_method": "PaymentMethod",
        TARGET: "Churn",
    },
    meanings={
        "contract_type": {
            "Month-to-month": "monthly",
            "One year": "annual",
            "Two year": "two_year",
        },
        "payment_method": {
            "Electronic check": "electronic_check",
            "Mailed check": "mailed_check",
            "Bank transfer (automatic)": "bank_transfer",
            "Credit card (automatic)": "credit_card",
        },
        TARGET: {"No": "0", "Yes": "1"},
    },
)


def standardise(raw: pd.DataFrame) -> pd.DataFrame:
    """Bring a source's customers into the schema, each of them once, as last observed.

    Raises
    ------
    DataError
        A column is missing, a value is not of its column's kind, or a row has no key or outcome.
    """
    layout = _layout(raw)
    columns = {
        column.name: _convert(raw[layout.columns[column.name]], column, layout)
        if column.name in layout.columns
        else pd.Series(pd.NaT if pa.types.is_timestamp(column.type) else None, index=raw.index)
        for column in SCHEMA
    }
    customers = to_table(_checked(pd.DataFrame(columns))).to_pandas()
    by_time = customers.sort_values(TIME, kind="stable", na_position="first")
    return by_time.drop_duplicates(KEY, keep="last").sort_index().reset_index(drop=True)


def part(customers: pd.DataFrame, split: Split) -> dict[str, pd.DataFrame]:
    """Part customers into training, holdout and production snapshot; none is in two of them.

    The production snapshot is what was observed last, later than all the rest. Where nothing is
    dated, it is drawn like the holdout: by a hash of the key, so that a customer stays where
    they are when others come or go.

    Raises
    ------
    DataError
        A part would be empty.
    """
    if customers[TIME].notna().any():
        later = customers[TIME] > customers[TIME].quantile(1 - split.production)
    else:
        later = _draw(customers[KEY], f"{split.salt}/{PRODUCTION}") < split.production
    of_the_rest = split.holdout / (1 - split.production)
    held_out = ~later & (_draw(customers[KEY], f"{split.salt}/{HOLDOUT}") < of_the_rest)
    masks = {TRAIN: ~later & ~held_out, HOLDOUT: held_out, PRODUCTION: later}
    parts = {name: customers[mask].reset_index(drop=True) for name, mask in masks.items()}
    for name, rows in parts.items():
        if rows.empty:
            raise DataError(
                f"no row is left for {name} of {len(customers)} customers: "
                "change `split` in params.yaml, or bring more data"
            )
    return parts


def _layout(raw: pd.DataFrame) -> Layout:
    layout = TELCO if TELCO.columns[KEY] in raw.columns else OURS
    absent = [name for name in layout.columns.values() if name not in raw.columns]
    if absent:
        raise DataError(
            f"the source lacks the columns {', '.join(absent)}; it has {', '.join(raw.columns)}. "
            "A column may be empty, but must be there"
        )
    return layout


def _convert(values: pd.Series, column: pa.Field, layout: Layout) -> pd.Series:
    """Bring the values of a column into the kind that it has in the schema; blank is null."""
    values = values.astype(object).where(values.notna(), None)
    values = values.map(lambda value: value.strip() or None if isinstance(value, str) else value)
    if column.name in layout.meanings:
        values = _translate(values, layout.meanings[column.name], column.name)
    try:
        if pa.types.is_timestamp(column.type):
            moments = pd.to_datetime(values, utc=True, format="ISO8601")
            return moments.dt.tz_localize(None).dt.as_unit("us")
        if pa.types.is_string(column.type):
            return values
        numbers = pd.to_numeric(values.where(values.notna(), np.nan))
    except (ValueError, TypeError) as error:
        raise DataError(f"column {column.name} must be {column.type}: {error}") from error
    fractions = numbers[numbers.notna() & (numbers % 1 != 0)]
    if pa.types.is_integer(column.type) and len(fractions):
        raise DataError(f"column {column.name} must be whole numbers, and has {fractions.iloc[0]}")
    return numbers


def _translate(values: pd.Series, meanings: Mapping[str, str], name: str) -> pd.Series:
    strange = sorted(set(values.dropna()) - set(meanings))
    if strange:
        raise DataError(f"column {name} has {strange[0]!r}; known are {', '.join(meanings)}")
    return values.map(meanings).astype(object)


def _checked(customers: pd.DataFrame) -> pd.DataFrame:
    for name in (KEY, TARGET):
        blank = int(customers[name].isna().sum())
        if blank:
            raise DataError(f"{blank} of {len(customers)} rows have no {name}: remove them")
    strange = customers.loc[~customers[TARGET].isin([0, 1]), TARGET]
    if len(strange):
        raise DataError(f"column {TARGET} must be 0 or 1, and has {strange.iloc[0]}")
    return customers


def _draw(keys: pd.Series, salt: str) -> pd.Series:
    """Draw a number in [0, 1) for each key, that only the key and the salt decide."""
    digests = (hashlib.sha256(f"{salt}/{key}".encode()).digest() for key in keys)
    numbers = [int.from_bytes(digest[:8], "big") / 2**64 for digest in digests]
    return pd.Series(numbers, index=keys.index, dtype="float64")


def main() -> None:
    """Write the three datasets."""
    raw = pd.read_parquet(RAW)
    customers = standardise(raw)
    parts = part(customers, read_params().split)
    for name, rows in parts.items():
        write_table(rows, Path("data") / f"{name}.parquet")
    counts = ", ".join(f"{name} {len(rows):,}" for name, rows in parts.items())
    print(f"prepare: {counts}; {len(raw) - len(customers):,} repeated rows dropped")


if __name__ == "__main__":
    try:
        main()
    except DataError as error:
        sys.exit(f"prepare: {error}")
