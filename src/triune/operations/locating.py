"""Finds the files that a project names, or says by line and nearest name which is missing."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from triune.domain.errors import (
    ConfigError,
    DatasetError,
    ModelError,
    NothingIncludedError,
    TriuneError,
    nearest,
)
from triune.domain.project import DatasetSpec, ModelSpec, ProjectSpec
from triune.ports import Source

TESTS: Final = "tests"
"""Where a project's own tests are, a folder for each layer."""

_GLOB: Final = "*?["
_MAX_COMPARED: Final = 2_000


class Project(Protocol):
    """Where a project is, and what its ``triune.yaml`` says."""

    @property
    def root(self) -> Path:
        """The folder of its ``triune.yaml``."""

    @property
    def spec(self) -> ProjectSpec:
        """What that says."""


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
