"""What is asked of a candidate: by the gate on a holdout, and by the analysis of a rollout."""

from dataclasses import dataclass
from enum import StrEnum


class GateMode(StrEnum):
    """What a candidate must show: that it is better, or merely that it is not worse."""

    IMPROVEMENT = "improvement"
    NON_INFERIOR = "non_inferior"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What the gate asks; deltas and harms are in the metric's own units, higher being better.

    ``strict_delta`` asks the lower bound, not the estimate, to reach ``min_delta``. ``margin``
    belongs to the mode `NON_INFERIOR`, ``min_delta`` to the other. ``looks`` is how many models
    may meet the labels of one holdout, and ``alpha`` the level of each one-sided bound.
    """

    metric: str
    mode: GateMode = GateMode.IMPROVEMENT
    min_delta: float = 0.0
    strict_delta: bool = False
    margin: float = 0.01
    max_slice_harm: float = 0.02
    looks: int = 32
    alpha: float = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRules:
    """What is asked of a candidate; ``p99_s`` is None where no objective for the p99 is set."""

    alpha: float = 0.01
    error_budget: float = 0.005
    p99_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRules:
    """What is asked of a step, at the candidate's weight from 0 to 1 there."""

    weight: float
    min_seconds: float = 300.0
    min_requests: int = 500
    deadline_seconds: float = 7200.0
