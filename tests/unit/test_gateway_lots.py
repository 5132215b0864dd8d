"""Lots for requests without a key: even, and none like another."""

from triune.gateway.lots import Lots


def test_lots_are_even_over_their_range_and_differ() -> None:
    lots = Lots()

    drawn = [lots.draw() for _ in range(100_000)]

    assert all(0 <= lot < 1 for lot in drawn)
    assert len(set(drawn)) == len(drawn)
    # Nine standard errors on either side.
    for weight in (0.05, 0.5, 0.95):
        share = sum(lot < weight for lot in drawn) / len(drawn)
        assert abs(share - weight) < 9 * (weight * (1 - weight) / len(drawn)) ** 0.5


def test_nobody_else_draws_the_same() -> None:
    one, other = Lots(), Lots()

    assert {one.draw() for _ in range(1000)}.isdisjoint(other.draw() for _ in range(1000))
