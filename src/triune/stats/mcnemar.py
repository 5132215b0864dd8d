"""The exact test of whether two models are right equally often on the same rows."""

from scipy.special import bdtr

from triune.stats.errors import StatsError


def mcnemar_exact_p(gained: int, lost: int) -> float:
    """Return the two-sided p of "a row that only one of two models has right is either's".

    Parameters
    ----------
    gained, lost
        Rows where only the candidate, and only the champion, was right. With none, p is 1.

    References
    ----------
    Q. McNemar (1947), Psychometrika 12(2): 153-157; exact by the binomial distribution.

    Examples
    --------
    >>> mcnemar_exact_p(0, 6)
    0.03125
    """
    if min(gained, lost) < 0:
        raise StatsError(f"{gained} rows gained and {lost} lost cannot be; check the counts")
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))
