"""The standing gateway: told over its socket what runs and who answers, and it remembers both.

Everything is real here: the gateway, its workers, their deaths, and the sockets between.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from tests.bundles import ABundle
from tests.gateways import TOKEN, WAITS, AGateway, a_release, answer_of, control_workers
from tests.processes import is_alive, wait_until, written_pid
from tests.stations import AStation, a_station, an_order, command

import triune
from triune.domain.traffic import Arm, arm_of, unit_id

SHIFT = 100.0


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    return a_release(tmp_path_factory.mktemp("releases") / "champion")


@pytest.fixture(scope="module")
def candidate(tmp_path_factory: pytest.TempPathFactory) -> ABundle:
    """A release that answers otherwise, and as well."""
    return a_release(tmp_path_factory.mktemp("releases") / "candidate", shift=SHIFT)


@pytest.fixture
def station(tmp_path: Path) -> Iterator[AStation]:
    with a_station(tmp_path / "station") as station:
        yield station


def get(gateway: AGateway, path: str) -> httpx.Response:
    return httpx.get(gateway.url + path, trust_env=False, timeout=60)


# How it begins and ends


def test_it_starts_without_a_release_and_says_so(station: AStation) -> None:
    gateway = station.gateway
    standing = station.standing()

    refused = gateway.predict(1.0)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["detail"] == "no release serves here"
    assert get(gateway, "/v2/health/live").status_code == 200
    assert get(gateway, "/v2/health/ready").status_code == 503
    assert get(gateway, "/health").json()["detail"] == "no release serves here"
    assert get(gateway, "/openapi.json").status_code == 503
    assert standing["routing"]["token"] == {"term": 0, "number": 0}
    assert standing["routing"]["champion"] is None
    assert standing["releases"] == []
    assert standing["control"] is None
    assert standing["cursor"] == 0
    assert standing["breaker"] is None
    assert station.announcement == {
        "pid": gateway.process.pid,
        "url": gateway.url,
        "version": triune.__version__,
        "started": standing["started"],
    }


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "POST /stop"])
def test_it_ends_well_when_it_is_told_to(station: AStation, champion: ABundle, how: str) -> None:
    gateway = station.gateway
    station.run(champion)
    station.follow(an_order(champion))
    workers = gateway.workers

    if how == "POST /stop":
        assert gateway.control("POST", "/stop").json() == {"stopping": True}
    else:
        gateway.process.send_signal(getattr(signal, how))

    assert gateway.process.wait(timeout=60) == 0
    assert len(workers) == 1
    assert not any(is_alive(pid) for pid in workers)
    assert {path.name for path in station.folder.iterdir()} == {
        "state.json",
        "outcomes.log",
        "gateway.log",
        "gateway.lock",
    }
    assert "Traceback" not in station.log


def test_a_second_gateway_in_its_folder_is_refused(station: AStation) -> None:
    second = subprocess.run(
        command(station.folder), capture_output=True, text=True, timeout=60, check=False
    )

    assert second.returncode == 2
    assert f"another gateway works in {station.folder}" in second.stderr
    assert f"process {station.gateway.process.pid}" in second.stderr
    assert station.standing()["releases"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "nowhere", "--folder", "x"], "give HOST:PORT"),
        (["--listen", "127.0.0.1:70000", "--folder", "x"], "give HOST:PORT"),
        (["--listen", "127.0.0.1:0", "--folder", "x", "--replicas", "0"], "no number above 0"),
        (["--listen", "127.0.0.1:0", "--folder", "x", "--pin-token-file", "none"], "the token in"),
        (["--listen", "192.0.2.1:80", "--folder", "x"], "give an address of this machine"),
        (["--listen", "127.0.0.1:0", "--folder", "/proc/x"], "give a folder that can be written"),
    ],
)
def test_what_it_cannot_start_with_is_a_usage_error(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    program = command(tmp_path)[:3]

    refused = subprocess.run(
        [*program, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert refused.returncode == 2
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 2, "releases": [], "order": null, "breaker": null}']
)
def test_a_state_that_cannot_be_read_is_refused_with_what_to_do(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "state.json").write_text(content)

    refused = subprocess.run(
        command(tmp_path), capture_output=True, text=True, timeout=60, check=False
    )

    assert refused.returncode == 2
    assert "remove it to start with no release" in refused.stderr


# What runs, and who answers


def test_releases_run_and_answer_as_is_ordered(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    gateway = station.gateway

    listing = station.post_releases(champion, candidate).json()
    assert [each["state"] for each in listing["releases"]] == ["starting"] * 2
    early = station.apply(an_order(champion))
    station.run(champion, candidate)
    unordered = gateway.predict(1.0)
    station.follow(an_order(champion, candidate, weight_pct=100))
    answered = gateway.predict(1.0)

    assert early.status_code == 409
    assert "is starting" in early.json()["detail"]
    assert unordered.status_code == 503
    assert answered.headers["x-triune-release"] == candidate.release
    assert answered.json()["probability"] == pytest.approx(answer_of(1.0, shift=SHIFT))
    assert get(gateway, "/openapi.json").json()["info"]["version"] == champion.release[:12]
    assert get(gateway, "/health").json()["release"] == champion.release
    for each in station.listed().values():
        (worker,) = each["workers"]
        assert (each["reason"], worker["ready"], worker["restarts"]) == (None, True, 0)
        assert worker["pid"] in gateway.workers
    assert station.standing()["cursor"] == 1


def test_what_runs_already_is_left_alone(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    station.run(champion)
    before = station.listed()

    station.run(champion, candidate)
    station.run(champion, candidate)

    assert station.listed()[champion.release] == before[champion.release]


def test_a_release_that_the_order_names_is_not_dropped(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    station.run(champion, candidate)
    station.follow(an_order(champion, candidate, weight_pct=50))

    refused = station.post_releases(champion)

    assert refused.status_code == 409
    assert candidate.release[:12] in refused.json()["detail"]
    assert {station.state_of(each) for each in (champion, candidate)} == {"ready"}
    assert json.loads((station.folder / "state.json").read_text())["releases"][1:]


def test_a_release_that_is_dropped_answers_what_it_was_asked(
    station: AStation, tmp_path: Path, candidate: ABundle
) -> None:
    waiting = a_release(tmp_path / "release")
    station.run(waiting, candidate)
    station.follow(an_order(waiting))
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(station.gateway.predict, WAITS)
        worker = written_pid(tmp_path / "waiting")

        station.follow(an_order(candidate, number=2))
        dropped = station.post_releases(candidate)
        state = station.state_of(waiting)
        pinned = station.gateway.predict(
            1.0, x_triune_release=waiting.release, x_triune_token=TOKEN
        )
        (tmp_path / "go").touch()

        assert dropped.status_code == 200
        assert state == "stopping"
        assert pinned.status_code == 404
        assert answer.result().headers["x-triune-release"] == waiting.release
        assert answer.result().json()["probability"] == pytest.approx(answer_of(WAITS))
    wait_until(lambda: station.state_of(waiting) is None)
    assert not is_alive(worker)


def test_after_a_restart_a_release_with_all_traffic_does_not_wait_for_the_one_before(
    station: AStation, tmp_path: Path, candidate: ABundle
) -> None:
    before = a_release(tmp_path / "before")
    station.run(before, candidate)
    station.follow(an_order(before, candidate, weight_pct=100))
    station.kill()
    (manifest,) = before.folder.glob("manifest.json")
    content = manifest.read_bytes()
    manifest.write_bytes(b"broken")

    gateway = station.start()
    wait_until(lambda: station.state_of(candidate) == "ready")
    answered = gateway.predict(1.0)
    standing = station.standing()

    assert answered.headers["x-triune-release"] == candidate.release
    assert standing["applied"] == {"token": {"term": 1, "number": 1}, "weight_pct": 100.0}
    assert get(gateway, "/health").json()["release"] == candidate.release
    manifest.write_bytes(content)
    wait_until(lambda: station.state_of(before) == "ready")
    assert station.gateway.predict(1.0).headers["x-triune-release"] == candidate.release


def test_a_champion_that_is_dropped_still_stands_in_for_what_was_asked_before(
    station: AStation, tmp_path: Path
) -> None:
    champion = a_release(tmp_path / "champion")
    waiting = a_release(tmp_path / "release", shift=SHIFT)
    next_one = a_release(tmp_path / "next", shift=1.0)
    station.run(champion, waiting, next_one)
    station.follow(an_order(champion, waiting, weight_pct=100))
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(station.gateway.predict, WAITS)
        worker = written_pid(tmp_path / "waiting")
        station.follow(an_order(next_one, number=2))
        assert station.post_releases(next_one).status_code == 200

        os.kill(worker, signal.SIGKILL)
        (tmp_path / "go").touch()

        assert answer.result().status_code == 200
        assert answer.result().headers["x-triune-release"] == champion.release
    wait_until(lambda: list(station.listed()) == [next_one.release])


def test_a_release_that_is_listed_again_while_it_stops_is_started_anew(
    station: AStation, tmp_path: Path, champion: ABundle
) -> None:
    waiting = a_release(tmp_path / "release")
    station.run(waiting, champion)
    station.follow(an_order(waiting))
    with ThreadPoolExecutor(1) as client:
        answer = client.submit(station.gateway.predict, WAITS)
        before = written_pid(tmp_path / "waiting")
        station.follow(an_order(champion, number=2))
        station.post_releases(champion)
        station.post_releases(champion, waiting)
        (tmp_path / "go").touch()
        assert answer.result().status_code == 200

    wait_until(lambda: not is_alive(before))
    wait_until(lambda: station.state_of(waiting) == "ready")
    station.follow(an_order(waiting, number=3))
    assert station.gateway.predict(1.0).headers["x-triune-release"] == waiting.release


def test_an_older_order_is_refused_and_an_equal_one_changes_nothing(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    station.run(champion, candidate)
    order = an_order(champion, candidate, number=5, weight_pct=50)
    station.follow(order)
    wait_until(lambda: station.standing()["control"]["state"] == "ready")
    before = station.standing()

    older = station.apply(an_order(champion, number=4))
    other = station.apply(an_order(champion, number=5))
    equal = station.apply(order)

    assert (older.status_code, other.status_code, equal.status_code) == (409, 409, 200)
    assert "1.5, which is in force" in older.json()["detail"]
    assert station.standing() == before


def test_each_release_has_the_timeout_of_its_own_manifest(
    station: AStation, tmp_path: Path
) -> None:
    patient = a_release(tmp_path / "patient", timeout_s=20.0)
    hasty = a_release(tmp_path / "hasty", timeout_s=0.5)
    station.run(patient, hasty)

    station.follow(an_order(patient, hasty, weight_pct=50))
    as_candidate = station.standing()["candidate_deadline_s"]
    station.follow(an_order(hasty, patient, number=2, weight_pct=50))
    as_champion = station.standing()["candidate_deadline_s"]
    hung = station.gateway.predict(-2, x_triune_release=hasty.release, x_triune_token=TOKEN)

    assert (as_candidate, as_champion) == (0.5, 0.25)
    assert hung.status_code == 504
    assert "did not answer in 0.5 s" in hung.json()["detail"]


# What cannot run


def test_a_release_that_cannot_start_says_why_and_is_tried_again_when_it_is_posted_again(
    station: AStation, tmp_path: Path, champion: ABundle
) -> None:
    release = a_release(tmp_path / "release")
    model = next((release.folder / "model").iterdir())
    content = model.read_bytes()
    model.write_bytes(content[:-1] + b"!")

    station.post_releases(champion, release)
    wait_until(lambda: station.state_of(release) == "failed")
    listed = station.listed()[release.release]
    refused = station.apply(an_order(release))
    station.post_releases(champion, release)
    wait_until(lambda: station.state_of(release) == "failed")
    model.write_bytes(content)
    station.run(champion, release)

    assert "holds other bytes than the release names" in listed["reason"]
    assert listed["workers"] == []
    assert refused.status_code == 409
    assert "is failed (" in refused.json()["detail"]
    assert station.listed()[release.release]["reason"] is None
    station.follow(an_order(release))
    assert station.gateway.predict(1.0).status_code == 200


@pytest.mark.parametrize("what", ["missing", "foreign", "raises"])
def test_a_release_that_cannot_start_leaves_the_others_alone(
    station: AStation, tmp_path: Path, champion: ABundle, what: str
) -> None:
    station.run(champion)
    station.follow(an_order(champion))
    release = a_release(tmp_path / "release")
    manifest = release.folder / "manifest.json"
    match what:
        case "missing":
            manifest.unlink()
        case "foreign":
            manifest.write_bytes((champion.folder / "manifest.json").read_bytes())
        case "raises":
            (release.folder / "code" / "model.py").write_text(
                "raise RuntimeError('no model today')"
            )

    station.post_releases(champion, release)
    wait_until(lambda: station.state_of(release) == "failed")

    assert station.listed()[release.release]["reason"]
    assert station.gateway.predict(1.0).status_code == 200
    assert len(station.gateway.workers) == 1
    assert station.post_releases(champion).status_code == 200
    wait_until(lambda: list(station.listed()) == [champion.release])


def test_a_worker_that_is_killed_while_it_imports_fails_the_release_until_it_is_posted_again(
    station: AStation, tmp_path: Path, champion: ABundle
) -> None:
    release = a_release(tmp_path / "release", imports_when=tmp_path / "import")
    station.post_releases(champion, release)
    wait_until(lambda: len(station.gateway.workers_of(release.release)) == 1)

    station.kill_worker(release)
    wait_until(lambda: station.state_of(release) == "failed")
    reason = station.listed()[release.release]["reason"]
    (tmp_path / "import").touch()
    station.run(champion, release)

    assert "SIGKILL" in reason
    assert "while it loaded" in reason


# Garbage


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/apply", b"", 422),
        ("/apply", b"\xff\xfe", 422),
        ("/apply", b"[" * 100_000, 422),
        ("/apply", b"[]", 422),
        ("/apply", b'{"token": {"term": 1, "number": NaN}}', 422),
        ("/releases", b"null", 422),
        ("/releases", b'{"releases": {}}', 422),
        ("/releases", b'{"releases": [{"release": "a", "bundle": "/b"}]}', 422),
        ("/releases", b'{"releases": [{"release": "%b", "bundle": "b"}]}' % (b"a" * 64), 422),
        ("/releases", b'{"releases": [{"release": "%b", "bundle": 1}]}' % (b"a" * 64), 422),
        (
            "/releases",
            b'{"releases": [{"release": "%b", "bundle": "/\\u0000"}]}' % (b"a" * 64),
            422,
        ),
        ("/releases", b" " * (11 * 2**20), 413),
        ("/nowhere", b"{}", 404),
        ("/routing", b"{}", 405),
        ("/outcomes", b"{}", 405),
    ],
)
def test_garbage_on_the_socket_is_refused_and_changes_nothing(
    module_station: AStation, path: str, body: bytes, status: int
) -> None:
    before = module_station.standing()
    transport = httpx.HTTPTransport(uds=str(module_station.gateway.admin))

    with httpx.Client(transport=transport, base_url="http://admin", timeout=60) as client:
        refused = client.post(path, content=body)

    assert (refused.status_code, refused.json()["status"]) == (status, status)
    assert module_station.standing() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"token": {"term": 1}},
        {"token": {"term": "1", "number": 1}},
        {"token": {"term": True, "number": 1}},
        {"rollout": 1},
        {"rollout": "\ud800"},
        {"champion": 1},
        {"weight_pct": "5"},
        {"weight_pct": 101},
        {"weight_pct": -1},
        {"weight_pct": float("nan")},
        {"shadow": 0},
    ],
)
def test_an_order_that_is_none_is_refused_and_changes_nothing(
    module_station: AStation, changes: dict[str, Any]
) -> None:
    before = module_station.standing()
    content = json.dumps({**an_order(None), **changes})

    refused = raw(module_station, "/apply", content.encode())

    assert refused.status_code == 422
    assert "token {term, number}" in refused.json()["detail"]
    assert module_station.standing() == before


@pytest.fixture(scope="module")
def module_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AStation]:
    """A gateway for tests that leave it as it was."""
    with a_station(tmp_path_factory.mktemp("station") / "station") as station:
        yield station


def raw(station: AStation, path: str, body: bytes) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=str(station.gateway.admin))
    with httpx.Client(transport=transport, base_url="http://admin", timeout=60) as client:
        return client.post(path, content=body)


@pytest.mark.parametrize("sent", [b"\x00" * 1000, b"GET\r\n\r\n", b"x" * 100_000])
def test_what_is_no_http_on_the_socket_is_refused(module_station: AStation, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(module_station.gateway.admin))
        client.sendall(sent)
        got = client.recv(100)

    assert got.split()[1] in {b"400", b"431"}
    assert module_station.standing()["releases"] == []


# What it remembers


def under_load(station: AStation, stop: Event) -> list[int]:
    """Ask until told to stop; a gateway that is away is asked again, as a load balancer would."""
    statuses: list[int] = []
    while not stop.is_set():
        try:
            answer = station.gateway.predict(1.0)
        except httpx.TransportError:
            continue
        statuses.append(answer.status_code)
    return statuses


def test_after_a_kill_it_resumes_its_last_order_under_load_by_itself(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    station.run(champion, candidate)
    station.follow(an_order(champion, candidate, number=7, weight_pct=50))
    port = station.gateway.address[1]
    life = station.standing()["started"]
    stop = Event()
    with ThreadPoolExecutor(2) as clients:
        load = [clients.submit(under_load, station, stop) for _ in range(2)]
        wait_until(lambda: station.standing()["cursor"] > 20)

        station.kill()
        (station.folder / ".half-written.part").touch()
        station.start(port=port)
        wait_until(lambda: station.standing()["applied"]["weight_pct"] == 50)
        after = station.standing()["cursor"]
        wait_until(lambda: station.standing()["cursor"] > after + 50)
        stop.set()
        statuses = [status for each in load for status in each.result()]

    # Not ready yet is told as such; nothing else goes wrong.
    assert set(statuses) <= {200, 503}
    assert statuses[-1] == 200
    standing = station.standing()
    assert standing["routing"] == an_order(champion, candidate, number=7, weight_pct=50)
    assert standing["applied"]["token"] == {"term": 1, "number": 7}
    assert standing["started"] != life
    # Nobody is blamed for the time in which workers were started.
    kept = station.gateway.control("GET", "/outcomes").json()["outcomes"]
    gap = next(at for at, entry in enumerate(kept) if entry.get("kind") == "gap")
    assert not any("failure" in entry for entry in kept[gap:])
    releases = {entry["release"] for entry in kept[gap + 1 :]}
    assert releases == {champion.release, candidate.release}
    assert list(station.folder.glob("*.part")) == []
    older = station.apply(an_order(champion, number=6))
    assert older.status_code == 409


def test_what_a_kill_takes_from_the_log_is_the_last_moment_alone(
    station: AStation, champion: ABundle
) -> None:
    station.run(champion)
    station.follow(an_order(champion))
    answered: dict[str, float] = {}

    def ask() -> None:
        with httpx.Client(base_url=station.gateway.url, trust_env=False, timeout=60) as client:
            for number in count():
                headers = {"x-triune-key": f"k{number}"}
                try:
                    client.post("/predict", json={"x": 1.0}, headers=headers)
                except httpx.TransportError:
                    return
                answered[f"k{number}"] = time.time()

    with ThreadPoolExecutor(1) as client:
        asking = client.submit(ask)
        wait_until(lambda: len(answered) > 300)
        killed_at = time.time()
        station.kill()
        asking.result()
    station.start()
    wait_until(lambda: station.gateway.predict(1.0).status_code == 200)
    last = station.standing()["cursor"]
    read = station.gateway.control("GET", "/outcomes").json()

    entries = read["outcomes"]
    assert [entry["at"] for entry in entries] == list(range(1, last + 1))
    assert [entry.get("kind") for entry in entries].count("gap") == 1
    assert entries[-2]["kind"] == "gap"
    numbers = [entry["number"] for entry in entries if "number" in entry]
    assert numbers == sorted(set(numbers))
    logged = {entry.get("unit") for entry in entries}
    lost = [at for key, at in answered.items() if unit_id(key, salt="r1").hex() not in logged]
    # Written every 50 ms; the rest is what a busy machine may add.
    assert all(at > killed_at - 1 for at in lost)


def test_an_order_that_is_resumed_is_answered_by_its_champion_until_the_candidate_is_ready(
    station: AStation, tmp_path: Path, champion: ABundle
) -> None:
    golden = b'{"x": -4}\n'
    slow_to_start = a_release(tmp_path / "candidate", shift=SHIFT, golden=golden)
    (tmp_path / "go").touch()
    order = an_order(champion, slow_to_start, weight_pct=100)
    station.run(champion, slow_to_start)
    station.follow(order)
    station.kill()
    (tmp_path / "go").unlink()

    gateway = station.start()
    wait_until(lambda: get(gateway, "/v2/health/ready").status_code == 200)
    early = gateway.predict(1.0)
    standing = station.standing()
    repeated = station.apply(order)
    (tmp_path / "go").touch()
    wait_until(lambda: station.standing()["applied"]["weight_pct"] == 100)

    assert early.headers["x-triune-release"] == champion.release
    assert standing["routing"] == order
    assert standing["applied"] == {"token": order["token"], "weight_pct": 0}
    assert repeated.status_code == 409
    assert gateway.predict(1.0).headers["x-triune-release"] == slow_to_start.release
    assert station.apply(order).status_code == 200


def test_a_champion_that_cannot_start_after_a_kill_is_tried_until_it_can(
    station: AStation, tmp_path: Path
) -> None:
    release = a_release(tmp_path / "release")
    station.run(release)
    station.follow(an_order(release))
    station.kill()
    away = release.folder.rename(tmp_path / "away")

    gateway = station.start()
    wait_until(lambda: station.state_of(release) == "failed")
    reason = station.listed()[release.release]["reason"]
    refused = gateway.predict(1.0)
    applied = station.standing()["applied"]
    away.rename(release.folder)
    wait_until(lambda: gateway.predict(1.0).status_code == 200)

    assert "No such file" in reason
    assert refused.status_code == 503
    assert "is being started" in refused.json()["detail"]
    assert applied["token"] == {"term": 0, "number": 0}
    assert station.standing()["applied"]["token"] == {"term": 1, "number": 1}


def test_what_the_breaker_took_stays_taken_until_a_newer_order_also_after_a_kill(
    station: AStation, tmp_path: Path, champion: ABundle
) -> None:
    failing = a_release(tmp_path / "failing", mode="raises")
    station.run(champion, failing)
    order = an_order(champion, failing, weight_pct=50)
    station.follow(order)
    answers = station.gateway.ask_all([1.0] * 150)
    tripped = station.standing()["breaker"]
    station.follow(order)
    state = station.folder / "state.json"
    wait_until(lambda: json.loads(state.read_text())["breaker"])

    station.kill()
    station.start()
    wait_until(lambda: station.standing()["applied"]["token"] == order["token"])
    resumed = station.standing()
    station.run(champion, failing)
    again = {answer.status_code for answer in station.gateway.ask_all([1.0] * 20)}
    newer = station.apply({**order, "token": {"term": 1, "number": 2}, "weight_pct": 5}).json()

    assert {answer.status_code for answer in answers} == again == {200}
    assert tripped == {"rollout": "r1", "requests": 20, "failures": 20}
    assert (resumed["breaker"], resumed["applied"]["weight_pct"]) == (tripped, 0)
    assert (newer["breaker"], newer["applied"]["weight_pct"]) == (None, 5)


# How workers are kept


@pytest.mark.parametrize("moment", ["loading", "idle", "busy"])
def test_a_worker_that_is_killed_at_any_moment_is_replaced(
    station: AStation, tmp_path: Path, moment: str
) -> None:
    champion = a_release(tmp_path / "champion", shift=SHIFT)
    release = a_release(tmp_path / "release", golden=b'{"x": -4}\n')
    waiting, go = tmp_path / "waiting", tmp_path / "go"
    if moment != "loading":
        go.touch()
    station.post_releases(champion, release)
    wait_until(lambda: station.state_of(champion) == "ready")
    if moment == "loading":
        os.kill(written_pid(waiting), signal.SIGKILL)
        go.touch()
        wait_until(lambda: station.state_of(release) == "ready")
        return
    wait_until(lambda: station.state_of(release) == "ready")
    station.follow(an_order(champion, release, weight_pct=100))
    if moment == "idle":
        before = station.kill_worker(release)
    else:
        go.unlink()
        waiting.unlink()
        with ThreadPoolExecutor(1) as client:
            answer = client.submit(station.gateway.predict, WAITS)
            before = written_pid(waiting)
            os.kill(before, signal.SIGKILL)
            go.touch()
            assert answer.result().status_code == 200
            assert answer.result().headers["x-triune-release"] == champion.release

    # An order about it is followed also while it has no worker.
    station.follow(an_order(champion, release, number=2, weight_pct=5))
    wait_until(lambda: station.listed()[release.release]["workers"] != [])
    wait_until(lambda: station.state_of(release) == "ready")
    (worker,) = station.listed()[release.release]["workers"]
    assert worker["pid"] != before
    assert (worker["ready"], worker["restarts"]) == (True, 1)


def test_a_release_whose_worker_is_away_cannot_newly_be_ordered(
    station: AStation, tmp_path: Path, champion: ABundle
) -> None:
    release = a_release(tmp_path / "release", golden=b'{"x": -4}\n')
    (tmp_path / "go").touch()
    station.run(champion, release)
    station.follow(an_order(champion))
    (tmp_path / "go").unlink()
    station.kill_worker(release)
    wait_until(lambda: station.state_of(release) == "starting")

    refused = station.apply(an_order(champion, release, number=2, weight_pct=5))
    (tmp_path / "go").touch()
    wait_until(lambda: station.state_of(release) == "ready")

    assert refused.status_code == 409
    station.follow(an_order(champion, release, number=2, weight_pct=5))


def test_a_release_that_waits_for_its_turn_costs_nothing(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    station.run(champion, candidate)
    station.follow(an_order(champion))
    (warm,) = station.gateway.workers_of(candidate.release)
    before = switches(warm)

    answers = station.gateway.ask_all([1.0] * 300)

    assert {answer.headers["x-triune-release"] for answer in answers} == {champion.release}
    # Nothing wakes it.
    assert switches(warm) == before
    assert f'triune_queue{{release="{candidate.release[:12]}"}} 0' in station.gateway.metrics()


def switches(pid: int) -> int:
    """Count how often any thread of a process was woken."""
    return sum(
        int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


# Requests that are timed


def timed_by_control(station: AStation, release: ABundle) -> list[dict[str, Any]]:
    """Ask until requests of a release were timed, and list what was logged of these."""

    def timed() -> list[dict[str, Any]]:
        return [
            each
            for each in station.gateway.outcomes()
            if each.get("timed") and each["release"] == release.release
        ]

    def is_timed() -> bool:
        station.gateway.ask_all([1.0] * 20)
        return len(timed()) >= 3

    wait_until(is_timed)
    return timed()


@pytest.mark.parametrize(("weight_pct", "busier"), [(5.0, "champion"), (95.0, "candidate")])
def test_who_has_most_of_the_traffic_is_timed_by_a_worker_of_its_own(
    station: AStation, champion: ABundle, candidate: ABundle, weight_pct: float, busier: str
) -> None:
    station.run(champion, candidate)
    release = champion if busier == "champion" else candidate

    station.follow(an_order(champion, candidate, weight_pct=weight_pct))
    logged = timed_by_control(station, release)

    control = station.standing()["control"]
    assert control["release"] == release.release
    (worker,) = control_workers(station.gateway.admin)
    assert worker not in station.gateway.workers_of(release.release)
    assert {each.get("batch_size", 1) for each in logged} == {1}
    assert len(station.gateway.workers) == 3

    station.follow(an_order(champion, candidate, weight_pct=0, number=2))

    assert station.standing()["control"] is None
    wait_until(lambda: not is_alive(worker))
    assert len(station.gateway.workers) == 2


def test_no_client_sees_the_worker_die_that_times_the_champion(
    station: AStation, tmp_path: Path, candidate: ABundle
) -> None:
    waiting = a_release(tmp_path / "release")
    station.run(waiting, candidate)
    station.follow(an_order(waiting, candidate, weight_pct=5))
    timed_by_control(station, waiting)
    (worker,) = control_workers(station.gateway.admin)

    key = next(
        key
        for key in map(str, count())
        if arm_of(unit_id(key, salt="r1"), weight=0.05) is Arm.CHAMPION
    )
    with ThreadPoolExecutor(1) as client:
        # As often as it takes until it is timed.
        while True:
            (tmp_path / "waiting").unlink(missing_ok=True)
            answer = client.submit(station.gateway.predict, WAITS, x_triune_key=key)
            asked = written_pid(tmp_path / "waiting")
            if asked == worker:
                break
            (tmp_path / "go").touch()
            answer.result()
            (tmp_path / "go").unlink()
        (tmp_path / "waiting").unlink()
        os.kill(worker, signal.SIGKILL)
        assert written_pid(tmp_path / "waiting") in station.gateway.workers_of(waiting.release)
        (tmp_path / "go").touch()

        assert answer.result().status_code == 200

    logged = station.gateway.outcomes()
    (last,) = [each for each in logged if each["number"] == max(e["number"] for e in logged)]
    assert (last["arm"], last["status"], last["failure"]) == ("champion", 200, "died")
    assert [each["number"] for each in logged if each.get("failure")] == [last["number"]]
    timed_by_control(station, waiting)
    assert control_workers(station.gateway.admin) != [worker]


def test_without_a_candidate_that_shares_the_traffic_the_champions_worker_times_itself(
    station: AStation, champion: ABundle, candidate: ABundle
) -> None:
    station.run(champion, candidate)
    station.follow(an_order(champion, candidate, weight_pct=0))

    timed_by_control(station, champion)

    assert station.standing()["control"] is None
    assert len(station.gateway.workers) == 2
