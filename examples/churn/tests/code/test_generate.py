import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from src.generate import churn_logit, generate
from src.schema import SCHEMA


def test_the_same_seed_draws_the_same_customers():
    pd.testing.assert_frame_equal(generate(500, seed=7), generate(500, seed=7))


def test_another_seed_draws_others():
    assert not generate(500, seed=7).equals(generate(500, seed=8))


def test_customers_have_the_columns_of_the_schema_and_an_id_each():
    customers = generate(2000, seed=3)

    assert customers.columns.tolist() == SCHEMA.names
    assert customers["customer_id"].is_unique


def test_customers_sign_up_before_they_log_in_before_they_are_observed():
    customers = generate(2000, seed=3).dropna(subset="last_login_at")

    assert (customers["signup_at"] < customers["last_login_at"]).all()
    assert (customers["last_login_at"] < customers["observed_at"]).all()


def test_enterprises_are_three_to_five_in_a_hundred():
    assert 0.03 < generate(20_000, seed=3)["is_enterprise"].mean() < 0.05


def test_outcomes_follow_the_true_chance():
    complete = generate(20_000, seed=3).dropna(subset=["region", "support_tickets"])

    logit = churn_logit(complete)

    chance = 1 / (1 + np.exp(-logit))
    # Five standard errors of a mean of 18,900 outcomes.
    assert abs(complete["churned"].mean() - chance.mean()) < 0.015
    assert 0.80 < roc_auc_score(complete["churned"], logit) < 0.88


def test_an_annual_contract_lowers_the_chance_by_1_5_and_more_in_log_odds():
    customers = generate(200, seed=3).assign(monthly_spend=65.0).dropna(subset="region")

    monthly = churn_logit(customers.assign(contract_type="monthly", support_tickets=1))
    annual = churn_logit(customers.assign(contract_type="annual", support_tickets=1))

    np.testing.assert_allclose(monthly - annual, 1.5)
