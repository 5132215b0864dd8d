"""The whole order of `triune run`, from the datasets to the gate.

Datasets, checks of code and data, training, the release, its golden answers, checks of the model
and of the served release, and the gate; what does not pass ends it where it broke.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from time import perf_counter

from triune.domain.errors import LedgerError, TriuneError, WorkerError, WorkerKilledError
from triune.domain.events import EventKind
from triune.domain.evidence import CheckResult, Layer
from triune.domain.release import short
from triune.domain.verdict import Reason, Verdict, worst
from triune.operations.checks import Check, find_changed, run_checks
from triune.operations.code_layer import code_checks
from triune.operations.context import Context, record
from triune.operations.cutting import (
    Cut,
    Gathered,
    cut_release,
    gather_release,
    record_golden_answers,
)
from triune.operations.data_layer import data_checks
from triune.operations.datasets import read_datasets
from triune.operations.gates import Gated, describe, evaluate_gate
from triune.operations.integration_layer import integration_checks
from triune.operations.layers import LayerReport, check_model, report_layers
from triune.operations.locating import TESTS, require_files, require_included
from triune.operations.locking import require_runtime
from triune.operations.releases import find_release
from triune.ports import Checkout, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run: what it came to, what it did, and how long that took.

    ``verdict`` is None where there was nothing to do, or where the run ended before.
    """

    name: str
    verdict: Verdict | None
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run came to; ``error`` is the fault that ended it early.

    ``environment`` is the first that a release goes to.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    release: str | None
    checkout: Checkout
    steps: tuple[Step, ...]
    layers: tuple[LayerReport, ...] = ()
    gated: Gated | None = None
    environment: str | None = None
    error: TriuneError | None = None


@dataclass(slots=True)
class _Progress:
    """How far a run has come."""

    context: Context
    say: Progress
    force: bool
    steps: list[Step] = field(default_factory=list)
    results: list[CheckResult] = field(default_factory=list)
    cut: Cut | None = None
    gated: Gated | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time a step; what the block says last is its detail, a fault makes it an ERROR."""
        self.say(f"{name} ...")
        started, said = perf_counter(), [""]
        try:
            yield said.append
        except TriuneError as error:
            self.add(name, Verdict.ERROR, str(error), started)
            raise
        self.add(name, Verdict.PASS, said[-1], started)

    def add(self, name: str, verdict: Verdict, detail: str, started: float) -> None:
        """Add a step that has just ended."""
        seconds = perf_counter() - started
        self.steps.append(Step(name=name, verdict=verdict, detail=detail, seconds=seconds))

    def check(self, checks: Sequence[Check], *layers: Layer) -> bool:
        """Run the checks of layers side by side, a step each, and tell whether all passed."""
        for layer in layers:
            self.say(f"{layer} ...")
        started = perf_counter()
        try:
            found = run_checks(self.context, checks, progress=self.say, force=self.force)
        except TriuneError as error:
            self.add(" and ".join(layers), Verdict.ERROR, str(error), started)
            raise
        self.results += found
        for layer in layers:
            results = [result for result in found if result.layer is layer]
            seconds = min(perf_counter() - started, sum(result.seconds for result in results))
            self.steps.append(_step_of(layer, results, seconds=seconds))
        return self.has_passed

    @property
    def has_passed(self) -> bool:
        return all(result.verdict is Verdict.PASS for result in self.results)


def run(context: Context, *, progress: Progress, wait: bool, force: bool = False) -> RunReport:
    """Take a project's code and data through the whole order, to a release and its verdict.

    Interrupted anywhere, nothing recorded is lost, and the next run completes.

    Parameters
    ----------
    force
        Whether to run checks again that were run on the same before.

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
        done = _Progress(context=context, say=progress, force=force)
        error: TriuneError | None = None
        try:
            _run_steps(context, checkout, done)
            verdict, reasons = _conclude(done)
        except LedgerError:
            raise
        except TriuneError as fault:
            error, verdict = fault, Verdict.ERROR
            reasons = (Reason(code=fault.code, message=str(fault)),)
        # Where the disk is full the ledger cannot grow either; the report still tells.
        with suppress(LedgerError) if error else nullcontext():
            _record_run(context, checkout, done, verdict, reasons)
    return RunReport(
        verdict=verdict,
        reasons=reasons,
        release=done.cut.id if done.cut else None,
        checkout=checkout,
        steps=tuple(done.steps),
        layers=report_layers(done.results),
        gated=done.gated,
        environment=next((each.name for each in context.spec.environments), None),
        error=error,
    )


def _run_steps(context: Context, checkout: Checkout, done: _Progress) -> None:
    with done.step("datasets") as say:
        # All that no pipeline makes is to be there before one runs.
        lock = require_runtime(context, context.installation)
        require_included(context, context.source)
        require_files(context)
        stages = context.pipeline.stages([dataset.path for dataset in context.spec.datasets])
        context.pipeline.run(stages.datasets, progress=done.say)
        # What is wrong with their form is told at once, whatever the checks would make of it.
        read_datasets(context)
        say(_list_stages(stages.datasets))
    checks = [*code_checks(context), *data_checks(context)]
    if not done.check(checks, Layer.CODE, Layer.DATA):
        return
    with done.step("training") as say:
        context.pipeline.run(stages.training, progress=done.say)
        say(_list_stages(stages.training))
    with done.step("release") as say:
        gathered = gather_release(context, lock=lock)
        manifest = gathered.manifest
        cut = cut_release(context, manifest, _with_edits_since(context, checkout))
        done.cut = cut
        say(f"{short(cut.id)} {'cut' if cut.is_new else 'unchanged'}")
    changed = find_changed(checks, done.results)
    if changed:
        # What was pinned is not what was checked.
        done.results = [changed.get((result.layer, result.name), result) for result in done.results]
        for layer in (Layer.CODE, Layer.DATA):
            if found := [result for result in changed.values() if result.layer is layer]:
                done.steps.append(_step_of(layer, found, seconds=0.0))
    with done.step("golden answers") as say:
        say(_golden_answers(context, cut, gathered))
    release = find_release(context, cut.id)
    # It comes up while the model is checked, and is asked nothing before that has passed.
    with integration_checks(context, release, manifest) as checks_of_service:
        if check_model(context, release, manifest, done.check):
            done.check(checks_of_service, Layer.INTEGRATION)
        else:
            done.steps.append(_not_run(Layer.INTEGRATION))
    with done.step("gate") as say:
        done.gated = evaluate_gate(context, release, manifest, done.results, progress=done.say)
        say(done.gated.decision.reason.message)
    done.steps[-1] = replace(done.steps[-1], verdict=done.gated.decision.verdict)


def _golden_answers(context: Context, cut: Cut, gathered: Gathered) -> str:
    """Record the golden answers, or say why there are none; the model layer then judges it."""
    try:
        count = record_golden_answers(context, cut, gathered.answers)
    except WorkerKilledError:
        raise
    except WorkerError as error:
        return f"none: {error}"
    return f"{count} answers stand" if count else "not applicable"


def _step_of(layer: Layer, results: Sequence[CheckResult], *, seconds: float) -> Step:
    if not results:
        return Step(name=layer, verdict=None, detail="not applicable", seconds=0.0)
    verdict = worst(result.verdict for result in results)
    first = next(result for result in results if result.verdict is verdict)
    return Step(
        name=layer,
        verdict=verdict,
        detail=_count(len(results), "check")
        if verdict is Verdict.PASS
        else f"{first.name}: {first.reason.message}",
        seconds=seconds,
    )


def _not_run(layer: Layer) -> Step:
    return Step(
        name=layer,
        verdict=None,
        detail="not run: an earlier layer did not pass",
        seconds=0.0,
    )


def _conclude(done: _Progress) -> tuple[Verdict, tuple[Reason, ...]]:
    if done.gated is None or done.cut is None:
        failed = [result for result in done.results if result.verdict is not Verdict.PASS]
        verdict = worst(result.verdict for result in failed)
        # What is worst comes first: it is what the run is remembered by.
        ordered = sorted(failed, key=lambda result: result.verdict is not verdict)
        return verdict, tuple(
            Reason(
                code=result.reason.code,
                message=f"{result.layer}: {result.name}: {result.reason.message}",
            )
            for result in ordered
        )
    decision, cut = done.gated.decision, _reason(done.cut)
    if done.gated.rules is None and decision.verdict is Verdict.PASS:
        return decision.verdict, (cut, *decision.reasons)
    return decision.verdict, (*decision.reasons, cut)


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
    done: _Progress,
    verdict: Verdict,
    reasons: tuple[Reason, ...],
) -> None:
    record(
        context,
        f"project:{context.spec.name}",
        EventKind.RUN_FINISHED,
        {
            "release": done.cut.id if done.cut else None,
            "verdict": str(verdict),
            "reasons": [describe(reason) for reason in reasons],
            "commit": checkout.commit,
            "dirty": bool(checkout.dirty),
            "checks": [
                {
                    "layer": str(result.layer),
                    "name": result.name,
                    "verdict": str(result.verdict),
                    "reason": describe(result.reason),
                    "digest": result.digest,
                }
                for result in done.results
            ],
        },
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
