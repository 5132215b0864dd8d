"""What the datasets must be beside their expectations: what one says of another."""

import pandas as pd
import pytest
from triune.testing import Expect

DATASETS = ("train", "holdout", "production")


@pytest.mark.parametrize("dataset", DATASETS)
def test_each_customer_is_there_once(expect: Expect, dataset: str):
    expect(dataset).to_be_unique("customer_id")


@pytest.mark.parametrize("dataset", DATASETS)
def test_nobody_logs_in_before_they_sign_up(expect: Expect, dataset: str):
    expect(dataset).pair_values_a_to_be_greater_than_b(
        "last_login_at", "signup_at", or_equal=True, ignore_row_if="either_value_is_missing"
    )


def test_production_is_later_than_what_the_model_learns_from(
    expect: Expect, production_sample: pd.DataFrame
):
    earliest = production_sample["observed_at"].min()
    if pd.isna(earliest):
        pytest.skip("this source does not say when customers were observed")

    expect("train").max_to_be_between("observed_at", max_value=earliest, strict_max=True)
