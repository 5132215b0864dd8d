"""The composition root: joins a project's settings and the adapters into a context."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

from triune.adapters.artifacts.fsspec import FsspecStore
from triune.adapters.clock import SystemClock
from triune.adapters.data.duckdb import DuckDbEngine
from triune.adapters.installation import LocalInstallation
from triune.adapters.ledger.sql import SqlLedger
from triune.adapters.pipeline.command import CommandPipeline, NoPipeline
from triune.adapters.pipeline.dvc import DvcPipeline
from triune.adapters.results import FileResultMemory
from triune.adapters.run_lock import FileRunLock
from triune.adapters.scorer.process import ProcessScorer
from triune.adapters.scratch import LockedScratch
from triune.adapters.service import CommandServer
from triune.adapters.source.git import GitSource
from triune.adapters.tools.toolbox import Toolbox
from triune.config import STATE_FOLDER, has_project, load_project
from triune.domain.profile import DatasetProfile
from triune.domain.project import PipelineSpec
from triune.domain.projection import ReleaseRecord
from triune.gateway.serve import Served, Service, serve
from triune.operations.context import Context
from triune.operations.diagnosis import Diagnosis, Subject, diagnose
from triune.operations.profiling import Located, profile
from triune.operations.releases import bundle, load_manifest
from triune.operations.scaffolding import Scaffolded, scaffold
from triune.ports import Pipeline, Scratch

LEDGER_FILE: Final = "ledger.db"


def open_project(start: Path) -> Context:
    """Open the project that a folder lies in; its state is in ``.triune`` beside its settings.

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
        store=FsspecStore(str(state)),
        pipeline=_pipeline(root, spec.pipeline, scratch),
        source=source,
        data=DuckDbEngine(),
        scorer=ProcessScorer(state / "predictions"),
        server=CommandServer(root),
        installation=LocalInstallation(),
        scratch=scratch,
        tools=Toolbox(
            root=root,
            include=spec.include,
            source=source,
            scratch=scratch,
            caches=state / "caches",
        ),
        results=FileResultMemory(state / "results"),
        lock=FileRunLock(state / "run.lock"),
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


def profile_dataset(start: Path, dataset: str) -> DatasetProfile:
    """Tell what a dataset holds: one of the project's that a folder lies in, a path or a glob.

    Raises
    ------
    ConfigError
        The project's ``triune.yaml`` cannot be used.
    UsageError
        There is no such dataset.
    """
    project = Located(*load_project(start)) if has_project(start) else None
    return profile(DuckDbEngine(), project, folder=start, dataset=dataset)


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


def serve_release(
    context: Context,
    release: ReleaseRecord,
    *,
    candidate: ReleaseRecord | None = None,
    options: ServeOptions,
    on_ready: Callable[[str], None],
) -> None:
    """Serve a release over HTTP until SIGINT or SIGTERM, and give a candidate its share.

    ``on_ready`` is told the address.

    Raises
    ------
    StoreError
        A blob of a release is missing or changed; nothing of it is run.
    """
    with _laid_out(context, release) as champion, _laid_out(context, candidate) as tried:
        # The first is there, as it was asked for.
        assert champion is not None
        serve(Service(champion=champion, candidate=tried, **asdict(options)), on_ready)


@contextmanager
def _laid_out(context: Context, release: ReleaseRecord | None) -> Iterator[Served | None]:
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


def _ensure_state_folder(state: Path) -> None:
    state.mkdir(exist_ok=True)
    ignore = state / ".gitignore"
    # Empty where the disk was full when it was made.
    if not ignore.exists() or not ignore.stat().st_size:
        ignore.write_text("# Written by Triune: its state is no part of the repository.\n*\n")
