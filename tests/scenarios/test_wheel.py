"""The wheel as it would be published: what is in it, and that it works where nothing else is."""

import json
import os
import shutil
import subprocess
import sys
import venv
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
# Of the example's 100,000.


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and its extras, and nothing else."""
    wanted = f"triune[code,dvc,sklearn] @ {wheel.as_uri()}"
    return install(wanted, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and no extra."""
    return install(f"triune @ {wheel.as_uri()}", tmp_path_factory.mktemp("bare"))


def build(source: Path, folder: Path) -> Path:
    offline = ("--offline", "--no-build-isolation", "--python", sys.executable)
    subprocess.run(
        [UV, "build", "--quiet", "--wheel", *offline, "--out-dir", folder, source], check=True
    )
    (made,) = folder.glob("*.whl")
    return made


def install(requirement: str, folder: Path) -> Path:
    venv.create(folder / "venv", symlinks=True)
    constraints = folder / "constraints.txt"
    locked = (ROOT / "requirements/dev.lock").read_text().splitlines()
    # Without hashes, which would be asked of the wheel too.
    pins = [line.removesuffix("\\") for line in locked if not line.lstrip().startswith("--hash")]
    constraints.write_text("\n".join(pins))
    python = folder / "venv/bin/python"
    options = ("--quiet", "--python", str(python), "--constraint", str(constraints))
    command = [str(UV), "pip", "install", *options]
    # `make install` filled the cache. Where that is elsewhere, or was emptied, the index has it.
    offline = subprocess.run(
        [*command, "--offline", requirement], capture_output=True, text=True, check=False
    )
    if offline.returncode:
        online = subprocess.run(
            [*command, requirement], capture_output=True, text=True, check=False
        )
        assert online.returncode == 0, offline.stderr + online.stderr
    return folder / "venv"


def triune(environment: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command with nothing on the path but it, git, and the system's tools."""
    git = shutil.which("git")
    assert git
    path = [str(environment / "bin"), str(Path(git).parent), "/usr/bin", "/bin"]
    home = environment.parent / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        ["triune", *arguments],
        executable=environment / "bin/triune",
        cwd=folder,
        env={
            "PATH": os.pathsep.join(path),
            "HOME": str(home),
            "DVC_SITE_CACHE_DIR": str(home / "dvc"),
        },
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def triune_json(environment: Path, folder: Path, *arguments: str) -> Any:
    finished = triune(environment, folder, *arguments, "--json")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout)


def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


class TestWhatIsInIt:
    def test_every_module_is_with_its_migrations_and_its_types(self, wheel: Path) -> None:
        modules = {
            path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py")
        }

        assert {name for name in names(wheel) if not is_of_an_example(name)} >= modules
        assert any("/ledger/migrations/versions/revision_" in name for name in names(wheel))
        assert "triune/py.typed" in names(wheel)
        assert "Typing :: Typed" in metadata(wheel).get_all("Classifier", [])

    def test_the_examples_are_with_their_hidden_files(self, wheel: Path) -> None:
        examples = {name for name in names(wheel) if is_of_an_example(name)}

        assert {
            "triune/examples/churn/.dvc/.gitignore",
            "triune/examples/churn/.dvc/config",
            "triune/examples/churn/.dvcignore",
            "triune/examples/churn/.gitignore",
            "triune/examples/churn/dvc.yaml",
            "triune/examples/churn/params.yaml",
            "triune/examples/churn/src/features.py",
            "triune/examples/churn/triune.yaml",
            "triune/examples/minimal/.gitignore",
            "triune/examples/minimal/src/train.py",
            "triune/examples/minimal/triune.yaml",
        } <= examples

    def test_the_licence_and_the_command_are(self, wheel: Path) -> None:
        described = metadata(wheel)

        assert described["License-Expression"] == "Apache-2.0"
        assert described["Requires-Python"] == "<3.14,>=3.11"
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names(wheel))
        with ZipFile(wheel) as archive:
            (points,) = (each for each in names(wheel) if each.endswith("entry_points.txt"))
            assert "triune = triune.cli.main:main" in archive.read(points).decode()

    def test_what_work_in_the_checkout_leaves_is_not(self, wheel: Path, tmp_path: Path) -> None:
        checkout = tmp_path / "checkout"
        checkout.mkdir()
        for name in ("src", "examples"):
            shutil.copytree(ROOT / name, checkout / name)
        for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
            shutil.copy(ROOT / name, checkout)
        for name in (
            "examples/churn/.dvc/cache/files/md5/00/00",
            "examples/churn/.dvc/tmp/lock",
            "examples/churn/.pytest_cache/README.md",
            "examples/churn/.triune/ledger.db",
            "examples/churn/.venv/bin/python",
            "examples/churn/data/train.parquet",
            "examples/churn/dvc.lock",
            "examples/churn/metrics.json",
            "examples/churn/models/model.joblib",
            "examples/churn/requirements.lock",
            "examples/churn/src/__pycache__/train.cpython-311.pyc",
            "src/triune/__pycache__/ports.cpython-311.pyc",
        ):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_text("")

        assert names(build(checkout, tmp_path)) == names(wheel)
        assert not any(name.endswith(".pyc") for name in names(wheel))


class TestInstalled:
    def test_it_is_imported_from_where_it_was_installed(self, installed: Path) -> None:
        said = subprocess.run(
            [installed / "bin/python", "-I", "-c", "import triune; print(triune.__file__)"],
            cwd=installed,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert Path(said.strip()).is_relative_to(installed)

    def test_the_churn_example_runs_and_its_doctor_is_content(
        self, installed: Path, tmp_path: Path
    ) -> None:
        triune_json(installed, tmp_path, "init", "--example", "churn", "churn")
        project = tmp_path / "churn"

        report = triune_json(installed, project, "run")
        health = triune_json(installed, project, "doctor")

        assert report["verdict"] == "PASS"
        assert "RELEASE_CUT" in [reason["code"] for reason in report["reasons"]]
        assert report["dirty"] == []
        assert {step["verdict"] for step in report["steps"]} == {"PASS"}
        assert health["verdict"] == "PASS", health["checks"]
        release = report["release"]["id"]
        assert triune_json(installed, project, "release", "verify", release)["verdict"] == "PASS"

    def test_the_minimal_example_runs(self, installed: Path, tmp_path: Path) -> None:
        triune_json(installed, tmp_path, "init", "visits")

        report = triune_json(installed, tmp_path / "visits", "run")

        assert report["verdict"] == "PASS"
        assert report["dirty"] == []

    def test_the_schema_and_the_version_need_no_project(
        self, installed: Path, tmp_path: Path, wheel: Path
    ) -> None:
        schema = triune_json(installed, tmp_path, "schema")

        version = triune(installed, tmp_path, "--version").stdout
        assert schema["title"] == "triune.yaml"
        assert version == f"triune {metadata(wheel)['Version']}\n"


class TestWithoutExtras:
    def test_what_needs_one_names_it_as_it_is_to_be_typed(self, bare: Path, tmp_path: Path) -> None:
        refused = triune(bare, tmp_path, "init", "visits")

        assert refused.returncode == 2
        assert "`pip install 'triune[sklearn]'`" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert list(tmp_path.iterdir()) == []

    def test_the_rest_works(self, bare: Path, tmp_path: Path) -> None:
        schema = triune(bare, tmp_path, "schema")
        doctor = triune(bare, tmp_path, "doctor")

        assert schema.returncode == 0, schema.stderr
        assert doctor.returncode == 1
        assert doctor.stderr == ""
        assert "`pip install 'triune[dvc,sklearn,onnx]'`" in doctor.stdout


def is_of_an_example(name: str) -> bool:
    return name.startswith("triune/examples/")
