"""Runs checks side by side, and takes from its memory what was found for the same digests before.

What a check looks at, and when it passes, is the layers' to say: `code_layer`, `data_layer`,
`model_layer` and `integration_layer` make the checks.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Thread
from time import perf_counter

from triune.domain.canonical import sha256
from triune.domain.errors import TriuneError
from triune.domain.evidence import CheckResult, Judgement, Layer
from triune.domain.verdict import Reason, Verdict
from triune.operations.context import Context
from triune.ports import Progress


def _read_nothing_else() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One test of a release, or of what it will be made of.

    Parameters
    ----------
    digest
        Digests all that the check is about now (64 hexadecimal digits); where that changes before
        it is pinned in a release, its result is none.
    judge
        Runs it to a verdict. A fault that it raises makes it an ERROR.
    is_reusable
        Whether a result stands as long as its digest does. An ERROR never stands.
    surroundings
        Digests what else it may read, which need not be pinned: a result stands no longer than
        that does either. None where nobody can tell what that is, and no result stands.
    """

    layer: Layer
    name: str
    digest: Callable[[], str]
    judge: Callable[[Progress], Judgement]
    is_reusable: bool = True
    surroundings: Callable[[], str | None] = _read_nothing_else


def run_checks(
    context: Context,
    checks: Sequence[Check],
    *,
    progress: Progress,
    force: bool = False,
    jobs: int | None = None,
) -> tuple[CheckResult, ...]:
    """Run checks side by side, ``jobs`` at a time (as many as there are cores), in their order.

    Parameters
    ----------
    force
        Whether to run again what was found for the same digest before.
    """
    waiting: SimpleQueue[tuple[int, Check] | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, CheckResult | BaseException]] = SimpleQueue()
    for numbered in enumerate(checks):
        waiting.put(numbered)

    def work() -> None:
        while (numbered := waiting.get()) is not None:
            number, check = numbered
            try:
                done.put((number, _run_check(context, check, progress=progress, force=force)))
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                done.put((number, error))

    workers = min(len(checks), jobs or os.cpu_count() or 1)
    # Daemons: after Ctrl-C nothing waits for them, and what they started ends with this process.
    for _ in range(workers):
        waiting.put(None)
        Thread(target=work, daemon=True).start()
    results: dict[int, CheckResult] = {}
    faults: list[BaseException] = []
    while len(results) + len(faults) < len(checks):
        number, result = done.get()
        if isinstance(result, BaseException):
            faults.append(result)
            continue
        results[number] = result
        progress(f"{result.layer}: {result.name}: {result.verdict}")
    # Only once nothing runs any more: a thread that is cut off within native code ends it all.
    if faults:
        raise faults[0]
    return tuple(results[number] for number in sorted(results))


def is_known(context: Context, check: Check) -> bool:
    """Tell whether a check was run before on what it is about now, and its result stands."""
    key = _key(check.digest(), check.surroundings()) if check.is_reusable else None
    return _find(context, check, key) is not None


def find_changed(
    checks: Sequence[Check], results: Sequence[CheckResult]
) -> dict[tuple[Layer, str], CheckResult]:
    """Find the checks that would read something else now, by layer and name, each as an ERROR."""
    known = {(result.layer, result.name): result for result in results}
    changed: dict[tuple[Layer, str], CheckResult] = {}
    for check in checks:
        result = known[check.layer, check.name]
        if check.is_reusable and check.digest() != result.digest:
            changed[check.layer, check.name] = replace(
                result,
                verdict=Verdict.ERROR,
                reason=Reason(
                    code="CHANGED_MEANWHILE",
                    message="what it checked was edited before it was pinned in the release; run "
                    "it again, and leave the files alone meanwhile",
                ),
            )
    return changed


def _run_check(context: Context, check: Check, *, progress: Progress, force: bool) -> CheckResult:
    def say(line: str) -> None:
        progress(f"{check.layer}: {check.name}: {line}")

    started = perf_counter()
    digest, key, is_kept = "", None, False
    try:
        # Before it runs: what it changes, it did not read.
        digest, around = check.digest(), check.surroundings()
        key = _key(digest, around) if check.is_reusable else None
        known = None if force else _find(context, check, key)
        if known is not None:
            return replace(known, digest=digest)
        judgement = check.judge(say)
        # What was edited meanwhile, it may have read before or after.
        is_kept = key is not None and check.surroundings() == around
    except TriuneError as error:
        judgement = Judgement(
            verdict=Verdict.ERROR, reason=Reason(code=error.code, message=str(error))
        )
    except OSError as error:
        judgement = Judgement(
            verdict=Verdict.ERROR, reason=Reason(code=TriuneError.code, message=str(error))
        )
    result = CheckResult(
        layer=check.layer,
        name=check.name,
        verdict=judgement.verdict,
        reason=judgement.reason,
        seconds=perf_counter() - started,
        digest=digest,
        figures=judgement.figures,
        findings=judgement.findings,
        details=judgement.details,
    )
    if key is not None and is_kept and result.verdict is not Verdict.ERROR:
        context.results.keep(replace(result, digest=key))
    return result


def _find(context: Context, check: Check, key: str | None) -> CheckResult | None:
    if key is None:
        return None
    return context.results.find(layer=check.layer, name=check.name, digest=key)


def _key(digest: str, around: str | None) -> str | None:
    """Make what a result is remembered by; None where none stands."""
    if around is None:
        return None
    return sha256(f"{digest} {around}".encode()) if around else digest
