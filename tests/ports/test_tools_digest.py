"""What the digest of a check covers: what may change its result, and nothing else."""

import os
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
def test_other_files_are_not_what_a_check_is_about(file: str, root: Path) -> None:
    before = digests(root)

    write(root, {file: "# another\n"})

    assert digests(root) == before


def surroundings(root: Path, *datasets: str) -> str | None:
    return a_toolbox(root, datasets=datasets).preset("tests").surroundings()


@pytest.mark.parametrize(
    "file",
    [
        "elsewhere.py",
        "README.md",
        "conftest.py",
        "data/few.csv",
        "deep/er/setup.cfg",
        "src/sums.py",
    ],
)
def test_a_result_stands_for_every_file_that_git_does_not_ignore(file: str, root: Path) -> None:
    write(root, {file: "before\n"})
    first, again = surroundings(root), surroundings(root)

    write(root, {file: "after!\n"})

    assert first is not None
    assert first == again
    assert surroundings(root) != first


@pytest.mark.parametrize(
    "file", ["ignored.csv", "src/__pycache__/sums.pyc", ".git/x", "dvc.lock", "../beside.csv"]
)
def test_a_result_stands_whatever_becomes_of_what_is_no_part_of_the_project(
    file: str, root: Path
) -> None:
    write(root, {".gitignore": "ignored.csv\n"})
    before = surroundings(root)

    write(root, {file: "another\n"})

    assert surroundings(root) == before


def test_a_dataset_counts_whether_or_not_git_ignores_it(root: Path) -> None:
    write(root, {".gitignore": "/data/\n", "data/1.csv": "a\n", "data/notes.txt": "a\n"})
    before = surroundings(root, "data/*.csv")

    write(root, {"data/notes.txt": "b\n"})
    with_other_notes = surroundings(root, "data/*.csv")
    write(root, {"data/1.csv": "b\n"})

    assert with_other_notes == before
    assert surroundings(root, "data/*.csv") != before


def test_a_large_file_counts_by_its_size_and_time(root: Path) -> None:
    large = root / "large.bin"
    with large.open("wb") as stream:
        stream.truncate(1 << 25)
    before = surroundings(root)

    later = large.stat().st_mtime_ns + 1
    os.utime(large, ns=(later, later))

    assert surroundings(root) != before


def test_no_result_stands_where_the_files_cannot_be_listed(root: Path) -> None:
    (root / "elsewhere").symlink_to(root.parent)

    assert surroundings(root) is None


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
