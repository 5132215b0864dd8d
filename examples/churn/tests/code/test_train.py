import io
from dataclasses import replace

import joblib
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from src.features import INPUTS
from src.params import Training
from src.prepare import HOLDOUT, TRAIN
from src.schema import TARGET
from src.train import build, train

Parts = dict[str, pd.DataFrame]


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_the_same_data_makes_the_same_bytes(parts: Parts, training: Training, kind: str):
    first, again = (train(parts[TRAIN].copy(), replace(training, model=kind))[0] for _ in "12")

    assert dumped(first) == dumped(again)


def test_a_kind_of_model_that_is_not_known_is_named(training: Training):
    with pytest.raises(ValueError, match="'forest'; known are logistic, boosting"):
        build(replace(training, model="forest"))


def test_the_model_finds_what_there_is_to_find(parts: Parts, model: Pipeline):
    holdout = parts[HOLDOUT]

    chances = model.predict_proba(holdout[list(INPUTS)])[:, 1]

    # Far below what it reaches: how good it is, is for triune.yaml and tests/model to judge.
    assert roc_auc_score(holdout[TARGET], chances) > 0.65


def test_regions_that_are_equally_common_are_scored_alike(parts: Parts, model: Pipeline):
    customers = parts[HOLDOUT][list(INPUTS)]

    east = model.predict_proba(customers.assign(region="east"))
    west = model.predict_proba(customers.assign(region="west"))

    assert east == pytest.approx(west, abs=0.02)


def dumped(model: Pipeline) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()
