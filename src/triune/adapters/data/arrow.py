"""Takes in tables of any library that speaks Arrow, and gives datasets out as pandas has them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from triune.adapters.data.csv import CsvTable
from triune.adapters.data.parquet import ParquetTable
from triune.domain.errors import DatasetError, UsageError


def write_parquet(data: object, destination: Path) -> Path:
    """Write a table as a Parquet file, so that it is read as every dataset is.

    Parameters
    ----------
    data
        A DataFrame of pandas or Polars, an Arrow table, or a list of rows (each a dictionary).

    Raises
    ------
    DatasetError
        A column holds values that go in no one type.
    UsageError
        It is no table.
    """
    try:
        pq.write_table(_as_arrow(data), destination)
    except (pa.ArrowException, pa.ArrowTypeError) as error:
        raise DatasetError(
            f"the table cannot be written as Arrow has it: {error}; give each column values of "
            "one type"
        ) from error
    return destination


def read_pandas(files: Sequence[Path], *, format: str, columns: Sequence[str] | None = None) -> Any:
    """Read columns of a dataset, all of them by default, as a DataFrame of pandas.

    Raises
    ------
    DatasetError
        A file cannot be read.
    UsageError
        pandas is not installed.
    """
    table = CsvTable(files) if format == "csv" else ParquetTable(files)
    names = table.schema.names if columns is None else list(columns)
    schema = pa.schema(table.schema.field(name) for name in names)
    held = pa.Table.from_batches(table.batches(names), schema)
    try:
        return held.to_pandas()
    except ModuleNotFoundError as error:
        raise UsageError(
            "a dataset is given to tests as a DataFrame of pandas, which is not installed; "
            "`pip install pandas`"
        ) from error


def _as_arrow(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns"):
        # By the stream that it offers too, an index would become a column.
        return pa.Table.from_pandas(data, preserve_index=False)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    if isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        return pa.Table.from_pylist(data)
    raise UsageError(
        f"{type(data).__name__} is no table; give a DataFrame of pandas or Polars, an Arrow table, "
        "or a list of rows, each a dictionary"
    )
