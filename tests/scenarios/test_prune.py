"""`triune release prune`: what anything holds stays whole, and nothing else is left behind."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.processes import DEADLINE_S, wait_until
from tests.projects import a_project, edit, triune, triune_json
from tests.rollouts import a_rollout

from triune.bootstrap import open_project
from triune.domain.canonical import Json
from triune.domain.events import EventKind
from triune.domain.projection import ReleaseRecord
from triune.operations import runs
from triune.operations.audit import verify_ledger
from triune.operations.context import Context, record
from triune.operations.pruning import Pruned, evidence_blobs, prune_releases
from triune.operations.releases import referenced_blobs
from triune.operations.verifying import verify_release

KILLED_AT = Path(__file__).with_name("killed_at.py")
NAMES = ("old", "previous", "champion", "waiting", "nobody's", "newest")
# A prune is killed at every write; the points are dealt out to parallel lanes.
LANES = 4


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with releases of these names, of which the first alone has a model."""
    folder = a_project(tmp_path_factory.mktemp("template") / "visits")
    ids = {NAMES[0]: cut(folder)}
    settings = (folder / "triune.yaml").read_text()
    (folder / "triune.yaml").write_text(re.sub(r"model:\n(  .*\n)+", "", settings))
    for name in NAMES[1:]:
        (folder / "src/named.py").write_text(f"NAME = {name!r}\n")
        ids[name] = cut(folder)
    (folder.parent / "ids.json").write_text(json.dumps(ids))
    return folder


@pytest.fixture
def ids(template: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((template.parent / "ids.json").read_text())
    return found


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "visits"))


@pytest.fixture
def delivered(project: Path, ids: Mapping[str, str]) -> Path:
    """The project, with two environments and a rollout that waits."""
    with open_project(project) as context:
        serves(context, "production", ids["champion"], previous=ids["previous"])
        rollout = {
            "rollout": "r1",
            "release": ids["waiting"],
            "environment": "production",
            "override": None,
            "state": a_rollout(release=ids["waiting"]).to_json(),
        }
        record(context, "rollout:r1", EventKind.ROLLOUT_OPENED, rollout)
    return project


def cut(folder: Path) -> str:
    with open_project(folder) as context:
        report = runs.run(context, progress=lambda _: None, wait=False)
    assert report.release, report.reasons
    return report.release


def serves(
    context: Context, environment: str, release: str | None, *, previous: str | None
) -> None:
    data: Json = {"environment": environment, "release": release, "previous": previous}
    record(context, f"environment:{environment}", EventKind.CHAMPION_CHANGED, data)


def prune(folder: Path, *, keep: int) -> Pruned:
    with open_project(folder) as context:
        return prune_releases(
            context, keep=keep, rehearse=False, progress=lambda _: None, wait=False
        )


def kept(pruned: Pruned) -> dict[str, str]:
    return {each.release.id: each.because for each in pruned.releases if each.is_kept}


def stored(folder: Path) -> set[str]:
    return {path.name for path in (folder / ".triune/blobs").rglob("*") if path.is_file()}


def assert_sound(folder: Path, releases: set[str]) -> None:
    """See that these are the releases that are stored, each of them whole."""
    with open_project(folder) as context:
        records = [each for each in context.ledger.all(ReleaseRecord) if each.pruned_at is None]
        assert {each.id for each in records} == releases
        assert [verify_release(context, each) for each in records] == [()] * len(records)
        verify_ledger(context.ledger)


def assert_nothing_else(folder: Path) -> None:
    """See that every blob is referred to, and that no half-written one is there."""
    with open_project(folder) as context:
        records = [each for each in context.ledger.all(ReleaseRecord) if each.pruned_at is None]
        needed = evidence_blobs(context).union(
            *(referenced_blobs(context, each) for each in records)
        )
    drafts = folder / ".triune/tmp"
    assert stored(folder) == needed
    assert not drafts.exists() or list(drafts.iterdir()) == []


@contextmanager
def serving(folder: Path, release: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve a release as a user does; give the process, and where it answers."""
    with started(folder, "serve", release, "--port", "0") as process:
        assert process.stdout
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        yield process, json.loads("".join(lines))["url"]


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and kill it if it still runs at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "triune.cli", *arguments, "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def opened_at_last(gate: Path) -> Iterator[None]:
    """Let go of what waits at a gate, also where the test fails."""
    try:
        yield
    finally:
        gate.touch()


class TestWhatStays:
    def test_it_is_what_serves_or_served_before_or_waits_or_is_being_served(
        self, delivered: Path, ids: Mapping[str, str]
    ) -> None:
        (delivered / ".triune/tmp").mkdir(exist_ok=True)
        (delivered / ".triune/tmp/half-written").write_bytes(b"abc")
        with serving(delivered, ids["old"]) as (_, url):
            rehearsed = triune_json(delivered, "release", "prune", "--keep", "1", "--dry-run")
            pruned = triune_json(delivered, "release", "prune", "--keep", "1")
            with urlopen(f"{url}/health", timeout=DEADLINE_S) as answer:
                health = answer.status

        assert {each["id"]: each["because"] for each in pruned["kept"]} == {
            ids["old"]: "is being served by a process on this machine",
            ids["previous"]: "served production before",
            ids["champion"]: "serves production",
            ids["waiting"]: "on its way to production",
            ids["newest"]: "among the newest 1",
        }
        assert pruned["pruned"] == [ids["nobody's"]]
        assert rehearsed["kept"] == pruned["kept"]
        assert rehearsed["pruned"] == pruned["pruned"]
        assert rehearsed["blobs_removed"] == pruned["blobs_removed"]
        assert health == 200
        assert_sound(delivered, set(ids.values()) - {ids["nobody's"]})
        assert_nothing_else(delivered)

    def test_one_whose_server_was_killed_is_held_no_longer(
        self, delivered: Path, ids: Mapping[str, str]
    ) -> None:
        with serving(delivered, ids["old"]) as (process, _):
            process.kill()
            process.wait()

            pruned = prune(delivered, keep=0)

        assert ids["old"] not in kept(pruned)
        assert_sound(delivered, {ids["previous"], ids["champion"], ids["waiting"]})

    def test_what_nothing_holds_any_more_goes(
        self, delivered: Path, ids: Mapping[str, str]
    ) -> None:
        with open_project(delivered) as context:
            record(context, "rollout:r1", EventKind.ROLLOUT_CLOSED, {"rollout": "r1"})
            serves(context, "production", ids["newest"], previous=ids["champion"])
            serves(context, "staging", ids["old"], previous=None)

        pruned = prune(delivered, keep=0)

        assert kept(pruned) == {
            ids["newest"]: "serves production",
            ids["champion"]: "served production before",
            ids["old"]: "serves staging",
        }
        assert_sound(delivered, set(kept(pruned)))
        assert_nothing_else(delivered)

    def test_where_nothing_holds_any_nothing_is_left(self, project: Path) -> None:
        prune(project, keep=0)

        with open_project(project) as context:
            assert stored(project) == evidence_blobs(context)

    def test_nothing_goes_while_one_that_stays_is_damaged(
        self, delivered: Path, ids: Mapping[str, str]
    ) -> None:
        manifest = delivered / ".triune/blobs" / ids["champion"][:2] / ids["champion"]
        manifest.chmod(0o644)
        manifest.write_bytes(manifest.read_bytes()[:-1])
        before = stored(delivered)

        finished = triune(delivered, "release", "prune", "--keep", "0")

        assert finished.returncode == 4
        assert ids["champion"] in finished.stderr
        assert stored(delivered) == before
        with open_project(delivered) as context:
            assert [each for each in context.ledger.all(ReleaseRecord) if each.pruned_at] == []


class TestBesideARun:
    def test_what_a_run_has_stored_so_far_stays_until_it_is_a_release(self, tmp_path: Path) -> None:
        project = a_project(tmp_path / "visits")
        cut(project)
        first = stored(project)
        reached, gate = tmp_path / "reached", tmp_path / "gate"
        # The release's own code waits: by then the run has stored code, data and model.
        edit(
            project / "src/features.py",
            '"""Features of a visit."""\n',
            "import pathlib, time\n\n"
            f"pathlib.Path({str(reached)!r}).touch()\n"
            f"while not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)\n",
        )
        with opened_at_last(gate), started(project, "run") as run:
            wait_until(reached.exists)
            young = stored(project) - first
            with started(project, "release", "prune", "--keep", "1") as pruning:
                said = pruning.stderr
                assert said
                waiting = said.readline()
                meanwhile = stored(project)
                gate.touch()
                report = json.loads(run.communicate(timeout=DEADLINE_S)[0])
                pruned = json.loads(pruning.communicate(timeout=DEADLINE_S)[0])

        assert "waiting for another run" in waiting
        assert len(young) > 1
        assert meanwhile == first | young
        assert run.returncode == pruning.returncode == 0
        assert [each["id"] for each in pruned["kept"]] == [report["release"]["id"]]
        assert len(pruned["pruned"]) == 1
        assert_sound(project, {report["release"]["id"]})
        assert_nothing_else(project)


class TestKilled:
    def test_at_a_few_writes(self, delivered: Path, ids: Mapping[str, str], tmp_path: Path) -> None:
        writes = writes_of_a_prune(delivered, tmp_path / "whole")

        assert writes > 20
        # The last events are recorded, the first blob goes, and half of them are gone.
        for fatal in (writes // 3, writes // 2, writes - 5):
            killed_and_completed(delivered, ids, tmp_path / f"killed-{fatal}", fatal)

    @pytest.mark.slow
    @pytest.mark.parametrize("lane", range(LANES))
    def test_at_any_write(
        self, lane: int, delivered: Path, ids: Mapping[str, str], tmp_path: Path
    ) -> None:
        writes = writes_of_a_prune(delivered, tmp_path / "whole")

        for fatal in range(1 + lane, writes + 1, LANES):
            killed_and_completed(delivered, ids, tmp_path / f"killed-{fatal}", fatal)

    @pytest.mark.slow
    def test_half_way_a_release_that_it_let_go_of_can_be_cut_again(
        self, project: Path, ids: Mapping[str, str], tmp_path: Path
    ) -> None:
        writes = writes_of_a_prune(project, tmp_path / "whole", keep=0)
        prune_until(project, writes - 5, keep=0)

        again = cut(project)

        assert again == ids["newest"]
        assert_sound(project, {again})


def prune_until(folder: Path, fatal: int, *, keep: int = 1) -> subprocess.CompletedProcess[str]:
    return triune(
        folder,
        "release",
        "prune",
        f"--keep={keep}",
        command=(sys.executable, str(KILLED_AT), str(fatal)),
    )


def writes_of_a_prune(template: Path, folder: Path, *, keep: int = 1) -> int:
    shutil.copytree(template, folder)
    finished = prune_until(folder, 0, keep=keep)
    assert finished.returncode == 0, finished.stderr
    counted = re.search(r"writes: (\d+)", finished.stderr)
    assert counted
    return int(counted[1])


def killed_and_completed(template: Path, ids: Mapping[str, str], folder: Path, fatal: int) -> None:
    """Kill a prune at a write: what it has not let go of is whole, and the next completes."""
    stays = {ids[name] for name in ("previous", "champion", "waiting", "newest")}
    shutil.copytree(template, folder)

    killed = prune_until(folder, fatal)
    assert killed.returncode == -signal.SIGKILL, (fatal, killed.stderr)
    with open_project(folder) as context:
        left = [each for each in context.ledger.all(ReleaseRecord) if each.pruned_at is None]
        findings = [verify_release(context, each) for each in left]
        verify_ledger(context.ledger)
    assert stays <= {each.id for each in left}, fatal
    assert findings == [()] * len(left), fatal

    prune(folder, keep=1)
    assert_sound(folder, stays)
    assert_nothing_else(folder)
    shutil.rmtree(folder)
