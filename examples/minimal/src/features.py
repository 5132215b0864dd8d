"""Features of a visit; the release carries this file, so serving uses the very same ones."""

import numpy as np
import pandas as pd


def visit_features(visits: pd.DataFrame) -> pd.DataFrame:
    """Turn visits into numbers: the logarithm of the pages seen, and whether on a phone."""
    return pd.DataFrame(
        {
            "pages": np.log1p(visits["pages"].astype(float)),
            "is_phone": (visits["device"] == "phone").astype(float),
        },
        index=visits.index,
    )
