"""Profiles a dataset by its name in the settings, or wherever it lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triune.domain.errors import UsageError, nearest
from triune.domain.profile import DatasetProfile
from triune.domain.project import ProjectSpec
from triune.operations.locating import Project, dataset_files
from triune.ports import DataEngine

_MAGIC: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Located:
    """A project as far as its datasets need it."""

    root: Path
    spec: ProjectSpec


def profile(
    data: DataEngine, project: Project | None, *, folder: Path, dataset: str
) -> DatasetProfile:
    """Tell what every column of a dataset holds, in one pass.

    Parameters
    ----------
    project
        Whose datasets have names; None outside of one.
    folder
        What paths and globs start from.
    dataset
        A name, a path or a glob. A name goes before a path.

    Raises
    ------
    UsageError
        It is none of the three, or no format that is read.
    DatasetError
        A file is missing or damaged, or the files' columns differ.
    """
    named = project.spec.datasets if project else ()
    for each in named:
        if project is not None and each.name == dataset:
            return data.summarise(dataset_files(project, each), format=each.format)
    files = _find_files(folder, dataset, [each.name for each in named])
    return data.summarise(files, format=_format_of(files[0]))


def _find_files(folder: Path, dataset: str, names: Sequence[str]) -> tuple[Path, ...]:
    path = folder / dataset
    if path.is_file():
        return (path,)
    if _MAGIC & set(dataset):
        place = path.absolute()
        pattern = str(place.relative_to(place.anchor))
        found = sorted(each for each in Path(place.anchor).glob(pattern) if each.is_file())
        if found:
            return tuple(found)
        raise UsageError(f"no file is named like {dataset}; correct the glob, or quote it")
    if path.is_dir():
        raise UsageError(f"{dataset} is a folder; name its files: `'{dataset}/*.parquet'`")
    known = f"; triune.yaml names {', '.join(names)}" if names else ""
    raise UsageError(
        f"there is no file {dataset}, and no dataset of that name"
        f"{nearest(dataset, names) or known}; name one, or a path or a glob"
    )


def _format_of(path: Path) -> str:
    if ".csv" in path.suffixes:
        return "csv"
    if path.suffix == ".parquet":
        return "parquet"
    raise UsageError(f"{path} is no dataset that is read; give .parquet or .csv")
