"""Rollouts on real processes: a controller, a gateway, workers, and customers who look."""

from pathlib import Path

import pytest
from tests.live import a_live_project

from triune.domain.rollout.state import RolloutCode, Status

pytestmark = pytest.mark.slow


def test_a_good_release_goes_through_its_steps_while_customers_are_served(tmp_path: Path) -> None:
    with a_live_project(tmp_path, {"one": "good", "two": "good"}) as live:
        live.up()
        assert live.promote("one")["rollout"]["status"] == "promoted"
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()
        assert rollout.status is Status.PROMOTED, live.log
        assert rollout.release == live.releases["two"]
        assert not load.seen.errors, live.log
        assert not load.seen.wrong
        assert set(load.seen.releases) == {live.releases["one"], live.releases["two"]}


@pytest.mark.parametrize("mode", ["raises", "nan", "ends"])
def test_a_release_that_fails_goes_back_and_no_customer_sees_it(tmp_path: Path, mode: str) -> None:
    with a_live_project(tmp_path, {"one": "good", "two": mode}) as live:
        live.up()
        live.promote("one")
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()
        assert rollout.status is Status.ROLLED_BACK, live.log
        assert not load.seen.errors, live.log
        assert not load.seen.wrong
        assert live.standing().champion == live.releases["one"]


def test_a_release_that_cannot_be_started_goes_back(tmp_path: Path) -> None:
    with a_live_project(tmp_path, {"one": "good", "two": "breaks"}) as live:
        live.up()
        live.promote("one")
        (tmp_path / "broken").touch()
        with live.load() as load:
            live.promote("two")
            rollout = live.await_end()
        assert rollout.status is Status.ROLLED_BACK
        assert rollout.reason.code == RolloutCode.NOT_STARTED
        assert not load.seen.errors, live.log
