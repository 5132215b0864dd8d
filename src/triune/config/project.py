"""Finds a project and tells the operations what its ``triune.yaml`` says, in their words."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from triune.config.availability import require_available
from triune.config.document import as_lists, dotted
from triune.config.model import (
    AppServeSettings,
    CodeSettings,
    CommandPipelineSettings,
    CustomCheckSettings,
    DataSettings,
    EnvironmentSettings,
    ExpectationSettings,
    GateSettings,
    ModelServeSettings,
    ModelSettings,
    Settings,
    SkewSettings,
    SloSettings,
    StepSettings,
)
from triune.config.reading import read_settings
from triune.domain.canonical import Json
from triune.domain.errors import ConfigError, NotAvailableYetError
from triune.domain.expectations.suite import Expectation, Suite
from triune.domain.project import (
    SETTINGS_FILE,
    BehaviourSpec,
    CodeCheckSpec,
    DatasetSpec,
    EnvironmentSpec,
    ModelSpec,
    PipelineSpec,
    ProjectSpec,
    SkewSpec,
    SliceSpec,
)
from triune.domain.rollout.plan import Approvals, OnDeadline, Pace, Plan, Strategy, equal_steps_pct
from triune.domain.rules import AnalysisRules, GateMode, GateRules

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


def has_project(start: Path) -> bool:
    """Tell whether a folder lies in a project."""
    return _find_settings(start) is not None


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


def _find_settings(start: Path) -> Path | None:
    folder = start.resolve()
    places = (each / SETTINGS_FILE for each in (folder, *folder.parents))
    return next((place for place in places if place.is_file()), None)


def _find(start: Path) -> Path:
    if found := _find_settings(start):
        return found
    raise ConfigError(
        f"there is no {SETTINGS_FILE} in {start.resolve()} or in a folder above it; go to a "
        "project, or make one: `triune init DIR`"
    )


def _project(settings: Settings) -> ProjectSpec:
    return ProjectSpec(
        name=settings.project,
        pipeline=_pipeline(settings.pipeline),
        include=settings.code.include,
        lock=settings.runtime.lock,
        datasets=_datasets(settings.data) if settings.data else (),
        skew=_skew(settings.data.skew) if settings.data and settings.data.skew else None,
        model=_model(settings.model) if settings.model else None,
        checks=tuple(_code_checks(settings.code)),
        coverage_min=settings.code.coverage_min,
        gate=_gate(settings.gate) if settings.gate else None,
        golden=settings.integration.golden,
        integration_tests=settings.integration.tests,
        environments=tuple(
            _environment(name, each) for name, each in settings.environments.items()
        ),
        serve=_serve(settings.serve),
        lines={dotted(place): line for place, line in settings.document.lines.items()},
    )


def _pipeline(given: CommandPipelineSettings | Literal["dvc", "none"]) -> PipelineSpec:
    if isinstance(given, CommandPipelineSettings):
        return PipelineSpec(kind="run", command=given.run)
    return PipelineSpec(kind=given)


def _code_checks(given: CodeSettings) -> Iterator[CodeCheckSpec]:
    for check in given.checks:
        if isinstance(check, CustomCheckSettings):
            yield CodeCheckSpec(name=check.name, command=check.run, timeout_s=check.timeout_s)
        else:
            yield CodeCheckSpec(name=check)


def _datasets(given: DataSettings) -> tuple[DatasetSpec, ...]:
    return tuple(
        DatasetSpec(
            name=name,
            path=path,
            format=_dataset_format(path),
            suite=_suite(name, given.suites[name]) if name in given.suites else None,
        )
        for name, path in given.datasets.items()
    )


def _suite(name: str, given: str | tuple[ExpectationSettings, ...]) -> str | Suite:
    if isinstance(given, str):
        return given
    return Suite(
        name=name,
        expectations=tuple(
            Expectation(
                type=each.type,
                kwargs=as_lists(each.kwargs),
                severity=each.severity,
                meta=as_lists(each.meta),
            )
            for each in given
        ),
    )


def _skew(given: SkewSettings) -> SkewSpec:
    return SkewSpec(reference=given.reference, against=given.against, psi_max=given.psi_max)


def _dataset_format(path: str) -> Literal["parquet", "csv"]:
    return "csv" if path.endswith(".csv") else "parquet"


def _serve(given: ModelServeSettings | AppServeSettings) -> Mapping[str, Json]:
    # Only what is said: else a release would be another one once a default is.
    said = {"timeout_s": given.timeout_s} if "timeout_s" in given.model_fields_set else {}
    return {"kind": given.kind, **said}


def _model(given: ModelSettings) -> ModelSpec:
    return ModelSpec(
        artifact=given.artifact,
        format="skops" if PurePosixPath(given.artifact).suffix == ".skops" else "joblib",
        task=given.task,
        target=given.target,
        key=given.key,
        time=given.time,
        compile=given.compile,
        floors=given.floors,
        slices=tuple(
            SliceSpec(
                name=each.name,
                where=each.where,
                min_rows=each.min_rows,
                required=each.required,
                floors=each.floors,
            )
            for each in given.slices
        ),
        behaviour=tuple(
            BehaviourSpec(
                name=each.name,
                set=each.set,
                against=each.against,
                expect=each.expect,
                tolerance=each.tolerance or 0.0,
                at_least=each.at_least,
            )
            for each in given.behaviour
        ),
    )


def _gate(given: GateSettings) -> GateRules:
    return GateRules(
        metric=given.metric,
        mode=GateMode(given.mode),
        min_delta=given.min_delta,
        strict_delta=given.strict_delta,
        margin=given.margin,
        max_slice_harm=given.max_slice_harm,
        looks=given.looks,
        alpha=given.alpha,
    )


def _usual_steps_pct(given: EnvironmentSettings) -> tuple[float, ...] | None:
    """Say by what steps a release rolls over several replicas; other steps are the strategy's."""
    is_over_several = Strategy(given.strategy) is Strategy.ROLLING and given.replicas > 1
    return equal_steps_pct(given.replicas) if is_over_several else None


def _environment(name: str, given: EnvironmentSettings) -> EnvironmentSpec:
    step = given.step or StepSettings()
    slo = (given.analysis.slo if given.analysis else None) or SloSettings()
    usual = AnalysisRules()
    # Where nobody is named, nobody is asked.
    approvals = (
        Approvals(required=given.approvals.required, not_author=given.approvals.not_author)
        if given.approvals
        else Approvals()
    )
    return EnvironmentSpec(
        name=name,
        listen=given.listen,
        after=given.after,
        replicas=given.replicas,
        plan=Plan.of(
            Strategy(given.strategy),
            steps_pct=given.steps or _usual_steps_pct(given),
            approvals=approvals,
            pace=Pace(
                min_seconds=step.min_seconds,
                min_requests=step.min_requests,
                deadline_seconds=step.deadline_seconds,
                on_deadline=OnDeadline(step.on_deadline),
                bake_seconds=step.bake_seconds,
            ),
            keep_warm_seconds=given.keep_warm_seconds,
        ),
        analysis=AnalysisRules(
            alpha=given.analysis.alpha if given.analysis else usual.alpha,
            error_budget=slo.error_rate or usual.error_budget,
            p99_s=slo.p99_ms / 1000 if slo.p99_ms else None,
        ),
    )
