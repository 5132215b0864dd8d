"""Which requests are timed: one after the other, at intervals, and never much of a busy worker."""

from triune.gateway.timing import Timing


def test_the_next_is_due_once_the_one_before_is_answered_and_not_sooner_than_a_slot_later() -> None:
    timing = Timing()
    timing.take(10.0)

    assert not timing.is_due(10.5)
    timing.returned(10.001)
    assert not timing.is_due(10.019)
    assert timing.is_due(10.021)


def test_a_worker_that_all_wait_for_is_held_up_for_a_twentieth_of_its_time() -> None:
    timing = Timing()
    timing.take(10.0)
    timing.returned(10.05, held_up_s=0.05)

    assert not timing.is_due(11.04)
    assert timing.is_due(11.06)
