"""The churn example, copied to a fresh repository as a user has it, from both of its sources."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "churn"
SHARED = Path(os.environ.get("TRIUNE_SHARED_DATA", ROOT.parent / "shared" / "data"))
TELCO = SHARED / "telco_churn.csv.gz"
CUSTOMERS = 6000

DATASETS = (
    "data/train.parquet",
    "data/holdout.parquet",
    "data/production_snapshot_latest.parquet",
)
OUTPUTS = (*DATASETS, "models/model.joblib", "metrics.json")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = lay_out(tmp_path_factory.mktemp("generated"))
    set_params(project, generator={"customers": CUSTOMERS, "seed": 1})
    repro(project)
    return project


@pytest.fixture(scope="module")
def telco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not TELCO.exists():
        pytest.skip(f"no {TELCO}: set TRIUNE_SHARED_DATA to the folder that has it")
    project = lay_out(tmp_path_factory.mktemp("telco"))
    set_params(project, source=str(TELCO))
    repro(project)
    return project


@pytest.fixture(params=["generated", "telco"])
def project(request: pytest.FixtureRequest) -> Path:
    made: Path = request.getfixturevalue(request.param)
    return made


def test_each_source_makes_every_output(project: Path) -> None:
    assert [name for name in OUTPUTS if not (project / name).is_file()] == []


def test_both_sources_make_datasets_of_one_schema(generated: Path, telco: Path) -> None:
    schemas = [pq.read_schema(made / name) for made in (generated, telco) for name in DATASETS]

    assert [schema for schema in schemas if not schema.equals(schemas[0])] == []
    assert pa.null() not in schemas[0].types


def test_no_customer_is_in_two_datasets(project: Path) -> None:
    ids = [set(read(project, name)["customer_id"]) for name in DATASETS]

    assert [first & second for first, second in combinations(ids, 2)] == [set()] * 3


def test_generated_production_is_later_than_the_rest(generated: Path) -> None:
    train, holdout, production = (read(generated, name)["observed_at"] for name in DATASETS)

    assert max(train.max(), holdout.max()) < production.min()


def test_telco_customers_come_through_whole_with_their_blanks_as_nulls(telco: Path) -> None:
    customers = pd.concat([read(telco, name) for name in DATASETS])

    assert len(customers) == 7043
    assert customers["churned"].sum() == 1869
    assert customers["total_spend"].isna().sum() == 11
    assert customers[["region", "support_tickets", "signup_at"]].isna().all(axis=None)


def test_running_every_stage_again_makes_the_same_bytes(project: Path) -> None:
    before = digests(project)

    # Another hash seed orders sets otherwise: what hangs on that shows.
    repro(project, "--force", PYTHONHASHSEED="42")

    assert digests(project) == before


def test_a_second_run_has_nothing_to_do(generated: Path) -> None:
    said = repro(generated)

    assert [f"Stage '{name}' didn't change" in said for name in ("ingest", "prepare", "train")] == [
        True
    ] * 3


def test_a_run_leaves_nothing_for_git_but_the_lock(project: Path) -> None:
    status = run(project, "git", "status", "--porcelain").splitlines()

    assert sorted(line[3:] for line in status) == ["dvc.lock", "params.yaml"]


def test_an_edited_csv_is_noticed(generated: Path, tmp_path: Path) -> None:
    csv = tmp_path / "customers.csv"
    customers = pd.concat([read(generated, name) for name in DATASETS])
    customers.to_csv(csv, index=False)
    project = lay_out(tmp_path / "project")
    set_params(project, source=str(csv))
    repro(project)
    before = digests(project)

    customers.iloc[1:].to_csv(csv, index=False)
    repro(project)

    rows = sum(len(read(project, name)) for name in DATASETS)
    assert rows == len(customers) - 1
    assert digests(project)["models/model.joblib"] != before["models/model.joblib"]


def test_a_csv_that_lacks_a_column_stops_with_its_name(generated: Path, tmp_path: Path) -> None:
    csv = tmp_path / "customers.csv"
    read(generated, DATASETS[0]).drop(columns="churned").to_csv(csv, index=False)
    project = lay_out(tmp_path / "project")
    set_params(project, source=str(csv))

    with pytest.raises(subprocess.CalledProcessError) as failed:
        repro(project)

    assert "prepare: the source lacks the columns churned" in failed.value.stderr
    assert "Traceback" not in failed.value.stderr


def test_the_tests_of_the_example_pass_where_it_was_copied_to(generated: Path) -> None:
    said = run(generated, sys.executable, "-m", "pytest", "tests/code")

    assert " passed" in said
    assert "failed" not in said


def test_the_code_of_the_example_is_clean(tmp_path: Path) -> None:
    project = lay_out(tmp_path / "project")

    run(project, sys.executable, "-m", "ruff", "check", ".")
    run(project, sys.executable, "-m", "ruff", "format", "--check", ".")


def lay_out(project: Path) -> Path:
    """Copy the example into a repository of its own, with everything committed."""
    made_here = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache")
    shutil.copytree(EXAMPLE, project, dirs_exist_ok=True, ignore=made_here)
    run(project, "git", "init", "--quiet")
    run(project, "git", "add", "--all")
    identity = ("-c", "user.name=Tests", "-c", "user.email=tests@example.org")
    run(project, "git", *identity, "commit", "--quiet", "--message", "Lay out the example")
    return project


def set_params(project: Path, **changed: object) -> None:
    path = project / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(params | changed), encoding="utf-8")


def repro(project: Path, *options: str, **environ: str) -> str:
    return run(project, sys.executable, "-m", "dvc", "repro", *options, environ=environ)


def run(project: Path, *command: str, environ: Mapping[str, str] | None = None) -> str:
    """Run a command in the project, with this Python first on the path; give what it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=project,
        env={**os.environ, "DVC_NO_ANALYTICS": "1", **(environ or {}), "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def read(project: Path, dataset: str) -> pd.DataFrame:
    return pq.read_table(project / dataset).to_pandas()


def digests(project: Path) -> dict[str, str]:
    return {name: hashlib.sha256((project / name).read_bytes()).hexdigest() for name in OUTPUTS}
