import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.domain.canonical import canonical_json
from triune.domain.traffic import (
    Arm,
    Assignment,
    Incident,
    TrafficSplit,
    Units,
    arm_of,
    assign,
    count,
    place_of,
    unit_id,
)

WEIGHTS = st.floats(0.0, 1.0)
PLACES = st.floats(0.0, 1.0, exclude_max=True)
CHAMPION, CANDIDATE = 0.9999, 0.0001


def assigned(place: float, *weights: float) -> Assignment:
    """Return the last of the assignments of a unit that was seen once at each weight."""
    unit, assignment = assign(None, place=place, weight=weights[0])
    for weight in weights[1:]:
        unit, assignment = assign(unit, place=place, weight=weight)
    return assignment


@pytest.mark.parametrize(
    ("key", "salt", "unit", "place"),
    [
        ("customer-1", "rollout-1", "e81595da7b76363619535fcbd9418bd0", 0.9065793665317521),
        ("customer-1", "rollout-2", "cd35d6cc602e5ef78b24d547380d758d", 0.8016027687992219),
        ("", "rollout-1", "10722b6f674a2425a52118e36315e8fc", 0.06424209089099309),
        ("Zoë", "rollout-1", "10a59e513a9bd9e4c689a9120515bcdf", 0.06502713664177351),
    ],
)
def test_a_unit_stands_where_every_version_puts_it(
    key: str, salt: str, unit: str, place: float
) -> None:
    found = unit_id(key, salt=salt)

    assert found.hex() == unit
    assert place_of(found) == place


def test_places_are_spread_evenly_and_anew_for_each_rollout() -> None:
    keys = [f"customer-{number}" for number in range(20_000)]

    first = [place_of(unit_id(key, salt="rollout-1")) < 0.05 for key in keys]
    second = [place_of(unit_id(key, salt="rollout-2")) < 0.05 for key in keys]

    assert sum(first) == pytest.approx(1000, abs=4 * 31)
    both = sum(one and other for one, other in zip(first, second, strict=True))
    assert both == pytest.approx(50, abs=4 * 7)


@given(place=PLACES, weights=st.lists(WEIGHTS, min_size=2, max_size=6).map(sorted))
def test_units_only_move_to_the_candidate_as_the_weight_grows(
    place: float, weights: list[float]
) -> None:
    arms = [assigned(place, weight).arm for weight in weights]

    assert (Arm.CANDIDATE, Arm.CHAMPION) not in pairwise(arms)
    assert assigned(place, 1.0).arm is Arm.CANDIDATE
    assert assigned(place, 0.0).arm is Arm.CHAMPION


@pytest.mark.parametrize(
    ("place", "weights", "rho"),
    [
        (CHAMPION, [0.05], 0.05),
        (CHAMPION, [0.05, 0.25], (0.25 - 0.05) / 0.95),
        (CHAMPION, [0.05, 0.25, 0.95], (0.95 - 0.25) / 0.75),
        (CHAMPION, [0.05, 0.95], (0.95 - 0.05) / 0.95),
        (CHAMPION, [0.05, 0.25, 0.05], 0.0),
        (0.2, [0.05, 0.25, 0.05, 0.25], 1.0),
        (CANDIDATE, [0.05, 0.25], 1.0),
        (CANDIDATE, [0.25, 0.05], 0.05 / 0.25),
        (CANDIDATE, [0.25, 0.05, 0.25], 1.0),
        (0.15, [0.05, 0.25, 0.1], (0.1 - 0.05) / 0.2),
        (CANDIDATE, [1.0], 1.0),
        (CHAMPION, [0.95, 1.0], 1.0),
        (CANDIDATE, [0.25, 0.0], 0.0),
    ],
)
def test_the_probability_is_what_earlier_assignments_left_open(
    place: float, weights: list[float], rho: float
) -> None:
    assert assigned(place, *weights).rho == pytest.approx(rho)


@given(weights=st.permutations([0.05, 0.1, 0.25, 0.5, 0.95]), length=st.integers(1, 5))
def test_the_probability_is_the_share_of_the_places_with_the_same_past(
    weights: list[float], length: int
) -> None:
    *before, now = weights[:length]
    alike: dict[tuple[Arm, ...], list[Assignment]] = {}

    for place in ((step + 0.5) / 400 for step in range(400)):
        past = tuple(assigned(place, *before[: end + 1]).arm for end in range(len(before)))
        alike.setdefault(past, []).append(assigned(place, *before, now))

    for assignments in alike.values():
        share = sum(one.arm is Arm.CANDIDATE for one in assignments) / len(assignments)
        assert all(one.rho == pytest.approx(share) for one in assignments)


def test_a_unit_is_first_again_only_where_the_weight_is_another() -> None:
    unit, first = assign(None, place=CHAMPION, weight=0.05)
    unit, again = assign(unit, place=CHAMPION, weight=0.05)
    unit, moved = assign(unit, place=CHAMPION, weight=0.25)

    assert [first.is_first, again.is_first, moved.is_first] == [True, False, True]
    assert again.rho == first.rho == 0.05


def test_an_incident_counts_once_for_its_unit_also_at_later_weights() -> None:
    unit, _ = assign(None, place=CANDIDATE, weight=0.05)

    unit, at_first = count(unit, Incident.FAILED)
    unit, of_another_kind = count(unit, Incident.FAILED | Incident.SLOWER_THAN_P50)
    unit, _ = assign(unit, place=CANDIDATE, weight=0.25)
    unit, later = count(unit, Incident.FAILED)

    assert at_first is Incident.FAILED
    assert of_another_kind is Incident.SLOWER_THAN_P50
    assert not later


@pytest.mark.parametrize(("champion", "candidate"), [(90, 20), (101, -1), (-1, 101)])
def test_shares_that_do_not_sum_to_all_are_refused(champion: float, candidate: float) -> None:
    with pytest.raises(ValueError, match="sum to 100"):
        TrafficSplit(champion=champion, candidate=candidate)


def test_a_split_gives_the_rest_to_the_champion() -> None:
    split = TrafficSplit.giving(5)

    assert split == TrafficSplit(champion=95, candidate=5)
    assert split.weight == 0.05


def visits(keys: int) -> list[bytes]:
    return [unit_id(f"customer-{number % keys}", salt="rollout-1") for number in range(3 * keys)]


def test_the_memory_of_units_is_bounded_and_stays_fair() -> None:
    units = Units(capacity=1000)

    seen = [(unit, units.assign(unit, weight=0.25)) for unit in visits(20_000)]

    assert len(units) <= 1000
    assert units.share == 1 / 32
    # Every arm is what the hash says, whether its unit is followed or not.
    assert all(each.arm is arm_of(unit, weight=0.25) for unit, each in seen)
    firsts = [each.arm is Arm.CANDIDATE for _, each in seen if each.is_first]
    assert len(firsts) > 1000
    share = sum(firsts) / len(firsts)
    assert share == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / len(firsts)) ** 0.5)


def test_a_unit_that_is_not_followed_any_more_never_enters_again() -> None:
    units = Units(capacity=100)
    keys = visits(1000)
    for unit in keys[:1000]:
        units.assign(unit, weight=0.05)

    again = [units.assign(unit, weight=0.25) for unit in keys[:1000]]
    blamed = [units.count(unit, Incident.FAILED) for unit in keys[:1000]]

    assert sum(each.is_first for each in again) == len(units)
    assert sum(map(bool, blamed)) == len(units)


@given(
    visited=st.lists(
        st.tuples(st.integers(0, 40), st.sampled_from([0.05, 0.25, 0.95]), st.integers(0, 31)),
        max_size=80,
    ),
    cut=st.integers(0, 80),
)
def test_units_written_down_and_read_again_go_on_as_before(
    visited: list[tuple[int, float, int]], cut: int
) -> None:
    def visit(units: Units, number: int, weight: float, incidents: int) -> object:
        unit = unit_id(f"customer-{number}", salt="rollout-1")
        return units.assign(unit, weight=weight), units.count(unit, Incident(incidents))

    without = Units(capacity=20)
    before = Units(capacity=20)
    expected = [visit(without, *each) for each in visited]

    seen = [visit(before, *each) for each in visited[:cut]]
    read = Units.from_json(json.loads(canonical_json(before.to_json())))
    seen += [visit(read, *each) for each in visited[cut:]]

    assert seen == expected
    assert read.to_json() == without.to_json()
