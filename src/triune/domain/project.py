"""A user's project as the operations need it: what travels, what is read, what is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from triune.domain.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """How datasets and model come to be: DVC stages, one command, or not at all."""

    kind: Literal["dvc", "run", "none"]
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A dataset by name: a path inside the project, or a glob, and its format."""

    name: str
    path: str
    format: Literal["parquet", "csv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The model artifact and the columns that are no features."""

    artifact: str
    format: Literal["joblib", "skops"]
    task: Literal["binary", "multiclass", "regression"]
    target: str
    key: str | None = None
    time: str | None = None

    @property
    def not_features(self) -> tuple[str, ...]:
        """Columns of a dataset that the model never sees."""
        return tuple(name for name in (self.target, self.key, self.time) if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSpec:
    """What ``triune.yaml`` says; every path is relative to its folder, in POSIX form."""

    name: str
    pipeline: PipelineSpec
    include: tuple[str, ...]
    lock: str
    datasets: tuple[DatasetSpec, ...] = ()
    model: ModelSpec | None = None
    golden: int = 200
    serve: Mapping[str, Json] = field(default_factory=lambda: {"kind": "model"})

    @property
    def outputs(self) -> tuple[str, ...]:
        """Paths that the pipeline writes: no dirt in the repository, whatever git says of them."""
        return (
            *(dataset.path for dataset in self.datasets),
            *((self.model.artifact,) if self.model else ()),
        )
