"""Decides what a check of a served release came to, from what it answered; asks nothing itself."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeGuard

from triune.domain.canonical import Json
from triune.domain.evidence import Finding, Judgement
from triune.domain.manifest import Field, FieldType, Signature
from triune.domain.verdict import Reason, Verdict
from triune.domain.wording import counted

BASE_URL: Final = "TRIUNE_BASE_URL"
"""The variable by which the project's own tests are told where the release answers."""

TOLERANCE: Final = 1e-6
"""How far apart two numbers may be: this much, or this share of the larger one."""

MOST_FINDINGS: Final = 10
MOST_FIELDS: Final = 50
"""How many inputs the contract is tried on."""

_LONGEST: Final = 200


class IntegrationReason(StrEnum):
    """Why a check of a served release came out as it did."""

    ANSWERS_EQUAL = "ANSWERS_EQUAL"
    ANSWERS_DIFFER = "ANSWERS_DIFFER"
    BATCH_DEPENDENT = "BATCH_DEPENDENT"
    REQUEST_FAILED = "REQUEST_FAILED"
    NOT_RECORDED = "NOT_RECORDED"
    CONTRACT_KEPT = "CONTRACT_KEPT"
    CONTRACT_BROKEN = "CONTRACT_BROKEN"
    ROLLED_BACK = "ROLLED_BACK"
    NOT_ROLLED_BACK = "NOT_ROLLED_BACK"
    RELEASE_DAMAGED = "RELEASE_DAMAGED"
    NOT_APPLICABLE = "NOT_APPLICABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """What came in place of an answer: an HTTP status, and what was said of it."""

    status: int
    detail: str

    def __str__(self) -> str:
        return f"HTTP {self.status} ({self.detail})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Golden requests that were sent again in one way, and the answers by their numbers.

    ``way`` completes "sent ...": "one by one". Not all need have been sent: what fails time and
    again is not tried to the end.
    """

    way: str
    answers: Mapping[int, Json | Failed]


def are_equal(recorded: Json, answered: Json | Failed) -> bool:
    """Tell whether two answers are the same: numbers within `TOLERANCE`, all else exactly.

    Examples
    --------
    >>> are_equal({"prediction": 0.5}, {"prediction": 0.5000001})
    True
    >>> are_equal({"prediction": 1}, {"prediction": True})
    False
    """
    if isinstance(recorded, dict) and isinstance(answered, dict):
        return recorded.keys() == answered.keys() and all(
            are_equal(value, answered[name]) for name, value in recorded.items()
        )
    if isinstance(recorded, list) and isinstance(answered, list):
        return len(recorded) == len(answered) and all(
            are_equal(*pair) for pair in zip(recorded, answered, strict=True)
        )
    if _is_number(recorded) and _is_number(answered):
        return math.isclose(recorded, answered, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(recorded) is type(answered) and bool(recorded == answered)


def differs(recorded: Sequence[Json], replay: Replay) -> bool:
    """Tell whether any answer is not the recorded one."""
    return any(not are_equal(recorded[row], answer) for row, answer in replay.answers.items())


def judge_replays(
    recorded: Sequence[Json], replays: Sequence[Replay], *, together: Replay | None
) -> Judgement:
    """Pass where golden requests are answered as they were recorded, in whatever way they are sent.

    Parameters
    ----------
    together
        All of them sent as one batch in their order, as the recorded ones were; None where that
        was not done, as it need not be where nothing differs.
    """
    different = {
        (replay.way, row): answer
        for replay in replays
        for row, answer in replay.answers.items()
        if not are_equal(recorded[row], answer)
    }
    rows = {row for _, row in different}
    gaps = [
        gap
        for replay in replays
        for row, answer in replay.answers.items()
        for gap in _gaps(recorded[row], answer)
    ]
    figures = {
        "requests": float(len(recorded)),
        "differing": float(len(rows)),
        "largest_gap": max(gaps, default=0.0),
    }
    if not different:
        ways = ", ".join(replay.way for replay in replays)
        message = f"{counted(len(recorded), 'golden request')} answered as recorded, sent {ways}"
        return _judge(Verdict.PASS, IntegrationReason.ANSWERS_EQUAL, message, figures=figures)
    findings = tuple(
        Finding(
            message=f"golden request {row}, sent {way}: recorded {_show(recorded[row])}, "
            f"answered {_show(answer)}",
            row=row,
        )
        for (way, row), answer in different.items()
    )
    failed = [answer for answer in different.values() if isinstance(answer, Failed)]
    if failed:
        reason = IntegrationReason.REQUEST_FAILED
        message = (
            f"{counted(len(rows), 'golden request')} of {len(recorded)} failed or got another "
            f"answer than recorded, first with {failed[0]}; mend what the model raises, and see "
            "the findings"
        )
    elif together is not None and not differs(recorded, together):
        reason = IntegrationReason.BATCH_DEPENDENT
        message = (
            f"{_describe(rows, recorded, different, gaps)}, while all sent together are answered "
            "as recorded: the answer depends on the batch (a row scores differently alone than "
            "among others); compute no statistics from the batch at hand, but once in training, "
            "and keep them with the model"
        )
    else:
        reason = IntegrationReason.ANSWERS_DIFFER
        message = (
            f"{_describe(rows, recorded, different, gaps)}: the answer depends on something that "
            "is neither in the request nor in the release, such as chance, the time or a file; "
            "fix seeds, and let what the model needs travel with it"
        )
    return _judge(Verdict.FAIL, reason, message, findings=findings, figures=figures)


def judge_not_recorded() -> Judgement:
    """Say that there is nothing to compare answers with."""
    message = (
        "no golden answers were recorded when the release was cut, so there is nothing to compare "
        "with; `triune run` records them"
    )
    return _judge(Verdict.ERROR, IntegrationReason.NOT_RECORDED, message)


def judge_drill(*, forward_s: float, back_s: float, most_s: float) -> Judgement:
    """Pass where requests reached the candidate, and then the champion again, soon enough.

    Parameters
    ----------
    forward_s, back_s
        From the order to the first answer of the release that was ordered, in seconds.
    most_s
        How long a rollback may take.
    """
    figures = {"forward_seconds": forward_s, "back_seconds": back_s}
    if back_s > most_s:
        message = (
            f"it took {back_s:.1f} s from the order to the champion's first answer, where "
            f"{most_s:g} s are allowed; see what else the machine does"
        )
        return _judge(Verdict.FAIL, IntegrationReason.NOT_ROLLED_BACK, message, figures=figures)
    message = f"from the champion to the candidate and back, which took {back_s:.3f} s"
    return _judge(Verdict.PASS, IntegrationReason.ROLLED_BACK, message, figures=figures)


def judge_no_drill(why: str) -> Judgement:
    """Say that there is nothing to go back to."""
    return _judge(Verdict.PASS, IntegrationReason.NOT_APPLICABLE, f"not judged: {why}")


def judge_drill_failed(message: str) -> Judgement:
    """Fail where requests did not go where they were ordered to."""
    return _judge(Verdict.FAIL, IntegrationReason.NOT_ROLLED_BACK, message)


def judge_drill_impossible(message: str) -> Judgement:
    """Come to no verdict where a release cannot be laid out: nothing is known of going back."""
    return _judge(Verdict.ERROR, IntegrationReason.RELEASE_DAMAGED, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A request, and what the contract has it come to.

    ``sent`` says what it is; one without ``body`` asks for the service's health. ``field`` is the
    input that a refusal must name.
    """

    sent: str
    status: int
    body: Json = None
    field: str | None = None


def make_probes(signature: Signature, request: dict[str, Json] | None) -> tuple[Probe, ...]:
    """Make requests that try a release's contract, out of one that is sound.

    Without one only the service's health can be tried.
    """
    health = Probe(sent="GET /health", status=200)
    if request is None:
        return (health,)
    inputs = signature.inputs[:MOST_FIELDS]
    return (
        health,
        Probe(sent="a request", status=200, body=request),
        Probe(sent="a list of two requests", status=200, body=[request, request]),
        *(
            Probe(
                sent=f"a request without {field.name!r}",
                status=422,
                body={name: value for name, value in request.items() if name != field.name},
                field=field.name,
            )
            for field in inputs
            if not field.nullable
        ),
        *(
            Probe(
                sent=f"a request whose {field.name!r} has the wrong type",
                status=422,
                body={**request, field.name: _mistyped(field)},
                field=field.name,
            )
            for field in inputs
        ),
    )


def find_breach(probe: Probe, *, status: int, document: Json, release: str) -> str | None:
    """Say what of an answer breaks the contract; None where nothing does."""
    if status != probe.status:
        return f"{probe.sent} came to HTTP {status}, instead of {probe.status}: {_show(document)}"
    if probe.field is not None:
        named = [error["field"] for error in _errors(document)]
        if probe.field not in named:
            return f"{probe.sent} was refused without naming it: {_show(document)}"
    elif probe.body is None:
        if not isinstance(document, dict) or document.get("release") != release:
            return f"{probe.sent} does not tell the release {release}: {_show(document)}"
    elif isinstance(probe.body, list):
        if not isinstance(document, list) or len(document) != len(probe.body):
            return f"{probe.sent} came to no list of as many answers: {_show(document)}"
    elif not isinstance(document, dict):
        return f"{probe.sent} came to no answer that is an object: {_show(document)}"
    return None


def judge_contract(breaches: Sequence[str], *, probes: int) -> Judgement:
    """Pass where every probe came to what the contract has it come to."""
    figures = {"probes": float(probes), "breaches": float(len(breaches))}
    if not breaches:
        message = f"{counted(probes, 'request')} answered or refused as the contract has it"
        return _judge(Verdict.PASS, IntegrationReason.CONTRACT_KEPT, message, figures=figures)
    message = (
        f"{len(breaches)} of {counted(probes, 'request')} broke the contract; first: {breaches[0]}"
    )
    return _judge(
        Verdict.FAIL,
        IntegrationReason.CONTRACT_BROKEN,
        message,
        findings=tuple(Finding(message=breach) for breach in breaches),
        figures=figures,
    )


def _describe(
    rows: Iterable[int],
    recorded: Sequence[Json],
    different: Mapping[tuple[str, int], Json | Failed],
    gaps: Sequence[float],
) -> str:
    ways = ", ".join(dict.fromkeys(way for way, _ in different))
    gap = f" (largest gap {max(gaps):.3g})" if gaps else ""
    return (
        f"{len(set(rows))} of {counted(len(recorded), 'golden request')}, sent {ways}, get another "
        f"answer than recorded{gap}"
    )


def _gaps(recorded: Json, answered: Json | Failed) -> Iterator[float]:
    """List how far apart the numbers are that are no labels: those with a fraction."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        for name in recorded.keys() & answered.keys():
            yield from _gaps(recorded[name], answered[name])
    elif (
        _is_number(recorded)
        and _is_number(answered)
        and (isinstance(recorded, float) or isinstance(answered, float))
    ):
        yield abs(recorded - answered)


def _is_number(value: Json | Failed) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mistyped(field: Field) -> Json:
    return 0 if field.type in {FieldType.STRING, None} else "of the wrong type"


def _errors(document: Json) -> list[dict[str, Json]]:
    errors = document.get("errors") if isinstance(document, dict) else None
    return [error for error in errors or () if isinstance(error, dict) and "field" in error]


def _show(value: Json | Failed) -> str:
    shown = str(value) if isinstance(value, Failed) else json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _judge(
    verdict: Verdict,
    reason: IntegrationReason,
    message: str,
    *,
    findings: Sequence[Finding] = (),
    figures: Mapping[str, float] | None = None,
) -> Judgement:
    return Judgement(
        verdict=verdict,
        reason=Reason(code=reason, message=message),
        findings=tuple(findings[:MOST_FINDINGS]),
        figures=figures or {},
    )
