"""When the gateway takes a candidate's weight away by itself, and when it does not."""

import pytest

from triune.gateway.breaker import LocalBreaker


def a_breaker(*, champion_good: int = 100, champion_bad: int = 0) -> LocalBreaker:
    breaker = LocalBreaker()
    for has_failed in [False] * champion_good + [True] * champion_bad:
        breaker.champion_answered(has_failed=has_failed)
    return breaker


def trips_at(breaker: LocalBreaker, failing: list[bool]) -> int | None:
    """Tell with which request it trips."""
    for at, has_failed in enumerate(failing, start=1):
        if breaker.trips(has_failed=has_failed):
            return at
    return None


def test_it_trips_with_the_twentieth_failure() -> None:
    assert trips_at(a_breaker(), [True] * 30) == 20


def test_it_trips_where_half_fail() -> None:
    assert trips_at(a_breaker(), [False, True] * 20) == 20


def test_it_does_not_trip_where_fewer_than_half_fail() -> None:
    assert trips_at(a_breaker(), [False, False, True] * 100) is None


def test_a_candidate_that_turns_bad_late_is_seen_by_its_latest_requests() -> None:
    assert trips_at(a_breaker(), [False] * 1000 + [True] * 100) == 1050


@pytest.mark.parametrize(("good", "bad"), [(94, 6), (0, 1), (0, 0)])
def test_it_does_not_trip_where_the_champion_is_not_known_to_be_good(good: int, bad: int) -> None:
    assert trips_at(a_breaker(champion_good=good, champion_bad=bad), [True] * 100) is None
