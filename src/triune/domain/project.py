"""A user's project as the operations need it: what travels, what is read, what is built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from triune.domain.canonical import Json
from triune.domain.errors import Problem
from triune.domain.expectations.suite import Suite
from triune.domain.rollout.plan import Plan
from triune.domain.rules import AnalysisRules, GateRules

SETTINGS_FILE: Final = "triune.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """How datasets and model come to be: DVC stages, one command, or not at all."""

    kind: Literal["dvc", "run", "none"]
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCheckSpec:
    """A check of the code: a preset by its name, or a command of the project's own."""

    name: str
    command: str | None = None
    timeout_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A dataset by name: a path inside the project, or a glob, and its format.

    ``suite`` is the file of its expectations, or the expectations themselves.
    """

    name: str
    path: str
    format: Literal["parquet", "csv"]
    suite: str | Suite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewSpec:
    """How far datasets may be from a reference: the largest index of any column."""

    reference: str
    against: tuple[str, ...]
    psi_max: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSpec:
    """A subpopulation by a predicate of SQL; too few rows veto only where ``required``."""

    name: str
    where: str
    min_rows: int = 30
    required: bool = False
    floors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourSpec:
    """How predictions answer when a row's ``against`` becomes ``set``.

    ``tolerance`` belongs to "same"; ``at_least`` is the share of rows for which it must hold.
    """

    name: str
    set: Mapping[str, Json]
    against: Mapping[str, Json]
    expect: Literal["increase", "decrease", "same"]
    tolerance: float = 0.0
    at_least: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """The model artifact and the columns that are no features."""

    artifact: str
    format: Literal["joblib", "skops"]
    task: Literal["binary", "multiclass", "regression"]
    target: str
    key: str | None = None
    time: str | None = None
    compile: Literal["onnx"] | None = None
    floors: Mapping[str, float] = field(default_factory=dict)
    slices: tuple[SliceSpec, ...] = ()
    behaviour: tuple[BehaviourSpec, ...] = ()

    @property
    def not_features(self) -> tuple[str, ...]:
        """Columns of a dataset that the model never sees."""
        return tuple(name for name in (self.target, self.key, self.time) if name is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """Where releases serve.

    ``after`` is the environment in which one must serve first, ``replicas`` how many workers each
    release has.
    """

    name: str
    listen: str
    plan: Plan
    after: str | None = None
    replicas: int = 1
    analysis: AnalysisRules = field(default_factory=AnalysisRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSpec:
    """What ``triune.yaml`` says; every path is relative to its folder, in POSIX form.

    ``lines`` tells where its keys stand, dotted: ``code.include[0]`` to a line.
    """

    name: str
    pipeline: PipelineSpec
    include: tuple[str, ...]
    lock: str
    datasets: tuple[DatasetSpec, ...] = ()
    skew: SkewSpec | None = None
    model: ModelSpec | None = None
    checks: tuple[CodeCheckSpec, ...] = ()
    coverage_min: float | None = None
    gate: GateRules | None = None
    golden: int = 200
    integration_tests: str | None = None
    environments: tuple[EnvironmentSpec, ...] = ()
    serve: Mapping[str, Json] = field(default_factory=lambda: {"kind": "model"})
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Paths that the pipeline writes: no dirt in the repository, whatever git says of them."""
        return (
            *(dataset.path for dataset in self.datasets),
            *((self.model.artifact,) if self.model else ()),
        )

    def problem(self, key: str, message: str) -> Problem:
        """Say that something is wrong with a key; a default is reported where it would stand."""
        place = key
        while place not in self.lines and place:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return Problem(file=SETTINGS_FILE, line=self.lines.get(place, 1), key=key, message=message)

    def dataset(self, name: str) -> DatasetSpec:
        """Find a dataset by its name.

        Raises
        ------
        KeyError
            There is none of that name.
        """
        return {dataset.name: dataset for dataset in self.datasets}[name]
