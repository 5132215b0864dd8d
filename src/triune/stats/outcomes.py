"""Compares two models by which rows each has right: Tango's interval, and McNemar's exact test.

Rows must be independent of each other. Where several rows belong to one subject, the grouped
bootstrap of `stats.bootstrap` is the method instead.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from triune.stats.errors import TooFewRowsError
from triune.stats.estimate import Method, PairedComparison
from triune.stats.inputs import binary, require_length
from triune.stats.interval import USUAL, Question, normal_quantile
from triune.stats.mcnemar import mcnemar_exact_p
from triune.stats.tango import tango_bounds, tango_interval, tango_p_below


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeComparison(PairedComparison):
    """Two success rates on the same rows, and the rows where the models differ.

    ``gained`` are the rows that only the candidate has right, ``lost`` those that only the champion
    has; ``mcnemar_p`` is the exact two-sided p of "no difference", whatever ``null`` is.
    """

    rows: int
    gained: int
    lost: int
    mcnemar_p: float


def compare_outcomes(
    *,
    champion: npt.ArrayLike,
    candidate: npt.ArrayLike,
    question: Question = USUAL,
) -> OutcomeComparison:
    """Compare two models whose outcome on each row is right (1) or wrong (0).

    Parameters
    ----------
    champion, candidate
        Outcomes of shape (n,), 0 or 1 or booleans, on the same rows in the same order.
    question
        At which levels to bound the difference, and which one to test by the score statistic.

    Raises
    ------
    TooFewRowsError
        Where there are no rows.
    StatsError
        Where an outcome is neither right nor wrong, or the shapes differ.
    """
    old, new = binary(champion, name="champion"), binary(candidate, name="candidate")
    require_length(new, len(old), name="candidate")
    rows = len(old)
    if rows == 0:
        raise TooFewRowsError("there are no rows to compare two models on; label some")
    gained, lost = int(np.sum(new & ~old)), int(np.sum(old & ~new))
    delta = (gained - lost) / rows
    bounds = tango_bounds(gained, lost, rows, alpha=question.alpha)
    error = sqrt(max(gained + lost - rows * delta * delta, 0.0)) / rows
    if error == 0:
        # All rows alike: the plain estimate knows no error, and the score interval does.
        error = max(bounds.upper - delta, delta - bounds.lower) / normal_quantile(question.alpha)
    return OutcomeComparison(
        champion=float(old.mean()),
        candidate=float(new.mean()),
        delta=delta,
        standard_error=error,
        interval=tango_interval(gained, lost, rows, confidence=question.confidence),
        bounds=bounds,
        null=question.null,
        p_below=tango_p_below(gained, lost, rows, null=question.null),
        p_above=tango_p_below(lost, gained, rows, null=-question.null),
        method=Method.TANGO,
        rows=rows,
        gained=gained,
        lost=lost,
        mcnemar_p=mcnemar_exact_p(gained, lost),
    )
