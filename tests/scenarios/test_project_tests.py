"""A project's own tests, by a plain `pytest` and by its layers; what they look at is counted."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.projects import a_project, commit, edit, triune, triune_json

from triune.bootstrap import open_project
from triune.domain.errors import (
    ConditionError,
    DatasetError,
    UnknownReleaseError,
    UsageError,
    WorkerError,
)
from triune.domain.events import EventKind
from triune.operations.holdouts import identify_holdout, reserve_look
from triune.operations.releases import find_release, load_manifest
from triune.testing import (
    assert_directional,
    assert_floor,
    assert_invariant,
)
from triune.testing.port_checks import a_champion_change
from triune.testing.session import Session
from triune.testing.slices import find_slices

ROWS = 210
CHANCES = (0.02, 0.05, 0.1, 0.5, 0.9, 0.95, 0.98)

SETTINGS = """  key: visit_id
  slices:
    - {name: phones, where: device = 'phone'}
    - {name: tiny, where: pages = 6 and device = 'desktop'}
gate: {metric: roc_auc, looks: 1}
environments:
  production: {listen: "127.0.0.1:8702", strategy: instant}
"""

DATA_TESTS = """
def test_expected(expect):
    expect("train").to_be_unique("visit_id")
    expect("data/holdout.csv").to_be_in_set("device", {"phone", "desktop"})

def test_broken(expect):
    expect("train").to_be_between("pages", 0, 4)

def test_sample(production_sample):
    pass
"""

MODEL_TESTS = """
import sys
from triune.testing import assert_floor, for_each_slice

def test_answers(candidate, holdout):
    assert candidate.predict_proba(holdout.features).shape == (len(holdout), 2)
    assert not [name for name in sys.modules if name.startswith("src")]

def test_champion(champion):
    pass

@for_each_slice
def test_slices(candidate, slice_name):
    assert_floor(candidate, "roc_auc", 0.8, where=slice_name)

@for_each_slice("phones")
def test_one(holdout, slice_name):
    assert len(holdout.slice(slice_name)) == 140

def test_labels(holdout):
    assert 0 < holdout.target.mean() < 1
"""

INTEGRATION_TESTS = """
import json, os
from urllib.request import Request, urlopen

def test_served(base_url):
    request = Request(base_url + "/predict", json.dumps({"pages": 6, "device": "phone"}).encode(),
                      {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        assert json.load(answer)["prediction"] == 1
"""


class Outcome(NamedTuple):
    """What became of a test, and what was said of it."""

    status: str
    message: str


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out a project whose one release nobody looked at yet."""
    project = a_project(tmp_path_factory.mktemp("released") / "visits")
    chance = Random(1)
    rows = (
        f"h{n},{n % 7},{'phone' if n % 3 else 'desktop'},{int(chance.random() < CHANCES[n % 7])}\n"
        for n in range(ROWS)
    )
    (project / "data/holdout.csv").write_text("visit_id,pages,device,clicked\n" + "".join(rows))
    edit(project / "triune.yaml", "  key: visit_id\n", SETTINGS)
    commit(project, "Hold out more")
    triune_json(project, "run")
    return project


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "visits"))


@pytest.fixture
def session(project: Path) -> Iterator[Session]:
    with Session(project, environ={}) as opened:
        yield opened


def write_tests(project: Path) -> None:
    for layer, content in (
        ("data", DATA_TESTS),
        ("model", MODEL_TESTS),
        ("integration", INTEGRATION_TESTS),
    ):
        folder = project / "tests" / layer
        folder.mkdir()
        (folder / f"test_{layer}.py").write_text(content)


def run_pytest(project: Path, *arguments: str) -> dict[str, Outcome]:
    report = project.parent / "report.xml"
    command = [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments]
    plain = {name: held for name, held in os.environ.items() if not name.startswith("TRIUNE_")}
    finished = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=False, env=plain
    )
    assert report.exists(), finished.stdout + finished.stderr
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        told = next(iter(case), None)
        outcomes[case.attrib["name"]] = Outcome(
            status="passed" if told is None else told.tag,
            message="" if told is None else f"{told.attrib['message']} {told.text}",
        )
    return outcomes


def count_looks(project: Path) -> int:
    with open_project(project) as context:
        return sum(event.kind == EventKind.LOOK_RESERVED for event in context.ledger.events())


def spend_the_look(project: Path) -> None:
    """Let another model look at the holdout, at which one look is allowed."""
    with open_project(project) as context:
        manifest = load_manifest(context, find_release(context, "latest"))
        holdout = identify_holdout(context, manifest)
        reserve_look(context, holdout, predictions="f" * 64, release="e" * 64, budget=1)


def promote(project: Path) -> None:
    """Have the latest release serve production."""
    with open_project(project) as context:
        release = find_release(context, "latest").id
        context.ledger.append([a_champion_change(release=release)], expected_version=0)


def test_a_plain_pytest_runs_every_layer_and_counts_one_look(project: Path) -> None:
    write_tests(project)

    outcomes = run_pytest(project)

    statuses = {name: outcome.status for name, outcome in outcomes.items()}
    assert statuses == {
        "test_nothing": "passed",
        "test_expected": "passed",
        "test_broken": "failure",
        "test_sample": "skipped",
        "test_answers": "passed",
        "test_champion": "skipped",
        "test_slices[phones]": "passed",
        "test_slices[tiny]": "skipped",
        "test_one[phones]": "passed",
        "test_labels": "passed",
        "test_served": "passed",
    }
    assert "10 of 40 rows break it" in outcomes["test_broken"].message
    assert "row 5 holds 5" in outcomes["test_broken"].message
    assert "names no dataset `production`" in outcomes["test_sample"].message
    assert "no release was promoted to production" in outcomes["test_champion"].message
    assert "slice 'tiny' is not judged: 10 rows" in outcomes["test_slices[tiny]"].message
    assert count_looks(project) == 1


@pytest.mark.slow
def test_each_layer_runs_its_own_tests_on_the_release_that_is_tried(project: Path) -> None:
    write_tests(project)
    edit(project / "triune.yaml", "{golden: 5}", "{golden: 5, tests: tests/integration}")
    edit(project / "tests/data/test_data.py", "0, 4", "0, 6")
    asked = "import os\n\ndef test_told(candidate):\n"
    asked += '    assert os.environ["TRIUNE_CANDIDATE"] == candidate.release\n'
    for layer in ("model", "integration"):
        (project / f"tests/{layer}/test_told.py").write_text(asked)

    finished = triune(project, "check", "data", "model", "integration", "--json")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    for layer in ("data", "model", "integration"):
        assert f'"{layer}"' in finished.stdout
    assert finished.stdout.count('"name": "tests"') == 3, finished.stdout


@pytest.mark.slow
def test_tests_that_fail_fail_their_layer(project: Path) -> None:
    write_tests(project)

    finished = triune(project, "check", "data")

    assert finished.returncode == 1
    assert "test_broken" in finished.stdout


def test_a_project_that_is_not_triunes_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n\n"
        "def test_theirs(request):\n"
        "    assert not request.config.pluginmanager.has_plugin('triune-fixtures')\n"
        "    loaded = {name for name in sys.modules if name.split('.')[0] == 'triune'}\n"
        "    assert loaded <= {'triune', 'triune.testing', 'triune.testing.plugin'}\n"
        "    assert 'numpy' not in sys.modules\n\n"
        "def test_ours(candidate):\n"
        "    pass\n"
    )

    outcomes = run_pytest(tmp_path, "-p", "no:hypothesispytest", "-p", "no:hydra_pytest")

    assert outcomes["test_theirs"].status == "passed", outcomes["test_theirs"].message
    assert "fixture 'candidate' not found" in outcomes["test_ours"].message


def test_without_a_release_a_test_of_one_errs_with_what_to_do(tmp_path: Path) -> None:
    project = a_project(tmp_path / "visits")
    (project / "tests/code/test_model.py").write_text(
        "from triune.testing import for_each_slice\n\n"
        "def test_candidate(candidate):\n    pass\n\n"
        "@for_each_slice\ndef test_slices(slice_name):\n    pass\n"
    )

    outcomes = run_pytest(project)

    assert outcomes["test_nothing"].status == "passed"
    assert outcomes["test_candidate"].status == "error"
    assert "no run has come to a release yet; cut one with `triune run`" in (
        outcomes["test_candidate"].message
    )
    assert outcomes["test_slices[none]"].status == "skipped"
    assert "names no slices under model.slices" in outcomes["test_slices[none]"].message


def test_a_slice_that_is_not_there_is_named(project: Path) -> None:
    with pytest.raises(UsageError, match="no slice 'phone'; did you mean 'phones'"):
        find_slices(project, ["phone"])

    assert find_slices(project, ()) == ("phones", "tiny")


def test_looking_again_is_free(project: Path) -> None:
    for _ in range(2):
        with Session(project, environ={}) as session:
            assert len(session.holdout.target) == ROWS
            assert_floor(session.candidate, "roc_auc", 0.8)

    assert count_looks(project) == 1


def test_a_spent_holdout_fails_what_reads_labels_and_nothing_else(
    session: Session, project: Path
) -> None:
    spend_the_look(project)
    holdout = session.holdout

    for look in (
        lambda: holdout.target,
        lambda: holdout.slice("clicked = 1"),
        lambda: assert_floor(session.candidate, "roc_auc", 0.8, where="phones"),
    ):
        with pytest.raises(AssertionError, match="HOLDOUT_SPENT: all 1 looks at holdout"):
            look()
    assert len(session.candidate.predict(holdout.slice("phones").features)) == 140
    assert count_looks(project) == 1


def test_frames_and_rows_are_answered_alike_by_one_worker(session: Session) -> None:
    candidate, features = session.candidate, session.holdout.features

    of_frame = candidate.predict_proba(features)
    of_rows = candidate.predict_proba(features.to_dict("records"))

    assert of_frame.shape == (ROWS, 2)
    np.testing.assert_allclose(of_rows, of_frame, atol=1e-12)
    np.testing.assert_allclose(of_frame.sum(axis=1), 1.0)
    assert candidate.predict(features).tolist() == (of_frame[:, 1] > 0.5).astype(int).tolist()
    assert (
        candidate.predict(features).tolist()
        == candidate.predict(features.to_dict("records")).tolist()
    )
    assert candidate.outputs.classes == (0, 1)
    assert len(candidate.release) == 64


def test_a_row_that_the_model_refuses_is_named_and_the_next_is_answered(session: Session) -> None:
    with pytest.raises(WorkerError, match="row 0, field 'device': is missing"):
        session.candidate.predict([{"pages": 1}])

    assert session.candidate.predict([{"pages": 6, "device": "phone"}]).tolist() == [1]


def test_the_candidate_is_the_one_that_is_named(project: Path) -> None:
    with Session(project, environ={}) as session:
        release = session.candidate.release

    with Session(project, environ={"TRIUNE_CANDIDATE": release[:12]}) as session:
        assert session.candidate.release == release
    with (
        Session(project, environ={"TRIUNE_CANDIDATE": "0" * 64}) as session,
        pytest.raises(UnknownReleaseError),
    ):
        _ = session.candidate


def test_a_service_that_runs_elsewhere_is_left_to_run(project: Path) -> None:
    with Session(project, environ={"TRIUNE_BASE_URL": "http://127.0.0.1:1/"}) as session:
        assert session.base_url == "http://127.0.0.1:1"
        assert "context" not in vars(session)


def test_features_cost_no_look_and_are_the_callers_own(session: Session, project: Path) -> None:
    features = session.holdout.features
    features["pages"] = 0

    assert list(session.holdout.features) == ["pages", "device"]
    assert session.holdout.features["pages"].nunique() == 7
    assert len(session.holdout.slice("phones").slice("pages = 3").features) == 20
    assert count_looks(project) == 0


@pytest.mark.parametrize("read", ["target", "frame", "clicked = 1"])
def test_labels_cost_a_look_however_they_are_read(
    session: Session, project: Path, read: str
) -> None:
    holdout = session.holdout

    assert len(getattr(holdout, read) if read in {"target", "frame"} else holdout.slice(read))

    assert count_looks(project) == 1


def test_what_production_sends_is_read_from_its_dataset(project: Path) -> None:
    edit(
        project / "triune.yaml", "train: data/train.csv", "train: data/train.csv, production: p.csv"
    )
    with (
        Session(project, environ={}) as session,
        pytest.raises(DatasetError, match=r"there is no p\.csv"),
    ):
        _ = session.production_sample
    shutil.copy(project / "data/train.csv", project / "p.csv")

    with Session(project, environ={}) as session:
        assert list(session.production_sample) == ["visit_id", "pages", "device", "clicked"]
        assert len(session.production_sample) == 40
        session.expect("production").to_be_unique("visit_id")
        assert "context" not in vars(session)


def test_a_condition_that_is_none_is_refused(session: Session) -> None:
    with pytest.raises(ConditionError, match="there is no column 'page'; did you mean 'pages'"):
        session.holdout.slice("page > 3")


def test_a_floor_is_held_by_the_nearer_bound(session: Session, project: Path) -> None:
    assert_floor(session.candidate, "roc_auc", 0.8)
    assert_floor(session.candidate, "log_loss", 0.9)

    with pytest.raises(AssertionError, match=r"roc_auc is 0\.\d+, in \[.* on 210 rows: clearly no"):
        assert_floor(session.candidate, "roc_auc", 0.99)
    with pytest.raises(AssertionError, match=r"on 140 rows: whether it is roc_auc >= 0\.93"):
        assert_floor(session.candidate, "roc_auc", 0.93, where="phones")
    with pytest.raises(AssertionError, match="cannot be judged"):
        assert_floor(session.candidate, "roc_auc", 0.5, where="pages = 6 and device = 'desktop'")
    assert count_looks(project) == 1


def test_the_champion_is_measured_without_a_look(project: Path) -> None:
    promote(project)
    spend_the_look(project)

    with Session(project, environ={}) as session:
        assert session.champion is not None
        assert_floor(session.champion, "roc_auc", 0.8)

    assert count_looks(project) == 1


def test_behaviour_is_judged_on_frames_and_rows(session: Session, project: Path) -> None:
    candidate, features = session.candidate, session.holdout.features

    for rows in (features, features.head(5).to_dict("records")):
        assert_invariant(candidate, rows, set={"device": "phone"}, against={"device": "desktop"})
        assert_directional(
            candidate, rows, set={"pages": 6}, against={"pages": 1}, expect="increase"
        )
        with pytest.raises(
            AssertionError, match=r"stay within 0\.1 from pages = 1 to pages = 6 in 0"
        ):
            assert_invariant(candidate, rows, set={"pages": 6}, against={"pages": 1}, tolerance=0.1)
    with pytest.raises(AssertionError, match=r"row 0: pages = 1: 0\.2689; pages = 6: 0\.8176"):
        assert_directional(
            candidate, features, set={"pages": 6}, against={"pages": 1}, expect="decrease"
        )
    with pytest.raises(UsageError, match="no input 'page'; did you mean 'pages'"):
        assert_invariant(candidate, features, set={"page": 6}, against={"page": 1})
    with pytest.raises(UsageError, match="pages = 'many' cannot be given"):
        assert_invariant(candidate, features, set={"pages": "many"}, against={"pages": 1})
    with pytest.raises(AssertionError, match="no row to judge"):
        assert_invariant(candidate, features.head(0), set={"pages": 6}, against={"pages": 1})
    assert count_looks(project) == 0
