from dataclasses import replace

import pandas as pd
import pytest

from src.generate import generate
from src.params import Split
from src.prepare import HOLDOUT, PRODUCTION, TRAIN, DataError, part, standardise
from src.schema import KEY, SCHEMA, TARGET, TIME, to_table

Parts = dict[str, pd.DataFrame]


def test_no_customer_is_there_twice():
    raw = generate(200, seed=1)
    again = raw.head(20).assign(
        observed_at=raw[TIME].max() + pd.Timedelta(days=1), support_tickets=9
    )

    customers = standardise(pd.concat([again, raw], ignore_index=True))

    assert customers[KEY].is_unique
    assert len(customers) == 200
    repeated = customers[customers[KEY].isin(again[KEY])]
    assert set(repeated["support_tickets"]) == {9}, "the last observation is the one kept"


def test_the_parts_are_disjoint_and_together_everything(customers: pd.DataFrame, parts: Parts):
    ids = [customer for rows in parts.values() for customer in rows[KEY]]

    assert len(ids) == len(set(ids)) == len(customers)


def test_the_parts_have_about_their_shares(customers: pd.DataFrame, parts: Parts, split: Split):
    shares = {name: len(rows) / len(customers) for name, rows in parts.items()}

    assert shares[HOLDOUT] == pytest.approx(split.holdout, abs=0.03)
    assert shares[PRODUCTION] == pytest.approx(split.production, abs=0.01)


def test_production_was_observed_after_all_the_rest(parts: Parts):
    earliest = parts[PRODUCTION][TIME].min()

    assert parts[TRAIN][TIME].max() < earliest
    assert parts[HOLDOUT][TIME].max() < earliest


def test_a_customer_stays_where_they_are_when_others_go(customers: pd.DataFrame, split: Split):
    undated = customers.assign(observed_at=pd.NaT)

    whole, half = part(undated, split), part(undated.iloc[::2], split)

    for name, rows in half.items():
        assert set(rows[KEY]) <= set(whole[name][KEY])


def test_another_salt_holds_out_others(customers: pd.DataFrame, parts: Parts, split: Split):
    other = part(customers, replace(split, salt="another"))

    assert set(other[HOLDOUT][KEY]) != set(parts[HOLDOUT][KEY])


def test_too_few_customers_to_part_are_refused(customers: pd.DataFrame, split: Split):
    with pytest.raises(DataError, match="no row is left for"):
        part(customers.head(1), split)


def test_both_sources_come_out_in_one_schema(customers: pd.DataFrame, telco: pd.DataFrame):
    assert to_table(standardise(telco)).schema.equals(SCHEMA)
    assert to_table(customers).schema.equals(SCHEMA)


def test_telco_customers_are_mapped(telco: pd.DataFrame):
    first = standardise(telco).iloc[0]

    assert first[KEY] == "7590-A"
    assert first["contract_type"] == "monthly"
    assert first["payment_method"] == "electronic_check"
    assert (first["tenure"], first["monthly_spend"], first["total_spend"]) == (1, 29.85, 29.85)
    assert first[TARGET] == 1


def test_a_blank_total_is_null(telco: pd.DataFrame):
    assert standardise(telco)["total_spend"].isna().tolist() == [False, False, True]


def test_what_a_source_lacks_stays_null(telco: pd.DataFrame):
    lacking = [TIME, "region", "is_enterprise", "support_tickets", "signup_at", "last_login_at"]

    assert standardise(telco)[lacking].isna().all(axis=None)


def test_our_own_columns_may_come_as_text(customers: pd.DataFrame):
    text = customers.astype(object).where(customers.notna(), "").astype(str)

    assert to_table(standardise(text)).equals(to_table(customers))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("Contract", "Forever", "contract_type has 'Forever'; known are Month-to-month"),
        ("MonthlyCharges", "plenty", "monthly_spend must be double: .*plenty"),
        ("tenure", "1.5", "tenure must be whole numbers, and has 1.5"),
        ("customerID", " ", "3 of 3 rows have no customer_id"),
        ("Churn", "", "3 of 3 rows have no churned"),
        ("Churn", "Maybe", "churned has 'Maybe'"),
    ],
)
def test_a_value_that_means_nothing_is_refused(
    telco: pd.DataFrame, column: str, value: str, message: str
):
    with pytest.raises(DataError, match=message):
        standardise(telco.assign(**{column: value}))


def test_an_outcome_other_than_0_and_1_is_refused(customers: pd.DataFrame):
    with pytest.raises(DataError, match="churned must be 0 or 1, and has 2"):
        standardise(customers.assign(churned=2))


def test_a_missing_column_is_named(telco: pd.DataFrame, customers: pd.DataFrame):
    with pytest.raises(DataError, match="lacks the columns TotalCharges; it has customerID"):
        standardise(telco.drop(columns="TotalCharges"))
    with pytest.raises(DataError, match="lacks the columns region"):
        standardise(customers.drop(columns="region"))
