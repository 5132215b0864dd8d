"""What the gateway counts: classes of batches, the p99 of latencies, histograms."""

import pytest

from triune.gateway.metrics import Histogram
from triune.gateway.tally import Latencies, batch_class


@pytest.mark.parametrize(
    ("size", "least"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (9, 8), (256, 8)]
)
def test_a_batch_is_of_the_class_with_the_largest_least_size_that_it_has(
    size: int, least: int
) -> None:
    assert batch_class(size) == least


def test_few_latencies_have_no_p99() -> None:
    latencies = Latencies()

    for _ in range(99):
        latencies.add(1.0)
    assert latencies.p99_s is None
    latencies.add(1.0)

    assert latencies.p99_s == 1.0


def test_the_p99_follows_the_latest_latencies() -> None:
    latencies = Latencies()
    for number in range(1000):
        latencies.add(number / 1000)
    assert latencies.p99_s == 0.99

    for _ in range(1024):
        latencies.add(5.0)

    assert latencies.p99_s == 5.0


def test_a_histogram_adds_up_what_it_saw_for_each_of_its_labels() -> None:
    histogram = Histogram("seconds", "How long.", ("who",))

    for seconds in (0.00005, 0.0001, 0.3, 60.0):
        histogram.observe(seconds, ("ada",))
    histogram.observe(0.3, ("bob",))

    lines = histogram.lines()
    assert 'seconds_bucket{who="ada",le="0.0001"} 2' in lines
    assert 'seconds_bucket{who="ada",le="0.25"} 2' in lines
    assert 'seconds_bucket{who="ada",le="0.5"} 3' in lines
    assert 'seconds_bucket{who="ada",le="+Inf"} 4' in lines
    assert 'seconds_count{who="bob"} 1' in lines
    assert 'seconds_sum{who="bob"} 0.3' in lines
