from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import gammaln, ndtri, xlogy
from scipy.stats import binomtest

from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.estimate import Method
from triune.stats.interval import Question
from triune.stats.mcnemar import mcnemar_exact_p
from triune.stats.outcomes import compare_outcomes
from triune.stats.tango import tango_bounds, tango_interval, tango_p_below

# Shares of rows that the models differ on, and differences, over which coverage is averaged.
DISCORDANT = (0.05, 0.1, 0.2, 0.4)
DIFFERENCES = (0.0, 0.02, 0.05, 0.1)


def a_table() -> st.SearchStrategy[tuple[int, int, int]]:
    return st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 400)).map(
        lambda counts: (counts[0], counts[1], max(1, sum(counts)))
    )


def outcomes(gained: int, lost: int, both: int, neither: int) -> tuple[list[bool], list[bool]]:
    champion = [False] * gained + [True] * lost + [True] * both + [False] * neither
    candidate = [True] * gained + [False] * lost + [True] * both + [False] * neither
    return champion, candidate


def likeliest(gained: int, lost: int, rows: int, difference: float) -> float:
    """Find the chance of a lost row by its likelihood alone, the difference being given."""
    lowest, highest = max(0.0, -difference), (1 - difference) / 2

    def slope(chance: float) -> float:
        return (
            gained / (chance + difference)
            + lost / chance
            - 2 * (rows - gained - lost) / (1 - 2 * chance - difference)
        )

    inside = 1e-13
    return float(brentq(slope, lowest + inside, highest - inside, xtol=1e-15))


def test_tango_gives_the_published_values() -> None:
    interval = tango_interval(150, 86, 1600)

    assert (interval.low, interval.high) == pytest.approx((0.0213616, 0.0589980), abs=5e-8)


def test_tango_solves_the_score_equation_of_the_constrained_likelihood() -> None:
    gained, lost, rows = 12, 5, 90
    bounds = tango_bounds(gained, lost, rows, alpha=0.025)

    for bound, expected in ((bounds.lower, 1.0), (bounds.upper, -1.0)):
        chance = likeliest(gained, lost, rows, bound)
        spread = sqrt(rows * (2 * chance + bound * (1 - bound)))
        score = (gained - lost - rows * bound) / spread
        assert score == pytest.approx(-expected * ndtri(0.025), abs=1e-8)


@given(table=a_table())
def test_tango_holds_the_difference_and_mirrors_with_the_models(
    table: tuple[int, int, int],
) -> None:
    gained, lost, rows = table

    forth, back = tango_interval(gained, lost, rows), tango_interval(lost, gained, rows)

    assert -1 <= forth.low <= (gained - lost) / rows <= forth.high <= 1
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@given(table=a_table(), alpha=st.floats(1e-5, 0.4))
def test_a_tango_bound_is_where_its_p_is_the_level(
    table: tuple[int, int, int], alpha: float
) -> None:
    upper = tango_bounds(*table, alpha=alpha).upper

    if upper < 1 - 1e-9:
        assert tango_p_below(*table, null=upper) == pytest.approx(alpha, rel=1e-4)


@pytest.mark.parametrize("rows", [1, 7, 100, 10**9])
def test_tango_stays_sound_where_all_rows_are_alike(rows: int) -> None:
    z2 = ndtri(0.975) ** 2

    same, better = tango_interval(0, 0, rows), tango_interval(rows, 0, rows)

    assert (same.low, same.high) == pytest.approx((-z2 / (rows + z2), z2 / (rows + z2)), rel=1e-6)
    assert better.high == 1
    assert -1 < better.low < 1


def test_without_rows_any_difference_is_possible() -> None:
    interval = tango_interval(0, 0, 0)

    assert (interval.low, interval.high) == (-1, 1)


def test_a_difference_beyond_all_others_has_a_plain_p() -> None:
    assert tango_p_below(3, 1, 10, null=-1) == 1
    assert tango_p_below(3, 1, 10, null=1) == 0


def coverage(rows: int, discordant: float, difference: float) -> float:
    """Add up the chances of the tables whose interval holds the difference: no simulation."""
    tables = [(b, c) for b in range(rows + 1) for c in range(rows + 1 - b)]
    gain, loss = (discordant + difference) / 2, (discordant - difference) / 2
    total = 0.0
    for gained, lost in tables:
        rest = rows - gained - lost
        chance = np.exp(
            gammaln(rows + 1)
            - gammaln([gained + 1, lost + 1, rest + 1]).sum()
            + xlogy([gained, lost, rest], [gain, loss, 1 - discordant]).sum()
        )
        if chance > 1e-9:
            interval = tango_interval(gained, lost, rows)
            total += chance * (interval.low <= difference <= interval.high)
    return total


def test_tango_covers_95_percent_on_average_over_a_grid() -> None:
    covered = [
        coverage(rows, discordant, difference)
        for rows in (50, 100)
        for discordant in DISCORDANT
        for difference in DIFFERENCES
        if difference <= discordant
    ]

    assert 0.94 <= np.mean(covered) <= 0.96
    assert min(covered) > 0.93


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(150, 86, 3.715936e-5), (10, 2, 0.0385742), (0, 6, 0.03125), (5, 5, 1.0), (0, 0, 1.0)],
)
def test_mcnemar_gives_the_published_values(gained: int, lost: int, p: float) -> None:
    assert mcnemar_exact_p(gained, lost) == pytest.approx(p, rel=1e-6)


@given(gained=st.integers(0, 300), lost=st.integers(0, 300))
def test_mcnemar_is_the_binomial_test_at_a_half(gained: int, lost: int) -> None:
    p = mcnemar_exact_p(gained, lost)

    trials = max(1, gained + lost)
    assert p == pytest.approx(binomtest(min(gained, lost), trials).pvalue if gained + lost else 1)


def test_mcnemar_never_errs_more_often_than_its_level() -> None:
    rejected = [
        sum(comb(n, k) for k in range(n + 1) if mcnemar_exact_p(k, n - k) <= 0.05) / 2**n
        for n in range(1, 80)
    ]

    assert max(rejected) <= 0.05


def test_a_comparison_counts_where_two_models_differ() -> None:
    champion, candidate = outcomes(gained=150, lost=86, both=1000, neither=364)

    seen = compare_outcomes(champion=champion, candidate=candidate)

    assert (seen.rows, seen.gained, seen.lost) == (1600, 150, 86)
    assert (seen.champion, seen.candidate) == (1086 / 1600, 1150 / 1600)
    assert seen.delta == pytest.approx(0.04)
    assert seen.standard_error == pytest.approx(sqrt(236 - 64**2 / 1600) / 1600)
    assert (seen.bounds.lower, seen.bounds.upper) == pytest.approx((0.0213616, 0.0589980), abs=5e-8)
    assert (seen.interval.low, seen.interval.high) == pytest.approx(
        (0.0213616, 0.0589980), abs=5e-8
    )
    assert seen.mcnemar_p == pytest.approx(3.715936e-5, rel=1e-6)
    assert seen.method is Method.TANGO


def test_the_p_values_of_a_comparison_test_the_difference_that_is_asked() -> None:
    champion, candidate = outcomes(gained=10, lost=40, both=100, neither=50)

    seen = compare_outcomes(
        champion=champion, candidate=candidate, question=Question(alpha=0.01, null=-0.05)
    )
    at_bound = compare_outcomes(
        champion=champion, candidate=candidate, question=Question(null=seen.bounds.upper)
    )

    assert seen.p_below < 0.01
    assert seen.p_above == pytest.approx(1 - seen.p_below)
    assert at_bound.p_below == pytest.approx(0.01)
    assert seen.bounds.upper < -0.05


def test_models_that_are_right_on_the_same_rows_still_leave_a_doubt() -> None:
    champion, candidate = outcomes(gained=0, lost=0, both=90, neither=10)

    seen = compare_outcomes(champion=champion, candidate=candidate)

    assert seen.delta == 0
    assert seen.bounds.lower < -0.03
    assert seen.standard_error == pytest.approx(seen.bounds.upper / ndtri(0.975))
    assert (seen.p, seen.mcnemar_p) == (1, 1)


def test_outcomes_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(TooFewRowsError, match="there are no rows"):
        compare_outcomes(champion=[], candidate=[])
    with pytest.raises(StatsError, match="candidate has 1 rows where there are 2"):
        compare_outcomes(champion=[0, 1], candidate=[0])
    with pytest.raises(StatsError, match="encode binary labels as 0 and 1"):
        compare_outcomes(champion=[0, 1], candidate=[0, 2])
    with pytest.raises(StatsError, match="6 rows gained and 5 lost of 10 cannot be"):
        tango_interval(6, 5, 10)
    with pytest.raises(StatsError, match="-1 lost cannot be"):
        mcnemar_exact_p(1, -1)
