"""Two releases behind one gateway: who answers, what clients never see, and who is blamed.

Everything is real here: the gateway, its workers, their deaths, and the sockets between.
"""

import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import ABundle
from tests.gateways import (
    HANGS,
    HOARDS,
    RAISES,
    TOKEN,
    WAITS,
    AGateway,
    a_gateway,
    a_release,
    answer_of,
)
from tests.processes import is_alive, wait_until, written_pid

from triune.domain.traffic import Arm, arm_of, unit_id

SHIFT = 100.0


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    return a_release(tmp_path_factory.mktemp("releases") / "champion")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    """A release that answers otherwise, and as well."""
    return a_release(tmp_path_factory.mktemp("releases") / "candidate", shift=SHIFT)


def an_order(
    gateway: AGateway, *, number: int = 1, term: int = 1, **changes: Any
) -> dict[str, Any]:
    """Order what is in force, but for what is said."""
    routing = gateway.control("GET", "/routing").json()["routing"]
    return {**routing, "token": {"term": term, "number": number}, **changes}


def salt_of(gateway: AGateway) -> str:
    salt: str = gateway.control("GET", "/routing").json()["routing"]["rollout"]
    return salt


# Who answers


def test_a_key_stays_on_the_arm_that_its_hash_says(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=30) as gateway:
        salt = salt_of(gateway)
        keys = [f"user-{number}" for number in range(40)] + ["Zoë", "a b"]
        expected = [arm_of(unit_id(key, salt=salt), weight=0.3) for key in keys]

        for _ in range(2):
            answers = [gateway.post({"x": 1.0}, x_triune_key=key) for key in keys[:40]]
            answers += [gateway.post({"x": 1.0}, x_triune_key=key.encode()) for key in keys[40:]]  # type: ignore[arg-type]
            releases = [answer.headers["x-triune-release"] for answer in answers]

            names = {champion.release: Arm.CHAMPION, candidate.release: Arm.CANDIDATE}
            assert [names[release] for release in releases] == expected
        assert {Arm.CHAMPION, Arm.CANDIDATE} == set(expected)


def test_each_arm_answers_with_its_own_model_and_says_so(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=50) as gateway:
        answers = gateway.ask_all([1.0] * 60)

        shift = {champion.release: 0.0, candidate.release: SHIFT}
        for answer in answers:
            expected = answer_of(1.0, shift=shift[answer.headers["x-triune-release"]])
            assert answer.json()["probability"] == pytest.approx(expected)
        assert len({answer.headers["x-triune-release"] for answer in answers}) == 2


def test_a_newer_order_moves_traffic_and_an_older_one_is_refused(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=0) as gateway:
        before = gateway.predict(1.0)
        newer = gateway.control("POST", "/apply", an_order(gateway, number=5, weight_pct=100))
        after = gateway.predict(1.0)
        again = gateway.control("POST", "/apply", an_order(gateway, number=5))
        older = gateway.control("POST", "/apply", an_order(gateway, number=4, weight_pct=0))
        unchanged = gateway.predict(1.0)

        assert before.headers["x-triune-release"] == champion.release
        assert newer.status_code == again.status_code == 200
        assert after.headers["x-triune-release"] == candidate.release
        assert older.status_code == 409
        assert "1.5, which is in force" in older.json()["detail"]
        assert unchanged.headers["x-triune-release"] == candidate.release


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"candidate": "f" * 64}, 409),
        ({"weight_pct": 101}, 422),
        ({"weight_pct": "5"}, 422),
        ({"token": {"term": 1}}, 422),
    ],
)
def test_an_order_that_cannot_be_followed_changes_nothing(
    champion: ABundle, tmp_path: Path, change: dict[str, Any], status: int
) -> None:
    with a_gateway(tmp_path, champion) as gateway:
        before = gateway.control("GET", "/routing").json()

        refused = gateway.control("POST", "/apply", {**an_order(gateway), **change})

        assert refused.status_code == status
        assert gateway.control("GET", "/routing").json() == before


def test_a_request_that_may_choose_its_release_is_answered_by_it_outside_of_the_analysis(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=0) as gateway:
        chosen = gateway.predict(1.0, x_triune_release=candidate.release[:12], x_triune_token=TOKEN)
        failed = gateway.predict(RAISES, x_triune_release=candidate.release, x_triune_token=TOKEN)
        without = gateway.predict(1.0, x_triune_release=candidate.release)
        unknown = gateway.predict(1.0, x_triune_release="f" * 12, x_triune_token=TOKEN)

        assert chosen.headers["x-triune-release"] == candidate.release
        assert chosen.json()["probability"] == pytest.approx(answer_of(1.0, shift=SHIFT))
        assert failed.status_code == 500
        assert without.status_code == 403
        assert unknown.status_code == 404
        assert gateway.outcomes() == []


def test_a_shadowed_candidate_gets_copies_and_answers_nobody(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=0) as gateway:
        order = an_order(gateway, shadow=True, weight_pct=0)
        assert gateway.control("POST", "/apply", order).status_code == 200

        answers = [gateway.predict(1.0) for _ in range(10)]

        assert {answer.headers["x-triune-release"] for answer in answers} == {champion.release}
        short = candidate.release[:12]
        line = f'triune_shadows_total{{release="{short}",result="different"}} 10'
        wait_until(lambda: line in gateway.metrics())
        logged = gateway.outcomes()
        pairs = [each for each in logged if each.get("kind") == "pair"]
        assigned = [each for each in logged if "kind" not in each]
        assert {each["arm"] for each in assigned} == {"champion"}
        assert {each["number"] for each in pairs} == {each["number"] for each in assigned}
        assert not any("candidate_failure" in each or each.get("is_same") for each in pairs)


# What clients never see


@pytest.mark.parametrize(
    ("mode", "inputs", "failures"),
    [
        ("raises", ("x",), {"error"}),
        ("nan", ("x",), {"invalid"}),
        ("outside", ("x",), {"invalid"}),
        ("hangs", ("x",), {"timeout", "away"}),
        ("ends", ("x",), {"died", "away", "timeout"}),
        ("good", ("x", "y"), {"refused"}),
    ],
)
def test_a_candidate_that_always_fails_is_hidden_from_every_client_and_blamed_for_each_request(
    champion: ABundle, tmp_path: Path, mode: str, inputs: tuple[str, ...], failures: set[str]
) -> None:
    champion = a_release(tmp_path / "champion", timeout_s=2.0)
    failing = a_release(tmp_path / "failing", mode=mode, inputs=inputs, timeout_s=2.0)
    with a_gateway(tmp_path, champion, failing, weight_pct=100) as gateway:
        xs = [n / 10 for n in range(40)]

        answers = gateway.ask_all(xs)

        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["x-triune-release"] for answer in answers} == {champion.release}
        assert [answer.json()["probability"] for answer in answers] == [
            pytest.approx(answer_of(x)) for x in xs
        ]
        outcomes = gateway.outcomes()
        assert len(outcomes) == 40
        assert {outcome["arm"] for outcome in outcomes} == {"candidate"}
        assert {outcome["release"] for outcome in outcomes} == {failing.release}
        assert {outcome["failure"] for outcome in outcomes} <= failures
        assert {outcome["status"] for outcome in outcomes} == {200}
        # The candidate has half of the time at most, and the champion what is left of it.
        assert p99_s(outcomes) <= 2.0


def p99_s(outcomes: list[dict[str, Any]]) -> float:
    waited: list[float] = sorted(outcome["latency_s"] for outcome in outcomes)
    return waited[len(waited) * 99 // 100]


def test_input_that_both_arms_refuse_is_the_clients_mistake_and_nobodys_failure(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=100) as gateway:
        refused = gateway.post({"z": 1})

        assert refused.status_code == 422
        assert refused.headers["x-triune-release"] == candidate.release
        (outcome,) = gateway.outcomes()
        assert (outcome["arm"], outcome["status"]) == ("candidate", 422)
        assert "failure" not in outcome


def test_a_candidate_that_fails_half_of_its_requests_loses_its_weight_until_told_otherwise(
    champion: ABundle, tmp_path: Path
) -> None:
    failing = a_release(tmp_path / "failing", mode="raises")
    with a_gateway(tmp_path, champion, failing, weight_pct=50) as gateway:
        answers = gateway.ask_all([1.0] * 150)

        assert {answer.status_code for answer in answers} == {200}
        standing = gateway.control("GET", "/routing").json()
        assert standing["applied"]["weight_pct"] == 0
        assert standing["breaker"]["requests"] == standing["breaker"]["failures"] == 20
        arms = Counter(outcome["arm"] for outcome in gateway.outcomes())
        # Those that were on their way when it tripped are counted too.
        assert 20 <= arms["candidate"] <= 20 + 16
        order = an_order(gateway, weight_pct=100)
        standing = gateway.control("POST", "/apply", order).json()
        assert (standing["applied"]["weight_pct"], standing["breaker"]) == (100, None)


def test_a_champion_that_fails_too_keeps_the_breaker_from_blaming_the_candidate(
    tmp_path: Path,
) -> None:
    both = [a_release(tmp_path / name, mode="raises", shift=n) for n, name in enumerate("ab")]
    with a_gateway(tmp_path, *both, weight_pct=50) as gateway:
        gateway.ask_all([1.0] * 100)

        standing = gateway.control("GET", "/routing").json()
        assert (standing["applied"]["weight_pct"], standing["breaker"]) == (50, None)


def killed_under_load(
    gateway: AGateway, victim: ABundle, *, requests: int, kills: int
) -> list[Any]:
    """Ask all the while a release's worker is killed as soon as it is back, again and again."""

    def kill() -> None:
        is_ready = f'triune_workers_ready{{release="{victim.release[:12]}"}} 1'
        wait_until(lambda: is_ready in gateway.metrics())
        for pid in gateway.workers_of(victim.release):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: not is_alive(pid))  # type: ignore[misc]
        wait_until(lambda: is_ready not in gateway.metrics())

    def kill_again_and_again() -> None:
        for _ in range(kills):
            kill()

    with ThreadPoolExecutor(1) as killer:
        killing = killer.submit(kill_again_and_again)
        answers: list[Any] = []
        while len(answers) < requests or not killing.done():
            answers += gateway.ask_all([1.0] * 100)
        killing.result()
    return answers


def test_a_candidate_that_is_killed_under_load_costs_no_client_its_answer(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=100) as gateway:
        answers = killed_under_load(gateway, candidate, requests=300, kills=2)

        assert {answer.status_code for answer in answers} == {200}
        assert_right(answers, champion, candidate)
        assert_attributed(gateway, answers, champion)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["raises", "hangs", "nan", "ends", "good"])
def test_a_candidate_that_fails_for_a_minute_costs_no_client_its_answer(
    tmp_path: Path, mode: str
) -> None:
    """All the while it is killed too, as soon as it is back."""
    champion = a_release(tmp_path / "champion", timeout_s=2.0)
    candidate = a_release(tmp_path / "candidate", mode=mode, shift=SHIFT, timeout_s=2.0)
    with a_gateway(tmp_path, champion, candidate, weight_pct=100) as gateway:
        answers = killed_under_load(gateway, candidate, requests=5000, kills=12)

        assert {answer.status_code for answer in answers} == {200}
        assert_right(answers, champion, candidate)
        outcomes = all_outcomes(gateway)
        assert len(outcomes) == len(answers)
        blamed = [outcome for outcome in outcomes if "failure" in outcome]
        stood_in = [
            each for each in answers if each.headers["x-triune-release"] == champion.release
        ]
        assert len(blamed) == len(stood_in) > 0
        assert {outcome["arm"] for outcome in outcomes} == {"candidate"}
        assert p99_s(outcomes) <= 2.0


def all_outcomes(gateway: AGateway) -> list[dict[str, Any]]:
    cursor, found = 0, []
    while (part := gateway.control("GET", f"/outcomes?after={cursor}").json())["outcomes"]:
        found += part["outcomes"]
        cursor = part["next"]
    return found


def assert_right(answers: list[Any], champion: ABundle, candidate: ABundle) -> None:
    chances = {champion.release: answer_of(1.0), candidate.release: answer_of(1.0, shift=SHIFT)}
    for answer in answers:
        expected = chances[answer.headers["x-triune-release"]]
        assert answer.json()["probability"] == pytest.approx(expected)


def assert_attributed(gateway: AGateway, answers: list[Any], champion: ABundle) -> None:
    """See that just those requests are the candidate's failures that the champion answered."""
    stood_in = sum(answer.headers["x-triune-release"] == champion.release for answer in answers)
    blamed = [outcome for outcome in gateway.outcomes() if "failure" in outcome]
    assert len(blamed) == stood_in > 0
    assert {outcome["failure"] for outcome in blamed} <= {"died", "away", "timeout"}


# How workers are kept


def test_only_the_request_that_makes_a_batch_raise_is_refused(
    champion: ABundle, tmp_path: Path
) -> None:
    release = a_release(tmp_path / "release")
    with a_gateway(tmp_path, release) as gateway, ThreadPoolExecutor(6) as clients:
        first = clients.submit(gateway.predict, WAITS)
        written_pid(tmp_path / "waiting")
        rest = [clients.submit(gateway.predict, x) for x in (1.0, 2.0, RAISES, 3.0)]
        wait_until(
            lambda: f'triune_queue{{release="{release.release[:12]}"}} 4' in gateway.metrics()
        )
        (tmp_path / "go").touch()

        statuses = [each.result().status_code for each in (first, *rest)]

        assert statuses == [200, 200, 200, 500, 200]
        # Asked again one by one, each took a time of its own.
        logged = gateway.outcomes()
        assert [each["failure"] for each in logged if "failure" in each] == ["error"]
        assert not any("batch_size" in each for each in logged)
        assert len({each["service_s"] for each in logged}) == len(logged)


def test_requests_of_a_batch_whose_worker_is_killed_are_refused_for_now(tmp_path: Path) -> None:
    release = a_release(tmp_path / "release")
    with a_gateway(tmp_path, release) as gateway, ThreadPoolExecutor(3) as clients:
        waiting = clients.submit(gateway.predict, WAITS)
        pid = written_pid(tmp_path / "waiting")
        os.kill(pid, signal.SIGKILL)

        assert waiting.result().status_code == 503
        assert waiting.result().headers["retry-after"] == "1"
        (tmp_path / "go").touch()
        wait_until(lambda: gateway.predict(1.0).status_code == 200)


def test_of_two_workers_the_other_answers_while_one_is_away(
    champion: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, replicas=2) as gateway:
        before = gateway.workers
        os.kill(before[0], signal.SIGKILL)

        wait_until(lambda: before[0] not in gateway.workers)
        answers = gateway.ask_all([1.0] * 50)

        assert len(before) == 2
        assert {answer.status_code for answer in answers} == {200}


def test_a_worker_that_needs_more_than_its_memory_refuses_the_request_and_lives(
    champion: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, memory_bytes=1536 * 2**20) as gateway:
        before = gateway.workers

        hoarding = gateway.predict(HOARDS)

        assert hoarding.status_code == 500
        assert "MemoryError" in hoarding.json()["detail"]
        assert gateway.predict(1.0).status_code == 200
        assert gateway.workers == before


def test_a_worker_that_does_not_answer_in_time_is_replaced(tmp_path: Path) -> None:
    release = a_release(tmp_path / "release", timeout_s=0.5)
    with a_gateway(tmp_path, release) as gateway:
        before = gateway.workers

        hung = gateway.predict(HANGS)
        wait_until(lambda: gateway.predict(1.0).status_code == 200)

        assert hung.status_code == 504
        assert not set(before) & set(gateway.workers)


def test_golden_requests_are_asked_before_clients_are_answered(tmp_path: Path) -> None:
    golden = b'{"x": -4}\n{"x": 2}\n'
    release = a_release(tmp_path / "release", golden=golden)
    (tmp_path / "go").touch()

    with a_gateway(tmp_path, release) as gateway:
        assert written_pid(tmp_path / "waiting") in gateway.workers


# What is written down


def test_outcomes_are_read_by_cursor_and_tell_what_the_analysis_needs(
    champion: ABundle, candidate: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion, candidate, weight_pct=50) as gateway:
        for _ in range(2):
            gateway.predict(RAISES, x_triune_key="anna")
        gateway.predict(1.0)

        first = gateway.control("GET", "/outcomes?after=0&limit=2").json()
        rest = gateway.control("GET", f"/outcomes?after={first['next']}").json()
        none = gateway.control("GET", f"/outcomes?after={rest['next']}").json()

        one, two = first["outcomes"]
        (three,) = rest["outcomes"]
        unit = unit_id("anna", salt=salt_of(gateway))
        arm = arm_of(unit, weight=0.5)
        assert [one["number"], two["number"], three["number"]] == [1, 2, 3]
        assert one["unit"] == two["unit"] == unit.hex()
        assert one["arm"] == two["arm"] == arm
        assert (one["rho"], one["is_first"], two["is_first"]) == (0.5, True, False)
        assert (one["is_first_failure"], two.get("is_first_failure")) == (True, None)
        assert one["failure"] == two["failure"] == "error"
        assert three.get("unit") is None
        assert three["service_s"] > 0
        assert three["latency_s"] > three["service_s"]
        assert (none["outcomes"], none["next"], none["open"]) == ([], 3, [])


def test_a_request_without_an_answer_is_told_as_open(tmp_path: Path) -> None:
    release = a_release(tmp_path / "release")
    with a_gateway(tmp_path, release) as gateway, ThreadPoolExecutor(1) as client:
        waiting = client.submit(gateway.predict, WAITS)
        written_pid(tmp_path / "waiting")

        (pending,) = gateway.control("GET", "/outcomes").json()["open"]
        (tmp_path / "go").touch()
        waiting.result()

        assert (pending["number"], pending["arm"]) == (1, "champion")
        assert pending.get("latency_s") is None
        assert gateway.control("GET", "/outcomes").json()["open"] == []


def test_a_gateway_that_was_killed_goes_on_with_its_log_and_marks_the_gap(
    champion: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion) as gateway:
        for _ in range(3):
            gateway.predict(1.0)
        wait_until(lambda: (tmp_path / "outcomes").read_bytes().count(b"\n") == 3)

    with a_gateway(tmp_path, champion) as gateway:
        gateway.predict(1.0)
        kinds = [outcome.get("kind", "outcome") for outcome in gateway.outcomes()]
        numbers = [outcome["number"] for outcome in gateway.outcomes() if "number" in outcome]

        assert kinds == ["outcome", "outcome", "outcome", "gap", "outcome"]
        assert numbers == sorted(set(numbers))


def test_the_admin_socket_is_for_its_owner_alone(champion: ABundle, tmp_path: Path) -> None:
    with a_gateway(tmp_path, champion) as gateway:
        assert gateway.admin.stat().st_mode & 0o777 == 0o600


def test_metrics_count_answers_failures_and_how_long_they_took(
    champion: ABundle, tmp_path: Path
) -> None:
    with a_gateway(tmp_path, champion) as gateway:
        gateway.predict(1.0)
        gateway.predict(RAISES)
        metrics = gateway.metrics()

        release = champion.release[:12]
        labels = f'release="{release}",arm="champion"'
        assert f'triune_requests_total{{{labels},status="200"}} 1' in metrics
        assert f'triune_failures_total{{{labels},failure="error"}} 1' in metrics
        assert f'triune_request_seconds_bucket{{{labels},le="+Inf"}} 2' in metrics
        assert f"triune_request_seconds_count{{{labels}}} 2" in metrics
        assert f'triune_workers_ready{{release="{release}"}} 1' in metrics
