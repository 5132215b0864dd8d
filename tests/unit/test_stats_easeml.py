from itertools import pairwise
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.stats.easeml import (
    Adaptivity,
    Clause,
    Condition,
    RowsNeeded,
    Term,
    Variable,
    bennett_rows,
    hoeffding_rows,
    parse_condition,
    rows_needed,
)
from triune.stats.errors import ConditionError, StatsError

FEW_CHANGES = r"d < 0.1 +/- 0.01 /\ n - o > 0.02 +/- 0.01"


def labelled(text: str, reliability: float, adaptivity: Adaptivity, steps: int = 32) -> int:
    condition = parse_condition(text)
    return rows_needed(
        condition, reliability=reliability, steps=steps, adaptivity=adaptivity
    ).labelled


def a_clause(
    terms: dict[Variable, float], comparison: str, threshold: float, tolerance: float
) -> Clause:
    return Clause(
        terms=tuple(Term(coefficient=c, variable=v) for v, c in terms.items()),
        above=comparison == ">",
        threshold=threshold,
        tolerance=tolerance,
    )


@pytest.mark.parametrize(
    ("text", "adaptivity", "rows"),
    [
        ("n > 0.9 +/- {}", Adaptivity.NONE, (404, 40_355, 2_075, 10_141)),
        ("n > 0.9 +/- {}", Adaptivity.FIRST_CHANGE, (404, 40_355, 2_075, 10_141)),
        ("n > 0.9 +/- {}", Adaptivity.FULL, (1_340, 133_930, 5_818, 25_113)),
        ("n - o > 0.02 +/- {}", Adaptivity.NONE, (1_753, 175_282, 8_854, 42_782)),
        ("n - o > 0.02 +/- {}", Adaptivity.FIRST_CHANGE, (1_753, 175_282, 8_854, 42_782)),
        ("n - o > 0.02 +/- {}", Adaptivity.FULL, (5_496, 549_581, 23_826, 102_670)),
    ],
)
def test_the_published_table(text: str, adaptivity: Adaptivity, rows: tuple[int, ...]) -> None:
    lines = [(0.99, 0.1), (0.99, 0.01), (0.999, 0.05), (0.9999, 0.025)]

    needed = [labelled(text.format(e), reliability, adaptivity) for reliability, e in lines]

    assert tuple(needed) == rows


@pytest.mark.parametrize(
    ("adaptivity", "rows"), [(Adaptivity.NONE, 29_048), (Adaptivity.FULL, 67_706)]
)
def test_a_model_that_changes_little_needs_the_published_rows(
    adaptivity: Adaptivity, rows: int
) -> None:
    assert labelled(FEW_CHANGES, 1 - 1e-4, adaptivity) == rows


def test_the_share_of_changes_is_told_without_labels() -> None:
    few = rows_needed(parse_condition(FEW_CHANGES), reliability=0.9999, steps=32)
    alone = rows_needed(parse_condition("d < 0.1 +/- 0.01"), reliability=0.9999, steps=32)

    # Two clauses share the chance of an error.
    assert few.unlabelled == hoeffding_rows((1.0,), 0.01, log(32 * 2 / 1e-4))
    assert alone == RowsNeeded(labelled=0, unlabelled=hoeffding_rows((1.0,), 0.01, log(32 / 1e-4)))


@pytest.mark.parametrize(
    "text",
    [
        # Turned round, weighted, or with a third clause, it is another condition.
        r"d > 0.1 +/- 0.01 /\ n - o > 0.02 +/- 0.01",
        r"d < 0.1 +/- 0.01 /\ n - o < 0.02 +/- 0.01",
        r"d < 0.1 +/- 0.01 /\ n - 1.0001 * o > 0.02 +/- 0.01",
        r"d < 0 +/- 0.01 /\ n - o > 0.02 +/- 0.01",
    ],
)
def test_any_other_condition_is_told_by_hoeffding(text: str) -> None:
    assert labelled(text, 0.9999, Adaptivity.NONE) == pytest.approx(
        hoeffding_rows((1.0, -1.0), 0.01, log(2 * 32 / 1e-4)), rel=1e-3
    )


def test_clauses_share_the_chance_of_an_error_and_the_largest_need_decides() -> None:
    text = r"n > 0.8 +/- 0.05 /\ n - o > 0 +/- 0.03 /\ o < 0.9 +/- 0.2"

    rows = labelled(text, 0.99, Adaptivity.NONE, steps=1)

    assert rows == hoeffding_rows((1.0, -1.0), 0.03, log(3 / 0.01))


@given(
    first=st.floats(0.1, 3),
    second=st.floats(-3, -0.1),
    tolerance=st.floats(0.01, 0.5),
    share=st.floats(0.01, 0.99),
)
def test_no_other_split_of_the_tolerance_needs_fewer_rows(
    first: float, second: float, tolerance: float, share: float
) -> None:
    halved = log(2 / 0.01)
    split = max(
        first**2 * halved / (2 * (share * tolerance) ** 2),
        second**2 * halved / (2 * ((1 - share) * tolerance) ** 2),
    )

    assert hoeffding_rows((first, second), tolerance, log(1 / 0.01)) <= split + 1


def test_the_third_term_shares_the_half_that_the_first_left() -> None:
    whole, quarter = log(2 / 0.01) ** 0.5, log(4 / 0.01) ** 0.5

    rows = hoeffding_rows((1.0, 2.0, 3.0), 0.1, log(1 / 0.01))

    assert rows == pytest.approx((whole + 2 * quarter + 3 * quarter) ** 2 / (2 * 0.1**2), abs=1)


def test_a_coefficient_scales_by_its_square() -> None:
    plain, scaled = hoeffding_rows((1.0,), 0.01, 8.0), hoeffding_rows((-1.1,), 0.01, 8.0)

    assert scaled == pytest.approx(1.21 * plain, abs=2)


def test_bennett_keeps_its_promise_where_the_differences_are_rarest_to_tell() -> None:
    rng = np.random.default_rng(2)
    rows = bennett_rows(0.1, 0.02, log(1 / 0.05))
    gained, lost = rng.multinomial(rows, [0.05, 0.05, 0.9], size=4000)[:, :2].T

    assert np.mean((gained - lost) / rows > 0.02) < 0.05
    assert rows < hoeffding_rows((1.0, -1.0), 0.02, log(1 / 0.05))


def test_many_steps_of_full_adaptivity_stay_finite() -> None:
    few, many = (labelled("n > 0.9 +/- 0.1", 0.99, Adaptivity.FULL, steps) for steps in (100, 5000))

    assert exp(-5000 * log(2)) == 0
    assert many - few == pytest.approx(4900 * log(2) * 50, abs=1)


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        (
            r"n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01",
            (
                a_clause({"n": 1, "o": -1}, ">", 0.02, 0.01),
                a_clause({"d": 1}, "<", 0.1, 0.01),
            ),
        ),
        ("n>.9+/-1e-2", (a_clause({"n": 1}, ">", 0.9, 0.01),)),
        ("n - 1.1 * o > 0.01 +/- 0.01", (a_clause({"n": 1, "o": -1.1}, ">", 0.01, 0.01),)),
        ("-o * 2 + n > -0.5 +/- 0.1", (a_clause({"o": -2, "n": 1}, ">", -0.5, 0.1),)),
        ("n - 2*o + d + n < 1 +/- .1", (a_clause({"n": 2, "o": -2, "d": 1}, "<", 1, 0.1),)),
        ("n - o - n > 0 +/- 0.1", (a_clause({"o": -1}, ">", 0, 0.1),)),
    ],
)
def test_a_condition_is_read(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse_condition(text) == Condition(clauses=clauses)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected n, o or d at the end"),
        ("n", "expected < or > at the end"),
        ("x > 1 +/- 1", "expected n, o or d at 'x > 1"),
        ("no > 1 +/- 1", "expected n, o or d at 'no > 1"),
        ("n > 0.9", r"expected \+/- and a tolerance at the end"),
        ("n > +/- 0.1", "expected a number at '\\+/- 0.1'"),
        ("2 n > 1 +/- 1", r"expected \* and a variable at 'n > 1"),
        ("n * > 1 +/- 1", "expected a number at '> 1"),
        ("n > 1 +/- 1 d", "and another clause, or the end at 'd'"),
        (r"n > 1 +/- 1 /\ ", "expected n, o or d at the end"),
        ("n > 1 +/- 0", "'n > 1 \\+/- 0' compares nothing, or to no tolerance"),
        ("n - n > 1 +/- 1", "compares nothing"),
        ("n > 1 +/- -1", "expected a number at '-1'"),
    ],
)
def test_what_is_no_condition_is_refused_where_it_goes_wrong(text: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        parse_condition(text)


def test_more_reliability_needs_more_rows() -> None:
    needs = [
        labelled(FEW_CHANGES, reliability, Adaptivity.NONE) for reliability in (0.9, 0.99, 0.999)
    ]

    assert all(less < more for less, more in pairwise(needs))


def test_plans_that_cannot_be_are_refused() -> None:
    condition = parse_condition("n > 0.9 +/- 0.1")

    with pytest.raises(StatsError, match=r"reliability is 1\.0"):
        rows_needed(condition, reliability=1.0, steps=1)
    with pytest.raises(StatsError, match="steps is 0; plan for at least one"):
        rows_needed(condition, reliability=0.9, steps=0)
