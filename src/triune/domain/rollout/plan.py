"""What a rollout is going to do: the steps of its strategy, and what each asks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final, Self

from triune.domain.rules import StepRules
from triune.domain.traffic import TrafficSplit

HOLDBACK_PCT: Final = 5.0
"""What the champion keeps of the traffic as long as the candidate is compared with it."""

KEEP_WARM_S: Final = 3600.0


class Strategy(StrEnum):
    """How a release is introduced.

    ``canary`` by steps of the traffic; ``shadow`` first answers copies of requests, which no
    client sees; ``blue_green`` takes all but the holdback at once; ``rolling`` goes up by equal
    steps, as many as there are replicas; ``instant`` takes all at once and is compared with
    nothing.
    """

    CANARY = "canary"
    SHADOW = "shadow"
    BLUE_GREEN = "blue_green"
    ROLLING = "rolling"
    INSTANT = "instant"


class OnDeadline(StrEnum):
    """What happens when a step has shown nothing by its deadline."""

    HOLD = "hold"
    ROLL_BACK = "roll_back"


def equal_steps_pct(count: int) -> tuple[float, ...]:
    """Return the shares of so many equal steps, each the traffic of one replica more."""
    return tuple(100.0 * step / count for step in range(1, count + 1))


STEPS_PCT: Final = {
    Strategy.CANARY: (5.0, 25.0, 100.0),
    Strategy.SHADOW: (100.0,),
    Strategy.BLUE_GREEN: (100.0,),
    Strategy.ROLLING: equal_steps_pct(5),
    Strategy.INSTANT: (100.0,),
}
"""The steps of each strategy where none are given; a shadow step comes before those of `SHADOW`."""

_AT_ONCE: Final = (Strategy.BLUE_GREEN, Strategy.INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How much traffic the candidate may get.

    Parameters
    ----------
    candidate_pct
        Of the answers that clients get, the holdback not yet taken off; 0 at a shadow step.
    is_shadow
        Whether the candidate is sent copies of the champion's requests.
    needs_evidence
        Whether the next step waits for the analysis; it always does but where there is nothing to
        compare with, or nobody asked for a comparison.
    """

    candidate_pct: float
    is_shadow: bool = False
    needs_evidence: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Whose consent is needed before the first request; see ``approvals`` in ``triune.yaml``."""

    required: int = 0
    not_author: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is asked of every step.

    Parameters
    ----------
    min_seconds, min_requests, deadline_seconds
        As the analysis asks them.
    bake_seconds
        How long the last step lasts at least.
    """

    min_seconds: float = 300.0
    min_requests: int = 500
    deadline_seconds: float = 7200.0
    on_deadline: OnDeadline = OnDeadline.HOLD
    bake_seconds: float = 600.0

    def __post_init__(self) -> None:
        if not 0 <= self.longest_minimum_s < self.deadline_seconds:
            raise ValueError(
                f"a step cannot last {self.longest_minimum_s:g} s at least and be over by its "
                f"deadline of {self.deadline_seconds:g} s; set deadline_seconds above min_seconds "
                "and bake_seconds"
            )

    @property
    def longest_minimum_s(self) -> float:
        """The least time of the longest step."""
        return max(self.min_seconds, self.bake_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rollout is going to do; `Plan.of` makes one from what ``triune.yaml`` says.

    Parameters
    ----------
    keep_warm_seconds
        How long the champion before goes on running after the promotion, to be returned to at once.
    """

    strategy: Strategy
    steps: tuple[Step, ...]
    approvals: Approvals = Approvals()
    pace: Pace = Pace()
    holdback_pct: float = HOLDBACK_PCT
    keep_warm_seconds: float = KEEP_WARM_S

    def __post_init__(self) -> None:
        shares = [step.candidate_pct for step in self.steps]
        rises = all(before < after for before, after in pairwise(shares))
        if not (shares and shares[0] >= 0 and rises and shares[-1] == 100):
            raise ValueError(f"steps of {shares} %; give shares of the traffic that rise to 100")
        for step in self.steps:
            if step.candidate_pct == 0 and not step.is_shadow:
                raise ValueError("a step of 0 % shows nothing; leave it out, or use shadow")
        if not 0 < self.holdback_pct < 100:
            raise ValueError(f"a holdback of {self.holdback_pct} %; give between 0 and 100")

    @classmethod
    def of(
        cls,
        strategy: Strategy,
        *,
        steps_pct: Sequence[float] | None = None,
        approvals: Approvals = Approvals(),
        pace: Pace = Pace(),
        keep_warm_seconds: float = KEEP_WARM_S,
    ) -> Self:
        """Lay out a strategy.

        Raises
        ------
        ValueError
            The steps do not rise to 100, or the strategy has none.
        """
        shares = tuple(steps_pct or STEPS_PCT[strategy])
        if strategy in _AT_ONCE and shares != (100,):
            raise ValueError(f"{strategy} takes all traffic at once; remove steps, or use canary")
        steps = tuple(
            Step(candidate_pct=float(share), needs_evidence=strategy is not Strategy.INSTANT)
            for share in shares
        )
        if strategy is Strategy.SHADOW:
            steps = (Step(candidate_pct=0.0, is_shadow=True), *steps)
        return cls(
            strategy=strategy,
            steps=steps,
            approvals=approvals,
            pace=pace,
            keep_warm_seconds=keep_warm_seconds,
        )

    def without_comparison(self) -> Self:
        """Return the plan where there is no champion: the same approvals, then all traffic."""
        return replace(self, steps=(Step(candidate_pct=100.0, needs_evidence=False),))

    def split_at(self, step: int) -> TrafficSplit:
        """Return the traffic's split at a step; the champion keeps its holdback to the end."""
        at = self.steps[step]
        most = 100.0 - self.holdback_pct if at.needs_evidence else 100.0
        return TrafficSplit.giving(min(at.candidate_pct, most))

    def rules_at(self, step: int) -> StepRules:
        """Return what the analysis asks of a step."""
        return StepRules(
            weight=self.split_at(step).weight,
            min_seconds=self.pace.min_seconds,
            min_requests=self.pace.min_requests,
            deadline_seconds=self.pace.deadline_seconds,
        )

    def is_last(self, step: int) -> bool:
        """Tell whether promotion is all that follows a step."""
        return step == len(self.steps) - 1
