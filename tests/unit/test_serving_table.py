"""A row makes the same frame, and the same prediction, whether it comes as JSON or from a file."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from triune.domain.manifest import Field, FieldType, Outputs, Signature
from triune.domain.refusal import Refusal
from triune.serving.requests import Requests, read_requests
from triune.serving.table import frame_from_arrow, frame_from_values

SIGNATURE = Signature(
    inputs=(
        Field(name="tenure", type=FieldType.INTEGER, nullable=False),
        Field(name="tickets", type=FieldType.INTEGER, nullable=True),
        Field(name="spend", type=FieldType.NUMBER, nullable=True),
        Field(name="contract", type=FieldType.STRING, nullable=True),
        Field(
            name="region",
            type=FieldType.STRING,
            nullable=True,
            categories=("south", "north", "east"),
        ),
        Field(name="enterprise", type=FieldType.BOOLEAN, nullable=False),
        Field(name="referred", type=FieldType.BOOLEAN, nullable=True),
        Field(name="signed_up", type=FieldType.DATE, nullable=False),
        Field(name="last_login", type=FieldType.TIMESTAMP, nullable=True),
        Field(name="nothing", type=None, nullable=True),
    ),
    outputs=Outputs(),
)
ARROW_FIELDS: "list[pa.Field[Any]]" = [
    pa.field("tenure", pa.int32()),
    pa.field("tickets", pa.int64()),
    pa.field("spend", pa.float64()),
    pa.field("contract", pa.string()),
    pa.field("region", pa.dictionary(pa.int8(), pa.string())),
    pa.field("enterprise", pa.bool_()),
    pa.field("referred", pa.bool_()),
    pa.field("signed_up", pa.date32()),
    pa.field("last_login", pa.timestamp("ns")),
    pa.field("nothing", pa.null()),
]
ARROW = pa.schema(ARROW_FIELDS)


def rows(count: int, *, seed: int = 7) -> list[dict[str, Any]]:
    """Rows as Python values, a quarter of the nullable ones missing."""
    rng = np.random.default_rng(seed)

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.25 else value

    return [
        {
            "tenure": int(rng.integers(0, 72)),
            "tickets": maybe(int(rng.integers(0, 9))),
            "spend": maybe(float(rng.normal(60, 20))),
            "contract": maybe(str(rng.choice(["monthly", "annual"]))),
            "region": maybe(str(rng.choice(["north", "east", "south"]))),
            "enterprise": bool(rng.random() < 0.5),
            "referred": maybe(bool(rng.random() < 0.5)),
            "signed_up": dt.date(2024, 1, 1) + dt.timedelta(days=int(rng.integers(0, 700))),
            "last_login": maybe(
                dt.datetime(2026, 1, 1) + dt.timedelta(seconds=int(rng.integers(0, 10**7)))
            ),
            "nothing": None,
        }
        for _ in range(count)
    ]


def write_arrow(folder: Path, table: pa.Table) -> Path:
    path = folder / "rows.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def from_file(folder: Path, values: list[dict[str, Any]]) -> pd.DataFrame:
    table = pa.Table.from_pylist(values, ARROW)
    frame = frame_from_arrow(write_arrow(folder, table), SIGNATURE)
    assert isinstance(frame, pd.DataFrame), frame
    return frame


def from_json(values: list[dict[str, Any]]) -> pd.DataFrame:
    body = json.dumps(values, default=lambda value: value.isoformat()).encode()
    requests = read_requests(body, SIGNATURE, ignored=())
    assert isinstance(requests, Requests), requests
    return frame_from_values(requests.columns, SIGNATURE)


def days(frame: pd.DataFrame) -> Any:
    moments = frame.apply(pd.to_datetime)
    return moments.apply(lambda column: (column - pd.Timestamp("2026-06-01")).dt.days)


def a_pipeline(training: pd.DataFrame) -> Pipeline:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    features = make_column_transformer(
        ("passthrough", ["tenure", "tickets", "spend", "enterprise"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), encoder), ["contract"]),
        (encoder, ["region"]),
        (FunctionTransformer(days), ["signed_up", "last_login"]),
        sparse_threshold=0,
    )
    target = (training["tenure"] + training["tickets"].fillna(0) * 9 > 50).astype(int)
    return make_pipeline(features, HistGradientBoostingClassifier(max_iter=20)).fit(
        training, target
    )


def test_a_file_and_the_same_rows_as_json_make_the_same_frame(tmp_path: Path) -> None:
    values = rows(50)

    assert_frame_equal(from_json(values), from_file(tmp_path, values))


def test_dtypes_depend_on_the_signature_alone_and_never_on_the_batch(tmp_path: Path) -> None:
    values = rows(40)
    whole = from_file(tmp_path, values)

    for index, value in enumerate(values):
        alone = from_json([value])
        assert list(alone.dtypes) == list(whole.dtypes)
        assert_frame_equal(alone, whole.iloc[[index]].reset_index(drop=True))


def test_a_row_is_predicted_the_same_from_json_and_from_a_file(tmp_path: Path) -> None:
    model = a_pipeline(from_file(tmp_path, rows(400, seed=1)))
    values = rows(60, seed=2)
    values[0]["contract"], values[1]["region"] = "never seen", "never seen"

    scored = model.predict_proba(from_file(tmp_path, values))
    answered = np.vstack([model.predict_proba(from_json([value])) for value in values])

    assert np.ptp(scored[:, 1]) > 0.5
    np.testing.assert_array_equal(answered, scored)


def test_a_column_with_missing_integers_is_floating_even_where_none_is_missing() -> None:
    frame = from_json([dict(rows(1)[0], tickets=3, referred=True)])

    assert frame["tickets"].dtype == np.float64
    assert frame["referred"].dtype == object
    assert frame["tenure"].dtype == np.int64
    assert frame["enterprise"].dtype == np.bool_


def test_categories_are_those_of_the_training_data_in_their_order() -> None:
    frame = from_json([dict(rows(1)[0], region="west"), dict(rows(1)[0], region="east")])

    assert list(frame["region"].cat.categories) == ["south", "north", "east"]
    assert frame["region"].isna().tolist() == [True, False]


def test_a_column_that_never_held_a_value_is_of_objects() -> None:
    frame = from_json(rows(2))

    assert frame["nothing"].dtype == object
    assert frame["nothing"].tolist() == [None, None]


def test_columns_are_in_the_order_of_the_signature_whatever_that_of_the_file(
    tmp_path: Path,
) -> None:
    table = pa.Table.from_pylist(rows(3), ARROW).append_column("more", pa.array([1, 2, 3]))
    turned = table.select(list(reversed(table.column_names)))

    frame = frame_from_arrow(write_arrow(tmp_path, turned), SIGNATURE)

    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == [field.name for field in SIGNATURE.inputs]


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("tenure", pa.array([1, None]), "1 values are missing, where the training data had all"),
        ("tenure", pa.array([1.0, 1.5]), "is not integer"),
        ("spend", pa.array(["1", "much"]), "is not number"),
        ("nothing", pa.array(["a", None]), "the training data had no value here"),
        ("contract", None, "there is no such column"),
    ],
)
def test_a_dataset_that_is_not_like_the_training_data_is_refused_by_column(
    tmp_path: Path, column: str, values: "pa.Array[Any] | None", message: str
) -> None:
    table = pa.Table.from_pylist(rows(2), ARROW)
    index = table.column_names.index(column)
    table = (
        table.drop_columns([column]) if values is None else table.set_column(index, column, values)
    )

    refusal = frame_from_arrow(write_arrow(tmp_path, table), SIGNATURE)

    assert isinstance(refusal, Refusal)
    assert [error.field for error in refusal.errors] == [column]
    assert message in refusal.detail


def a_moment(zone: str | None) -> Signature:
    field = Field(name="at", type=FieldType.TIMESTAMP, nullable=False, zone=zone)
    return Signature(inputs=(field,), outputs=Outputs())


def test_times_keep_the_zone_of_the_training_data_in_a_file_as_in_json(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 1, 31, 10, 30, tzinfo=dt.UTC)
    table = pa.table({"at": pa.array([moment], pa.timestamp("us", "UTC"))})

    filed = frame_from_arrow(write_arrow(tmp_path, table), a_moment("Europe/Berlin"))
    sent = read_requests(
        b'[{"at": "2026-01-31T13:30:00+03:00"}]', a_moment("Europe/Berlin"), ignored=()
    )

    assert isinstance(filed, pd.DataFrame)
    assert isinstance(sent, Requests)
    assert_frame_equal(frame_from_values(sent.columns, a_moment("Europe/Berlin")), filed)
    assert filed["at"].dt.hour.tolist() == [11]


def test_a_time_with_an_offset_is_utc_where_the_training_data_had_no_zone() -> None:
    sent = read_requests(b'{"at": "2026-01-31T11:30:00+01:00"}', a_moment(None), ignored=())

    assert isinstance(sent, Requests)
    frame = frame_from_values(sent.columns, a_moment(None))
    assert frame["at"].tolist() == [pd.Timestamp("2026-01-31T10:30:00")]


def test_a_time_without_an_offset_is_refused_where_the_training_data_had_a_zone() -> None:
    refusal = read_requests(b'{"at": "2026-01-31T11:30:00"}', a_moment("UTC"), ignored=())

    assert isinstance(refusal, Refusal)
    assert "give a time with its offset" in refusal.detail


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_a_file_has_a_zone_where_the_training_data_had_one_and_else_none(
    tmp_path: Path, zone: str | None
) -> None:
    other = None if zone else "UTC"
    table = pa.table({"at": pa.array([dt.datetime(2026, 1, 31)], pa.timestamp("us", other))})

    refusal = frame_from_arrow(write_arrow(tmp_path, table), a_moment(zone))

    assert isinstance(refusal, Refusal)
    assert "time zone here" in refusal.detail
