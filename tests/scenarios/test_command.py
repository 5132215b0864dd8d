"""The command among other programs: pipes that close, Ctrl-C at any time, absurd options."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import a_project, triune, triune_json

from triune.domain.errors import UsageError
from triune.gateway.fleet import Served
from triune.gateway.serve import Service, serve

COMMAND = (sys.executable, "-m", "triune.cli")
# Reports each module that is about to be imported, and waits for an answer at one of them.
STOPPING_AT = """
import importlib.abc, runpy, sys
class Stop(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            print("importing", flush=True)
            try:
                sys.stdin.read()
            except KeyboardInterrupt:
                raise {raised}
sys.meta_path.insert(0, Stop())
sys.argv = ["triune", "release", "list"]
runpy.run_module("triune.cli", run_name="__main__")
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_project(tmp_path_factory.mktemp("command") / "visits")


@pytest.fixture
def unread() -> Iterator[int]:
    """Give the end of a pipe whose other end is closed already."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.parametrize("arguments", [["audit", "log"], ["release", "list", "--json"], ["--help"]])
def test_output_that_nobody_reads_ends_the_command_quietly_as_sigpipe_would(
    project: Path, unread: int, arguments: list[str]
) -> None:
    finished = subprocess.run(
        [*COMMAND, *arguments], cwd=project, stdout=unread, stderr=subprocess.PIPE, check=False
    )

    assert finished.returncode == 128 + signal.SIGPIPE
    assert finished.stderr == b""


def test_an_error_that_nobody_reads_ends_it_as_quietly(project: Path, unread: int) -> None:
    finished = subprocess.run(
        [*COMMAND, "rnu"], cwd=project, stdout=unread, stderr=unread, check=False
    )

    assert finished.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("module", ["typer", "triune.cli.release", "sqlalchemy", "yaml"])
@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "ImportError('no multiarray')"])
def test_ctrl_c_while_something_is_imported_is_an_interruption(
    project: Path, module: str, raised: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STOPPING_AT.format(module=module, raised=raised)],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"

        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 130
    assert told == "\ninterrupted: nothing recorded is lost, run it again to go on\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "at", "0001-01-01T00:00+14:00"], "year 1 to 9999"),
        (["audit", "at", "9" * 5_000], "neither the sequence of an event nor a time"),
        (["audit", "log", "--limit", "9" * 5_000], "Invalid value for '--limit'"),
        (["audit", "log", "--aggregate", "release"], "give release:ID, project:NAME"),
        (["release", "list", "--nosuch"], "--nosuch"),
        (["serve", "9" * 5_000, "--port", "9" * 5_000], "Invalid value for '--port'"),
    ],
    ids=["year 0", "digits", "limit", "aggregate", "option", "port"],
)
def test_what_no_option_means_is_refused_in_a_few_words(
    project: Path, arguments: list[str], said: str
) -> None:
    finished = triune(project, *arguments)

    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_limit_beyond_any_ledger_shows_all_of_it(project: Path) -> None:
    everything = triune_json(project, "audit", "log", "--limit", "0")

    assert triune_json(project, "audit", "log", "--limit", str(10**30)) == everything


@pytest.mark.parametrize("host", ["a" * 80, "a..b", "\u0000"])
def test_a_host_that_is_no_name_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="cannot listen on"):
        serve(
            Service(champion=Served(release="0" * 64, bundle=tmp_path), host=host), on_ready=print
        )


def test_a_path_that_is_no_text_does_not_break_the_message(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()

    finished = triune(folder, "release", "list", "--json")

    assert finished.returncode == 2
    assert "there is no triune.yaml in" in finished.stdout
    assert "Traceback" not in finished.stderr
