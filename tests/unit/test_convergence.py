"""Having a traffic process do what the ledger says, one step after the other."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from tests.rollouts import CANDIDATE, CHAMPION, a_running_rollout
from tests.routers import ARouter, State

from triune.adapters.memory import MemoryArtifactStore, MemoryLedger
from triune.adapters.whole_folders import keep_folders
from triune.domain.rollout.routing import FencingToken
from triune.domain.rollout.standing import Standing
from triune.domain.rollout.state import Rollout, Status
from triune.operations.context import Context
from triune.operations.traffic import Convergence, converge


class Known:
    """What converging asks of a context."""

    ledger = MemoryLedger()
    store = MemoryArtifactStore()


def standing_of(*rollouts: Rollout) -> Standing:
    return Standing(name="production", champion=CHAMPION, rollouts=rollouts)


def step(router: ARouter, *rollouts: Rollout) -> Convergence:
    return converge(cast("Context", Known()), standing_of(*rollouts), router, router.traffic)


@pytest.fixture
def router(tmp_path: Path) -> ARouter:
    """Have both releases laid out, and nothing run."""
    for release in (CHAMPION, CANDIDATE):
        (tmp_path / release).mkdir()
    return ARouter(folder=tmp_path)


def test_where_there_was_never_a_rollout_nothing_is_wanted(router: ARouter) -> None:
    assert step(router).is_done
    assert (router.running, router.orders) == ({}, [])


def test_what_an_order_names_runs_before_it_is_given(router: ARouter) -> None:
    rollout = a_running_rollout()

    began = step(router, rollout)
    ran, orders = set(router.running), list(router.orders)
    ordered = step(router, rollout)

    assert (ran, orders) == ({CHAMPION, CANDIDATE}, [])
    assert router.orders == [rollout.routing]
    assert (began.is_done, ordered.is_done) == (False, False)
    assert step(router, rollout).is_done
    assert router.orders == [rollout.routing]


@pytest.mark.parametrize("state", ["starting", "stopping", "failed"])
def test_nothing_is_ordered_of_a_release_that_is_not_ready(router: ARouter, state: State) -> None:
    rollout = a_running_rollout()
    router.states[CANDIDATE] = state
    for _ in range(3):
        done = step(router, rollout)

    assert router.orders == []
    assert done.failed == ({CANDIDATE: "it raises"} if state == "failed" else {})
    assert not done.is_done


def test_what_is_left_goes_on_until_the_new_order_is_in_force(router: ARouter) -> None:
    rollout = a_running_rollout()
    for _ in range(3):
        step(router, rollout)
    back = replace(rollout, status=Status.ROLLED_BACK, token=rollout.token.next())

    step(router, back)
    meanwhile = set(router.running)
    step(router, back)

    assert meanwhile == {CHAMPION, CANDIDATE}
    assert router.routing == back.routing
    assert set(router.running) == {CHAMPION}
    assert step(router, back).is_done


def test_a_newer_order_is_never_taken_back(router: ARouter) -> None:
    rollout = a_running_rollout()
    newer = replace(rollout.routing, token=FencingToken(term=9, number=0))
    router.run(dict.fromkeys((CHAMPION, CANDIDATE), router.folder))
    router.apply(newer)

    done = step(router, rollout)

    assert not done.is_done
    assert router.routing == newer


def test_the_rollout_of_the_last_token_has_the_say(router: ARouter) -> None:
    older = a_running_rollout()
    newer = replace(older, id="rollout-8", token=older.token.next_term())

    assert standing_of(newer, older).leading == newer
    assert standing_of().leading is None


def test_what_can_never_run_is_told_and_the_others_run(router: ARouter) -> None:
    (router.folder / CANDIDATE).rmdir()

    done = step(router, a_running_rollout())

    assert set(done.lost) == {CANDIDATE}
    assert "the ledger does not know it" in done.lost[CANDIDATE]
    assert set(router.running) == {CHAMPION}
    assert [each.name for each in router.folder.iterdir()] == [CHAMPION]


def test_only_what_runs_stays_laid_out(router: ARouter) -> None:
    (router.folder / f"{CANDIDATE}.77.part").mkdir()
    (router.folder / f"{CHAMPION}.77.part").mkdir()
    (router.folder / CANDIDATE / "model").mkdir(mode=0o500)

    keep_folders(router.folder, {CHAMPION})

    assert {each.name for each in router.folder.iterdir()} == {CHAMPION, f"{CHAMPION}.77.part"}


def test_where_nothing_was_ever_laid_out_there_is_nothing_to_tidy(tmp_path: Path) -> None:
    keep_folders(tmp_path / "none", {CHAMPION})

    assert not (tmp_path / "none").exists()
