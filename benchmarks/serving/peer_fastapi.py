"""The usual way: FastAPI on uvicorn, each request a frame of one row."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI  # type: ignore[import-not-found]
from pydantic import BaseModel

model = joblib.load(os.environ["MODEL"])
app = FastAPI()


class Row(BaseModel):
    """What is asked."""

    tenure: float
    monthly: float
    total: float
    calls: float
    plan: str
    region: str
    device: str


@app.post("/predict")  # type: ignore[untyped-decorator]
def predict(row: Row) -> dict[str, float]:
    """Predict for one row."""
    return {"probability": float(model.predict_proba(pd.DataFrame([row.model_dump()]))[0, 1])}


@app.post("/batch")  # type: ignore[untyped-decorator]
def batch(rows: list[Row]) -> list[dict[str, float]]:
    """Predict for many."""
    frame = pd.DataFrame([row.model_dump() for row in rows])
    return [{"probability": float(each)} for each in model.predict_proba(frame)[:, 1]]
