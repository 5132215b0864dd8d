"""Finds the files that a project names, and sees that its lock is what is installed."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from triune.domain.errors import (
    ConfigError,
    DatasetError,
    LockError,
    MissingExtraError,
    ModelError,
    NothingIncludedError,
    RuntimeMismatchError,
    TriuneError,
    nearest,
)
from triune.domain.lock import Lock, mismatches, parse_lock
from triune.domain.project import DatasetSpec, ModelSpec, ProjectSpec
from triune.ports import Installation, Source

COMPILED_RUNTIME: Final = "onnxruntime"
"""What predicts by a compiled model: it is locked as whatever else decides an answer."""

_COMPILE: Final = "model.compile"
_COMPILER: Final = frozenset({COMPILED_RUNTIME, "skl2onnx"})
_GLOB: Final = "*?["
_MAX_COMPARED: Final = 2_000
_RELOCK: Final = "write it from what is installed: `triune init --lock .`"


class Project(Protocol):
    """Where a project is, and what its ``triune.yaml`` says."""

    @property
    def root(self) -> Path:
        """The folder of its ``triune.yaml``."""

    @property
    def spec(self) -> ProjectSpec:
        """What that says."""


class _Equipped(Project, Protocol):
    @property
    def source(self) -> Source: ...

    @property
    def installation(self) -> Installation: ...


def require_inputs(project: _Equipped) -> bytes:
    """See that all is there that no pipeline makes, before one runs; read the lock.

    Raises
    ------
    ConfigError, NothingIncludedError, DatasetError, ModelError
        Something is missing; the message names the key, its line and the nearest name.
    LockError, RuntimeMismatchError
        The lock cannot be read, or is not what is installed.
    """
    lock = require_runtime(project, project.installation)
    require_included(project, project.source)
    require_files(project)
    return lock


def require_runtime(project: Project, installation: Installation) -> bytes:
    """Read a project's lock, and see that what is installed equals it.

    Raises
    ------
    ConfigError
        There is no lock.
    LockError
        It is no text, names nothing, or says anything else than exact versions.
    RuntimeMismatchError
        A locked package is missing, or installed in another version.
    MissingExtraError
        The model is to be compiled, and what does that is not installed.
    """
    lock = project.spec.lock
    content = require_file(project, "runtime.lock", lock, advice=_RELOCK).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LockError(
            f"{lock} is no text in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8, "
            "or write it anew from what is installed: `triune init --lock .`"
        ) from error
    locked = parse_lock(text)
    if not locked.packages:
        raise LockError(
            f"{lock} names no package, so a release would not say what it runs on; {_RELOCK}"
        )
    differences = mismatches(locked, installation.versions())
    if differences:
        listed = "; ".join(str(difference) for difference in differences)
        raise RuntimeMismatchError(
            f"what is installed differs from {lock}: {listed}; install what it names "
            f"(`pip install -r {lock}`), or lock what is installed now: `triune init --lock .`"
        )
    if project.spec.model is not None and project.spec.model.compile is not None:
        _require_compiler(project, installation, locked)
    return content


def _require_compiler(project: Project, installation: Installation, locked: Lock) -> None:
    installed = installation.versions()
    if not installed.keys() >= _COMPILER:
        raise MissingExtraError(needed_for=f"{_COMPILE}: onnx", extra="onnx")
    if COMPILED_RUNTIME not in locked.packages:
        message = (
            f"the compiled model is run by {COMPILED_RUNTIME}, which {project.spec.lock} does not "
            f"name; add the line {COMPILED_RUNTIME}=={installed[COMPILED_RUNTIME]} to it, or "
            f"{_RELOCK}"
        )
        raise LockError(str(project.spec.problem(_COMPILE, message)))


def require_included(project: Project, source: Source) -> tuple[Path, ...]:
    """List the files that travel in a release.

    Raises
    ------
    NothingIncludedError
        An entry of ``code.include`` is missing, or holds nothing that travels.
    SourceError
        They cannot be listed.
    """
    try:
        return source.files(project.spec.include)
    except NothingIncludedError:
        for number, path in enumerate(project.spec.include):
            _require_include(project, source, key=f"code.include[{number}]", path=path)
        raise


def require_files(project: Project) -> None:
    """See that suites and tests are there and, where no pipeline makes them, data and model.

    Raises
    ------
    ConfigError, DatasetError, ModelError
        A file is missing.
    """
    spec = project.spec
    for dataset in spec.datasets:
        if isinstance(dataset.suite, str):
            require_file(project, f"data.suites.{dataset.name}", dataset.suite)
    if spec.integration_tests is not None:
        require_path(project, "integration.tests", spec.integration_tests)
    if spec.pipeline.kind == "none":
        for dataset in spec.datasets:
            dataset_files(project, dataset)
        if spec.model:
            model_files(project, spec.model)


def dataset_files(project: Project, dataset: DatasetSpec) -> tuple[Path, ...]:
    """Find the files of a dataset, in the order of their names.

    Raises
    ------
    DatasetError
        There is none, or one has a name that a release cannot hold.
    """
    key, advice = f"data.datasets.{dataset.name}", _mend(project)
    if not any(sign in dataset.path for sign in _GLOB):
        return (require_file(project, key, dataset.path, advice=advice, fault=DatasetError),)

    def refusal(message: str) -> DatasetError:
        return DatasetError(str(project.spec.problem(key, message)))

    try:
        found = sorted(path for path in project.root.glob(dataset.path) if path.is_file())
    except ValueError as error:
        raise refusal(f"{dataset.path} is no glob ({error}); mend it") from error
    if not found:
        raise refusal(f"no file is named like {dataset.path}; {advice}")
    for path in found:
        name = os.fsencode(path.relative_to(project.root))
        try:
            name.decode()
        except UnicodeDecodeError as error:
            raise refusal(f"the file name {name!r} is no UTF-8; rename that file") from error
    return tuple(found)


def model_files(project: Project, model: ModelSpec) -> tuple[Path, ...]:
    """Find the files of the model.

    Raises
    ------
    ModelError
        There is none, or it is empty.
    """
    key, advice = "model.artifact", _mend(project)
    path = require_file(project, key, model.artifact, advice=advice, fault=ModelError)
    if path.stat().st_size == 0:
        message = f"{model.artifact} is empty; train it again with `triune run`"
        raise ModelError(str(project.spec.problem(key, message)))
    return (path,)


def require_file(
    project: Project,
    key: str,
    path: str,
    *,
    advice: str = "write it, or name another",
    fault: type[TriuneError] = ConfigError,
) -> Path:
    """Find a file that a key of ``triune.yaml`` names; as `require_path`, and no folder."""
    place = require_path(project, key, path, advice=advice, fault=fault)
    if not place.is_file():
        message = f"{path} is a folder, and a file is needed; {advice}"
        raise fault(str(project.spec.problem(key, message)))
    return place


def require_path(
    project: Project,
    key: str,
    path: str,
    *,
    advice: str = "write it, or name another",
    fault: type[TriuneError] = ConfigError,
) -> Path:
    """Find a file or a folder that a key of ``triune.yaml`` names.

    Parameters
    ----------
    key
        As ``data.suites.train``: where ``path`` stands.
    advice
        What to do where it is missing and no other path was meant.

    Raises
    ------
    TriuneError
        It is missing: a ``fault``, with the key's line and the nearest name that is there.
    """
    place = project.root / path
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        nearby = _paths_nearby(project.root, PurePosixPath(path))
        hint = nearest(path, islice(nearby, _MAX_COMPARED))
        next_thing = f"{hint} If not, {advice}" if hint else f"; {advice}"
        message = f"there is no {path}{next_thing}"
        raise fault(str(project.spec.problem(key, message))) from error
    except OSError as error:
        message = f"{path[:80]} cannot be read: {error.strerror}; {advice}"
        raise fault(str(project.spec.problem(key, message))) from error
    return place


def _require_include(project: Project, source: Source, *, key: str, path: str) -> None:
    try:
        source.files([path])
    except NothingIncludedError as error:
        require_path(
            project,
            key,
            path,
            advice="make it, or take it out of code.include",
            fault=NothingIncludedError,
        )
        message = (
            f"{path} holds no file, or none but bytecode and what git ignores; "
            f"`git check-ignore -v {path}/*` tells which rule does"
        )
        raise NothingIncludedError(str(project.spec.problem(key, message))) from error


def _mend(project: Project) -> str:
    if project.spec.pipeline.kind == "none":
        return "make it (`pipeline: none` does not), or name where it is"
    return "see that the pipeline makes it, or name the path that it does make"


def _paths_nearby(root: Path, path: PurePosixPath) -> Iterator[str]:
    """List what a missing path may have been meant to be: as deep as it, or of the same name."""
    base = path.parent
    while not (root / base).is_dir():
        base = base.parent
    depth = len(path.parts) - len(base.parts)
    for pattern in ("/".join("*" * depth), f"*/{path.name}", path.name):
        for start in dict.fromkeys((base, PurePosixPath())):
            for found in (root / start).glob(pattern):
                near = PurePosixPath(found.relative_to(root).as_posix())
                if not any(part.startswith(".") for part in near.parts):
                    yield str(near)
