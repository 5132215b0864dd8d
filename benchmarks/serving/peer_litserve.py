"""LitServe, batching as its documentation says."""

import os
import sys
from typing import Any

import joblib
import litserve  # type: ignore[import-not-found]
import pandas as pd


class Churn(litserve.LitAPI):  # type: ignore[misc]
    """One row in, the chance out."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - as LitServe calls it
        """Load the model."""
        self.model = joblib.load(os.environ["MODEL"])

    def decode_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take the row as it is."""
        return request

    def batch(self, inputs: list[dict[str, Any]]) -> pd.DataFrame:
        """Make one frame."""
        return pd.DataFrame(inputs)

    def predict(self, batch: pd.DataFrame) -> list[float]:
        """Predict once."""
        return list(self.model.predict_proba(batch)[:, 1])

    def unbatch(self, output: list[float]) -> list[float]:
        """Part the answers."""
        return output

    def encode_response(self, output: float) -> dict[str, float]:
        """Answer one."""
        return {"probability": float(output)}


if __name__ == "__main__":
    api = Churn(max_batch_size=64, batch_timeout=0.005)
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="error")
