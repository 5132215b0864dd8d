"""A release's queue before a real worker: who is given up, and when."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from tests.gateways import WAITS, a_release
from tests.processes import wait_until

from triune.domain.failures import Failure
from triune.gateway.release_queue import Answer, ReleaseQueue
from triune.gateway.worker_process import Launch


def test_a_request_that_waits_is_given_up_at_its_deadline_though_the_worker_is_busy(
    tmp_path: Path,
) -> None:
    release = a_release(tmp_path / "release")

    async def ask() -> tuple[Answer, Answer]:
        loop = asyncio.get_running_loop()
        queue = ReleaseQueue(Launch(bundle=release.folder, release=release.release), timeout_s=30)
        await queue.open()
        try:
            first, second = loop.create_future(), loop.create_future()
            body = b'{"x": %d}' % WAITS
            queue.submit(body, deadline=loop.time() + 30, done=first.set_result)
            waiting = tmp_path / "waiting"
            await asyncio.to_thread(wait_until, waiting.exists)
            queue.submit(b'{"x": 1}', deadline=loop.time() + 0.05, done=second.set_result)

            given_up = await second
            assert not first.done()
            (tmp_path / "go").touch()
            return await first, given_up
        finally:
            await queue.close()

    answered, given_up = asyncio.run(ask())

    assert (answered.status, answered.failure) == (200, None)
    assert (given_up.status, given_up.failure) == (504, Failure.TIMEOUT)


@pytest.mark.parametrize("is_early", [True, False])
def test_whoever_asks_is_told_once(tmp_path: Path, is_early: bool) -> None:
    release = a_release(tmp_path / "release")
    told: list[Answer] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        queue = ReleaseQueue(Launch(bundle=release.folder, release=release.release), timeout_s=30)
        await queue.open()
        try:
            deadline = loop.time() + (-1 if is_early else 30)
            queue.submit(b'{"x": 1}', deadline=deadline, done=told.append)
            done = loop.create_future()
            queue.submit(b'{"x": 2}', deadline=loop.time() + 30, done=done.set_result)
            await done
        finally:
            await queue.close()

    asyncio.run(ask())

    assert len(told) == 1


def test_a_request_that_is_alone_makes_a_batch_by_itself(tmp_path: Path) -> None:
    release = a_release(tmp_path / "release")
    sizes: dict[int, int] = {}

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        queue = ReleaseQueue(Launch(bundle=release.folder, release=release.release), timeout_s=30)
        await queue.open()
        try:
            done = asyncio.Event()

            def note(x: int, answer: Answer) -> None:
                sizes[x] = answer.batch_size
                if len(sizes) == 6:
                    done.set()

            queue.submit(b'{"x": %d}' % WAITS, deadline=loop.time() + 30, done=partial(note, 0))
            await asyncio.to_thread(wait_until, (tmp_path / "waiting").exists)
            for x in range(1, 6):
                queue.submit(
                    b'{"x": %d}' % x,
                    deadline=loop.time() + 30,
                    done=partial(note, x),
                    is_alone=x == 3,
                )
            (tmp_path / "go").touch()
            await done.wait()
        finally:
            await queue.close()

    asyncio.run(ask())

    assert sizes == {0: 1, 1: 2, 2: 2, 3: 1, 4: 2, 5: 2}
