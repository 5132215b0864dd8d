"""The area under the ROC curve, by DeLong's method in O(n log n): of one model, and of two.

Rows must be independent of each other. Where several rows belong to one subject, the grouped
bootstrap of `stats.bootstrap` is the method instead.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtr

from triune.stats.errors import TooFewRowsError
from triune.stats.estimate import Estimate, Method, PairedComparison
from triune.stats.inputs import BoolArray, FloatArray, IntArray, binary, finite, require_length
from triune.stats.interval import USUAL, Bounds, Interval, Question, Range, normal_quantile, tail_of
from triune.stats.unvarying import Unvarying

MIN_CLASS_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AucEstimate(Estimate):
    """The AUC of one model, with DeLong's variance of it."""

    variance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AucComparison(PairedComparison):
    """The AUC of two models on the same rows, with DeLong's variances and covariance.

    ``z`` tests ``null``; it is None where the method is UNVARYING.
    """

    champion_variance: float
    candidate_variance: float
    covariance: float
    z: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """How each row stands among the rows of the other class, in half rows, in the given order.

    ``of_positives``: twice the negatives that a positive scores above, plus those it ties with;
    ``of_negatives``: likewise the positives that score above a negative. Whole numbers, so that
    what is equal compares equal.
    """

    of_positives: IntArray
    of_negatives: IntArray

    @property
    def auc(self) -> float:
        """The share of pairs of a positive and a negative in the right order; a tie is half."""
        pairs = len(self.of_positives) * len(self.of_negatives)
        return float(self.of_positives.sum()) / (2 * pairs)


def place(positive: BoolArray, scores: FloatArray) -> Placements:
    """Count, for each row, the rows of the other class that it is in the right order with.

    Parameters
    ----------
    positive, scores
        Of shape (n,); neither is checked.

    References
    ----------
    X. Sun, W. Xu (2014), IEEE Signal Processing Letters 21(11): 1389-1393, whose midranks these
    are less the ranks within the class.
    """
    rows = len(scores)
    order = np.argsort(scores)
    ranked, is_positive = scores[order], positive[order]
    positives_to = np.cumsum(is_positive, dtype=np.int64)
    last = np.append(ranked[1:] != ranked[:-1], True)
    if last.all():
        below = positives_to - is_positive
        twice_positives = 2 * below
        twice_negatives = 2 * (np.arange(rows) - below)
    else:
        # Rows of one score stand half above and half below each other: at the middle of the run.
        ends = np.flatnonzero(last)
        lengths = np.diff(ends, prepend=-1)
        positives_at_end = positives_to[ends]
        positives_before = np.append(0, positives_at_end[:-1])
        negatives_before = np.append(0, (ends + 1 - positives_at_end)[:-1])
        twice_positives = np.repeat(positives_before + positives_at_end, lengths)
        twice_negatives = np.repeat(negatives_before + ends + 1 - positives_at_end, lengths)
    placed = np.empty(rows, dtype=np.int64)
    placed[order] = np.where(
        is_positive, twice_negatives, 2 * int(positives_to[-1]) - twice_positives
    )
    return Placements(of_positives=placed[positive], of_negatives=placed[~positive])


def roc_auc(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the chance that a positive scores above a negative, a tie counting half.

    Parameters
    ----------
    truth
        Shape (n,), 0 or 1; at least `MIN_CLASS_ROWS` of each.
    scores
        Shape (n,), finite; only their order matters.

    Raises
    ------
    TooFewRowsError
        Where a class has fewer rows.
    StatsError
        Where a score is NaN or infinite, or the shapes differ.
    """
    positive = classes(truth)
    return place(positive, _scores(scores, positive, "scores")).auc


def estimate_auc(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    question: Question = USUAL,
) -> AucEstimate:
    """Bound the AUC of one model by DeLong's variance, on the scale of log odds.

    On the plain scale the lower bound is wrong far too often where the AUC is high: 14 % instead
    of 2.5 % at an AUC of .95 with 20 positives, and 5 to 7 % on the scale of log odds.

    Where the variance is zero (all pairs in order, or all tied) it says nothing; the bounds are
    then those of `stats.unvarying` for the pairs of `_disjoint_pairs`.

    Parameters
    ----------
    truth, scores
        As for `roc_auc`, which also says what is refused.
    question
        At which levels to bound it.

    References
    ----------
    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson (1988), Biometrics 44(3): 837-845.
    G. Qin, L. Hotilovac (2008), Statistical Methods in Medical Research 17(2): 207-221, compare
    intervals, this one among them.
    """
    positive = classes(truth)
    taken = _scores(scores, positive, "scores")
    placements = place(positive, taken)
    value, variance = placements.auc, _variance(placements.of_positives, placements.of_negatives)
    if variance == 0:
        pairs = _disjoint_pairs(positive, taken)
        constant = _without_variance(value, pairs, Range(low=0.0, high=1.0))
        return AucEstimate(
            value=value,
            standard_error=constant.standard_error(question.alpha),
            interval=constant.interval(question.confidence),
            bounds=constant.bounds(question.alpha),
            method=Method.UNVARYING,
            variance=variance,
        )
    error = sqrt(variance)
    low, high = _logit_limits(value, error, tail_of(question.confidence))
    lower, upper = _logit_limits(value, error, question.alpha)
    return AucEstimate(
        value=value,
        standard_error=error,
        interval=Interval(low=low, high=high, confidence=question.confidence),
        bounds=Bounds(lower=lower, upper=upper, alpha=question.alpha),
        method=Method.DELONG,
        variance=variance,
    )


def compare_auc(
    truth: npt.ArrayLike,
    *,
    champion: npt.ArrayLike,
    candidate: npt.ArrayLike,
    question: Question = USUAL,
) -> AucComparison:
    """Compare the AUC of two models on the same rows by DeLong's test.

    Where the difference has no variance (both order every pair alike, both separate the classes,
    one is constant and the other separates them) there is no z; the bounds are then those of
    `stats.unvarying` for the pairs of `_disjoint_pairs`, and as wide as so few pairs ask for.

    Parameters
    ----------
    truth
        Shape (n,), 0 or 1; at least `MIN_CLASS_ROWS` of each.
    champion, candidate
        Scores of shape (n,), finite; only their order matters.
    question
        At which levels to bound the difference, and which one to test.

    Raises
    ------
    TooFewRowsError
        Where a class has fewer rows.
    StatsError
        Where a score is NaN or infinite, or the shapes differ.

    References
    ----------
    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson (1988), Biometrics 44(3): 837-845.
    X. Sun, W. Xu (2014), IEEE Signal Processing Letters 21(11): 1389-1393.
    """
    positive = classes(truth)
    old, new = _scores(champion, positive, "champion"), _scores(candidate, positive, "candidate")
    old_placed, new_placed = place(positive, old), place(positive, new)
    positives = new_placed.of_positives - old_placed.of_positives
    negatives = new_placed.of_negatives - old_placed.of_negatives
    delta = float(positives.sum()) / (2 * len(positives) * len(negatives))
    variance = _variance(positives, negatives)
    old_variance = _variance(old_placed.of_positives, old_placed.of_negatives)
    new_variance = _variance(new_placed.of_positives, new_placed.of_negatives)
    if variance == 0:
        pairs = _disjoint_pairs(positive, new) - _disjoint_pairs(positive, old)
        constant = _without_variance(delta, pairs, Range(low=-1.0, high=1.0))
        z, error, method = None, constant.standard_error(question.alpha), Method.UNVARYING
        interval, bounds = constant.interval(question.confidence), constant.bounds(question.alpha)
        p_below, p_above = constant.p_below(question.null), constant.p_above(question.null)
    else:
        error, method = sqrt(variance), Method.DELONG
        z = (delta - question.null) / error
        low, high = _limits(delta, error, tail_of(question.confidence))
        lower, upper = _limits(delta, error, question.alpha)
        interval = Interval(low=low, high=high, confidence=question.confidence)
        bounds = Bounds(lower=lower, upper=upper, alpha=question.alpha)
        p_below, p_above = float(ndtr(z)), float(ndtr(-z))
    return AucComparison(
        champion=old_placed.auc,
        candidate=new_placed.auc,
        delta=delta,
        standard_error=error,
        interval=interval,
        bounds=bounds,
        null=question.null,
        p_below=p_below,
        p_above=p_above,
        method=method,
        champion_variance=old_variance,
        candidate_variance=new_variance,
        covariance=(old_variance + new_variance - variance) / 2,
        z=z,
    )


def classes(truth: npt.ArrayLike) -> BoolArray:
    """Take binary labels of which each class has enough rows for an AUC."""
    positive = binary(truth, name="truth")
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if min(positives, negatives) < MIN_CLASS_ROWS:
        raise TooFewRowsError(
            f"an AUC needs {MIN_CLASS_ROWS} rows of each class and here are {positives} positive "
            f"and {negatives} negative; label more rows"
        )
    return positive


def _scores(scores: npt.ArrayLike, positive: BoolArray, name: str) -> FloatArray:
    taken = finite(scores, name=name)
    require_length(taken, len(positive), name=name)
    return taken


def _variance(of_positives: IntArray, of_negatives: IntArray) -> float:
    """Compute DeLong's variance; it is exactly zero where all rows of a class stand alike."""
    halves = 2.0 * len(of_positives) * len(of_negatives)
    return float(
        len(of_positives) * np.var(of_positives, ddof=1) / halves**2
        + len(of_negatives) * np.var(of_negatives, ddof=1) / halves**2
    )


def _disjoint_pairs(positive: BoolArray, scores: FloatArray) -> FloatArray:
    """Judge the first positive with the first negative, the second with the second, and so on.

    No two pairs share a row, so that they are independent: 1 in the right order, 0 in the wrong
    one, a half where tied.
    """
    above, below = scores[positive], scores[~positive]
    pairs = min(len(above), len(below))
    return (np.sign(above[:pairs] - below[:pairs]) + 1) / 2


def _without_variance(value: float, pairs: FloatArray, within: Range) -> Unvarying:
    # Rankings can be made whose variance cancels though the pairs differ; of these nothing is
    # known, and no unit speaks for them.
    units = len(pairs) if (pairs == value).all() else 0
    return Unvarying(value=value, units=units, within=within)


def _limits(delta: float, error: float, alpha: float) -> tuple[float, float]:
    reach = normal_quantile(alpha) * error
    return max(-1.0, delta - reach), min(1.0, delta + reach)


def _logit_limits(value: float, error: float, alpha: float) -> tuple[float, float]:
    reach = normal_quantile(alpha) * error / (value * (1 - value))
    log_odds = float(logit(value))
    return float(expit(log_odds - reach)), float(expit(log_odds + reach))
