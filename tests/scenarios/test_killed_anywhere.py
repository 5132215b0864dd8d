"""Kills a run before every single write: the next run completes, ledger and store are sound."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.projects import a_project, edit, triune, triune_json

from triune.bootstrap import open_project
from triune.domain.projection import ReleaseRecord
from triune.operations.audit import verify_ledger
from triune.operations.verifying import verify_release

KILLED_AT = Path(__file__).with_name("killed_at.py")
# Every run is killed at every write; the points are dealt out to parallel lanes.
LANES = 8


def run_until(folder: Path, fatal: int) -> subprocess.CompletedProcess[str]:
    return triune(folder, "run", command=(sys.executable, str(KILLED_AT), str(fatal)))


def writes_of_a_run(template: Path, folder: Path) -> int:
    shutil.copytree(template, folder)
    finished = run_until(folder, 0)
    assert finished.returncode == 0, finished.stderr
    counted = re.search(r"writes: (\d+)", finished.stderr)
    assert counted
    return int(counted[1])


def sound_releases(folder: Path) -> list[ReleaseRecord]:
    """Verify the ledger and every release in it."""
    with open_project(folder) as context:
        verify_ledger(context.ledger)
        releases = context.ledger.all(ReleaseRecord)
        assert [verify_release(context, each) for each in releases] == [()] * len(releases)
    return list(releases)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one release, whose next run cuts another."""
    folder = a_project(tmp_path_factory.mktemp("template") / "visits")
    triune_json(folder, "run")
    edit(folder / "src/features.py", "3.0", "2.5")
    # What checks come to is remembered: they write nothing else, and would take most of the time.
    rehearsal = folder.with_name("rehearsal")
    shutil.copytree(folder, rehearsal)
    triune_json(rehearsal, "run")
    shutil.copytree(rehearsal / ".triune/results", folder / ".triune/results", dirs_exist_ok=True)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("lane", range(LANES))
def test_a_run_killed_at_any_write_is_completed_by_the_next(
    lane: int, template: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    writes = writes_of_a_run(template, whole)
    expected = {each.id for each in sound_releases(whole)}
    assert writes > 20

    for fatal in range(1 + lane, writes + 1, LANES):
        folder = tmp_path / f"killed-{fatal}"
        shutil.copytree(template, folder)

        killed = run_until(folder, fatal)
        assert killed.returncode == -signal.SIGKILL, (fatal, killed.stderr)
        left = {each.id for each in sound_releases(folder)}
        report = triune_json(folder, "run")

        assert left <= expected, fatal
        assert report["verdict"] == "PASS", fatal
        releases = sound_releases(folder)
        assert {each.id for each in releases} == expected, fatal
        assert all(each.answers for each in releases), fatal
        shutil.rmtree(folder)


@pytest.mark.slow
def test_the_first_run_of_a_project_killed_at_any_write_is_completed_by_the_next(
    tmp_path: Path,
) -> None:
    template = a_project(tmp_path / "visits")
    writes = writes_of_a_run(template, tmp_path / "whole")

    # The ledger is made at the start: every write of that, a sample of what follows.
    for fatal in [*range(1, 40), *range(40, writes + 1, 11)]:
        folder = tmp_path / f"killed-{fatal}"
        shutil.copytree(template, folder)

        killed = run_until(folder, fatal)
        assert killed.returncode == -signal.SIGKILL, (fatal, killed.stderr)

        assert triune_json(folder, "run")["verdict"] == "PASS", fatal
        assert len(sound_releases(folder)) == 1, fatal
        shutil.rmtree(folder)
