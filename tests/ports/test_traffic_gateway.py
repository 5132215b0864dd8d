"""The gateway as a controller meets it: started, told, asked, read and stopped."""

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.bundles import ABundle
from tests.gateways import a_release
from tests.processes import is_alive, wait_until

from triune.adapters.traffic.gateway import GatewayPlanes, GatewayRouter
from triune.domain.errors import TrafficError
from triune.domain.rollout.routing import NOTHING_ORDERED, FencingToken, Routing
from triune.domain.traffic import Arm, TrafficSplit

FREE = "127.0.0.1:0"


@pytest.fixture
def router(tmp_path: Path) -> Iterator[GatewayRouter]:
    router = GatewayRouter(tmp_path / "production", listen=FREE, log=tmp_path / "gateway.log")
    yield router
    router.stop()


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    return a_release(tmp_path_factory.mktemp("releases") / "champion")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    return a_release(tmp_path_factory.mktemp("releases") / "candidate", shift=100.0)


def an_order(champion: ABundle, candidate: ABundle, *, number: int = 1) -> Routing:
    return Routing(
        token=FencingToken(term=1, number=number),
        rollout="r1",
        champion=champion.release,
        candidate=candidate.release,
        split=TrafficSplit.giving(50),
        is_shadow=False,
    )


def run(router: GatewayRouter, *releases: ABundle) -> None:
    router.run({each.release: each.folder for each in releases})

    def are_ready() -> bool:
        traffic = router.look()
        assert traffic
        found = [traffic.find(each.release) for each in releases]
        return all(each is not None and each.state == "ready" for each in found)

    wait_until(are_ready)


def starts_again(router: GatewayRouter) -> bool:
    router.start()
    return router.look() is not None


def test_where_none_was_started_nothing_answers_and_stopping_is_done(
    router: GatewayRouter,
) -> None:
    router.stop()

    assert not router.is_running()
    assert router.look() is None
    assert router.read(after=0) is None
    with pytest.raises(TrafficError, match=r"does not answer .*gateway\.log"):
        router.apply(NOTHING_ORDERED)


def test_it_stands_with_nothing_ordered_and_starting_it_again_changes_nothing(
    router: GatewayRouter, tmp_path: Path
) -> None:
    router.start()
    first = router.look()
    router.start()
    GatewayRouter(tmp_path / "production", listen=FREE, log=tmp_path / "gateway.log").start()

    assert first
    assert (first.routing, first.releases, first.breaker) == (NOTHING_ORDERED, (), None)
    assert first.url.startswith("http://127.0.0.1:")
    assert router.look() == first


def test_one_whose_environment_is_named_no_more_is_found_as_long_as_it_runs(
    router: GatewayRouter, tmp_path: Path
) -> None:
    planes = GatewayPlanes(tmp_path, logs=tmp_path / "logs")
    (tmp_path / "staging").mkdir()
    router.start()

    assert list(planes.others({"production"})) == []
    ((name, left),) = planes.others({"staging", "live"})
    left.stop()

    assert name == "production"
    assert not router.is_running()
    assert list(planes.others(())) == []


def test_an_order_is_followed_repeated_and_never_taken_back(
    router: GatewayRouter, champion: ABundle, candidate: ABundle
) -> None:
    router.start()
    order = an_order(champion, candidate)
    with pytest.raises(TrafficError, match="post it to /releases first"):
        router.apply(order)
    run(router, champion, candidate)

    router.apply(order)
    router.apply(order)
    with pytest.raises(TrafficError, match=r"older than 1\.1"):
        router.apply(an_order(champion, candidate, number=0))
    with pytest.raises(TrafficError, match="order something else before it is dropped"):
        run(router, champion)

    traffic = router.look()
    assert traffic
    assert traffic.routing == order
    assert (traffic.applied.token, traffic.applied.split) == (order.token, order.split)


def test_each_request_is_read_once_by_who_goes_on_from_its_cursor(
    router: GatewayRouter, champion: ABundle, candidate: ABundle
) -> None:
    router.start()
    run(router, champion, candidate)
    router.apply(an_order(champion, candidate))
    traffic = router.look()
    assert traffic
    with httpx.Client(base_url=traffic.url, trust_env=False, timeout=60) as client:
        answers = [
            client.post("/predict", json={"x": 1}, headers={"x-triune-key": f"c{at}"})
            for at in range(30)
        ]
    served = [answer.headers["x-triune-release"] for answer in answers]

    first = router.read(after=0)
    assert first
    wait_until(lambda: len((router.read(after=0) or first).settled) == 30)
    reading = router.read(after=0)
    assert reading
    rest = router.read(after=reading.cursor)
    assert rest

    assert [each.release for each in reading.settled] == served
    assert {each.arm for each in reading.settled} == {Arm.CHAMPION, Arm.CANDIDATE}
    assert len({each.unit for each in reading.settled}) == 30
    assert {each.token for each in reading.settled} == {FencingToken(term=1, number=1)}
    assert all(each.answer and not each.answer.failed for each in reading.settled)
    assert (rest.settled, rest.open, rest.cursor) == ((), (), reading.cursor)
    assert reading.is_complete


def test_after_a_kill_it_is_started_again_and_follows_its_last_order(
    router: GatewayRouter, champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    router.start()
    run(router, champion, candidate)
    router.apply(an_order(champion, candidate))
    before = router.look()
    assert before
    pid = int((tmp_path / "production" / "gateway.lock").read_text())
    os.kill(pid, signal.SIGKILL)

    # Until it is gone for good there is nothing to start.
    wait_until(lambda: starts_again(router))

    after = router.look()
    assert after
    assert after.routing == before.routing
    assert after.life != before.life


def test_one_that_cannot_start_says_why_and_is_left_alone_for_a_while(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        router = GatewayRouter(
            tmp_path / "production", listen=f"127.0.0.1:{port}", log=tmp_path / "gateway.log"
        )

        with pytest.raises(TrafficError, match=rf"port {port} .*is in use"):
            router.start()
        log = (tmp_path / "gateway.log").read_text()
        router.start()

    assert router.look() is None
    assert (tmp_path / "gateway.log").read_text() == log


def test_when_told_to_it_ends_with_its_workers(
    router: GatewayRouter, champion: ABundle, tmp_path: Path
) -> None:
    router.start()
    run(router, champion)
    pid = int((tmp_path / "production" / "gateway.lock").read_text())

    router.stop()

    assert not router.is_running()
    assert not is_alive(pid)
    assert router.look() is None


def test_a_weight_that_the_breaker_took_is_told(
    router: GatewayRouter, champion: ABundle, tmp_path: Path
) -> None:
    failing = a_release(tmp_path / "failing", mode="raises")
    router.start()
    run(router, champion, failing)
    router.apply(an_order(champion, failing))
    traffic = router.look()
    assert traffic
    with httpx.Client(base_url=traffic.url, trust_env=False, timeout=60) as client:
        for _ in range(200):
            assert client.post("/predict", json={"x": 1}).status_code == 200

    tripped = router.look()

    assert tripped
    assert tripped.breaker
    assert tripped.breaker.rollout == "r1"
    assert tripped.applied == replace(traffic.applied, split=TrafficSplit.giving(0))
