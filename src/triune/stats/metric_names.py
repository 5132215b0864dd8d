"""The names of the metrics, by what a model predicts; what each computes is for `metrics` to say.

Apart from that, so that who reads a name need not wait for the mathematics to load.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, Literal

Task = Literal["binary", "multiclass", "regression"]

METRIC_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "binary": (
        "roc_auc",
        "pr_auc",
        "accuracy",
        "precision",
        "recall",
        "f1",
        "log_loss",
        "brier",
    ),
    "multiclass": ("accuracy", "f1_macro", "log_loss", "roc_auc_ovr"),
    "regression": ("mae", "rmse", "r2"),
}
"""The metrics of each task."""


def refuse_metric(name: str, *, task: str) -> str | None:
    """Say that a task has no metric of a name, and which it has; None where it has it.

    Examples
    --------
    >>> refuse_metric("f2", task="regression")
    "there is no metric 'f2' for regression models; did you mean 'r2'?; known: mae, r2, rmse"
    >>> refuse_metric("r2", task="regression") is None
    True
    """
    known = METRIC_NAMES[task]
    if name in known:
        return None
    close = get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no metric {name!r} for {task} models{hint}; known: {', '.join(sorted(known))}"
