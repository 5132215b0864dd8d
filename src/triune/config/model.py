"""The keys of ``triune.yaml`` and what each may say; how they bear on each other is checked apart.

The docstrings are what editors show: they are published in the JSON Schema.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PrivateAttr, Tag

from triune.config.document import Document
from triune.config.values import (
    Address,
    Anything,
    AppPath,
    ArtifactPath,
    Column,
    Command,
    Condition,
    Count,
    Cron,
    DatasetPath,
    Duration,
    ExpectationType,
    Fraction,
    Metric,
    Name,
    NotNegative,
    Number,
    Percent,
    Positive,
    ProjectName,
    ProjectPath,
    Route,
    Scalar,
    Share,
    Steps,
    Title,
    Webhook,
)
from triune.domain.manifest import CLIENT_TIMEOUT_S

VERSION: Final = 1


class _Section(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )


def _kind_of(value: object) -> str:
    # Angle brackets: pydantic puts the tag into an error's place, where no key looks like it.
    return "<mapping>" if isinstance(value, dict | BaseModel) else "<word>"


def _suite_kind(value: object) -> str:
    return "<list>" if isinstance(value, tuple) else "<word>"


class CommandPipelineSettings(_Section):
    """One command that makes the datasets and the model."""

    run: Command
    """The command, run by a shell in the project's folder."""


class CustomCheckSettings(_Section):
    """A check of the code that is a command of the project's own."""

    name: Title
    """What the report calls it."""
    run: Command
    """The command; it passes by exiting with 0."""
    timeout_s: Positive = 600
    """Seconds after which it is stopped; that is an ERROR."""


class CodeSettings(_Section):
    """What code travels in a release, and how it is checked."""

    include: Annotated[tuple[ProjectPath, ...], Field(min_length=1)] = ("src",)
    """Files and folders that travel in the release; ignored files never do."""
    checks: tuple[
        Annotated[
            Annotated[Literal["lint", "types", "tests", "security"], Tag("<word>")]
            | Annotated[CustomCheckSettings, Tag("<mapping>")],
            Discriminator(_kind_of),
        ],
        ...,
    ] = ()
    """Checks of the code: presets, or commands of your own."""
    coverage_min: Percent | None = None
    """Percent of the included lines that the tests must run."""


class RuntimeSettings(_Section):
    """What a release runs on."""

    lock: ProjectPath = "requirements.lock"
    """The locked packages: one name==version a line."""
    on_mismatch: Literal["refuse", "build"] = "refuse"
    """What to do where installed packages differ: refuse to run, or build the locked runtime."""


class ExpectationSettings(_Section):
    """One thing that a dataset must be, as Great Expectations 1.x has it."""

    type: ExpectationType
    """What is expected, by its name there: expect_column_values_to_not_be_null, say."""
    kwargs: dict[Column, Anything] = Field(default_factory=dict)
    """What it is given: the column, bounds, `mostly`."""
    severity: Literal["critical", "warning", "info"] | None = None
    """How bad it is where it is not met; every severity fails the check."""
    meta: dict[Column, Anything] = Field(default_factory=dict)
    """Notes, which have no say."""


class SkewSettings(_Section):
    """How far datasets may be from the one that the model learns from."""

    reference: Name
    """The dataset to compare with."""
    against: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The datasets that are compared with it."""
    psi_max: Positive = 0.2
    """Largest population stability index of any column."""


class DataSettings(_Section):
    """The datasets, and what they must look like."""

    datasets: Annotated[dict[Name, DatasetPath], Field(min_length=1)]
    """Datasets by name: a .parquet or .csv file, or a glob of either."""
    suites: dict[
        Name,
        Annotated[
            Annotated[ProjectPath, Tag("<word>")]
            | Annotated[
                Annotated[tuple[ExpectationSettings, ...], Field(min_length=1)], Tag("<list>")
            ],
            Discriminator(_suite_kind),
        ],
    ] = Field(default_factory=dict)
    """Expectations for a dataset, by its name: a Great Expectations suite in JSON, or a list."""
    skew: SkewSettings | None = None


class SliceSettings(_Section):
    """A subpopulation on which the model is judged by itself."""

    name: Title
    """What the report calls it."""
    where: Condition
    """Which rows are in it, as in the WHERE of SQL."""
    min_rows: Count = 30
    """With fewer rows it is shown and not judged."""
    required: bool = False
    """Whether too few rows to judge it are a veto."""
    floors: dict[Metric, Number] = Field(default_factory=dict)
    """Worst value of a metric on this slice, as in `model.floors`."""


class BehaviourSettings(_Section):
    """How predictions must answer to a change of a row."""

    name: Title
    """What the report calls it."""
    set: Annotated[dict[Column, Scalar], Field(min_length=1)]
    """Values that a row is given."""
    against: Annotated[dict[Column, Scalar], Field(min_length=1)]
    """Values of the same columns that it is compared with."""
    expect: Literal["increase", "decrease", "same"]
    """What the prediction must do when `against` becomes `set`: the number, or the probability of
    the second class; of more classes the one answered for `against`, for `same` every one."""
    tolerance: NotNegative | None = None
    """How far apart two predictions may be that are the same."""
    at_least: Share = 1.0
    """The fraction of rows for which it must hold."""


class ModelSettings(_Section):
    """The model, and what it must be able to do."""

    artifact: ArtifactPath
    """The file that training writes: .joblib, .pkl, .skops, .onnx, or an MLflow model folder."""
    task: Literal["binary", "multiclass", "regression"]
    """What it predicts."""
    target: Column
    """The column that it predicts."""
    key: Column | None = None
    """The column that identifies a row's subject; never a feature."""
    time: Column | None = None
    """The column that says when the label was known; never a feature."""
    compile: Literal["onnx"] | None = None
    """Compile the model; parity with the original is then a check."""
    floors: dict[Metric, Number] = Field(default_factory=dict)
    """Worst value of a metric on the holdout: the lowest, or of a loss (log_loss, brier, mae, rmse)
    the highest. The bound of the estimate must hold it, not the estimate alone."""
    slices: tuple[SliceSettings, ...] = ()
    """Subpopulations that are judged by themselves."""
    behaviour: tuple[BehaviourSettings, ...] = ()
    """How predictions must answer to a change of a row."""


class GateSettings(_Section):
    """When a candidate is good enough to replace the champion."""

    metric: Metric
    """What the two are compared by."""
    min_delta: NotNegative = 0.0
    """The smallest improvement that counts."""
    strict_delta: bool = False
    """Whether the lower bound, and not only the estimate, must reach min_delta."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.025
    """The chance that each one-sided bound is wrong."""
    mode: Literal["improvement", "non_inferior"] = "improvement"
    """Whether a candidate must be better, or merely not worse."""
    on_retrain: Literal["improvement", "non_inferior"] = "non_inferior"
    """The mode for a model retrained on a schedule or after drift."""
    margin: Positive = 0.01
    """How much worse still counts as not worse."""
    max_slice_harm: NotNegative = 0.02
    """How much worse a slice may become."""
    looks: Count = 32
    """How many models may meet the labels of one holdout."""
    reuse: Literal["count", "spend", "strict"] = "count"
    """How repeated looks at one holdout are paid for."""


class LoadSettings(_Section):
    """Load that the release must bear before it is released."""

    users: Count = 20
    """How many clients ask at once."""
    seconds: Positive = 10
    """For how long."""
    p95_ms: Positive
    """The slowest answer of the fastest 95 in 100, in milliseconds."""
    error_rate: Fraction = 0.0
    """The largest fraction of requests that may fail."""


class IntegrationSettings(_Section):
    """How a release is tried as the service that it will be."""

    golden: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many rows of the training data every release must answer as it did when it was cut."""
    tests: ProjectPath | None = None
    """Tests that talk to the served release."""
    contract: bool = False
    """Whether requests made up from the signature are tried."""
    load: LoadSettings | None = None


class ModelServeSettings(_Section):
    """Serve the model by itself."""

    kind: Literal["model"] = "model"
    """Serve the model by itself."""
    timeout_s: Positive = CLIENT_TIMEOUT_S
    """Seconds within which a client is answered."""


class AppServeSettings(_Section):
    """Serve an app of the project's, which uses the model."""

    kind: Literal["app"]
    """Serve an app of the project's."""
    app: AppPath
    """The ASGI app, as module:name."""
    idempotent: tuple[Route, ...] = ()
    """Routes that are safe to ask twice, beside those that HTTP says are."""
    timeout_s: Positive = CLIENT_TIMEOUT_S
    """Seconds within which a client is answered."""


def _serve_kind(value: object) -> str | None:
    if not isinstance(value, dict):
        return f"<{getattr(value, 'kind', 'model')}>"
    kind = value.get("kind", "app" if "app" in value else "model")
    return {"model": "<model>", "app": "<app>"}.get(kind) if isinstance(kind, str) else None


class ApprovalSettings(_Section):
    """Whose consent a rollout needs."""

    required: Annotated[int, Field(ge=0)] = 1
    """How many people must approve."""
    not_author: bool = False
    """Whether authors of the release are refused."""


class StepSettings(_Section):
    """When a step of a rollout is over."""

    min_seconds: NotNegative = 300
    """Seconds that it lasts at least."""
    min_requests: Annotated[int, Field(ge=0)] = 500
    """Requests that the candidate answers at least."""
    deadline_seconds: Positive = 7200
    """Seconds after which it is given up."""
    on_deadline: Literal["hold", "roll_back"] = "hold"
    """What happens then."""
    bake_seconds: NotNegative = 600
    """Seconds for which the last step is watched on."""


class SloSettings(_Section):
    """What the service promises whatever the champion does."""

    error_rate: Fraction | None = None
    """Largest fraction of requests that fail."""
    p99_ms: Positive | None = None
    """The slowest answer of the fastest 99 in 100, in milliseconds."""


class AnalysisSettings(_Section):
    """How a rollout is watched."""

    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """The chance of rolling a good release back."""
    slo: SloSettings | None = None


class EnvironmentSettings(_Section):
    """A place where a release serves."""

    listen: Address
    """Where it takes requests: host:port."""
    after: Name | None = None
    """The environment in which a release must serve first."""
    approvals: ApprovalSettings | None = None
    strategy: Literal["canary", "shadow", "blue_green", "rolling", "instant"] = "canary"
    """How a release is introduced."""
    steps: Steps | None = None
    """Percent of the traffic at each step; rises to 100."""
    step: StepSettings | None = None
    analysis: AnalysisSettings | None = None
    replicas: Annotated[int, Field(ge=1, le=64)] = 1
    """Worker processes for each release; the next `triune up` after `triune down` follows it."""
    keep_warm_seconds: NotNegative = 3600
    """Seconds for which the champion before goes on running after a promotion."""


class MonitorSettings(_Section):
    """How live data is watched for change."""

    psi: Positive = 0.2
    """The population stability index that counts as drift."""
    window: Duration
    """The time over which requests are compared with the training data."""
    log_fraction: Fraction = 0.1
    """The fraction of requests that is kept for it."""


class RetrainSettings(_Section):
    """When a model is trained anew."""

    schedule: Cron | None = None
    """When, in the five fields of cron."""
    on_drift: bool = False
    """Whether drift is a reason."""
    cooldown: Duration | None = None
    """Time that passes between two trainings at least."""
    runner: Literal["local"] = "local"
    """Where training runs."""


class NotifySettings(_Section):
    """Who is told of what."""

    webhook: Webhook
    """The address that is called; ${NAME} stands for a variable of the process."""
    on: Annotated[
        tuple[Literal["rolled_back", "awaiting_approval", "drift"], ...], Field(min_length=1)
    ]
    """What is told."""


class Settings(_Section):
    """What ``triune.yaml`` says."""

    version: Literal[1]
    """The version of this format."""
    project: ProjectName
    """The project's name."""
    pipeline: Annotated[
        Annotated[Literal["dvc", "none"], Tag("<word>")]
        | Annotated[CommandPipelineSettings, Tag("<mapping>")],
        Discriminator(_kind_of),
    ] = "none"
    """What makes datasets and model: DVC's stages, one command, or nothing."""
    code: CodeSettings = Field(default_factory=CodeSettings)
    runtime: RuntimeSettings = Field(default_factory=RuntimeSettings)
    data: DataSettings | None = None
    model: ModelSettings | None = None
    gate: GateSettings | None = None
    integration: IntegrationSettings = Field(default_factory=IntegrationSettings)
    serve: Annotated[
        Annotated[ModelServeSettings, Tag("<model>")] | Annotated[AppServeSettings, Tag("<app>")],
        Discriminator(
            _serve_kind,
            custom_error_type="unknown_kind",
            custom_error_message="expected kind: model, or kind: app",
        ),
    ] = Field(default_factory=ModelServeSettings)
    """How the release answers requests."""
    environments: dict[Name, EnvironmentSettings] = Field(default_factory=dict)
    """Where releases serve, by name; the last one is the one that matters."""
    monitor: MonitorSettings | None = None
    retrain: RetrainSettings | None = None
    notify: tuple[NotifySettings, ...] = ()
    """Who is told of what."""

    _document: Document = PrivateAttr()

    @property
    def document(self) -> Document:
        """The file as it was read, for messages that name its lines."""
        return self._document
