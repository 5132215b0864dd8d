"""Tells whether machine and project have what Triune needs, and how to get what is missing."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from triune.domain.errors import DatasetError, ModelError, SourceError, TriuneError, UsageError
from triune.domain.project import ProjectSpec
from triune.domain.verdict import Verdict
from triune.domain.wording import counted
from triune.operations.audit import verify_ledger
from triune.operations.locating import (
    dataset_files,
    model_files,
    require_files,
    require_included,
)
from triune.operations.locking import require_runtime
from triune.ports import Installation, Ledger, Pipeline, Source

MIN_FREE_BYTES: Final = 1 << 30
EXTRAS: Final = {
    "dvc": {"dvc"},
    "sklearn": {"joblib", "pandas", "scikit-learn", "skops"},
    "onnx": {"onnxruntime", "skl2onnx"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A project as far as it can be looked at without writing to it.

    ``open_ledger`` is None where nothing has been recorded yet.
    """

    root: Path
    spec: ProjectSpec
    source: Source
    pipeline: Pipeline
    installation: Installation
    open_ledger: Callable[[], Ledger] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at: what was found, or what is wrong and how to mend it."""

    name: str
    verdict: Verdict
    message: str


def diagnose(
    installation: Installation, find_project: Callable[[], Subject]
) -> tuple[Diagnosis, ...]:
    """Look at everything, whatever is wrong with the rest."""
    projects: list[Subject] = []

    def find() -> str:
        projects.append(find_project())
        return f"project {projects[0].spec.name} in {projects[0].root}"

    found = [
        _look("project", find),
        _look("machine", partial(_machine, installation)),
        _look("git", _git),
        _look("extras", partial(_extras, installation)),
    ]
    for project in projects:
        found += [
            _look("repository", partial(_repository, project)),
            _look("imports", partial(_imports, project)),
            _look("lock", partial(_lock, project)),
            _look("pipeline", partial(_pipeline, project)),
            _look("files", partial(_files, project)),
            _look("ledger", partial(_ledger, project)),
            _look("disk", partial(_disk, project)),
        ]
    return tuple(found)


def _look(name: str, check: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(name=name, verdict=Verdict.PASS, message=check())
    except (TriuneError, OSError) as error:
        return Diagnosis(name=name, verdict=Verdict.FAIL, message=str(error))


def _machine(installation: Installation) -> str:
    machine = installation.machine()
    return f"Python {machine.python} on {machine.platform}, {machine.hardware}"


def _git() -> str:
    found = shutil.which("git")
    if found is None:
        raise SourceError(
            "git is not installed, and a project is a git repository: install it "
            "(`apt install git`, say)"
        )
    return found


def _extras(installation: Installation) -> str:
    installed = installation.versions().keys()
    missing = [extra for extra, packages in EXTRAS.items() if not packages <= installed]
    if missing:
        # Not every project needs them: whether this one does is told by its imports and pipeline.
        return f"for projects that need them: `pip install 'triune[{','.join(missing)}]'`"
    return f"{', '.join(EXTRAS)} are installed"


def _repository(project: Subject) -> str:
    checkout = project.source.checkout(outputs=project.spec.outputs)
    changes = len(checkout.dirty)
    dirt = f", {counted(changes, 'uncommitted change')}" if changes else ", clean"
    return f"{checkout.repository} at {checkout.commit[:12]}{dirt}"


def _imports(project: Subject) -> str:
    included = require_included(project, project.source)
    sources = [project.root / path for path in included if path.suffix == ".py"]
    missing = project.installation.missing(sources)
    if missing:
        raise UsageError(
            f"the code imports {', '.join(missing)}, which is not installed here: install it, "
            "then lock it: `triune init --lock .`"
        )
    return f"everything that {len(sources)} Python files import is installed"


def _lock(project: Subject) -> str:
    require_runtime(project, project.installation)
    return f"what is installed equals {project.spec.lock}"


def _pipeline(project: Subject) -> str:
    stages = project.pipeline.stages([dataset.path for dataset in project.spec.datasets])
    count = len(stages.datasets) + len(stages.training)
    return f"{project.spec.pipeline.kind}, {counted(count, 'stage')}"


def _files(project: Subject) -> str:
    require_files(project)
    spec = project.spec
    try:
        for dataset in spec.datasets:
            dataset_files(project, dataset)
        if spec.model:
            model_files(project, spec.model)
    except (DatasetError, ModelError):
        # With no pipeline that was refused above.
        return "the datasets or the model are not made yet: `triune run` makes them"
    return f"{counted(len(spec.datasets), 'dataset')} and {1 if spec.model else 'no'} model"


def _ledger(project: Subject) -> str:
    if project.open_ledger is None:
        return "nothing is recorded yet"
    ledger = project.open_ledger()
    try:
        head = verify_ledger(ledger)
    finally:
        ledger.close()
    return f"{counted(head.sequence, 'event')}, the chain holds"


def _disk(project: Subject) -> str:
    free = shutil.disk_usage(project.root).free
    if free < MIN_FREE_BYTES:
        raise UsageError(
            f"{free / 1e9:.1f} GB are free, and a release holds a copy of its data: free some "
            "space, or let go of old releases with `triune release prune`"
        )
    return f"{free / 1e9:.0f} GB free"
