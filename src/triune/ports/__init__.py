"""What the operations ask of the world: small protocols, in Triune's words."""

from triune.ports.checking import Preset, ResultMemory, Tool, Toolbox
from triune.ports.machines import Clock, Installation, Machine, Progress, RunLock, Scratch
from triune.ports.projects import Checkout, DataEngine, Pipeline, Source, Stages
from triune.ports.records import ArtifactStore, Blob, Ledger
from triune.ports.scoring import (
    Compilation,
    HttpAnswer,
    Needs,
    Predictions,
    ReleaseServer,
    Scorer,
    Service,
    Worker,
)
from triune.ports.traffic import (
    ControllerProcess,
    DataPlanes,
    TrafficRouter,
    WatchMemory,
)

__all__ = [
    "ArtifactStore",
    "Blob",
    "Checkout",
    "Clock",
    "Compilation",
    "ControllerProcess",
    "DataEngine",
    "DataPlanes",
    "HttpAnswer",
    "Installation",
    "Ledger",
    "Machine",
    "Needs",
    "Pipeline",
    "Predictions",
    "Preset",
    "Progress",
    "ReleaseServer",
    "ResultMemory",
    "RunLock",
    "Scorer",
    "Scratch",
    "Service",
    "Source",
    "Stages",
    "Tool",
    "Toolbox",
    "TrafficRouter",
    "WatchMemory",
    "Worker",
]
