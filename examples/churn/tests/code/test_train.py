import io

import joblib
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline

from src.features import INPUTS
from src.params import Training
from src.prepare import HOLDOUT, TRAIN
from src.schema import TARGET
from src.train import train

Parts = dict[str, pd.DataFrame]


def test_the_same_data_makes_the_same_bytes(parts: Parts, model: Pipeline):
    again, _ = train(parts[TRAIN].copy(), Training(C=1.0, max_iter=1000, folds=2))

    assert dumped(again) == dumped(model)


def test_the_model_finds_what_there_is_to_find(parts: Parts, model: Pipeline):
    holdout = parts[HOLDOUT]

    chances = model.predict_proba(holdout[list(INPUTS)])[:, 1]

    # The truth itself has 0.83 on customers drawn like these.
    assert roc_auc_score(holdout[TARGET], chances) > 0.77


def test_regions_that_are_equally_common_are_scored_alike(parts: Parts, model: Pipeline):
    customers = parts[HOLDOUT][list(INPUTS)]

    east = model.predict_proba(customers.assign(region="east"))
    west = model.predict_proba(customers.assign(region="west"))

    assert east == pytest.approx(west, abs=0.02)


def dumped(model: Pipeline) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()
