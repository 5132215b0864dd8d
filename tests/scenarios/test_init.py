"""`triune init`: a project that works at once, or nothing at all."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.processes import DEADLINE_S, wait_until
from tests.projects import git, triune, triune_json

from triune.adapters.installation import LocalInstallation
from triune.adapters.source.git import GitSource
from triune.domain.errors import UsageError
from triune.operations.scaffolding import Scaffolded, scaffold

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LAID_OUT = {
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "requirements.lock",
    "src/__init__.py",
    "src/features.py",
    "src/train.py",
    "tests/code/test_features.py",
    "triune.yaml",
}
WRITES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "subprocess.Popen"}


def files(folder: Path) -> set[str]:
    """List the files below a folder but for git's own."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return {path.as_posix() for path in found if ".git" not in path.parts}


def nobody(home: Path) -> dict[str, str]:
    """Make up the environment of a user whom git knows nothing of."""
    home.mkdir()
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "EMAIL": "",
    }


def type_in(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Type words into a shell whose path has this Python's commands."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    identity = {
        f"GIT_{role}_{what}": "ada@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["/bin/sh", "-c", words],
        cwd=folder,
        env={**os.environ, **identity, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def next_words(printed: str) -> str:
    return next(
        line.removeprefix("next: ") for line in printed.splitlines() if line.startswith("next: ")
    )


class TestANewProject:
    def test_it_is_a_repository_with_one_commit_and_nothing_uncommitted(
        self, tmp_path: Path
    ) -> None:
        made = triune_json(tmp_path, "init", "some/where/visits")

        project = tmp_path / "some/where/visits"
        assert made == {
            "folder": str(project),
            "example": "minimal",
            "packages": len((project / "requirements.lock").read_text().splitlines()),
        }
        assert files(project) == LAID_OUT
        assert git(project, "rev-list", "--count", "HEAD") == "1\n"
        assert git(project, "status", "--porcelain", "--ignored") == ""
        assert {each.name for each in (tmp_path / "some/where").iterdir()} == {"visits"}

    def test_it_is_committed_where_git_knows_nobody(self, tmp_path: Path) -> None:
        env = nobody(tmp_path / "home")

        finished = triune(tmp_path, "init", "visits", env=env)

        assert finished.returncode == 0, finished.stderr
        assert git(tmp_path / "visits", "rev-list", "--count", "HEAD") == "1\n"
        assert list((tmp_path / "home").iterdir()) == []

    def test_the_churn_example_comes_with_all_that_its_pipeline_needs(self, tmp_path: Path) -> None:
        made = triune_json(tmp_path, "init", "--example", "churn", "churn")

        project = tmp_path / "churn"
        assert made["example"] == "churn"
        assert {".dvc/config", ".dvc/.gitignore", ".dvcignore", "dvc.yaml"} <= files(project)
        assert git(project, "rev-list", "--count", "HEAD") == "1\n"
        assert git(project, "status", "--porcelain", "--ignored") == ""

    def test_its_lock_names_every_package_in_the_version_that_is_installed(
        self, tmp_path: Path
    ) -> None:
        lay_out(tmp_path / "visits")

        lines = (tmp_path / "visits/requirements.lock").read_text().splitlines()
        locked = dict(line.split("==") for line in lines)
        assert locked == {name: version(name) for name in locked}
        imported = {"joblib", "numpy", "pandas", "scikit-learn"}
        needed_by_these = {"python-dateutil", "scipy", "threadpoolctl"}
        assert imported | needed_by_these <= locked.keys()
        assert "triune" not in locked

    @pytest.mark.slow
    def test_the_next_words_work_when_typed(self, tmp_path: Path) -> None:
        printed = triune(tmp_path, "init", "Ada's visits").stdout

        typed = type_in(tmp_path, next_words(printed))

        assert typed.returncode == 0, typed.stderr
        assert "RELEASE_CUT" in typed.stdout

    def test_a_folder_that_is_empty_is_filled_and_not_replaced(self, tmp_path: Path) -> None:
        folder = tmp_path / "visits"
        folder.mkdir()
        before = folder.stat().st_ino

        finished = triune(folder, "init", ".")

        assert finished.returncode == 0, finished.stderr
        assert folder.stat().st_ino == before
        assert files(folder) == LAID_OUT
        assert git(folder, "status", "--porcelain", "--ignored") == ""

    def test_a_folder_that_is_a_file_system_of_its_own_is_filled(
        self, mounted: Callable[..., Path]
    ) -> None:
        folder = mounted()

        lay_out(folder)

        assert files(folder) == LAID_OUT


class TestInsideOfARepository:
    def test_it_is_a_repository_of_its_own_and_the_other_is_left_alone(
        self, tmp_path: Path
    ) -> None:
        git(tmp_path, "init", "--quiet", "monorepo")
        (tmp_path / "monorepo/staged.txt").write_text("Somebody's work.\n")
        git(tmp_path / "monorepo", "add", ".")

        project = lay_out(tmp_path / "monorepo/services/visits").folder

        assert git(project, "rev-list", "--count", "HEAD") == "1\n"
        assert git(tmp_path / "monorepo", "status", "--porcelain") == (
            "A  staged.txt\n?? services/\n"
        )


class TestWhatIsRefused:
    def test_an_example_that_is_not_there_names_the_nearest(self, tmp_path: Path) -> None:
        finished = triune(tmp_path, "init", "--example", "chrun", "visits", "--json")

        said = "there is no example 'chrun'; did you mean 'churn'?"
        assert finished.returncode == 2
        assert finished.stderr == f"error: {said}\n"
        assert json.loads(finished.stdout) == {
            "verdict": "ERROR",
            "reasons": [{"code": "USAGE", "message": said}],
        }
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_holds_something_is_left_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "visits").mkdir()
        (tmp_path / "visits/.notes").write_text("Keep me.\n")

        assert f"{tmp_path / 'visits'} is not empty" in refusal(tmp_path / "visits")
        assert files(tmp_path) == {"visits/.notes"}
        assert (tmp_path / "visits/.notes").read_text() == "Keep me.\n"

    @pytest.mark.parametrize("place", ["notes", "notes/visits", "notes/deep/visits"])
    def test_a_file_at_the_path_or_on_the_way_is_named(self, tmp_path: Path, place: str) -> None:
        (tmp_path / "notes").write_text("Keep me.\n")

        assert f"{tmp_path / 'notes'} is no folder" in refusal(tmp_path / place)
        assert (tmp_path / "notes").read_text() == "Keep me.\n"

    def test_a_link_to_itself_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "visits").symlink_to("visits")

        assert "is no folder" in refusal(tmp_path / "visits")

    @pytest.mark.parametrize("place", ["", "deep/visits"])
    def test_a_folder_that_cannot_be_written_is_named_with_the_reason(
        self, mounted: Callable[..., Path], place: str
    ) -> None:
        folder = mounted("ro") / place

        message = refusal(folder)

        assert f"cannot lay out a project in {folder}: Read-only file system" in message

    def test_a_full_disk_leaves_nothing(self, mounted: Callable[..., Path]) -> None:
        folder = mounted("size=16k")

        message = refusal(folder / "deep/visits")

        assert "No space left on device" in message
        assert list(folder.iterdir()) == []

    def test_code_that_imports_what_is_not_installed_leaves_nothing(self, tmp_path: Path) -> None:
        template = tmp_path / "templates/strange"
        (template / "src").mkdir(parents=True)
        (template / "triune.yaml").write_text("version: 1\n")
        (template / "src/train.py").write_text("import nosuchpackage\n")

        message = refusal(
            tmp_path / "new/visits", example="strange", templates=tmp_path / "templates"
        )

        assert "imports nosuchpackage, which is not installed here" in message
        assert [each.name for each in tmp_path.iterdir()] == ["templates"]


class TestATemplateThatWasWorkedIn:
    def test_what_its_runs_made_is_left_behind(self, tmp_path: Path) -> None:
        template = tmp_path / "templates/churn"
        shutil.copytree(EXAMPLES / "churn", template)
        pristine = files(template)
        made = (
            ".dvc/cache/files/md5/00/00",
            ".dvc/tmp/lock",
            ".triune/ledger.db",
            ".venv/bin/python",
            "data/train.parquet",
            "dvc.lock",
            "metrics.json",
            "models/model.joblib",
            "requirements.lock",
            "src/__pycache__/train.pyc",
            "tests/.pytest_cache/README.md",
        )
        for name in made:
            (template / name).parent.mkdir(parents=True, exist_ok=True)
            (template / name).write_text("numpy==0\n")

        lay_out(tmp_path / "churn", example="churn", templates=tmp_path / "templates")

        assert files(tmp_path / "churn") == pristine - set(made) | {"requirements.lock"}
        assert "numpy==0\n" not in (tmp_path / "churn/requirements.lock").read_text()

    def test_folders_of_these_names_further_down_are_its_own(self, tmp_path: Path) -> None:
        template = tmp_path / "templates/minimal"
        shutil.copytree(EXAMPLES / "minimal", template)
        own = ("src/models/__init__.py", "tests/data/test_visits.py")
        for name in own:
            (template / name).parent.mkdir(parents=True)
            (template / name).write_text("")

        lay_out(tmp_path / "visits", example="minimal", templates=tmp_path / "templates")

        assert set(own) <= files(tmp_path / "visits")


class TestInterrupted:
    @pytest.mark.parametrize("is_there", [False, True], ids=["new", "empty"])
    def test_before_any_write_it_leaves_the_folder_as_it_was(
        self, tmp_path: Path, interruption: "Interruption", is_there: bool
    ) -> None:
        folder = tmp_path / "deep" / "visits"
        if is_there:
            folder.mkdir(parents=True)
        before = sorted(tmp_path.rglob("*"))
        installation = LocalInstallation()
        installation.versions()

        for fatal in count(1):
            with interruption.before_write(fatal):
                try:
                    lay_out(folder, installation=installation)
                except KeyboardInterrupt:
                    assert sorted(tmp_path.rglob("*")) == before, fatal
                else:
                    break

        assert fatal > 30
        assert files(folder) == LAID_OUT
        assert git(folder, "status", "--porcelain", "--ignored") == ""

    def test_by_ctrl_c_it_leaves_nothing_and_the_next_completes(self, tmp_path: Path) -> None:
        started = tmp_path / "started"
        slow = tmp_path / "bin" / "git"
        slow.parent.mkdir()
        slow.write_text(
            "#!/bin/sh\n"
            'case " $* " in\n'
            f"*' commit '*) : > {shlex.quote(str(started))}; exec sleep {DEADLINE_S};;\n"
            f'*) exec {shutil.which("git")} "$@";;\n'
            "esac\n"
        )
        slow.chmod(0o755)
        home = tmp_path / "home"
        home.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "triune.cli", "init", "deep/visits"],
            cwd=home,
            env={**os.environ, "PATH": f"{slow.parent}{os.pathsep}{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(started.exists)

        process.send_signal(signal.SIGINT)
        printed, said = process.communicate(timeout=DEADLINE_S)
        left = list(home.iterdir())
        again = triune(home, "init", "deep/visits")

        assert process.returncode == 130
        assert "next:" not in printed
        assert "interrupted" in said
        assert "Traceback" not in said
        assert left == []
        assert again.returncode == 0, again.stderr
        assert git(home / "deep/visits", "rev-list", "--count", "HEAD") == "1\n"


class TestTheLockAnew:
    def test_it_names_what_the_code_imports_by_now(self, tmp_path: Path) -> None:
        project = lay_out(tmp_path / "visits").folder
        (project / "requirements.lock").write_text("numpy==1.0\n")
        (project / "src/train.py").unlink()

        written = triune_json(project, "init", "--lock", ".")

        lock = (project / "requirements.lock").read_text()
        assert lock == "".join(f"{name}=={each}\n" for name, each in written["packages"].items())
        assert f"numpy=={version('numpy')}\n" in lock
        assert "scikit-learn" not in lock
        assert {name for name in files(project) if not name.startswith(".triune/")} == LAID_OUT - {
            "src/train.py"
        }

    def test_it_is_left_as_it_was_where_an_import_is_not_installed(self, tmp_path: Path) -> None:
        project = lay_out(tmp_path / "visits").folder
        before = (project / "requirements.lock").read_text()
        (project / "src/train.py").write_text("import nosuchpackage\n")

        finished = triune(project, "init", "--lock", ".")

        assert finished.returncode == 2
        assert "nosuchpackage" in finished.stderr
        assert (project / "requirements.lock").read_text() == before


def lay_out(
    folder: Path,
    *,
    example: str = "minimal",
    templates: Path = EXAMPLES,
    installation: LocalInstallation | None = None,
) -> Scaffolded:
    return scaffold(
        folder,
        example=example,
        templates=templates,
        installation=installation or LocalInstallation(),
        source_at=GitSource,
    )


def refusal(folder: Path, **given: Any) -> str:
    with pytest.raises(UsageError) as refused:
        lay_out(folder, **given)
    return str(refused.value)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount an empty file system in memory, with options of mount."""
    folders: list[Path] = []

    def mount(options: str = "rw") -> Path:
        folder = tmp_path / "mounted"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("this user may not mount a file system")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


class Interruption:
    """Raises KeyboardInterrupt right before the nth write of a block, as Ctrl-C may."""

    def __init__(self) -> None:
        self._left = 0
        # For as long as the process lives; it does nothing outside of the block.
        sys.addaudithook(self._watch)

    @contextmanager
    def before_write(self, number: int) -> Iterator[None]:
        self._left = number
        try:
            yield
        finally:
            self._left = 0

    def _watch(self, name: str, arguments: tuple[Any, ...]) -> None:
        makes_a_file = name == "open" and bool(arguments[2] and arguments[2] & os.O_CREAT)
        if self._left and (makes_a_file or name in WRITES):
            self._left -= 1
            if not self._left:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def interruption() -> Interruption:
    return Interruption()
