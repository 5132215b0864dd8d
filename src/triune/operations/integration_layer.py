"""The integration layer: a stored release served as it will be, and asked as clients will ask.

The answers recorded when it was cut come from one batch; here the same requests are sent one by
one, in other batches and in another order, and must be answered the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from threading import Lock
from typing import Final

from triune.domain.canonical import Json, canonical_json, sha256
from triune.domain.evidence import Judgement, Layer
from triune.domain.integration_checks import (
    BASE_URL,
    Failed,
    Replay,
    differs,
    find_breach,
    judge_contract,
    judge_not_recorded,
    judge_replays,
    make_probes,
)
from triune.domain.manifest import Manifest, Signature
from triune.domain.projection import ReleaseRecord
from triune.domain.release import CANDIDATE
from triune.operations.checks import Check, is_known
from triune.operations.context import Context
from triune.operations.cutting import load_golden
from triune.operations.locating import require_path
from triune.operations.project_tests import find_layer_tests
from triune.operations.rollback_drill import drill_check
from triune.ports import HttpAnswer, Progress, Service, Tool

BATCHES: Final = (2, 7, 50)
"""How many golden requests are sent at once; beside these, all of them are."""

_FORMAT: Final = 1
"""Raised whenever the same release would be judged otherwise."""

_PREDICT: Final = "/predict"
_MOST_FAILED: Final = 3
"""After so many failures the rest is not tried: each may take as long as the service lets it."""


Request = dict[str, Json]
_Sent = tuple[Sequence[int], Sequence[Json | Failed]]
"""Golden requests by their numbers, and what each was answered."""


@contextmanager
def integration_checks(
    context: Context, release: ReleaseRecord, manifest: Manifest
) -> Iterator[tuple[Check, ...]]:
    """Make the checks of a release that is served for as long as the block lasts.

    Where all that they will come to is known already, it is served once one of them asks all the
    same. There is none for a release without a model, and none by golden requests where it has
    none.
    """
    signature = manifest.signature
    if signature is None:
        yield ()
        return
    with ExitStack() as until:
        service = _OnDemand(
            serve=lambda: until.enter_context(context.server.serving(release.id)), lock=Lock()
        )
        golden = (
            _Golden(context=context, service=service, requests=manifest.golden, record=release)
            if manifest.golden
            else None
        )
        checks = tuple(_make_checks(context, service, release, signature, golden))
        if not all(is_known(context, each) for each in checks):
            # It comes up while whoever asked for the checks does something else.
            service.started()
        drill = drill_check(context, release, manifest)
        yield (*checks, drill) if drill else checks


@dataclass(slots=True, kw_only=True)
class _OnDemand:
    """A service that is started once it is asked for anything, by one thread of several."""

    serve: Callable[[], Service]
    lock: Lock
    service: Service | None = None

    def started(self) -> Service:
        with self.lock:
            if self.service is None:
                self.service = self.serve()
            return self.service

    def base_url(self) -> str:
        return self.started().base_url()

    def get(self, path: str) -> HttpAnswer:
        return self.started().get(path)

    def post(self, path: str, document: Json) -> HttpAnswer:
        return self.started().post(path, document)


def _make_checks(
    context: Context,
    service: Service,
    release: ReleaseRecord,
    signature: Signature,
    golden: "_Golden | None",
) -> Iterator[Check]:
    digest = partial(_digest, context, release)
    contract = _Contract(service=service, release=release, signature=signature, golden=golden)
    judges = {"http": contract.judge}
    if golden:
        judges["golden one by one"] = golden.judge_one_by_one
        judges["golden in batches"] = golden.judge_in_batches
    for name, judge in judges.items():
        yield Check(layer=Layer.INTEGRATION, name=name, digest=digest, judge=judge)
    path = context.spec.integration_tests or find_layer_tests(context, Layer.INTEGRATION)
    if path is not None:
        tests = _Tests(context=context, service=service, release=release, path=path)
        yield Check(
            layer=Layer.INTEGRATION,
            name="tests",
            digest=tests.digest,
            judge=tests.judge,
            # They may ask whatever they like of whatever else they reach.
            is_reusable=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Golden:
    """The golden requests of a release (the blob ``requests``), sent to it again."""

    context: Context
    service: Service
    requests: str
    record: ReleaseRecord

    def load(self) -> list[Request]:
        return load_golden(self.context, self.requests)

    def judge_one_by_one(self, progress: Progress) -> Judgement:
        if self.record.answers is None:
            return judge_not_recorded()
        recorded = load_golden(self.context, self.record.answers)
        requests = self.load()
        progress(f"sending {len(requests)} golden requests")
        alone = _replay("one by one", _send_alone(self.service, requests))
        together = self._send_together(requests) if differs(recorded, alone) else None
        return judge_replays(recorded, [alone], together=together)

    def judge_in_batches(self, progress: Progress) -> Judgement:
        if self.record.answers is None:
            return judge_not_recorded()
        recorded = load_golden(self.context, self.record.answers)
        requests = self.load()
        rows = range(len(requests))
        together = self._send_together(requests)
        replays = [together]
        for size in (size for size in BATCHES if size < len(requests)):
            progress(f"sending golden requests in batches of {size}")
            sent = _send_batches(self.service, requests, _cut(rows, size))
            replays.append(_replay(f"in batches of {size}", sent))
        shuffled = list(rows)
        Random(0).shuffle(shuffled)  # noqa: S311 - any order but the recorded one will do
        sent = _send_batches(self.service, requests, [shuffled])
        replays.append(_replay("together in another order", sent))
        return judge_replays(recorded, replays, together=together)

    def _send_together(self, requests: Sequence[Request]) -> Replay:
        sent = _send_batches(self.service, requests, [range(len(requests))])
        return _replay("together", sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contract:
    """What holds of every release that is served: how it answers and refuses."""

    service: Service
    release: ReleaseRecord
    signature: Signature
    golden: _Golden | None

    def judge(self, progress: Progress) -> Judgement:
        requests = self.golden.load() if self.golden else []
        probes = make_probes(self.signature, requests[0] if requests else None)
        progress(f"sending {len(probes)} requests, good and bad")
        breaches = []
        for probe in probes:
            if probe.body is None:
                answer = self.service.get("/health")
            else:
                answer = self.service.post(_PREDICT, probe.body)
            breach = find_breach(
                probe, status=answer.status, document=answer.document, release=self.release.id
            )
            breaches += [breach] if breach else []
        return judge_contract(breaches, probes=len(probes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    """The project's own tests of the service, told by a variable where it answers."""

    context: Context
    service: Service
    release: ReleaseRecord
    path: str

    def digest(self) -> str:
        return sha256(f"{_digest(self.context, self.release)} {self._tool({}).digest()}".encode())

    def judge(self, progress: Progress) -> Judgement:
        require_path(self.context, "integration.tests", self.path)
        tool = self._tool({BASE_URL: self.service.base_url(), CANDIDATE: self.release.id})
        judgement = tool.judge(progress)
        # Asked again: what tests say of a service that is gone by now, they say of nothing.
        self.service.base_url()
        return judgement

    def _tool(self, environment: dict[str, str]) -> Tool:
        return self.context.tools.integration_tests(self.path, environment=environment)


def _send_alone(service: Service, requests: Sequence[Request]) -> Iterator[_Sent]:
    for row, request in enumerate(requests):
        answer = service.post(_PREDICT, request)
        yield [row], [answer.document if answer.status == 200 else _failed(answer)]


def _send_batches(
    service: Service, requests: Sequence[Request], batches: Iterable[Sequence[int]]
) -> Iterator[_Sent]:
    for rows in batches:
        answer = service.post(_PREDICT, [requests[row] for row in rows])
        document = answer.document
        is_whole = isinstance(document, list) and len(document) == len(rows)
        is_answered = answer.status == 200 and is_whole
        yield rows, document if is_answered else [_failed(answer)] * len(rows)


def _replay(way: str, sent: Iterable[_Sent]) -> Replay:
    """Gather answers as they come, and send no more once too much has failed."""
    answers: dict[int, Json | Failed] = {}
    failures = 0
    for rows, got in sent:
        answers.update(zip(rows, got, strict=True))
        failures += any(isinstance(each, Failed) for each in got)
        if failures == _MOST_FAILED:
            break
    return Replay(way=way, answers=answers)


def _failed(answer: HttpAnswer) -> Failed:
    document = answer.document
    detail = document.get("detail") if isinstance(document, dict) else None
    return Failed(status=answer.status, detail=str(detail or "not as many answers as requests"))


def _cut(rows: Sequence[int], size: int) -> list[Sequence[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _digest(context: Context, release: ReleaseRecord) -> str:
    """Digest a release, its recorded answers, and what serves it here."""
    machine = context.installation.machine()
    document = {
        "check": _FORMAT,
        "release": release.id,
        "answers": release.answers,
        "machine": [machine.python, machine.platform, machine.hardware],
        "packages": context.installation.versions(),
    }
    return sha256(canonical_json(document))
