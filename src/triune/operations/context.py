"""What an operation works with: one project, and the ports that reach the world for it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from triune.domain.canonical import Json
from triune.domain.events import Event, EventDraft, EventKind
from triune.domain.project import ProjectSpec
from triune.ports import (
    ArtifactStore,
    Clock,
    DataEngine,
    DataPlanes,
    Installation,
    Ledger,
    Pipeline,
    ReleaseServer,
    ResultMemory,
    RunLock,
    Scorer,
    Scratch,
    Source,
    Toolbox,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One project and its ports; ``root`` is the folder of its ``triune.yaml``.

    As a context manager it closes the ledger at the end, and removes what it was passing.
    """

    root: Path
    spec: ProjectSpec
    ledger: Ledger
    store: ArtifactStore
    pipeline: Pipeline
    source: Source
    data: DataEngine
    scorer: Scorer
    server: ReleaseServer
    installation: Installation
    scratch: Scratch
    tools: Toolbox
    results: ResultMemory
    lock: RunLock
    planes: DataPlanes
    clock: Clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.ledger.close()
        finally:
            self.scratch.close()


def timestamp(moment: datetime) -> str:
    """Write a moment as the ledger keeps it: ISO 8601 in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def record(context: Context, aggregate: str, kind: EventKind, data: Json) -> Event:
    """Append one event to an aggregate as it stands now."""
    draft = EventDraft(
        aggregate=aggregate,
        kind=kind,
        actor=context.source.actor(),
        time=timestamp(context.clock.now()),
        data=data,
    )
    version = context.ledger.version(aggregate)
    return context.ledger.append([draft], expected_version=version)[0]
