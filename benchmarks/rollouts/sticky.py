"""Units that stay on their arm and fail at rates of their own, through a ramp."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from triune.domain.rollout.forecast import none_slower
from triune.domain.traffic import Arm, Unit, assign
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.sequential.rollback import Trials

WEIGHTS: Final = (0.05, 0.25, 0.95)
RATES: Final = ((0.001, 0.9), (0.01, 0.09), (0.3, 0.01))
"""Of failure, and the share of the units that has it: 0.5 % of the requests in all."""


def sticky_portions(
    rng: np.random.Generator, *, units: int = 20_000, requests: int = 1_000_000
) -> Iterator[tuple[int, Trials]]:
    """Simulate a good release: a unit fails as often on either arm, and some units ever again.

    Only what can enter is drawn: of each unit its first request at each step, and its first failure
    in the rollout; how many requests there are in between decides when that is. What was drawn of
    a unit earlier, and so the probability of its arm, is told by the code of production.
    """
    places = rng.random(units)
    activity = rng.lognormal(0, 1.5, units)
    rate = rng.choice([rate for rate, _ in RATES], p=[share for _, share in RATES], size=units)
    per_step = requests / len(WEIGHTS) * activity / activity.sum()
    failing = rng.geometric(rate)
    seen = np.zeros(units, dtype=np.int64)
    memory = _Memory(units)
    for step, weight in enumerate(WEIGHTS):
        count = rng.poisson(per_step)
        active = np.flatnonzero(count)
        on_candidate, rho = memory.assign(active, places[active], weight)
        yield (
            step,
            _portion(
                rng,
                count=count[active],
                # The number, among the requests of this step, of the one that fails first.
                failing=(failing - seen)[active],
                rate=rate[active],
                on_candidate=on_candidate,
                rho=rho,
            ),
        )
        seen += count


def _portion(  # noqa: PLR0913 - a column each
    rng: np.random.Generator,
    *,
    count: npt.NDArray[np.int64],
    failing: npt.NDArray[np.int64],
    rate: FloatArray,
    on_candidate: BoolArray,
    rho: FloatArray,
) -> Trials:
    first_at = 1 - rng.random(len(count)) ** (1 / count)
    fails_first = np.where(failing >= 1, failing == 1, rng.random(len(count)) < rate)
    later = np.flatnonzero((failing > 1) & (failing <= count))
    # The j-th of n requests spread evenly: after the first, it is the (j-1)-th of the n-1 others.
    way = rng.beta(failing[later] - 1, count[later] - failing[later] + 1)
    later_at = first_at[later] + (1 - first_at[later]) * way
    order = np.argsort(np.concatenate([first_at, later_at]))

    def column(firsts: npt.NDArray[np.bool_], others: npt.NDArray[np.bool_]) -> BoolArray:
        return np.concatenate([firsts, others])[order]

    yes, no = np.ones(len(count), dtype=np.bool_), np.zeros(len(count), dtype=np.bool_)
    return Trials(
        on_candidate=column(on_candidate, on_candidate[later]),
        rho=np.concatenate([rho, rho[later]])[order],
        is_first=column(yes, no[later]),
        failed=column(fails_first, yes[later]),
        is_blamed=column(failing == 1, yes[later]),
        slower=none_slower(len(order)),
        is_alone=column(no, no[later]),
        is_late=column(no, no[later]),
    )


class _Memory:
    """What is remembered of units: few kinds of memory, so each kind is assigned once per arm."""

    def __init__(self, units: int) -> None:
        self._kinds: list[Unit | None] = [None]
        self._kind_of = np.zeros(units, dtype=np.int64)

    def assign(
        self, units: npt.NDArray[np.int64], places: FloatArray, weight: float
    ) -> tuple[BoolArray, FloatArray]:
        on_candidate = np.empty(len(units), dtype=np.bool_)
        rho = np.empty(len(units))
        kinds = self._kind_of[units]
        for kind in np.unique(kinds):
            for is_below in (True, False):
                same = (kinds == kind) & ((places < weight) == is_below)
                if not same.any():
                    continue
                remembered, assignment = assign(
                    self._kinds[kind], place=float(places[same][0]), weight=weight
                )
                on_candidate[same] = assignment.arm is Arm.CANDIDATE
                rho[same] = assignment.rho
                self._kind_of[units[same]] = len(self._kinds)
                self._kinds.append(remembered)
        return on_candidate, rho
