"""The gate as a user meets it: from a run to a decision, its evidence, and what it lets pass."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.projects import (
    a_gated_project,
    blob_path,
    commit,
    edit,
    triune,
    triune_json,
    write_gated_model,
    write_visits,
)

BETTER, WORSE = 0.8, -0.1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return a_gated_project(tmp_path / "visits")


def run(project: Path, *, depth: float | None = None) -> Any:
    """Run with another model, whatever comes of it."""
    if depth is not None:
        write_gated_model(project, depth=depth)
        commit(project, f"Depth {depth}")
    return json.loads(triune(project, "run", "--json").stdout)


def serve_everywhere(project: Path, report: Any) -> str:
    release: str = report["release"]["id"]
    for environment in ("staging", "production"):
        triune_json(project, "promote", release, "--to", environment)
    return release


def looks(project: Path) -> int:
    events = triune_json(project, "audit", "log", "--limit", "0")["events"]
    return sum(event["kind"] == "look_reserved" for event in events)


def test_a_model_goes_on_only_past_what_serves(project: Path) -> None:
    first = run(project)
    champion = serve_everywhere(project, first)
    better = run(project, depth=BETTER)
    worse_than_first = run(project, depth=WORSE)

    assert first["reasons"][0]["code"] == "FIRST_RELEASE"
    assert (better["verdict"], better["reasons"][0]["code"]) == ("PASS", "IMPROVED")
    assert better["gate"]["champion"] == {"id": champion}
    assert better["gate"]["delta"]["lower"] > 0
    assert worse_than_first["verdict"] == "FAIL"
    assert worse_than_first["reasons"][0]["code"] == "BELOW_MIN_DELTA"
    refused = triune(project, "promote", worse_than_first["release"]["id"], "--to", "staging")
    assert refused.returncode == 1
    assert looks(project) == 3


@pytest.mark.slow
def test_the_decision_is_explained_on_one_screen(project: Path) -> None:
    serve_everywhere(project, run(project))
    better = run(project, depth=BETTER)

    shown = triune(project, "gate", "show")
    document = triune_json(project, "gate", "show", better["release"]["id"][:8])

    assert shown.returncode == 0
    for said in ("IMPROVED", "min_delta", "2 of 5 looks spent", "*", "smallest delta"):
        assert said in shown.stdout
    assert len(shown.stdout.splitlines()) <= 24
    assert document == better["gate"]


@pytest.mark.slow
def test_a_comment_changes_no_prediction_and_costs_no_look(project: Path) -> None:
    serve_everywhere(project, run(project))
    path = project / "src/features.py"
    path.write_text(path.read_text() + "\n# Nothing else.\n")
    commit(project, "Explain")

    report = run(project)

    assert (report["verdict"], report["reasons"][0]["code"]) == ("PASS", "MODEL_UNCHANGED")
    assert looks(project) == 1


@pytest.mark.slow
def test_a_model_that_met_the_labels_before_meets_them_again_for_free(project: Path) -> None:
    serve_everywhere(project, run(project))
    first, again = run(project, depth=BETTER), run(project)

    assert first["gate"]["looks"] == again["gate"]["looks"]
    assert looks(project) == 2


@pytest.mark.slow
def test_where_the_looks_are_spent_nothing_more_is_told_of_the_labels(project: Path) -> None:
    edit(project / "triune.yaml", "looks: 5", "looks: 1")
    commit(project, "One look")
    serve_everywhere(project, run(project))

    report = run(project, depth=BETTER)

    assert (report["verdict"], report["reasons"][0]["code"]) == ("INCONCLUSIVE", "HOLDOUT_SPENT")
    floor = next(
        check
        for layer in report["layers"]
        for check in layer["checks"]
        if check["name"].startswith("floor")
    )
    assert floor["verdict"] == "INCONCLUSIVE"
    assert "0." not in floor["reason"]["message"]
    assert looks(project) == 1


@pytest.mark.slow
def test_a_holdout_that_shares_half_of_its_rows_inherits_the_looks(project: Path) -> None:
    serve_everywhere(project, run(project))
    holdout = project / "data/holdout.csv"
    header, *rows = holdout.read_text().splitlines()
    write_visits(project / "data/fresh.csv", rows=700, seed=3)
    fresh = (project / "data/fresh.csv").read_text().splitlines()[1:]
    (project / "data/fresh.csv").unlink()
    holdout.write_text("\n".join([header, *rows[:800], *fresh]) + "\n")
    commit(project, "Refresh the holdout")

    report = run(project, depth=BETTER)

    assert report["gate"]["looks"]["used"] == 2


def test_a_holdout_in_the_training_data_stops_the_run_before_training(project: Path) -> None:
    train, holdout = project / "data/train.csv", project / "data/holdout.csv"
    leaked = train.read_text().splitlines()[5]
    holdout.write_text(holdout.read_text() + leaked + "\n")

    report = run(project)

    assert (report["verdict"], report["release"]) == ("FAIL", None)
    assert report["reasons"][0]["code"] == "HOLDOUT_IN_TRAINING"
    assert "row 1500" in report["reasons"][0]["message"]
    assert "training" not in [step["name"] for step in report["steps"]]


@pytest.mark.slow
def test_a_holdout_that_the_champion_was_trained_on_tells_nothing(project: Path) -> None:
    serve_everywhere(project, run(project))
    train, holdout = project / "data/train.csv", project / "data/holdout.csv"
    seen = train.read_text().splitlines()
    holdout.write_text(holdout.read_text() + "\n".join(seen[1:11]) + "\n")
    write_visits(train, rows=300, seed=9)
    commit(project, "Train on others")

    report = run(project, depth=BETTER)

    assert report["verdict"] == "INCONCLUSIVE"
    assert report["reasons"][0]["code"] == "HOLDOUT_IN_TRAINING"
    assert "10 rows" in report["reasons"][0]["message"]


@pytest.mark.slow
def test_a_champion_whose_bytes_are_gone_is_said_with_what_to_do(project: Path) -> None:
    champion = serve_everywhere(project, run(project))
    shown = triune_json(project, "release", "show", champion)
    blob_path(project, shown["manifest"]["model"]["digest"]).unlink()
    for cached in (project / ".triune/predictions").rglob("*.arrow"):
        cached.unlink()

    report = run(project, depth=BETTER)

    assert (report["verdict"], report["reasons"][0]["code"]) == ("ERROR", "CHAMPION_GONE")
    assert champion[:12] in report["reasons"][0]["message"]
    assert "bring its blobs back" in report["reasons"][0]["message"]


@pytest.mark.slow
def test_verify_decides_again_from_the_evidence(project: Path) -> None:
    serve_everywhere(project, run(project))
    release = run(project, depth=BETTER)["release"]["id"]
    sound = triune(project, "release", "verify", release)
    decided = [
        event
        for event in triune_json(project, "audit", "log", "--limit", "0")["events"]
        if event["kind"] == "gate_decided"
    ]

    blob_path(project, decided[-1]["data"]["evidence"]).unlink()
    broken = triune(project, "release", "verify", release)

    assert sound.returncode == 0
    assert broken.returncode == 1
    assert "gate decision" in broken.stdout


@pytest.mark.slow
def test_code_that_is_edited_after_it_was_checked_is_not_released_as_checked(project: Path) -> None:
    edit(
        project / "triune.yaml",
        "pipeline: none",
        'pipeline: none\ncode:\n  checks: [lint, {name: slow, run: "echo >> src/features.py"}]',
    )
    commit(project, "A check that edits")

    report = run(project)

    assert (report["verdict"], report["reasons"][0]["code"]) == ("ERROR", "CHANGED_MEANWHILE")
    assert triune(project, "promote", "latest", "--to", "staging").returncode == 1


@pytest.mark.slow
def test_consent_is_refused_for_a_release_that_has_failed_since(project: Path) -> None:
    edit(project / "triune.yaml", "after: staging,", "after: staging, approvals: {required: 1},")
    commit(project, "Ask people")
    release = run(project)["release"]["id"]
    triune_json(project, "promote", release, "--to", "staging")
    asked = triune(project, "promote", release, "--to", "production", "--json")
    rollout = json.loads(asked.stdout)["rollout"]["id"]
    edit(project / "triune.yaml", "roc_auc: 0.55", "roc_auc: 0.99")
    assert run(project)["verdict"] == "FAIL"

    refused = triune(project, "approve", rollout, "--json")

    assert refused.returncode == 1
    assert json.loads(refused.stdout)["reasons"][0]["code"] == "RELEASE_FAILED"


@pytest.mark.slow
def test_rows_of_the_training_data_are_seen_whatever_type_a_column_has(project: Path) -> None:
    train, holdout = project / "data/train.csv", project / "data/holdout.csv"
    header, *rows = train.read_text().splitlines()
    leaked = rows[3].split(",")
    leaked[1] = f"{leaked[1]}.0"
    holdout.write_text(holdout.read_text() + ",".join(leaked) + "\n")

    report = run(project)

    assert header.split(",")[1] == "pages"
    assert report["reasons"][0]["code"] == "HOLDOUT_IN_TRAINING"


@pytest.mark.slow
def test_another_column_gives_no_looks_back(project: Path) -> None:
    serve_everywhere(project, run(project))
    for name in ("train", "holdout"):
        path = project / f"data/{name}.csv"
        header, *rows = path.read_text().splitlines()
        path.write_text("\n".join([f"{header},region", *(f"{row},north" for row in rows)]) + "\n")
    commit(project, "Add a column")

    report = run(project, depth=BETTER)

    assert report["gate"]["looks"]["used"] == 2
