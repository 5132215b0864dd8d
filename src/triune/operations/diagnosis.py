"""Tells whether machine and project have what Triune needs, and how to get what is missing."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from triune.domain.errors import TriuneError, UsageError
from triune.domain.verdict import Verdict
from triune.operations.audit import verify_ledger
from triune.operations.context import Context
from triune.operations.cutting import require_runtime

MIN_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at: what was found, or what is wrong and how to mend it."""

    name: str
    verdict: Verdict
    message: str


def diagnose(open_project: Callable[[], Context]) -> tuple[Diagnosis, ...]:
    """Look at everything, whatever is wrong with the rest."""
    opened: list[Context] = []

    def settings() -> str:
        opened.append(open_project())
        return f"project {opened[0].spec.name} in {opened[0].root}"

    found = [_look("project", settings)]
    for context in opened:
        found += [
            _look("machine", partial(_machine, context)),
            _look("repository", partial(_repository, context)),
            _look("imports", partial(_imports, context)),
            _look("lock", partial(_lock, context)),
            _look("pipeline", partial(_pipeline, context)),
            _look("ledger", partial(_ledger, context)),
            _look("disk", partial(_disk, context)),
        ]
    return tuple(found)


def _look(name: str, check: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(name=name, verdict=Verdict.PASS, message=check())
    except TriuneError as error:
        return Diagnosis(name=name, verdict=Verdict.FAIL, message=str(error))


def _machine(context: Context) -> str:
    machine = context.installation.machine()
    return f"Python {machine.python} on {machine.platform}, {machine.hardware}"


def _repository(context: Context) -> str:
    checkout = context.source.checkout(outputs=context.spec.outputs)
    dirt = f", {len(checkout.dirty)} uncommitted changes" if checkout.dirty else ", clean"
    return f"{checkout.repository} at {checkout.commit[:12]}{dirt}"


def _imports(context: Context) -> str:
    included = context.source.files(context.spec.include)
    sources = [context.root / path for path in included if path.suffix == ".py"]
    missing = context.installation.missing(sources)
    if missing:
        raise UsageError(
            f"the code imports {', '.join(missing)}, which is not installed here: install it, "
            "then lock it: `triune init --lock .`"
        )
    return f"everything that {len(sources)} Python files import is installed"


def _lock(context: Context) -> str:
    require_runtime(context)
    return f"what is installed equals {context.spec.lock}"


def _pipeline(context: Context) -> str:
    stages = context.pipeline.stages([dataset.path for dataset in context.spec.datasets])
    count = len(stages.datasets) + len(stages.training)
    return f"{context.spec.pipeline.kind}, {count} stages"


def _ledger(context: Context) -> str:
    head = verify_ledger(context.ledger)
    return f"{head.sequence} events, the chain holds"


def _disk(context: Context) -> str:
    free = shutil.disk_usage(context.root).free
    if free < MIN_FREE_BYTES:
        raise UsageError(
            f"{free / 1e9:.1f} GB are free, and a release holds a copy of its data: free some "
            "space, or let go of old releases with `triune release prune`"
        )
    return f"{free / 1e9:.0f} GB free"
