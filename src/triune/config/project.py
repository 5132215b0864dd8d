"""Finds a project and tells the operations what its ``triune.yaml`` says, in their words."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from triune.config.availability import require_available
from triune.config.model import CommandPipelineSettings, ModelSettings, Settings
from triune.config.reading import read_settings
from triune.domain.errors import ConfigError, NotAvailableYetError
from triune.domain.project import DatasetSpec, ModelSpec, PipelineSpec, ProjectSpec

SETTINGS_FILE: Final = "triune.yaml"
STATE_FOLDER: Final = ".triune"
"""Where ledger and store are kept, beside the settings."""

_SERVER_VARIABLES: Final = ("TRIUNE_SERVER", "TRIUNE_TOKEN")


def load_project(start: Path) -> tuple[Path, ProjectSpec]:
    """Find the project that a folder lies in: the folder itself, or the nearest one above it.

    Returns
    -------
    The project's root, which holds ``triune.yaml``, and what it says.

    Raises
    ------
    ConfigError
        There is no ``triune.yaml``, or it cannot be used.
    NotAvailableYetError
        It, or the process environment, asks for what is not built yet.
    """
    require_local(os.environ)
    path = _find(start)
    settings = read_settings(path)
    require_available(settings)
    return path.parent, _project(settings)


def require_local(environ: Mapping[str, str]) -> None:
    """Refuse variables that point to a shared server, instead of working beside it.

    Raises
    ------
    NotAvailableYetError
        One of them is set.
    """
    for name in _SERVER_VARIABLES:
        if environ.get(name):
            raise NotAvailableYetError(
                f"{name} is set, and a shared server is not available yet; "
                f"work in this project's own ledger: `unset {name}`"
            )


def _find(start: Path) -> Path:
    folder = start.resolve()
    for each in (folder, *folder.parents):
        if (each / SETTINGS_FILE).is_file():
            return each / SETTINGS_FILE
    raise ConfigError(
        f"there is no {SETTINGS_FILE} in {folder} or in a folder above it; go to a project, or "
        "make one: `triune init DIR`"
    )


def _project(settings: Settings) -> ProjectSpec:
    return ProjectSpec(
        name=settings.project,
        pipeline=_pipeline(settings.pipeline),
        include=settings.code.include,
        lock=settings.runtime.lock,
        datasets=tuple(
            DatasetSpec(name=name, path=path, format=_dataset_format(path))
            for name, path in (settings.data.datasets if settings.data else {}).items()
        ),
        model=_model(settings.model) if settings.model else None,
        golden=settings.integration.golden,
        serve={"kind": settings.serve.kind},
    )


def _pipeline(given: CommandPipelineSettings | Literal["dvc", "none"]) -> PipelineSpec:
    if isinstance(given, CommandPipelineSettings):
        return PipelineSpec(kind="run", command=given.run)
    return PipelineSpec(kind=given)


def _dataset_format(path: str) -> Literal["parquet", "csv"]:
    return "csv" if path.endswith(".csv") else "parquet"


def _model(given: ModelSettings) -> ModelSpec:
    return ModelSpec(
        artifact=given.artifact,
        format="skops" if PurePosixPath(given.artifact).suffix == ".skops" else "joblib",
        task=given.task,
        target=given.target,
        key=given.key,
        time=given.time,
    )
