"""Draws visits, splits them, fits a model on the larger part, and saves all three."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from src.features import visit_features

VISITS, HOLDOUT, SEED = 2_000, 500, 7


def draw_visits(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw visits whose chance of a click grows with the pages seen and falls on a phone."""
    pages = rng.poisson(5, count)
    device = rng.choice(["phone", "desktop"], count)
    logit = -2.0 + 0.4 * pages - 0.8 * (device == "phone")
    clicked = rng.random(count) < 1 / (1 + np.exp(-logit))
    return pd.DataFrame({"pages": pages, "device": device, "clicked": clicked.astype(int)})


def main() -> None:
    """Write data/train.csv, data/holdout.csv and models/model.joblib."""
    visits = draw_visits(VISITS, np.random.default_rng(SEED))
    train, holdout = visits[:-HOLDOUT], visits[-HOLDOUT:]
    model = make_pipeline(FunctionTransformer(visit_features), LogisticRegression())
    model.fit(train.drop(columns="clicked"), train["clicked"])
    for folder in ("data", "models"):
        Path(folder).mkdir(exist_ok=True)
    train.to_csv("data/train.csv", index=False)
    holdout.to_csv("data/holdout.csv", index=False)
    joblib.dump(model, "models/model.joblib")


if __name__ == "__main__":
    main()
