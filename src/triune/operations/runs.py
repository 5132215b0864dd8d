"""The whole order of `triune run`: datasets, training, the release, its golden answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from time import perf_counter

from triune.domain.errors import LedgerError, TriuneError
from triune.domain.events import EventKind
from triune.domain.release import short
from triune.domain.verdict import Reason, Verdict, worst
from triune.operations.context import Context, record
from triune.operations.cutting import (
    TESTS,
    Cut,
    cut_release,
    gather_manifest,
    record_golden_answers,
    require_runtime,
)
from triune.ports import Checkout, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run: what it came to, what it did, and how long that took."""

    name: str
    verdict: Verdict
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run came to; ``error`` is the fault that ended it early."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    release: str | None
    checkout: Checkout
    steps: tuple[Step, ...]
    error: TriuneError | None = None


@dataclass(slots=True)
class _Steps:
    progress: Progress
    done: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step; what the block says last is its detail, a fault makes it an ERROR."""
        self.progress(f"{name} ...")
        started, said = perf_counter(), [""]
        try:
            yield said.append
        except TriuneError as error:
            self._add(name, Verdict.ERROR, str(error), started)
            raise
        self._add(name, Verdict.PASS, said[-1], started)

    def _add(self, name: str, verdict: Verdict, detail: str, started: float) -> None:
        seconds = perf_counter() - started
        self.done.append(Step(name=name, verdict=verdict, detail=detail, seconds=seconds))


def run(context: Context, *, progress: Progress, wait: bool) -> RunReport:
    """Bring datasets and model up to date and cut the release that they make.

    Interrupted anywhere, nothing recorded is lost, and the next run completes.

    Raises
    ------
    BusyError
        Another run works in this project, and ``wait`` is false.
    SourceError
        The project is in no repository, or in one without a commit.
    LedgerError
        What happened could not be recorded.
    """
    with context.lock.hold(progress=progress, wait=wait):
        context.scratch.sweep()
        context.store.sweep()
        # Before the pipeline runs: what it writes is no dirt.
        checkout = context.source.checkout(outputs=context.spec.outputs)
        steps = _Steps(progress)
        try:
            cut = _run_steps(context, checkout, steps)
        except LedgerError:
            raise
        except TriuneError as error:
            reasons = (Reason(code=error.code, message=str(error)),)
            # Where the disk is full the ledger cannot grow either; the report still tells.
            with suppress(LedgerError):
                _record_run(context, checkout, None, Verdict.ERROR, reasons)
            return RunReport(
                verdict=Verdict.ERROR,
                reasons=reasons,
                release=None,
                checkout=checkout,
                steps=tuple(steps.done),
                error=error,
            )
        verdict = worst(step.verdict for step in steps.done)
        reasons = (_reason(cut),)
        _record_run(context, checkout, cut.id, verdict, reasons)
    return RunReport(
        verdict=verdict,
        reasons=reasons,
        release=cut.id,
        checkout=checkout,
        steps=tuple(steps.done),
    )


def _run_steps(context: Context, checkout: Checkout, steps: _Steps) -> Cut:
    with steps.step("datasets") as say:
        lock = require_runtime(context.root, context.spec.lock, context.installation)
        stages = context.pipeline.stages([dataset.path for dataset in context.spec.datasets])
        context.pipeline.run(stages.datasets, progress=steps.progress)
        say(_list_stages(stages.datasets))
    with steps.step("training") as say:
        context.pipeline.run(stages.training, progress=steps.progress)
        say(_list_stages(stages.training))
    with steps.step("release") as say:
        manifest = gather_manifest(context, lock=lock)
        cut = cut_release(context, manifest, _with_edits_since(context, checkout))
        say(f"{short(cut.id)} {'cut' if cut.is_new else 'unchanged'}")
    with steps.step("golden answers") as say:
        count = record_golden_answers(context, cut)
        say(f"{count} answers stand" if count else "not applicable")
    return cut


def _with_edits_since(context: Context, checkout: Checkout) -> Checkout:
    """Add to what was uncommitted before the pipeline ran the code that was edited meanwhile."""
    now = context.source.checkout(outputs=context.spec.outputs)
    pinned = [PurePosixPath(path) for path in (*context.spec.include, TESTS)]
    edited = {
        path
        for path in now.dirty
        if any(PurePosixPath(path).is_relative_to(each) for each in pinned)
    }
    return replace(checkout, dirty=tuple(sorted({*checkout.dirty, *edited})))


def _list_stages(stages: tuple[str, ...]) -> str:
    return ", ".join(stages) if stages else "nothing to run"


def _reason(cut: Cut) -> Reason:
    if cut.is_new:
        return Reason(code="RELEASE_CUT", message=f"release {short(cut.id)} was cut")
    return Reason(
        code="RELEASE_UNCHANGED",
        message=f"code, data, model and runtime are those of release {short(cut.id)}",
    )


def _record_run(
    context: Context,
    checkout: Checkout,
    release: str | None,
    verdict: Verdict,
    reasons: tuple[Reason, ...],
) -> None:
    record(
        context,
        f"project:{context.spec.name}",
        EventKind.RUN_FINISHED,
        {
            "release": release,
            "verdict": verdict,
            "reasons": [{"code": reason.code, "message": reason.message} for reason in reasons],
            "commit": checkout.commit,
            "dirty": bool(checkout.dirty),
        },
    )
