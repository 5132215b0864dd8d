"""What the digest of a check covers: what may change its result, and nothing else."""

from pathlib import Path

import pytest
from tests.toolboxes import (
    CLEAN,
    a_bare_python,
    a_checked_project,
    a_toolbox,
    install_stand_in,
    write,
)

from triune.domain.errors import SourceError
from triune.ports import Preset

ALL: tuple[Preset, ...] = ("lint", "types", "tests", "security")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lay out a project."""
    return a_checked_project(tmp_path)


def digests(root: Path, **options: float) -> dict[str, str]:
    toolbox = a_toolbox(root)
    return {
        **{name: toolbox.preset(name, **options).digest() for name in ALL},
        "mine": toolbox.command("true", name="mine", timeout_s=60).digest(),
    }


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_it_is_the_same_for_the_same_and_other_for_each_check(root: Path) -> None:
    first, again = digests(root), digests(root)

    assert first == again
    assert len(set(first.values())) == len(first)


@pytest.mark.parametrize(
    "file",
    [
        "src/sums.py",
        "src/params.yaml",
        "src/ruff.toml",
        "pyproject.toml",
        "mypy.ini",
        "conftest.py",
        "../pyproject.toml",
    ],
)
def test_code_and_settings_bear_on_every_check(file: str, root: Path) -> None:
    before = digests(root)

    write(root, {file: "# another\n"})

    assert changed(before, digests(root)) == set(before)


@pytest.mark.parametrize(
    "file", ["tests/code/test_sums.py", "tests/builders/x.csv", "tests/conftest.py"]
)
def test_tests_bear_on_what_runs_them(file: str, root: Path) -> None:
    before = digests(root)

    write(root, {file: "# another\n"})

    # Linters look at settings of pytest's too, which costs no more than running them again.
    expected = set(before) if file.endswith("conftest.py") else {"tests", "mine"}
    assert changed(before, digests(root)) == expected


@pytest.mark.parametrize("file", ["elsewhere.py", "README.md", "src/__pycache__/sums.pyc"])
def test_other_files_bear_on_nothing(file: str, root: Path) -> None:
    before = digests(root)

    write(root, {file: "# another\n"})

    assert digests(root) == before


def test_becoming_executable_is_a_change(root: Path) -> None:
    before = digests(root)

    (root / "src/sums.py").chmod(0o755)

    assert changed(before, digests(root)) == set(before)


def test_the_wanted_coverage_bears_on_the_tests_alone(root: Path) -> None:
    assert changed(digests(root), digests(root, coverage_min=80)) == {"tests"}


def test_how_long_a_check_may_take_bears_on_nothing(root: Path) -> None:
    assert digests(root, timeout_s=5) == digests(root)


def test_what_is_installed_bears_on_it(root: Path, tmp_path: Path) -> None:
    python = a_bare_python(tmp_path / "env")
    tool = a_toolbox(root, python=str(python)).preset("lint")
    before = tool.digest()

    install_stand_in(python, "ruff", "")

    assert a_toolbox(root, python=str(python)).preset("lint").digest() != before


def test_only_a_command_reads_more_than_its_digest_covers(root: Path) -> None:
    toolbox = a_toolbox(root)

    assert all(toolbox.preset(name).is_reusable for name in ALL)
    assert not toolbox.command("true", name="mine", timeout_s=60).is_reusable


def test_a_project_without_tests_has_one_too(tmp_path: Path) -> None:
    root = a_checked_project(tmp_path, {"src/a.py": CLEAN["src/sums.py"]})

    assert len(set(digests(root).values())) == 5


def test_code_that_is_not_there_is_refused(root: Path) -> None:
    with pytest.raises(SourceError, match="'scr', which is not in"):
        a_toolbox(root, include=["scr"]).preset("lint").digest()
