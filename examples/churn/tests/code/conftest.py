"""Customers and a model, small enough to be made anew for each run of the tests."""

import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from src.features import ChurnFeatures
from src.generate import generate
from src.params import Split, Training
from src.prepare import TRAIN, part, standardise
from src.train import train


@pytest.fixture(scope="session")
def split() -> Split:
    return Split(holdout=0.25, production=0.15, salt="tests")


@pytest.fixture(scope="session")
def customers() -> pd.DataFrame:
    return standardise(generate(3000, seed=1))


@pytest.fixture(scope="session")
def parts(customers: pd.DataFrame, split: Split) -> dict[str, pd.DataFrame]:
    return part(customers, split)


@pytest.fixture(scope="session")
def features(parts: dict[str, pd.DataFrame]) -> ChurnFeatures:
    return ChurnFeatures().fit(parts[TRAIN])


@pytest.fixture(scope="session")
def training() -> Training:
    return Training(model="logistic", C=1.0, max_iter=1000, trees=20, folds=2)


@pytest.fixture(scope="session")
def model(parts: dict[str, pd.DataFrame], training: Training) -> Pipeline:
    fitted, _ = train(parts[TRAIN], training)
    return fitted


@pytest.fixture
def telco() -> pd.DataFrame:
    """Customers as the public telco file has them, with the columns that are used and one more."""
    return pd.DataFrame(
        {
            "customerID": ["7590-A", "5575-B", "3668-C"],
            "gender": ["Female", "Male", "Male"],
            "tenure": ["1", "34", "0"],
            "Contract": ["Month-to-month", "One year", "Two year"],
            "PaymentMethod": ["Electronic check", "Mailed check", "Credit card (automatic)"],
            "MonthlyCharges": ["29.85", "56.95", "20.25"],
            "TotalCharges": ["29.85", "1889.5", " "],
            "Churn": ["Yes", "No", "No"],
        }
    )
