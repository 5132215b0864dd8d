"""What the checks look at: the included code, its tests, and the settings of tools around them."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from triune.domain.canonical import Json, sha256
from triune.domain.errors import NothingIncludedError, SourceError
from triune.ports import Source

CODE_TESTS: Final = "tests/code"
_TESTS: Final = "tests"
_STUB: Final = ".pyi"
_DVC_LOCK: Final = "dvc.lock"
_PYTHON: Final = frozenset({".py", _STUB})
# Beyond so many bytes a file is told by its size and the time of its last change.
_LARGE: Final = 1 << 24
# In the project, in the folders above what is included, and above the project, where tools look
# too. More than each tool reads, which costs at worst a check that need not have been run again.
_SETTINGS: Final = (
    ".bandit",
    ".coveragerc",
    ".coveragerc.toml",
    ".gitignore",
    ".ignore",
    ".mypy.ini",
    ".pytest.ini",
    ".pytest.toml",
    ".ruff.toml",
    "conftest.py",
    "mypy.ini",
    "pyproject.toml",
    "pytest.ini",
    "pytest.toml",
    "ruff.toml",
    "setup.cfg",
    "tox.ini",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code of the project at ``root`` (absolute), as ``code.include`` names it.

    ``datasets`` are the paths (or globs) of its data, which its tests may open.
    """

    root: Path
    include: tuple[str, ...]
    source: Source
    datasets: tuple[str, ...] = ()

    def python_files(self) -> tuple[str, ...]:
        """List the included Python files: POSIX paths inside the project, ordered.

        Raises
        ------
        SourceError
            What is included is missing, or cannot be listed.
        """
        files = self.source.files(self.include)
        return tuple(path.as_posix() for path in files if path.suffix in _PYTHON)

    def modules(self) -> tuple[str, ...]:
        """List the included Python files that can be run, as stubs cannot."""
        return tuple(file for file in self.python_files() if not file.endswith(_STUB))

    def targets(self) -> tuple[str, ...]:
        """List what of ``code.include`` to give to a tool: what holds Python, each once.

        Folders stay folders, so that a tool's own settings say what it leaves out of them. Given
        one without Python, some tools stop, and any tool takes a single file for Python.
        """
        files = [PurePosixPath(path) for path in self.python_files()]
        included = dict.fromkeys(PurePosixPath(path) for path in self.include)
        return tuple(
            str(path)
            for path in included
            if any(file.is_relative_to(path) for file in files)
            and not any(path != other and path.is_relative_to(other) for other in included)
        )

    def folders(self) -> tuple[str, ...]:
        """List every folder that an included Python file lies in."""
        folders = {PurePosixPath(path).parent for path in self.python_files()}
        return tuple(sorted(str(folder) for folder in folders))

    def has_tests(self, path: str = CODE_TESTS) -> bool:
        """Tell whether there is any file at a path of tests."""
        return bool(self._tests(path))

    def inside(self, path: str) -> str:
        """Spell a tool's path as one inside the project, if it lies there: POSIX, relative."""
        absolute = os.path.normpath(self.root / path)
        if not Path(absolute).is_relative_to(self.root):
            return path
        return Path(absolute).relative_to(self.root).as_posix()

    def contents(self, *, with_tests: bool) -> Json:
        """List the files that bear on a check, with their sha256, in canonical order.

        The tests are all of ``tests``, whose other folders those in ``tests/code`` may lean on.

        Raises
        ------
        SourceError
            A file cannot be listed, or read.
        """
        names = {path.as_posix() for path in self.source.files(self.include)}
        if with_tests:
            names.update(self._tests(_TESTS))
        found: dict[str, Json] = {name: _describe(self.root / name) for name in sorted(names)}
        for path in self._settings():
            name = Path(os.path.relpath(path, self.root)).as_posix()
            if name not in found and path.is_file():
                found[name] = _describe(path)
        return found

    def surroundings(self) -> Json | None:
        """List every file of the project that git has or would have, and its datasets.

        Each with its sha256, or where it is large with its size and when it last changed. None
        where they cannot be listed or read: something of them leads elsewhere.
        """
        try:
            names = set(self.source.files(["."]))
            for pattern in self.datasets:
                found = (path for path in self.root.glob(pattern) if path.is_file())
                names |= {path.relative_to(self.root) for path in found}
            return {
                name.as_posix(): _stamp(self.root / name)
                for name in sorted(names)
                # The pipeline writes it anew after the checks, and says nothing that bears on them.
                if name.name != _DVC_LOCK
            }
        except SourceError:
            return None

    def _tests(self, folder: str) -> tuple[str, ...]:
        try:
            return tuple(path.as_posix() for path in self.source.files([folder]))
        except NothingIncludedError:
            return ()

    def _settings(self) -> Iterator[Path]:
        for folder in self._surroundings():
            for name in _SETTINGS:
                yield folder / name

    def _surroundings(self) -> Iterable[Path]:
        folders = {self.root, *self.root.parents}
        for path in (*self.include, CODE_TESTS):
            folders.update(self.root / parent for parent in PurePosixPath(path).parents)
        return sorted(folders)


def _describe(path: Path) -> Json:
    with _readable(path):
        return [sha256(path.read_bytes()), bool(path.stat().st_mode & 0o100)]


def _stamp(path: Path) -> Json:
    with _readable(path):
        status = path.stat()
        if status.st_size > _LARGE:
            # As text: no float holds so many digits.
            return [status.st_size, str(status.st_mtime_ns)]
    return _describe(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SourceError(
            f"cannot read {path}: {error.strerror}; make it readable, or remove it"
        ) from error
