"""The composition root: joins a project's settings and the adapters into a context."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from triune.adapters.clock import SystemClock
from triune.adapters.controller_process import ControllerProcess
from triune.adapters.installation import LocalInstallation
from triune.adapters.ledger.sql import SqlLedger
from triune.adapters.pipeline.command import CommandPipeline, NoPipeline
from triune.adapters.pipeline.dvc import DvcPipeline
from triune.adapters.results import FileResultMemory
from triune.adapters.run_lock import FileRunLock
from triune.adapters.scratch import LockedScratch
from triune.adapters.service import CommandServer
from triune.adapters.source.git import GitSource
from triune.adapters.watches import FileWatchMemory
from triune.config import STATE_FOLDER, has_project, load_project, read_memory_limit
from triune.domain.profile import DatasetProfile
from triune.domain.project import EnvironmentSpec, PipelineSpec, ProjectSpec
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context
from triune.operations.diagnosis import Diagnosis, Subject, diagnose
from triune.operations.profiling import Located, profile
from triune.operations.releases import bundle, load_manifest
from triune.operations.scaffolding import Scaffolded, scaffold
from triune.ports import ArtifactStore, DataEngine, DataPlanes, Pipeline, Scorer, Scratch, Source
from triune.ports import Toolbox as Tools

if TYPE_CHECKING:
    from triune.gateway.fleet import Served
    from triune.gateway.stopping import Stopping
    from triune.operations.observing import Observer
    from triune.operations.rollouts import Conductor

LEDGER_FILE: Final = "ledger.db"


def open_project(start: Path, *, memory_limit: str | None = None) -> Context:
    """Open the project that a folder lies in; its state is in ``.triune`` beside its settings.

    ``memory_limit`` (as ``400MB``) is what looking at data may hold at once; without it, what the
    process environment says.

    Raises
    ------
    ConfigError
        There is no ``triune.yaml``, or it cannot be used.
    LedgerError
        The ledger cannot be opened.
    """
    root, spec = load_project(start)
    state = root / STATE_FOLDER
    _ensure_state_folder(state)
    source = GitSource(root)
    scratch = LockedScratch(state / "scratch")
    return Context(
        root=root,
        spec=spec,
        ledger=SqlLedger.open(state / LEDGER_FILE),
        store=_store(state),
        pipeline=_pipeline(root, spec.pipeline, scratch),
        source=source,
        data=_data_engine(memory_limit, scratch),
        scorer=_scorer(state / "predictions"),
        server=CommandServer(root),
        installation=LocalInstallation(),
        scratch=scratch,
        tools=_tools(root, spec, source=source, scratch=scratch),
        results=FileResultMemory(state / "results"),
        lock=FileRunLock(state / "run.lock"),
        planes=_planes(state),
        clock=SystemClock(),
    )


def diagnose_project(start: Path) -> tuple[Diagnosis, ...]:
    """Look at the machine and at the project that a folder lies in, without writing to it."""
    installation = LocalInstallation()

    def find() -> Subject:
        root, spec = load_project(start)
        ledger = root / STATE_FOLDER / LEDGER_FILE
        # Its log alone is what is left of one.
        is_there = any(ledger.parent.glob(f"{LEDGER_FILE}*"))
        return Subject(
            root=root,
            spec=spec,
            source=GitSource(root),
            pipeline=_pipeline(root, spec.pipeline),
            installation=installation,
            open_ledger=partial(SqlLedger.open, ledger) if is_there else None,
        )

    return diagnose(installation, find)


def profile_dataset(
    start: Path, dataset: str, *, memory_limit: str | None = None
) -> DatasetProfile:
    """Tell what a dataset holds: one of the project's that a folder lies in, a path or a glob.

    Raises
    ------
    ConfigError
        The project's ``triune.yaml`` cannot be used.
    UsageError
        There is no such dataset.
    """
    project = Located(*load_project(start)) if has_project(start) else None
    return profile(_data_engine(memory_limit), project, folder=start, dataset=dataset)


def scaffold_project(folder: Path, *, example: str) -> Scaffolded:
    """Lay out a new project from one of the examples that come with Triune.

    Raises
    ------
    UsageError
        There is no such example, or the folder holds something.
    """
    return scaffold(
        folder,
        example=example,
        templates=_examples(),
        installation=LocalInstallation(),
        source_at=GitSource,
    )


def conductor(
    context: Context, environment: EnvironmentSpec, *, report: Callable[[str], None]
) -> "Conductor":
    """Return what moves the rollouts of an environment."""
    # What most commands do not need, and takes a while to import.
    from triune.operations.rollouts import Conductor  # noqa: PLC0415 - as said above

    return Conductor(
        context,
        environment,
        router=context.planes.of(environment),
        memory=_watch_memory(context),
        report=report,
    )


def observer(context: Context, environment: EnvironmentSpec) -> "Observer":
    """Return what follows an environment without changing it."""
    from triune.operations.observing import Observer  # noqa: PLC0415 - it takes a while

    return Observer(
        context,
        environment,
        router=context.planes.of(environment),
        memory=_watch_memory(context),
    )


def _watch_memory(context: Context) -> FileWatchMemory:
    return FileWatchMemory(context.root / STATE_FOLDER / "environments")


def controller_lease(root: Path) -> FileRunLock:
    """Return the lease that one controller of a project holds at a time."""
    return FileRunLock(root / STATE_FOLDER / "controller.lock", what="controller")


def controller_of(root: Path) -> ControllerProcess:
    """Return the controller that works in a project in the background, whether or not it does."""
    log = root / STATE_FOLDER / "logs" / "controller.log"
    return ControllerProcess(root, lease=controller_lease(root), log=log)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve; what each means is said by `triune.gateway.serve.Service`."""

    host: str = "127.0.0.1"
    port: int = 0
    weight_pct: float = 0.0
    replicas: int = 1
    memory_bytes: int | None = None
    admin: Path | None = None
    pin_token: str | None = None


def serve_release(  # noqa: PLR0913 - what is served, how, and who is told
    context: Context,
    release: ReleaseRecord,
    *,
    candidate: ReleaseRecord | None = None,
    options: ServeOptions,
    on_ready: Callable[[str], None],
    stopping: "Stopping",
) -> None:
    """Serve a release over HTTP until told to stop, and give a candidate its share.

    ``on_ready`` is told the address.

    Raises
    ------
    StoreError
        A blob of a release is missing or changed; nothing of it is run.
    """
    from triune.gateway.serve import Service, serve  # noqa: PLC0415 - it takes a while

    with _laid_out(context, release) as champion, _laid_out(context, candidate) as tried:
        # The first is there, as it was asked for.
        assert champion is not None
        service = Service(champion=champion, candidate=tried, **asdict(options))
        if not stopping.is_told:
            serve(service, on_ready, stopping=stopping)


@contextmanager
def _laid_out(context: Context, release: ReleaseRecord | None) -> "Iterator[Served | None]":
    from triune.gateway.fleet import Served  # noqa: PLC0415 - it takes a while

    if release is None:
        yield None
        return
    with bundle(context, load_manifest(context, release), label=release.id) as folder:
        yield Served(release=release.id, bundle=folder)


def _examples() -> Path:
    """Find the examples: in the package where it was installed, else in the repository."""
    installed = Path(__file__).with_name("examples")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples"


def _pipeline(root: Path, spec: PipelineSpec, scratch: Scratch | None = None) -> Pipeline:
    match spec.kind:
        case "dvc":
            return DvcPipeline(root, scratch)
        case "run":
            return CommandPipeline(root, spec.command or "")
        case "none":
            return NoPipeline(root)


class _Deferred:
    """Stands for a port, and makes it once it is asked for anything."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    @cached_property
    def _made(self) -> object:
        return self._make()


# What follows takes longer to import than most commands do to run, and few of them need it.
def _data_engine(limit: str | None, scratch: Scratch | None = None) -> DataEngine:
    # Refused at once, and not when the data is come to.
    limit = read_memory_limit(limit, name="--memory-limit")

    def make() -> DataEngine:
        from triune.adapters.data.duckdb import DuckDbEngine  # noqa: PLC0415 - as said above
        from triune.adapters.data.session import Workspace  # noqa: PLC0415 - as said above

        workspace = Workspace(memory_limit=limit)
        if scratch is not None:
            workspace = replace(workspace, folder=lambda: nullcontext(scratch.shared()))
        return DuckDbEngine(workspace=workspace)

    return cast("DataEngine", _Deferred(make))


def _store(state: Path) -> ArtifactStore:
    def make() -> ArtifactStore:
        from triune.adapters.artifacts.fsspec import FsspecStore  # noqa: PLC0415 - as said above

        return FsspecStore(str(state))

    return cast("ArtifactStore", _Deferred(make))


def _tools(root: Path, spec: ProjectSpec, *, source: Source, scratch: Scratch) -> Tools:
    def make() -> Tools:
        from triune.adapters.tools.toolbox import Toolbox  # noqa: PLC0415 - as said above

        return Toolbox(
            root=root,
            include=spec.include,
            source=source,
            scratch=scratch,
            datasets=tuple(dataset.path for dataset in spec.datasets),
            caches=root / STATE_FOLDER / "caches",
        )

    return cast("Tools", _Deferred(make))


def _scorer(cache: Path) -> Scorer:
    def make() -> Scorer:
        from triune.adapters.scorer.process import ProcessScorer  # noqa: PLC0415 - as said above

        return ProcessScorer(cache)

    return cast("Scorer", _Deferred(make))


def _planes(state: Path) -> DataPlanes:
    def make() -> DataPlanes:
        from triune.adapters.traffic.gateway import GatewayPlanes  # noqa: PLC0415 - as said above

        return GatewayPlanes(state / "environments", logs=state / "logs")

    return cast("DataPlanes", _Deferred(make))


def _ensure_state_folder(state: Path) -> None:
    state.mkdir(exist_ok=True)
    ignore = state / ".gitignore"
    # Empty where the disk was full when it was made.
    if not ignore.exists() or not ignore.stat().st_size:
        ignore.write_text("# Written by Triune: its state is no part of the repository.\n*\n")
