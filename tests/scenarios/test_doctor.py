"""`triune doctor` and `triune schema`: what is missing, how to get it, and nothing touched."""

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.projects import a_project, edit, triune, triune_json
from tests.unit.test_config_project import _violations as violations

from triune.bootstrap import diagnose_project
from triune.config.document import read_document
from triune.operations.diagnosis import Diagnosis

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OF_THE_MACHINE = ["project", "machine", "git", "extras"]
OF_A_PROJECT = ["repository", "imports", "lock", "pipeline", "files", "ledger", "disk"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has cut a release."""
    folder = a_project(tmp_path_factory.mktemp("template") / "visits")
    triune_json(folder, "run")
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "visits", symlinks=True))


def look(folder: Path) -> dict[str, Diagnosis]:
    return {each.name: each for each in diagnose_project(folder)}


def failures(folder: Path) -> dict[str, str]:
    """Diagnose and give what is wrong; the rest must have been looked at all the same."""
    found = look(folder)
    assert list(found) == OF_THE_MACHINE + OF_A_PROJECT
    return {name: each.message for name, each in found.items() if each.verdict != "PASS"}


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


class TestAProject:
    def test_a_good_one_passes_and_nothing_in_it_is_touched(self, project: Path) -> None:
        before = contents(project)

        finished = triune(project, "doctor", "--json")

        document = json.loads(finished.stdout)
        assert finished.returncode == 0, finished.stdout
        assert finished.stderr == ""
        assert document["verdict"] == "PASS"
        assert [each["name"] for each in document["checks"]] == OF_THE_MACHINE + OF_A_PROJECT
        assert {each["verdict"] for each in document["checks"]} == {"PASS"}
        assert contents(project) == before

    def test_one_that_never_ran_passes_and_gets_no_state(self, tmp_path: Path) -> None:
        project = a_project(tmp_path / "visits")
        before = contents(project)

        finished = triune(project / "src", "doctor")

        assert finished.returncode == 0, finished.stdout
        assert "nothing is recorded yet" in finished.stdout
        assert contents(project) == before

    def test_outside_of_one_the_machine_is_looked_at(self, tmp_path: Path) -> None:
        finished = triune(tmp_path, "doctor", "--json")

        document = json.loads(finished.stdout)
        assert finished.returncode == 1
        assert document["verdict"] == "FAIL"
        assert [each["name"] for each in document["checks"]] == OF_THE_MACHINE
        assert [each["verdict"] for each in document["checks"]] == ["FAIL", "PASS", "PASS", "PASS"]
        assert "`triune init DIR`" in document["checks"][0]["message"]
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(self, project: Path) -> None:
        edit(project / "triune.yaml", "golden:", "gold:")
        edit(project / "triune.yaml", "task: binary", "task: binry")

        finished = triune(project, "doctor")

        lines = finished.stdout.splitlines()
        rows = [line.split(maxsplit=2) for line in lines]
        assert finished.returncode == 1
        assert rows[1][:2] == ["project", "FAIL"]
        assert "triune.yaml:11: model.task: expected" in lines[1]
        assert "did you mean 'binary'?" in lines[1]
        assert lines[2].strip().startswith("triune.yaml:14: integration.gold: unknown key")
        assert "did you mean 'golden'?" in lines[2]
        assert [row[0] for row in rows[3:]] == OF_THE_MACHINE[1:]

    def test_no_repository_no_commit_and_no_git_are_told_apart(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.rmtree(project / ".git")
        without_repository = failures(project)
        subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
        without_commit = failures(project)
        monkeypatch.setenv("PATH", str(project / "src"))
        without_git = failures(project)

        assert "`git init" in without_repository["repository"]
        assert "no commit yet" in without_commit["repository"]
        assert without_commit.keys() == {"repository"}
        assert "git is not installed" in without_git["git"]
        assert "git is not installed" in without_git["repository"]

    def test_an_import_that_is_not_installed_is_named(self, project: Path) -> None:
        (project / "src/extra.py").write_text("import nosuchpackage\n")

        found = failures(project)

        assert found.keys() == {"imports"}
        assert "nosuchpackage" in found["imports"]
        assert "`triune init --lock .`" in found["imports"]

    @pytest.mark.parametrize(
        ("lock", "said"),
        [
            (b"numpy==1.0.0\nnosuchpackage==1.0\n", "nosuchpackage 1.0 is not installed; numpy is"),
            (b"numpy>=1\n", "line 1 of the lock, 'numpy>=1', is no exact version"),
            ("numpy==2.0\n".encode("utf-16"), "requirements.lock is no text in UTF-8"),
            (None, "triune.yaml:6: runtime.lock: there is no requirements.lock"),
        ],
        ids=["other versions", "a range", "another encoding", "missing"],
    )
    def test_a_lock_that_does_not_hold_is_refused(
        self, project: Path, lock: bytes | None, said: str
    ) -> None:
        (project / "requirements.lock").unlink()
        if lock is not None:
            (project / "requirements.lock").write_bytes(lock)

        found = failures(project)

        assert found.keys() == {"lock"}
        assert said in found["lock"]

    def test_a_missing_entry_of_the_code_is_told_by_line_with_the_nearest_one(
        self, project: Path
    ) -> None:
        edit(project / "triune.yaml", "include: [src]", "include: [scr]")

        found = failures(project)

        assert found.keys() == {"imports"}
        assert found["imports"].startswith(
            "triune.yaml:5: code.include[0]: there is no scr; did you mean 'src'?"
        )

    @pytest.mark.parametrize("name", ["models/model.pkl", "data/holdout.csv"])
    def test_a_missing_file_fails_where_no_pipeline_makes_it(
        self, project: Path, name: str
    ) -> None:
        (project / name).unlink()

        without_pipeline = failures(project)
        edit(project / "triune.yaml", "pipeline: none", 'pipeline: {run: "make"}')
        with_pipeline = look(project)

        assert without_pipeline.keys() == {"files"}
        assert name in without_pipeline["files"]
        assert with_pipeline["files"].verdict == "PASS"
        assert "`triune run` makes them" in with_pipeline["files"].message

    def test_an_extra_that_is_not_installed_is_named_as_it_is_to_be_typed(
        self, project: Path, tmp_path: Path
    ) -> None:
        edit(project / "triune.yaml", "pipeline: none", "pipeline: dvc")
        python = python_without("dvc", folder=tmp_path / "venv")

        finished = triune(project, "doctor", "--json", command=(str(python), "-m", "triune.cli"))

        document = json.loads(finished.stdout)
        found = {each["name"]: each for each in document["checks"]}
        failed = {name for name, each in found.items() if each["verdict"] != "PASS"}
        assert finished.returncode == 1
        assert failed == {"pipeline"}
        assert "`pip install 'triune[dvc]'`" in found["pipeline"]["message"]
        assert "`pip install 'triune[dvc]'`" in found["extras"]["message"]


class TestTheLedger:
    def test_one_that_is_no_database_is_said_and_left_as_it_is(self, project: Path) -> None:
        ledger = project / ".triune/ledger.db"
        ledger.write_bytes(b"not a database" * 1000)

        found = failures(project)

        assert found.keys() == {"ledger"}
        assert f"the ledger {ledger} is damaged" in found["ledger"]
        assert ledger.read_bytes() == b"not a database" * 1000

    def test_one_whose_file_is_gone_but_for_its_log_is_not_begun_anew(self, project: Path) -> None:
        ledger = project / ".triune/ledger.db"
        ledger.rename(ledger.with_name("ledger.db-wal"))

        assert "still holds part of it" in failures(project)["ledger"]
        assert not ledger.exists()

    def test_an_event_changed_by_another_hand_is_found(self, project: Path) -> None:
        statement = "update events set actor = 'mallory' where sequence = 2"
        script = (
            "import sqlite3; ledger = sqlite3.connect('.triune/ledger.db'); "
            f'ledger.execute("{statement}"); ledger.commit()'
        )
        subprocess.run([sys.executable, "-c", script], cwd=project, check=True)

        assert "event 2" in failures(project)["ledger"]


def test_a_disk_that_is_nearly_full_is_said(template: Path, small_disk: Path) -> None:
    project = Path(shutil.copytree(template, small_disk / "visits"))

    found = failures(project)

    assert found.keys() == {"disk"}
    assert "`triune release prune`" in found["disk"]


def test_the_schema_accepts_the_examples_and_refuses_a_slip(tmp_path: Path) -> None:
    finished = triune(tmp_path, "schema", "--json")

    schema: dict[str, Any] = json.loads(finished.stdout)
    settings, minimal = (
        read_document(EXAMPLES / name / "triune.yaml").value for name in ("churn", "minimal")
    )
    slip = {**settings, "model": {**settings["model"], "taks": "binary"}}
    assert finished.returncode == 0
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(violations(schema, settings, schema)) == []
    assert list(violations(schema, minimal, schema)) == []
    assert list(violations(schema, slip, schema)) != []
    assert triune(tmp_path, "schema").stdout == finished.stdout
    assert list(tmp_path.iterdir()) == []


def python_without(package: str, *, folder: Path) -> Path:
    """Make a virtual environment of links to all that is installed here but one package."""
    venv.create(folder, symlinks=True)
    place = sysconfig.get_path("purelib", vars={"base": str(folder)})
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if each.name != package and not each.name.startswith(f"{package}-"):
            (Path(place) / each.name).symlink_to(each)
    return folder / "bin" / "python"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
