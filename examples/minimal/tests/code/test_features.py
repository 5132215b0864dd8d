import numpy as np
import pandas as pd

from src.features import visit_features


def test_more_pages_give_a_larger_feature():
    visits = pd.DataFrame({"pages": [0, 1, 9], "device": ["phone", "desktop", "phone"]})

    features = visit_features(visits)

    assert features["pages"].is_monotonic_increasing
    assert np.isfinite(features).all().all()
    assert features["is_phone"].tolist() == [1.0, 0.0, 1.0]
