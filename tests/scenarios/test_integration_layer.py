"""The integration layer: a release that is really served, and asked in many ways."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.processes import children, wait_until
from tests.projects import FEATURES_CODE, a_project, edit
from tests.toolboxes import LEAN

from triune.adapters.service import CommandServer
from triune.bootstrap import open_project
from triune.domain.errors import ServiceError
from triune.domain.evidence import CheckResult
from triune.domain.projection import ReleaseRecord
from triune.domain.verdict import Verdict
from triune.operations.checks import Check, run_checks
from triune.operations.context import Context
from triune.operations.cutting import cut_release, gather_release, record_golden_answers
from triune.operations.integration_layer import integration_checks
from triune.operations.locking import require_runtime
from triune.operations.releases import find_release, load_manifest
from triune.ports import Service

ANSWER_TEST = """import json
import os
from urllib.request import ProxyHandler, Request, build_opener


def test_a_visit_is_answered():
    url = os.environ["TRIUNE_BASE_URL"]
    body = json.dumps({"pages": 3, "device": "phone"}).encode()
    request = Request(url + "/predict", body, {"Content-Type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=60) as response:
        assert json.load(response)["probability"] == 0.5
"""
GOLDEN = ("golden one by one", "golden in batches")
ALL = {"http", *GOLDEN, "tests"}
BATCH_CODE = '''"""Features of a visit, among the visits at hand."""


def pages(frame):
    """Say how frequent the device is."""
    return frame.groupby("device")["pages"].transform("count").to_numpy(float)
'''
MOODY_CODE = f'''{FEATURES_CODE}
import os
from pathlib import Path

if "NO_FEATURES" in os.environ:
    raise RuntimeError("no features today")
if "DIE_ONCE" in os.environ:
    centred = pages

    def pages(frame):
        """End the worker the first time."""
        try:
            Path(os.environ["DIE_ONCE"]).touch(exist_ok=False)
        except FileExistsError:
            return centred(frame)
        os._exit(7)
if "BY_CHANCE" in os.environ:
    def pages(frame):
        """Throw a die with many sides."""
        return frame["pages"].to_numpy(float) + int.from_bytes(os.urandom(8)) / 2**62
'''


def cut(folder: Path, *, features: str) -> Path:
    """Lay out a project and cut a release of it, by these features."""
    a_project(folder)
    (folder / "src/features.py").write_text(features)
    edit(folder / "triune.yaml", "{golden: 5}", "{golden: 9, tests: tests/integration}")
    (folder / "tox.ini").write_text(f"[pytest]\naddopts = {LEAN}\n")
    (folder / "tests/integration").mkdir()
    (folder / "tests/integration/test_answers.py").write_text(ANSWER_TEST)
    with open_project(folder) as context:
        lock = require_runtime(context, context.installation)
        checkout = context.source.checkout(outputs=context.spec.outputs)
        release = cut_release(context, gather_release(context, lock=lock).manifest, checkout)
        record_golden_answers(context, release)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one release, whose features do as the environment says."""
    return cut(tmp_path_factory.mktemp("integration") / "visits", features=MOODY_CODE)


def only_release(context: Context) -> ReleaseRecord:
    (release,) = context.ledger.all(ReleaseRecord)
    return find_release(context, release.id)


@contextmanager
def the_checks(folder: Path) -> Iterator[tuple[Context, tuple[Check, ...]]]:
    """Make the layer's checks of a project's one release."""
    with open_project(folder) as context:
        release = only_release(context)
        with integration_checks(context, release, load_manifest(context, release)) as checks:
            yield context, checks


def check(
    folder: Path,
    *names: str,
    progress: Callable[[str], None] = lambda _: None,
    jobs: int = 2,
) -> dict[str, CheckResult]:
    """Run the layer, or some checks of it, whatever was found before."""
    with the_checks(folder) as (context, checks):
        wanted = [each for each in checks if each.name in (names or ALL)]
        results = run_checks(context, wanted, progress=progress, force=True, jobs=jobs)
    return {result.name: result for result in results}


def codes(results: dict[str, CheckResult]) -> dict[str, tuple[str, str]]:
    return {name: (result.verdict, result.reason.code) for name, result in results.items()}


@contextmanager
def serving(context: Context) -> Iterator[Service]:
    with context.server.serving(only_release(context).id) as service:
        yield service


def servers(within: int) -> list[int]:
    """List the processes that serve, started by a guardian of a process's."""
    return [server for guardian in children(within) for server in children(guardian)]


def test_a_sound_release_is_answered_the_same_in_every_way(project: Path) -> None:
    results = check(project)

    assert codes(results) == {
        "http": ("PASS", "CONTRACT_KEPT"),
        "golden one by one": ("PASS", "ANSWERS_EQUAL"),
        "golden in batches": ("PASS", "ANSWERS_EQUAL"),
        "tests": ("PASS", "TESTS_PASSED"),
    }
    assert results["golden in batches"].reason.message == (
        "9 golden requests answered as recorded, sent together, in batches of 2, in batches of 7, "
        "together in another order"
    )
    assert servers(os.getpid()) == []


def test_a_model_that_looks_at_the_batch_at_hand_is_stopped(tmp_path: Path) -> None:
    folder = cut(tmp_path / "visits", features=BATCH_CODE)

    results = check(folder, "http", *GOLDEN)

    assert codes(results) == {
        "http": ("PASS", "CONTRACT_KEPT"),
        "golden one by one": ("FAIL", "BATCH_DEPENDENT"),
        "golden in batches": ("FAIL", "BATCH_DEPENDENT"),
    }
    alone = results["golden one by one"]
    assert alone.figures["differing"] == 9
    assert alone.figures["largest_gap"] > 0.1
    assert "a row scores differently alone than among others" in alone.reason.message
    assert [finding.row for finding in alone.findings] == list(range(9))


def test_answers_by_chance_are_not_blamed_on_the_batch(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BY_CHANCE", "1")

    results = check(project, *GOLDEN)

    assert codes(results) == dict.fromkeys(GOLDEN, ("FAIL", "ANSWERS_DIFFER"))


def test_what_was_found_before_is_found_again_without_the_service(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = check(project, "http", *GOLDEN)
    monkeypatch.setenv("NO_FEATURES", "1")

    with the_checks(project) as (context, checks):
        results = run_checks(
            context, [each for each in checks if each.is_reusable], progress=lambda _: None
        )

    assert codes({result.name: result for result in results}) == codes(found)


def test_a_release_that_does_not_come_up_is_an_error_with_its_log(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_FEATURES", "1")

    results = check(project)

    assert results.keys() == ALL
    assert {result.reason.code for result in results.values()} == {"SERVICE"}
    assert {result.verdict for result in results.values()} == {Verdict.ERROR}
    assert "ended with exit code 2 before it was told to" in results["http"].reason.message
    assert "no features today" in results["http"].reason.message


def test_a_service_that_is_killed_in_the_middle_is_an_error(project: Path) -> None:
    def kill(line: str) -> None:
        if line.startswith("integration: golden one by one: sending"):
            for server in servers(os.getpid()):
                os.kill(server, signal.SIGKILL)

    results = check(project, progress=kill, jobs=1)

    assert codes(results) == {
        "http": ("PASS", "CONTRACT_KEPT"),
        "golden one by one": ("ERROR", "SERVICE"),
        "golden in batches": ("ERROR", "SERVICE"),
        "tests": ("ERROR", "SERVICE"),
    }
    assert "was killed" in results["golden one by one"].reason.message
    assert servers(os.getpid()) == []


def test_a_worker_that_died_is_waited_for_and_asked_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIE_ONCE", str(tmp_path / "died"))

    with open_project(project) as context, serving(context) as service:
        answer = service.post("/predict", {"pages": 3, "device": "phone"})

    assert (answer.status, answer.document) == (200, {"prediction": 0, "probability": 0.5})
    assert (tmp_path / "died").exists()


def test_tests_that_are_not_there_are_an_error(project: Path) -> None:
    with open_project(project) as opened:
        context = replace(opened, spec=replace(opened.spec, integration_tests="tests/integratio"))
        release = only_release(context)

        with integration_checks(context, release, load_manifest(context, release)) as checks:
            tests = next(each for each in checks if each.name == "tests")
            (result,) = run_checks(context, [tests], progress=lambda _: None)

    assert (result.verdict, result.reason.code) == (Verdict.ERROR, "CONFIG")
    assert "did you mean 'tests/integration'?" in result.reason.message


def test_a_release_without_a_model_has_nothing_to_serve(project: Path) -> None:
    with open_project(project) as context:
        release = only_release(context)
        manifest = load_manifest(context, release)
        bare = type(manifest).parse(
            manifest.content.replace(b'"signature":{', b'"signature":null,"unused":{')
        )

        with integration_checks(context, release, bare) as checks:
            made = checks

    assert made == ()


def test_a_service_that_takes_too_long_is_given_up(project: Path) -> None:
    with open_project(project) as context:
        release = only_release(context)
        server = CommandServer(project, start_timeout_s=0.0)

        with server.serving(release.id) as service, pytest.raises(ServiceError, match="within 0 s"):
            service.base_url()

    assert servers(os.getpid()) == []


def test_nothing_is_left_running_where_the_checking_process_is_killed(project: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from triune.adapters.service import CommandServer\n"
        "with CommandServer(Path.cwd()).serving(sys.argv[1]) as service:\n"
        "    print(service.base_url(), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with open_project(project) as context:
        release = only_release(context).id
    with subprocess.Popen(
        [sys.executable, "-c", program, release],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        (server,) = servers(process.pid)
        started = [*children(process.pid), server, *children(server)]

        process.kill()

    assert len(started) == 3
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
