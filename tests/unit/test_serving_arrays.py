"""What a compiled model is asked with: doubles and texts, the same for a request and a dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from triune.domain.manifest import Field, FieldType, Outputs, Signature
from triune.domain.refusal import Refusal
from triune.serving.arrays import (
    NO_TEXT,
    NotConvertibleError,
    arrays_from_arrow,
    arrays_from_features,
    arrays_from_values,
)

SIGNATURE = Signature(
    inputs=(
        Field(name="spend", type=FieldType.NUMBER, nullable=True),
        Field(name="calls", type=FieldType.INTEGER, nullable=True),
        Field(name="is_new", type=FieldType.BOOLEAN, nullable=False),
        Field(name="region", type=FieldType.STRING, nullable=True),
        Field(name="plan", type=FieldType.STRING, nullable=False),
        Field(name="size", type=FieldType.STRING, nullable=False, categories=("s", "m")),
        Field(name="at", type=FieldType.TIMESTAMP, nullable=False),
    ),
    outputs=Outputs(),
)
VALUES: dict[str, list[Any]] = {
    "spend": [1.5, None],
    "calls": [3, None],
    "is_new": [True, False],
    "region": [None, "nan"],
    "plan": ["nan", "a"],
    "size": ["m", "xl"],
    "at": [None, None],
}


def plain(columns: Any) -> dict[str, list[Any]]:
    return {name: column.tolist() for name, column in columns.items()}


def test_numbers_are_doubles_and_missing_ones_are_nan() -> None:
    columns = arrays_from_values(VALUES, SIGNATURE)

    assert {columns[name].dtype for name in ("spend", "calls", "is_new")} == {np.dtype(float)}
    np.testing.assert_array_equal(columns["spend"], [1.5, np.nan])
    np.testing.assert_array_equal(columns["calls"], [3.0, np.nan])
    assert columns["is_new"].tolist() == [1.0, 0.0]


def test_a_text_that_reads_like_a_missing_one_is_not_taken_for_it() -> None:
    columns = arrays_from_values(VALUES, SIGNATURE)

    missing, said = columns["region"]
    assert missing == NO_TEXT != said
    assert columns["plan"].tolist() == ["nan", "a"]


def test_a_category_that_training_never_had_is_missing() -> None:
    assert arrays_from_values(VALUES, SIGNATURE)["size"].tolist() == ["m", NO_TEXT]


def test_moments_are_no_input_of_a_compiled_model() -> None:
    assert "at" not in arrays_from_values(VALUES, SIGNATURE)


def test_a_dataset_gives_what_a_request_with_the_same_values_gives(tmp_path: Path) -> None:
    inputs = SIGNATURE.inputs[:-1]
    signature = Signature(inputs=inputs, outputs=Outputs())
    values = {field.name: VALUES[field.name] for field in inputs}
    table = pa.table(values)
    path = tmp_path / "rows.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)

    scored = arrays_from_arrow(path, signature)

    assert not isinstance(scored, Refusal)
    asked = arrays_from_values(values, signature)
    assert list(scored) == list(asked)
    for name, column in asked.items():
        assert scored[name].dtype == column.dtype
        np.testing.assert_array_equal(scored[name], column)


def test_features_of_any_type_become_doubles_and_texts() -> None:
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None], dtype="Int64"),
            "mixed": pd.Series([True, None], dtype=object),
            "word": pd.Series(["a", None], dtype=object),
            "kind": pd.Categorical(["x", None]),
        }
    )

    columns = arrays_from_features(frame)

    np.testing.assert_array_equal(columns["whole"], [1.0, np.nan])
    np.testing.assert_array_equal(columns["mixed"], [1.0, np.nan])
    assert columns["word"].tolist() == ["a", NO_TEXT]
    assert columns["kind"].tolist() == ["x", NO_TEXT]
    assert plain(arrays_from_features(np.array([[1, 2]]))) == {"0": [1.0], "1": [2.0]}


@pytest.mark.parametrize(
    "features",
    [
        pd.DataFrame({"at": pd.to_datetime(["2026-01-01"])}),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"list": [[1]]}),
        [[1.0]],
    ],
    ids=["moments", "names that repeat", "lists", "no array"],
)
def test_features_that_are_neither_numbers_nor_texts_are_refused(features: Any) -> None:
    with pytest.raises(NotConvertibleError):
        arrays_from_features(features)
