"""The composition root: joins a project's settings and the adapters into a context."""

from collections.abc import Callable
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
from triune.adapters.run_lock import FileRunLock
from triune.adapters.scorer.process import ProcessScorer
from triune.adapters.scratch import LockedScratch
from triune.adapters.source.git import GitSource
from triune.config import STATE_FOLDER, load_project
from triune.domain.project import PipelineSpec
from triune.domain.projection import ReleaseRecord
from triune.gateway.serve import serve
from triune.operations.context import Context
from triune.operations.diagnosis import Diagnosis, Subject, diagnose
from triune.operations.releases import bundle, load_manifest
from triune.operations.scaffolding import Scaffolded, scaffold
from triune.ports import Pipeline

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
    return Context(
        root=root,
        spec=spec,
        ledger=SqlLedger.open(state / LEDGER_FILE),
        store=FsspecStore(str(state)),
        pipeline=_pipeline(root, spec.pipeline),
        source=GitSource(root),
        data=DuckDbEngine(),
        scorer=ProcessScorer(state / "predictions"),
        installation=LocalInstallation(),
        scratch=LockedScratch(state / "scratch"),
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


def serve_release(
    context: Context,
    release: ReleaseRecord,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
) -> None:
    """Serve a release over HTTP until SIGINT or SIGTERM; ``on_ready`` is told its address.

    Raises
    ------
    StoreError
        A blob of the release is missing or changed; nothing of it is run.
    """
    manifest = load_manifest(context, release)
    with bundle(context, manifest, label=release.id) as folder:
        serve(folder, release.id, host=host, port=port, on_ready=on_ready)


def _examples() -> Path:
    """Find the examples: in the package where it was installed, else in the repository."""
    installed = Path(__file__).with_name("examples")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples"


def _pipeline(root: Path, spec: PipelineSpec) -> Pipeline:
    match spec.kind:
        case "dvc":
            return DvcPipeline(root)
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
