"""Predictions as an Arrow IPC file: what a worker writes, and what the cache keeps."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from triune.ports import Predictions

LABEL = "prediction"
PROBABILITY = "probability_"


def read_predictions(content: bytes) -> Predictions:
    """Read predictions from the bytes of a file.

    Raises
    ------
    ValueError
        It is no such file.
    """
    with pa.ipc.open_file(pa.BufferReader(content)) as reader:
        table = reader.read_all()
    if LABEL not in table.column_names:
        raise ValueError(f"there is no column {LABEL!r}")
    count = sum(name.startswith(PROBABILITY) for name in table.column_names)
    return Predictions(
        labels=_labels(table.column(LABEL)),
        probabilities=np.column_stack(
            [table.column(f"{PROBABILITY}{index}").to_numpy() for index in range(count)]
        ).astype(np.float64)
        if count
        else None,
    )


def encode_predictions(predictions: Predictions) -> bytes:
    """Write predictions as `read_predictions` reads them."""
    columns: dict[str, Any] = {LABEL: pa.array(predictions.labels.tolist())}
    if predictions.probabilities is not None:
        for index in range(predictions.probabilities.shape[1]):
            columns[f"{PROBABILITY}{index}"] = pa.array(predictions.probabilities[:, index])
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _labels(column: "pa.ChunkedArray[Any]") -> npt.NDArray[np.generic]:
    labels = column.to_numpy(zero_copy_only=False)
    # Strings arrive as Python objects; as a numpy type they compare and sort like the rest.
    return labels.astype(np.str_) if labels.dtype == object else labels
