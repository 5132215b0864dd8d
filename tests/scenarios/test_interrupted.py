"""Runs that are interrupted, killed, or meet one another."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes import DEADLINE_S, is_alive, wait_until, written_pid
from tests.projects import a_project, commit, edit, triune_json

# Leaves its number behind, and ends once it is let go.
HOLDING = """\
import os, pathlib, time
pathlib.Path("holding").write_text(f"{os.getpid()}\\n")
while not pathlib.Path("let-go").exists():
    time.sleep(0.02)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose pipeline is one command that waits to be let go."""
    folder = a_project(tmp_path / "visits")
    (folder / "hold.py").write_text(HOLDING)
    command = f"{shlex.quote(sys.executable)} hold.py"
    edit(folder / "triune.yaml", "pipeline: none", f"pipeline: {{run: {json.dumps(command)}}}")
    (folder / ".gitignore").write_text(".triune/\n__pycache__/\nholding*\nlet-go\n")
    commit(folder, "Hold")
    return folder


@pytest.fixture
def start_run(project: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start runs; whatever still runs in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "triune.cli", "run", "--json", *arguments],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def let_go(project: Path) -> None:
    (project / "let-go").touch()


def report_of(process: subprocess.Popen[str]) -> Any:
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    return json.loads(out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_ends_its_pipeline_and_the_next_completes(
    number: signal.Signals, project: Path, start_run: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start_run()
    pid = written_pid(project / "holding")

    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=DEADLINE_S)
    wait_until(lambda: not is_alive(pid))

    if number is signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted: nothing recorded is lost" in err
        assert json.loads(out)["reasons"][0]["code"] == "INTERRUPTED"
    let_go(project)
    assert triune_json(project, "run")["verdict"] == "PASS"
    assert triune_json(project, "audit", "verify")["verdict"] == "PASS"


def test_a_second_run_says_who_holds_the_lock_or_waits(
    project: Path, start_run: Callable[..., subprocess.Popen[str]]
) -> None:
    first = start_run()
    written_pid(project / "holding")

    hasty = start_run("--no-wait")
    refused, _ = hasty.communicate(timeout=DEADLINE_S)
    patient = start_run()
    assert patient.stderr
    waiting = patient.stderr.readline()
    let_go(project)

    assert hasty.returncode == 2
    assert f"process {first.pid} " in json.loads(refused)["reasons"][0]["message"]
    assert "waiting for another run" in waiting
    assert f"process {first.pid} " in waiting
    assert report_of(first)["reasons"][0]["code"] == "RELEASE_CUT"
    assert report_of(patient)["reasons"][0]["code"] == "RELEASE_UNCHANGED"


@pytest.mark.slow
def test_a_run_that_waits_for_a_killed_one_goes_on(
    project: Path, start_run: Callable[..., subprocess.Popen[str]]
) -> None:
    first = start_run()
    written_pid(project / "holding")
    patient = start_run()
    assert patient.stderr
    assert "waiting" in patient.stderr.readline()

    let_go(project)
    first.kill()

    assert report_of(patient)["verdict"] == "PASS"
