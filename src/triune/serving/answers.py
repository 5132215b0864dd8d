"""Turns predictions into what a client is answered, or what a scorer reads."""

from pathlib import Path
from typing import Any

from triune.domain.manifest import Outputs
from triune.serving.predicted import Predicted

Answer = dict[str, Any]


def to_answers(predicted: Predicted, outputs: Outputs) -> list[Answer]:
    """Write one JSON object per row.

    A binary model's ``probability`` is that of the second class; with more classes there are
    ``probabilities`` by class. A model that gives none answers its prediction alone.
    """
    labels = predicted.labels.tolist()
    if predicted.probabilities is None:
        return [{"prediction": label} for label in labels]
    if len(outputs.classes) == 2:
        second = predicted.probabilities[:, 1].tolist()
        return [
            {"prediction": label, "probability": probability}
            for label, probability in zip(labels, second, strict=True)
        ]
    names = [str(value) for value in outputs.classes]
    return [
        {"prediction": label, "probabilities": dict(zip(names, row, strict=True))}
        for label, row in zip(labels, predicted.probabilities.tolist(), strict=True)
    ]


def write_answers(predicted: Predicted, target: Path) -> None:
    """Write an Arrow IPC file: ``prediction``, and ``probability_0`` on, one for each class."""
    # Only what scores datasets needs it.
    import pyarrow as pa  # noqa: PLC0415 - as said above

    columns = {"prediction": pa.array(predicted.labels.tolist())}
    if predicted.probabilities is not None:
        for index in range(predicted.probabilities.shape[1]):
            columns[f"probability_{index}"] = pa.array(predicted.probabilities[:, index])
    table = pa.table(columns)
    with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
