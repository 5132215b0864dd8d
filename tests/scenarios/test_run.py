"""From a repository to a release, as a user does it: through the command alone."""

import json
from pathlib import Path

import pytest
from tests.projects import (
    a_project,
    blob_path,
    commit,
    edit,
    git,
    triune,
    triune_json,
    write_model,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_project(tmp_path / "visits")


def test_a_run_cuts_a_release_and_says_what_it_did(project: Path) -> None:
    report = triune_json(project, "run")

    assert report["verdict"] == "PASS"
    assert report["reasons"][0]["code"] == "RELEASE_CUT"
    assert len(report["release"]["id"]) == 64
    assert report["dirty"] == []
    assert [step["name"] for step in report["steps"]] == [
        "datasets",
        "code",
        "data",
        "training",
        "release",
        "golden answers",
        "model",
        "integration",
        "gate",
    ]


def test_the_same_inputs_give_the_same_release_and_no_second_cut(project: Path) -> None:
    first = triune_json(project, "run")
    second = triune_json(project, "run")

    assert second["release"] == first["release"]
    assert second["reasons"][0]["code"] == "RELEASE_UNCHANGED"
    kinds = [each["kind"] for each in triune_json(project, "audit", "log")["events"]]
    decided = ["gate_decided", "run_finished"]
    assert kinds == ["release_cut", "golden_recorded", *decided, *decided]


@pytest.mark.slow
def test_data_and_model_that_were_made_executable_are_the_same_release(project: Path) -> None:
    first = triune_json(project, "run")["release"]
    for path in (*project.glob("data/*"), *project.glob("models/*")):
        path.chmod(0o755)

    assert triune_json(project, "run")["release"]["id"] == first["id"]


def test_a_commit_that_changes_nothing_pinned_keeps_the_release(project: Path) -> None:
    first = triune_json(project, "run")
    (project / "README.md").write_text("Read me.\n")
    commit(project, "Explain")

    assert triune_json(project, "run")["release"] == first["release"]


@pytest.mark.slow
def test_uncommitted_changes_are_recorded_until_they_are_committed(project: Path) -> None:
    edit(project / "src/features.py", "3.0", "2.5")

    dirty = triune_json(project, "run")
    commit(project, "Centre better")
    clean = triune_json(project, "run")

    assert dirty["dirty"] == ["src/features.py"]
    assert clean["release"] == dirty["release"]
    release = triune_json(project, "release", "show", "latest")["release"]
    assert release["dirty"] is False
    assert release["commit"] == git(project, "rev-parse", "HEAD").strip()


def test_a_diff_says_in_plain_words_what_changed(project: Path) -> None:
    first = triune_json(project, "run")["release"]["id"]
    edit(project / "src/features.py", "3.0", "2.5")
    (project / "src/extra.py").write_text("")
    (project / "tests/code/test_nothing.py").unlink()
    train = project / "data/train.csv"
    train.write_text("".join(train.read_text().splitlines(keepends=True)[:-3]) + "n,9,phone,1\n")
    write_model(project, slope=0.7)
    (project / "requirements.lock").write_text(
        (project / "requirements.lock").read_text()
        + f"pandas=={__import__('pandas').__version__}\n"
    )
    second = triune_json(project, "run")["release"]["id"]

    lines = triune(project, "release", "diff", first, second).stdout.splitlines()

    assert lines[0] == f"from {first[:12]} to {second[:12]}"
    assert "code: src/features.py changed" in lines
    assert "code: src/extra.py added" in lines
    assert "tests: tests/code/test_nothing.py removed" in lines
    assert "data: train: 1 rows added, 3 removed (40 -> 38)" in lines
    assert "model: model.pkl changed" in lines
    assert any(line.startswith("runtime: pandas added: ") for line in lines)


def test_a_diff_of_a_release_with_itself_is_empty(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]

    assert "nothing changed" in triune(project, "release", "diff", release, "latest").stdout


@pytest.mark.parametrize(
    ("part", "where"), [("code", 0), ("data train", 0), ("model", 0), ("tests", 0)]
)
def test_verify_fails_after_one_byte_of_a_blob_is_flipped(
    project: Path, part: str, where: int
) -> None:
    release = triune_json(project, "run")["release"]["id"]
    files = triune_json(project, "release", "show", release)["files"]
    damaged = next(file for file in files[part] if file["size"])
    path = blob_path(project, damaged["digest"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)

    finished = triune(project, "release", "verify", release, "--json")

    assert finished.returncode == 1
    document = json.loads(finished.stdout)
    assert document["verdict"] == "FAIL"
    assert damaged["path"] in document["reasons"][0]["message"]


@pytest.mark.slow
def test_verify_fails_where_the_manifest_itself_is_changed_or_gone(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]
    manifest = blob_path(project, release)
    content = manifest.read_bytes()
    manifest.chmod(0o644)

    manifest.write_bytes(content.replace(b'"kind":"model"', b'"kind":"modem"'))
    changed = triune(project, "release", "verify", release)
    manifest.unlink()
    gone = triune(project, "release", "verify", release)

    assert changed.returncode == gone.returncode == 1
    assert "manifest" in changed.stdout
    assert "manifest" in gone.stdout


@pytest.mark.slow
def test_a_run_mends_a_blob_that_was_changed(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]
    code = triune_json(project, "release", "show", release)["files"]["code"]
    path = blob_path(project, next(file for file in code if file["size"])["digest"])
    path.chmod(0o644)
    path.write_bytes(b"x" + path.read_bytes()[1:])

    assert triune_json(project, "run")["release"]["id"] == release
    assert triune(project, "release", "verify", release).returncode == 0


@pytest.mark.slow
def test_prune_lets_go_of_old_releases_and_keeps_the_rest_whole(project: Path) -> None:
    first = triune_json(project, "run")["release"]["id"]
    edit(project / "src/features.py", "3.0", "2.5")
    second = triune_json(project, "run")["release"]["id"]
    triune_json(project, "release", "diff", first, second, "--predictions")
    predictions = project / ".triune/predictions"
    assert {path.name for path in predictions.iterdir()} == {first, second}

    rehearsed = triune_json(project, "release", "prune", "--keep", "1", "--dry-run")
    assert triune(project, "release", "verify", first).returncode == 0
    pruned = triune_json(project, "release", "prune", "--keep", "1")

    assert rehearsed["pruned"] == pruned["pruned"] == [first]
    assert pruned["bytes_freed"] > 0
    assert not blob_path(project, first).exists()
    assert [path.name for path in predictions.iterdir()] == [second]
    assert triune(project, "release", "verify", second).returncode == 0
    refused = triune(project, "release", "show", first)
    assert refused.returncode == 2
    assert "pruned" in refused.stderr
    assert triune_json(project, "audit", "verify")["verdict"] == "PASS"


@pytest.mark.slow
def test_a_pruned_release_comes_back_when_it_is_cut_again(project: Path) -> None:
    release = triune_json(project, "run")["release"]["id"]
    triune_json(project, "release", "prune", "--keep", "0")

    again = triune_json(project, "run")

    assert again["release"]["id"] == release
    assert again["reasons"][0]["code"] == "RELEASE_CUT"
    assert triune(project, "release", "verify", release).returncode == 0


@pytest.mark.slow
def test_audit_at_shows_how_things_stood(project: Path) -> None:
    first = triune_json(project, "run")["release"]["id"]
    before = triune_json(project, "audit", "log")["events"][-1]["sequence"]
    edit(project / "src/features.py", "3.0", "2.5")
    triune_json(project, "run")

    then = triune_json(project, "audit", "at", str(before))
    now = triune_json(project, "audit", "at", "9999-01-01")
    never = triune_json(project, "audit", "at", "2000-01-01T00:00:00Z")

    assert [each["id"] for each in then["releases"]] == [first]
    assert len(now["releases"]) == 2
    assert never["releases"] == []


def test_a_head_printed_earlier_must_still_be_part_of_the_chain(project: Path) -> None:
    triune_json(project, "run")
    head = triune_json(project, "audit", "verify")["head"]
    triune_json(project, "run")

    assert triune(project, "audit", "verify", "--head", head).returncode == 0
    other = triune(
        project, "audit", "verify", "--head", head[:-1] + ("0" if head[-1] != "0" else "1")
    )
    assert other.returncode == 1
    assert "rewritten" in other.stdout


@pytest.mark.slow
def test_latest_is_what_the_last_run_came_to(project: Path) -> None:
    first = triune_json(project, "run")["release"]["id"]
    edit(project / "src/features.py", "3.0", "2.5")
    second = triune_json(project, "run")["release"]["id"]
    edit(project / "src/features.py", "2.5", "3.0")
    triune_json(project, "run")

    assert second != first
    assert triune_json(project, "release", "show", "latest")["release"]["id"] == first


@pytest.mark.slow
def test_code_that_is_edited_while_the_pipeline_runs_is_recorded_as_dirty(project: Path) -> None:
    command = "sed -i s/3.0/2.5/ src/features.py"
    edit(project / "triune.yaml", "pipeline: none", f"pipeline: {{run: {command}}}")
    commit(project, "Edit while running")

    triune_json(project, "run")

    assert triune_json(project, "release", "show", "latest")["release"]["dirty"] is True
