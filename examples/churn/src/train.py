"""Fits the model on the training data alone; the holdout is for the gate to look at."""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from src.features import CATEGORIES, ChurnFeatures
from src.params import Training, read_params
from src.schema import INPUTS, TARGET, read_table

MODEL = Path("models/model.joblib")
METRICS = Path("metrics.json")


def build(training: Training) -> Pipeline:
    """Compose the model, not yet fitted: customers in, the chance that they leave out."""
    numbers = [name for name in ChurnFeatures().get_feature_names_out() if name not in CATEGORIES]
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), numbers),
            # A category that training never saw must not stop an answer.
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                list(CATEGORIES),
            ),
        ],
        verbose_feature_names_out=False,
    )
    classifiers = {
        "logistic": lambda: LogisticRegression(C=training.C, max_iter=training.max_iter),
        "boosting": lambda: HistGradientBoostingClassifier(max_iter=training.trees, random_state=0),
    }
    if training.model not in classifiers:
        raise ValueError(f"train.model is {training.model!r}; known are {', '.join(classifiers)}")
    return Pipeline(
        [
            ("features", ChurnFeatures()),
            ("columns", columns),
            ("model", classifiers[training.model]()),
        ]
    )


def train(customers: pd.DataFrame, training: Training) -> tuple[Pipeline, dict[str, float]]:
    """Fit the model and tell how well it does on the data that it was fitted on."""
    inputs, target = customers[list(INPUTS)], customers[TARGET]
    folds = StratifiedKFold(training.folds, shuffle=True, random_state=0)
    # The order of a sum depends on the number of threads, and so would the last bits of the model.
    with threadpool_limits(limits=1):
        scores = cross_val_score(build(training), inputs, target, cv=folds, scoring="roc_auc")
        model = build(training).fit(inputs, target)
        train_auc = roc_auc_score(target, model.predict_proba(inputs)[:, 1])
    metrics = {
        "cv_roc_auc": round(float(scores.mean()), 6),
        "cv_roc_auc_std": round(float(scores.std()), 6),
        "train_roc_auc": round(float(train_auc), 6),
    }
    return model, metrics


def main() -> None:
    """Write the model and its metrics."""
    customers = read_table(Path("data/train.parquet"))
    model, metrics = train(customers, read_params().train)
    MODEL.parent.mkdir(exist_ok=True)
    joblib.dump(model, MODEL)
    METRICS.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    figures = ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    print(f"train: {len(customers):,} customers, {figures}")


if __name__ == "__main__":
    main()
