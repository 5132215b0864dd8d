"""How long a release takes, beside others that want the processor too."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from triune.serving.stopwatch import Stopwatch

BUSY = "while True: pass"


def compute(seconds: float) -> None:
    """Keep the processor for so long, however long that takes."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.fixture
def one_processor() -> Iterator[int]:
    """Have this process, and what it starts, share one processor."""
    before = os.sched_getaffinity(0)
    (chosen, *_) = before
    os.sched_setaffinity(0, {chosen})
    yield chosen
    os.sched_setaffinity(0, before)


def test_the_time_in_which_others_had_the_processor_does_not_count(one_processor: int) -> None:
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(3)]
    try:
        watch = Stopwatch()
        began, start = watch.start(), time.perf_counter()
        compute(0.3)
        passed, measured = time.perf_counter() - start, watch.since(began)
    finally:
        for other in others:
            other.kill()
            other.wait()

    assert passed > 0.6
    assert measured == pytest.approx(0.3, rel=0.2)


def test_what_it_waits_for_itself_does_count() -> None:
    watch = Stopwatch()
    began = watch.start()

    time.sleep(0.05)

    assert watch.since(began) >= 0.045


def test_several_are_measured_at_a_time() -> None:
    watch = Stopwatch()
    first = watch.start()
    time.sleep(0.05)
    second = watch.start()

    assert watch.since(second) < 0.045 <= watch.since(first)
