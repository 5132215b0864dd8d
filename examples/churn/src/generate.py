"""Generates customers whose chance to leave is known: `churn_logit` is the truth.

The contract matters most, then the last login (its day and its hour), the support tickets and how
common the region is; tenure, spend, being an enterprise, the payment method and the month of
sign-up matter a little. The straight lines of a logistic regression find most of this; the bends
and the one interaction, spend with contract, are left to better models.
"""

import numpy as np
import pandas as pd

# Two weeks, short beside the days since a last login that the model counts to one moment.
OBSERVED_DAYS = pd.date_range("2025-06-02", periods=14, unit="us")

# East and west are equally common, and so equally safe; the rarer a region, the worse its service.
REGIONS = {
    "north": 0.32, "south": 0.22, "east": 0.15, "west": 0.15, "central": 0.11, "islands": 0.05,
}  # fmt: skip
PAYMENT_METHODS = {
    "electronic_check": 0.34, "mailed_check": 0.22, "bank_transfer": 0.22, "credit_card": 0.22,
}  # fmt: skip
CONTRACTS = ("monthly", "annual", "two_year")
CONTRACTS_OF_CONSUMERS = (0.56, 0.24, 0.20)
CONTRACTS_OF_ENTERPRISES = (0.35, 0.40, 0.25)
ENTERPRISE_SHARE = 0.04
# Shares of values that were never recorded, independently of everything else.
UNRECORDED = {"region": 0.02, "support_tickets": 0.03, "payment_method": 0.01}
NEVER_LOGGED_IN = 0.02

DAY = np.timedelta64(1, "D")
DAYS_PER_MONTH = 30.4375


def generate(customers: int, *, seed: int) -> pd.DataFrame:
    """Draw customers, one row each, with their outcome; the same seed draws the same.

    A customer's columns are those of `src.schema`. Who was observed first comes first.
    """
    rng = np.random.default_rng(seed)
    observed_at = np.sort(_moments(rng, rng.choice(OBSERVED_DAYS.to_numpy(), customers)))
    age_days = 2 + np.minimum(rng.exponential(950, customers), 2200).astype("int64")
    idle_days = 1 + np.minimum(rng.exponential(16, customers).astype("int64"), age_days - 2)
    today = observed_at.astype("datetime64[D]")
    tenure = (age_days / DAYS_PER_MONTH).astype("int64")
    enterprise = rng.random(customers) < ENTERPRISE_SHARE
    monthly_spend = np.where(
        enterprise,
        rng.lognormal(np.log(280), 0.45, customers),
        np.clip(rng.normal(66, 27, customers), 15, 140),
    ).round(2)
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{number:07d}" for number in rng.permutation(customers)],
            "observed_at": observed_at,
            "tenure": tenure,
            "monthly_spend": monthly_spend,
            # Prices changed over the years; the first bill comes after a month.
            "total_spend": np.where(
                tenure > 0,
                (monthly_spend * tenure * rng.normal(0.97, 0.06, customers)).round(2),
                np.nan,
            ),
            "contract_type": np.where(
                enterprise,
                rng.choice(CONTRACTS, customers, p=CONTRACTS_OF_ENTERPRISES),
                rng.choice(CONTRACTS, customers, p=CONTRACTS_OF_CONSUMERS),
            ),
            "payment_method": _choice(rng, PAYMENT_METHODS, customers),
            "region": _choice(rng, REGIONS, customers),
            "is_enterprise": enterprise.astype("int64"),
            "support_tickets": rng.poisson(np.where(enterprise, 2.2, 1.1)),
            "signup_at": _moments(rng, today - age_days * DAY),
            "last_login_at": _moments(rng, today - idle_days * DAY),
        }
    )
    frame["last_login_at"] = frame["last_login_at"].mask(rng.random(customers) < NEVER_LOGGED_IN)
    leaves = rng.random(customers) < 1 / (1 + np.exp(-churn_logit(frame)))
    frame["churned"] = leaves.astype("int64")
    for name, share in UNRECORDED.items():
        frame[name] = frame[name].mask(rng.random(customers) < share)
    return frame


def churn_logit(customers: pd.DataFrame) -> np.ndarray:
    """Give the true log-odds that a customer leaves, before any value went unrecorded.

    ===================  =====================================================================
    baseline             -0.1
    contract             0 monthly, -1.5 annual, -2.6 two_year
    tenure               -1.1 ln(1 + years)
    support tickets      +0.45 each, up to 5
    last login           +0.035 for each day since, up to 60; +1.2 if never
    spend                +0.9 (monthly contract) or +0.1 (others) for each doubling over 65
    enterprise           -1.6
    region               -5 (share of customers in the region - 0.15)
    payment              +0.5 electronic_check
    hour of last login   +0.6 cos(2 pi (hour - 3) / 24): the sleepless leave
    month of sign-up     +0.3 cos(2 pi (month - 12) / 12): gifts do not last
    ===================  =====================================================================
    """
    contract = customers["contract_type"]
    last_login, signup = customers["last_login_at"], customers["signup_at"]
    idle_days = (customers["observed_at"] - last_login) / DAY
    doublings = np.log2(customers["monthly_spend"] / 65)
    login_hour = last_login.dt.hour + last_login.dt.minute / 60
    terms = [
        contract.map({"monthly": 0.0, "annual": -1.5, "two_year": -2.6}),
        -1.1 * np.log1p(customers["tenure"] / 12),
        0.45 * customers["support_tickets"].clip(upper=5),
        (0.035 * idle_days.clip(upper=60)).fillna(1.2),
        doublings * np.where(contract == "monthly", 0.9, 0.1),
        -1.6 * customers["is_enterprise"],
        -5 * (customers["region"].map(REGIONS) - 0.15),
        0.5 * (customers["payment_method"] == "electronic_check"),
        (0.6 * np.cos(2 * np.pi * (login_hour - 3) / 24)).fillna(0.0),
        0.3 * np.cos(2 * np.pi * (signup.dt.month - 12) / 12),
    ]
    return (-0.1 + sum(terms)).to_numpy(dtype="float64")


def _choice(rng: np.random.Generator, shares: dict[str, float], size: int) -> np.ndarray:
    return rng.choice(list(shares), size, p=list(shares.values()))


def _moments(rng: np.random.Generator, days: np.ndarray) -> np.ndarray:
    """Choose a second of each day, most of them in the afternoon and some at night."""
    seconds = (rng.normal(15, 6, len(days)) % 24 * 3600).astype("int64") % 86_400
    return days.astype("datetime64[D]").astype("datetime64[us]") + seconds * np.timedelta64(1, "s")
