import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from src.features import (
    CATEGORIES,
    INPUTS,
    MOMENTS,
    UNKNOWN,
    ChurnFeatures,
    as_moments,
    as_numbers,
    cyclical,
    days_until,
    frequencies,
    frequency_encode,
)
from src.prepare import HOLDOUT, TRAIN

Parts = dict[str, pd.DataFrame]


def test_hour_0_equals_hour_24():
    sine, cosine = cyclical(np.array([0.0, 24.0]), period=24)

    assert sine[0] == sine[1]
    assert cosine[0] == cosine[1]


def test_an_hour_before_midnight_is_as_near_to_it_as_an_hour_after():
    sine, cosine = cyclical(np.array([23.0, 0.0, 1.0]), period=24)

    before, after = (np.hypot(sine[i] - sine[1], cosine[i] - cosine[1]) for i in (0, 2))
    assert before == pytest.approx(after)


def test_sine_and_cosine_lie_on_the_unit_circle():
    sine, cosine = cyclical(np.linspace(-50, 50, 1001), period=12)

    assert np.all(np.abs(sine) <= 1)
    assert np.all(np.abs(cosine) <= 1)
    assert np.hypot(sine, cosine) == pytest.approx(1)


def test_a_missing_hour_is_at_the_centre_of_the_circle():
    sine, cosine = cyclical(np.array([np.nan]), period=24)

    assert (sine[0], cosine[0]) == (0, 0)


def test_frequencies_are_the_shares_of_the_known_values():
    shares = frequencies(pd.Series(["east", "east", "west", "north", None]))

    assert shares == {"east": 0.5, "north": 0.25, "west": 0.25}


def test_an_unseen_or_missing_value_has_frequency_0():
    encoded = frequency_encode(pd.Series(["east", "atlantis", None]), {"east": 0.5})

    assert encoded.tolist() == [0.5, 0, 0]


def test_frequencies_come_from_training_whatever_the_batch(features: ChurnFeatures, parts: Parts):
    one_region = parts[HOLDOUT].assign(region="east")

    encoded = features.transform(one_region)["region_frequency"]

    shares = parts[TRAIN]["region"].value_counts(normalize=True)
    assert encoded.to_numpy() == pytest.approx(shares["east"])


def test_days_are_counted_to_the_reference_with_their_fraction():
    moments = as_moments(pd.Series(["2025-06-01 00:00", "2025-06-14 12:00", None]))

    days = days_until(pd.Timestamp("2025-06-15"), moments)

    assert days[:2].tolist() == [14, 0.5]
    assert np.isnan(days[2])


def test_a_moment_after_the_reference_counts_as_0_days():
    days = days_until(pd.Timestamp("2025-06-15"), as_moments(pd.Series(["2026-01-01"])))

    assert days.tolist() == [0]


def test_the_reference_is_the_latest_moment_of_training(features: ChurnFeatures, parts: Parts):
    assert features.reference_ == parts[TRAIN][list(MOMENTS)].max().max()


def test_a_reference_can_be_given(parts: Parts):
    given = ChurnFeatures(reference="2025-07-01").fit(parts[TRAIN])

    one = parts[TRAIN].head(1).assign(last_login_at=pd.Timestamp("2025-06-30 12:00"))
    assert given.transform(one)["last_login_at_days"].tolist() == [0.5]


def test_no_feature_is_nan(features: ChurnFeatures, parts: Parts):
    made = features.transform(parts[HOLDOUT])

    assert parts[HOLDOUT].isna().to_numpy().any()
    assert not made.isna().to_numpy().any()


def test_missing_values_are_filled_from_training_and_marked(features: ChurnFeatures, parts: Parts):
    row = dict.fromkeys(INPUTS)

    made = features.transform(pd.DataFrame([row])).iloc[0]

    assert made["tenure"] == parts[TRAIN]["tenure"].median()
    assert made["contract_type"] == UNKNOWN
    marks = [name for name in made.index if name.endswith("_missing")]
    assert len(marks) == 8
    assert made[marks].tolist() == [1.0] * 8


def test_columns_that_are_null_throughout_train_and_score(parts: Parts):
    lacking = ["region", "is_enterprise", "support_tickets", *MOMENTS]
    nulls = parts[TRAIN].assign(**dict.fromkeys(lacking))

    made = ChurnFeatures().fit(nulls).transform(nulls)

    assert not made.isna().to_numpy().any()


def test_the_features_are_the_same_columns_for_every_input(features: ChurnFeatures, parts: Parts):
    whole = features.transform(parts[HOLDOUT])
    shuffled = parts[HOLDOUT].head(1)[list(reversed(INPUTS))]

    made = features.transform(shuffled)

    assert made.columns.tolist() == features.get_feature_names_out().tolist()
    assert made.dtypes.tolist() == whole.dtypes.tolist()
    assert {str(made[name].dtype) for name in made.columns} == {"float64", "object"}
    assert [name for name in made.columns if made[name].dtype == object] == list(CATEGORIES)


def test_a_missing_column_is_named(features: ChurnFeatures, parts: Parts):
    with pytest.raises(ValueError, match="lack the columns tenure, region"):
        features.transform(parts[HOLDOUT].drop(columns=["tenure", "region"]))


def test_text_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="lots"):
        as_numbers(pd.Series(["lots"]))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_a_date_does_not_matter(features: ChurnFeatures, parts: Parts, unit: str):
    other = parts[HOLDOUT].copy()
    for name in MOMENTS:
        other[name] = other[name].astype(f"datetime64[{unit}]")

    assert_same_features(features, other, parts[HOLDOUT])


def test_a_time_zone_is_brought_to_utc(features: ChurnFeatures, parts: Parts):
    other = parts[HOLDOUT].copy()
    for name in MOMENTS:
        other[name] = other[name].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")

    assert_same_features(features, other, parts[HOLDOUT])


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_the_dtype_of_text_does_not_matter(features: ChurnFeatures, parts: Parts, dtype: str):
    text = dict.fromkeys([*CATEGORIES, "region"], dtype)

    assert_same_features(features, parts[HOLDOUT].astype(text), parts[HOLDOUT])


@pytest.mark.parametrize("dtype", ["Int64", "float64", "object", "int64[pyarrow]"])
def test_the_dtype_of_whole_numbers_does_not_matter(
    features: ChurnFeatures, parts: Parts, dtype: str
):
    numbers = dict.fromkeys(["tenure", "is_enterprise", "support_tickets"], dtype)

    assert_same_features(features, parts[HOLDOUT].astype(numbers), parts[HOLDOUT])


def test_a_flag_may_be_a_truth_value(features: ChurnFeatures, parts: Parts):
    flags = parts[HOLDOUT].assign(is_enterprise=parts[HOLDOUT]["is_enterprise"] == 1)

    assert_same_features(features, flags, parts[HOLDOUT])


def test_a_row_of_json_scores_as_in_a_large_batch(model: Pipeline, parts: Parts):
    batch = parts[HOLDOUT][list(INPUTS)]
    expected = model.predict_proba(batch)[:, 1]
    gaps = batch.isna().any(axis=1).to_numpy()
    some = [*np.flatnonzero(gaps)[:15], *np.flatnonzero(~gaps)[:15]]

    for position in some:
        cells = batch.iloc[position].items()
        row = {name: None if pd.isna(value) else value for name, value in cells}
        score = model.predict_proba(pd.DataFrame([row]))[0, 1]
        assert score == pytest.approx(expected[position], abs=1e-12)


def test_rows_score_the_same_in_any_order(model: Pipeline, parts: Parts):
    batch = parts[HOLDOUT][list(INPUTS)]

    backwards = model.predict_proba(batch.iloc[::-1])[::-1]

    assert backwards == pytest.approx(model.predict_proba(batch), abs=1e-12)


def test_a_contract_that_training_never_saw_is_scored(model: Pipeline, parts: Parts):
    batch = parts[HOLDOUT][list(INPUTS)].assign(contract_type="lifelong")

    chances = model.predict_proba(batch)[:, 1]

    assert np.all((chances > 0) & (chances < 1))


def assert_same_features(features: ChurnFeatures, given: pd.DataFrame, as_of: pd.DataFrame):
    pd.testing.assert_frame_equal(features.transform(given), features.transform(as_of))
