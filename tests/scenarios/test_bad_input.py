"""What a user gets wrong, or what breaks under them: a clear error, and nothing lost."""

import json
import pickle
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.projects import a_project, blob_path, edit, triune, triune_json


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "visits")


def refusal(folder: Path, *arguments: str, code: int = 2) -> str:
    finished = triune(folder, *arguments)
    assert finished.returncode == code, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stdout + finished.stderr


def test_a_folder_without_a_project_says_how_to_make_one(tmp_path: Path) -> None:
    assert "triune init" in refusal(tmp_path, "run")


def test_a_project_outside_of_any_repository_is_refused(project: Path) -> None:
    shutil.rmtree(project / ".git")

    assert "git init" in refusal(project, "run")


def test_a_repository_without_a_commit_is_refused(project: Path) -> None:
    shutil.rmtree(project / ".git")
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)

    assert "commit" in refusal(project, "run")


def test_a_missing_model_is_named_with_its_path(project: Path) -> None:
    (project / "models/model.pkl").unlink()

    assert "model.artifact: there is no models/model.pkl" in refusal(project, "run")


def test_what_no_pipeline_makes_is_missed_before_one_runs_and_said_once(project: Path) -> None:
    edit(project / "triune.yaml", "pipeline: none", 'pipeline: {run: "touch ran"}')
    edit(project / "triune.yaml", "include: [src]", "include: [src, params.yml]")

    finished = triune(project, "run")

    said = "triune.yaml:5: code.include[1]: there is no params.yml"
    assert finished.returncode == 2
    assert (finished.stdout + finished.stderr).count(said) == 1
    assert "recorded as dirty: 1 uncommitted change\n" in finished.stdout
    assert not (project / "ran").exists()


def test_a_truncated_model_is_refused(project: Path) -> None:
    path = project / "models/model.pkl"
    path.write_bytes(path.read_bytes()[:-20])

    assert "model.pkl" in refusal(project, "run")
    assert triune_json(project, "release", "list")["releases"] == []


def test_a_model_that_is_not_what_its_name_says_is_refused(project: Path) -> None:
    (project / "models/model.pkl").write_text("These are the weights: 1, 2, 3\n")

    assert "model.pkl" in refusal(project, "run")


def test_a_model_without_predict_is_refused(project: Path) -> None:
    (project / "models/model.pkl").write_bytes(pickle.dumps({"weights": [1, 2]}))

    assert "predict" in refusal(project, "run")


@pytest.mark.parametrize("dataset", ["train", "holdout"])
def test_a_dataset_without_the_target_is_refused(project: Path, dataset: str) -> None:
    edit(project / f"data/{dataset}.csv", "clicked", "clickd")

    message = refusal(project, "run")

    assert f"data/{dataset}.csv has no column 'clicked'" in message
    assert "did you mean 'clickd'" in message


def test_a_dataset_that_lacks_a_column_is_refused(project: Path) -> None:
    holdout = project / "data/holdout.csv"
    rows = [line.split(",") for line in holdout.read_text().splitlines()]
    holdout.write_text("".join(f"{row[0]},{row[1]},{row[3]}\n" for row in rows))

    assert "data/holdout.csv has no column 'device'" in refusal(project, "run")


def test_a_missing_dataset_is_named_with_its_path(project: Path) -> None:
    (project / "data/holdout.csv").unlink()

    assert "data/holdout.csv" in refusal(project, "run")


def test_an_empty_dataset_is_refused(project: Path) -> None:
    (project / "data/train.csv").write_text("")

    assert "data/train.csv" in refusal(project, "run")


def test_a_lock_that_differs_from_what_is_installed_is_refused(project: Path) -> None:
    (project / "requirements.lock").write_text("numpy==1.0.0\nnosuchpackage==1.0\n")

    message = refusal(project, "run")

    assert "numpy" in message
    assert "nosuchpackage" in message


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_one(project: Path) -> None:
    edit(project / "triune.yaml", "artifact:", "artefact:")

    message = refusal(project, "run")

    assert "triune.yaml:" in message
    assert "did you mean 'artifact'" in message


def test_what_is_not_built_yet_is_refused_and_never_ignored(project: Path) -> None:
    with (project / "triune.yaml").open("a") as settings:
        settings.write("monitor: {psi: 0.2, window: 1d}\n")

    assert "not available yet" in refusal(project, "run")


def test_an_unknown_and_an_ambiguous_release_are_refused(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]
    unknown = "0" if release[0] != "0" else "1"

    assert "no release" in refusal(project, "release", "show", unknown * 12)
    assert "outside of the store" in refusal(project, "serve", "models/model.pkl")


def test_a_missing_blob_is_named_and_nothing_is_run(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]
    model = triune_json(project, "release", "show", release)["files"]["model"][0]
    blob_path(project, model["digest"]).unlink()

    message = refusal(project, "serve", release, "--port", "0", code=4)

    assert model["digest"][:12] in message


def test_a_changed_model_is_refused_before_a_byte_of_it_is_unpickled(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]
    model = triune_json(project, "release", "show", release)["files"]["model"][0]
    path = blob_path(project, model["digest"])
    path.chmod(0o644)
    canary = project / "unpickled"
    path.write_bytes(f"cposix\nsystem\n(S'touch {canary}'\ntR.".encode())

    refusal(project, "serve", release, "--port", "0", code=4)

    assert not canary.exists()


def test_a_ledger_that_is_no_database_is_refused_and_left_as_it_is(project: Path) -> None:
    triune_json(project, "run")
    ledger = project / ".triune/ledger.db"
    for suffix in ("-wal", "-shm"):
        ledger.with_name(ledger.name + suffix).unlink(missing_ok=True)
    ledger.write_bytes(b"not a database" * 1000)

    message = refusal(project, "run", code=4)

    assert "ledger.db" in message
    assert ledger.read_bytes() == b"not a database" * 1000


@pytest.mark.slow
def test_a_ledger_from_a_newer_version_is_refused(project: Path) -> None:
    triune_json(project, "run")
    with sqlite3.connect(project / ".triune/ledger.db") as ledger:
        ledger.execute("update ledger_revision set version_num = '9999'")
    ledger.close()

    assert "newer" in refusal(project, "release", "list", code=4)


@pytest.mark.slow
def test_an_event_changed_by_another_hand_is_found(project: Path) -> None:
    triune_json(project, "run")
    with sqlite3.connect(project / ".triune/ledger.db") as ledger:
        ledger.execute("update events set actor = 'mallory' where sequence = 2")
    ledger.close()

    found = triune(project, "audit", "verify")
    assert found.returncode == 1
    assert "event 2" in found.stdout


@pytest.mark.slow
def test_a_record_changed_by_another_hand_is_found(project: Path) -> None:
    triune_json(project, "run")
    with sqlite3.connect(project / ".triune/ledger.db") as ledger:
        ledger.execute("update releases set content = replace(content, 'PASS', 'FAIL')")
    ledger.close()

    found = triune(project, "audit", "verify")
    assert found.returncode == 1
    assert "not what the events add up to" in found.stdout


def test_an_error_is_one_json_document_where_json_was_asked_for(tmp_path: Path) -> None:
    finished = triune(tmp_path, "run", "--json")

    document = json.loads(finished.stdout)

    assert finished.returncode == 2
    assert document["verdict"] == "ERROR"
    assert document["reasons"][0]["code"] == "CONFIG"


def test_a_typo_in_a_verb_names_the_nearest_one(tmp_path: Path) -> None:
    assert "run" in refusal(tmp_path, "rnu")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_run_completes_once_there_is_room(small_disk: Path) -> None:
    project = a_project(small_disk / "visits")
    release = triune_json(project, "run")["release"]["id"]
    filler = small_disk / "filler"
    with filler.open("wb") as stream:
        free = shutil.disk_usage(small_disk).free
        stream.write(b"\0" * (free - 60_000))
    edit(project / "src/features.py", "3.0", "2.5")
    (project / "src/large.py").write_bytes(b"#" * 30_000 + b"\n")

    finished = triune(project, "run")
    filler.unlink()

    assert finished.returncode == 4, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    assert triune(project, "release", "verify", release).returncode == 0
    assert triune_json(project, "audit", "verify")["verdict"] == "PASS"
    assert triune_json(project, "run")["verdict"] == "PASS"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("key: visit_id", "key: visit_idd", "no column 'visit_idd' (model.key in triune.yaml)"),
        ("key: visit_id", "key: visit_id\n  time: nosuch", "no column 'nosuch' (model.time"),
    ],
)
def test_a_setting_that_would_let_the_model_see_what_it_must_not_is_refused(
    project: Path, before: str, after: str, message: str
) -> None:
    edit(project / "triune.yaml", before, after)

    finished = triune(project, "run")

    assert finished.returncode != 0
    assert message in finished.stdout


def test_a_lock_that_names_nothing_is_refused(project: Path) -> None:
    (project / "requirements.lock").write_text("# nothing\n")

    assert "requirements.lock names no package" in triune(project, "run").stdout


def test_a_state_folder_that_is_a_file_is_an_error_and_no_traceback(project: Path) -> None:
    (project / ".triune").write_text("")

    finished = triune(project, "release", "list", "--json")

    assert finished.returncode == 4
    assert ".triune" in json.loads(finished.stdout)["reasons"][0]["message"]
    assert "Traceback" not in finished.stderr
