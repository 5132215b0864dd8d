"""Takes a release through the gate: gathers the evidence, has it judged, and records both.

What is decided rests on stored evidence alone, so that `recompute` comes to the same again.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from triune.domain.canonical import Json
from triune.domain.errors import StoreError, TriuneError, WorkerKilledError
from triune.domain.events import EventKind
from triune.domain.evidence import CheckResult
from triune.domain.gate import (
    CheckOutcome,
    Compared,
    GateDecision,
    GateEvidence,
    SliceCompared,
    decide,
)
from triune.domain.manifest import Manifest, Outputs
from triune.domain.projection import EnvironmentRecord, GateRecord, ReleaseRecord
from triune.domain.release import short
from triune.domain.rules import GateRules
from triune.domain.verdict import Reason, Verdict
from triune.domain.wording import counted
from triune.operations.context import Context, record
from triune.operations.holdouts import (
    Look,
    count_looks,
    find_seen,
    identify_holdout,
    reserve_look,
)
from triune.operations.measuring import Holdout, load_holdout
from triune.operations.releases import load_manifest
from triune.operations.scoring import score_dataset
from triune.ports import Predictions, Progress
from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.estimate import PairedComparison
from triune.stats.interval import Question
from triune.stats.looks import accumulated_bound, accumulated_chance

LOOKS = 32
"""How many models may meet a holdout's labels where no gate says so."""

_FORMAT = 1


class ChampionGoneError(TriuneError):
    """The champion cannot be run any more, so nothing can be compared with it."""

    code = "CHAMPION_GONE"


class NotComparableError(TriuneError):
    """The champion has no answers for the holdout of the candidate."""

    code = "CHAMPION_NOT_COMPARABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What the gate said of a release, and the evidence that it rests on."""

    release: str
    rules: GateRules | None
    evidence: GateEvidence
    decision: GateDecision
    checks: tuple[CheckResult, ...]

    @property
    def budget(self) -> int:
        """How many models may meet the labels of the holdout."""
        return self.rules.looks if self.rules else LOOKS

    @property
    def chance(self) -> float:
        """The accumulated chance of at least one false promotion, if looks err independently."""
        return accumulated_chance([self._alpha] * self.evidence.looks_used)

    @property
    def bound(self) -> float:
        """What that chance cannot exceed, whatever the looks have in common."""
        return accumulated_bound([self._alpha] * self.evidence.looks_used)

    @property
    def _alpha(self) -> float:
        return self.rules.alpha if self.rules else GateRules(metric="").alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """What a candidate is compared with: what serves in the last environment."""

    environment: str | None
    release: ReleaseRecord | None


def find_champion(context: Context) -> Opponent:
    """Find the champion of the last environment of ``environments``; None where nothing serves."""
    if not context.spec.environments:
        return Opponent(environment=None, release=None)
    name = context.spec.environments[-1].name
    environment = context.ledger.find(EnvironmentRecord, name)
    champion = environment.champion if environment else None
    release = context.ledger.find(ReleaseRecord, champion) if champion else None
    return Opponent(environment=name, release=release)


def look_at_holdout(
    context: Context, release: str, manifest: Manifest, predictions: Predictions
) -> Look | None:
    """Reserve the look of a release at its holdout; None where it predicts what the champion does.

    Raises
    ------
    ChampionGoneError
        The champion cannot be scored.
    """
    holdout = identify_holdout(context, manifest)
    champion = find_champion(context).release
    if champion is not None:
        if champion.id == release:
            return None
        theirs = score_champion(context, champion, manifest)
        if theirs.digest == predictions.digest:
            return None
    return reserve_look(
        context,
        holdout,
        predictions=predictions.digest,
        release=release,
        budget=context.spec.gate.looks if context.spec.gate else LOOKS,
    )


def score_champion(context: Context, champion: ReleaseRecord, manifest: Manifest) -> Predictions:
    """Score the holdout of another release by the champion.

    Raises
    ------
    ChampionGoneError
        Its blobs are gone or changed.
    NotComparableError
        It no longer runs here, or not on this holdout.
    WorkerKilledError
        Its worker was killed; another attempt may succeed.
    """
    with _translating_loss(champion):
        try:
            return score_dataset(context, champion, manifest.datasets["holdout"])
        except (StoreError, WorkerKilledError):
            raise
        except TriuneError as error:
            raise NotComparableError(
                f"the champion {short(champion.id)} cannot be scored on this holdout: {error}; "
                "give a holdout that it has answers for, or promote the candidate past the gate: "
                "`triune promote RELEASE --to ENV --emergency REASON`"
            ) from error


@contextmanager
def _translating_loss(champion: ReleaseRecord) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise ChampionGoneError(
            f"the champion {short(champion.id)} cannot be compared with: {error}; bring its blobs "
            f"back from a copy of .triune/blobs, or cut it again from commit {champion.commit[:12]}"
        ) from error


def evaluate_gate(
    context: Context,
    release: ReleaseRecord,
    manifest: Manifest,
    checks: Sequence[CheckResult],
    *,
    progress: Progress,
) -> Gated:
    """Gather the evidence for a release, decide, and record the decision with its evidence.

    Raises
    ------
    ChampionGoneError
        There is a champion that cannot be scored.
    DatasetError
        The holdout lacks labels.
    """
    opponent = find_champion(context)
    evidence = _gather(
        context, release, manifest, champion=opponent.release, checks=checks, progress=progress
    )
    gated = Gated(
        release=release.id,
        rules=context.spec.gate,
        evidence=evidence,
        decision=decide(context.spec.gate, evidence),
        checks=tuple(checks),
    )
    _record(context, gated, opponent)
    return gated


def find_gated(context: Context, release: ReleaseRecord) -> Gated | None:
    """Load what the gate last said of a release, as its stored evidence has it decided now.

    Raises
    ------
    StoreError
        The evidence is gone, or changed.
    """
    found = context.ledger.find(GateRecord, release.id)
    return recompute(context, found) if found else None


def recompute(context: Context, found: GateRecord) -> Gated:
    """Decide again from stored evidence; nothing is scored, and nothing recorded.

    Raises
    ------
    StoreError
        The evidence is gone, changed, or of a later format.
    """
    document = json.loads(context.store.read(found.evidence))
    if document.get("format") != _FORMAT:
        raise StoreError(
            f"the evidence for release {short(found.release)} is of format "
            f"{document.get('format')}, which this version does not know; upgrade Triune"
        )
    try:
        rules = msgspec.convert(document["rules"], GateRules | None)
        evidence = msgspec.convert(document["evidence"], GateEvidence)
        checks = tuple(CheckResult.of(each) for each in document["checks"])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"the evidence for release {short(found.release)} cannot be read: {error}; "
            "upgrade Triune"
        ) from error
    return Gated(
        release=found.release,
        rules=rules,
        evidence=evidence,
        decision=decide(rules, evidence),
        checks=checks,
    )


def _record(context: Context, gated: Gated, opponent: Opponent) -> None:
    document = {
        "format": _FORMAT,
        "rules": msgspec.to_builtins(gated.rules),
        "evidence": msgspec.to_builtins(gated.evidence),
        "checks": [check.document for check in gated.checks],
    }
    # Python's own JSON: a bound may be infinite.
    content = json.dumps(document, sort_keys=True).encode()
    decision = gated.decision
    record(
        context,
        f"release:{gated.release}",
        EventKind.GATE_DECIDED,
        {
            "release": gated.release,
            "champion": gated.evidence.champion,
            "environment": opponent.environment,
            "evidence": context.store.put(content).digest,
            "verdict": str(decision.verdict),
            "reasons": [describe(reason) for reason in decision.reasons],
        },
    )


def describe(reason: Reason) -> dict[str, Json]:
    """Turn a reason into what an event keeps of it."""
    return {"code": str(reason.code), "message": reason.message}


def _gather(  # noqa: PLR0913 - what it is of, and three that are named
    context: Context,
    release: ReleaseRecord,
    manifest: Manifest,
    *,
    champion: ReleaseRecord | None,
    checks: Sequence[CheckResult],
    progress: Progress,
) -> GateEvidence:
    holdout = identify_holdout(context, manifest) if manifest.model and context.spec.gate else None
    passed = all(check.verdict is Verdict.PASS for check in checks)
    met = (
        _meet(context, release, manifest, champion=champion, progress=progress)
        if passed and holdout and champion
        else _Met()
    )
    return GateEvidence(
        candidate=release.id,
        champion=champion.id if champion else None,
        holdout=holdout.id if holdout else "",
        checks=tuple(
            CheckOutcome(
                layer=check.layer, name=check.name, verdict=check.verdict, reason=check.reason
            )
            for check in checks
        ),
        is_unchanged=met.is_unchanged,
        looks_used=count_looks(context, holdout) if holdout else 0,
        is_holdout_spent=met.is_spent,
        compared=met.compared,
        slices=met.slices,
        obstacle=met.obstacle,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Met:
    """What came of candidate and champion on the holdout, where they met."""

    is_unchanged: bool = False
    is_spent: bool = False
    compared: Compared | None = None
    slices: tuple[SliceCompared, ...] = ()
    obstacle: Reason | None = None


def _meet(
    context: Context,
    release: ReleaseRecord,
    manifest: Manifest,
    *,
    champion: ReleaseRecord,
    progress: Progress,
) -> _Met:
    rules = context.spec.gate
    assert rules is not None
    progress(f"scoring the holdout by champion {short(champion.id)}")
    ours = score_dataset(context, release, manifest.datasets["holdout"])
    theirs = score_champion(context, champion, manifest)
    if champion.id == release.id or ours.digest == theirs.digest:
        return _Met(is_unchanged=True)
    with _translating_loss(champion):
        champions = load_manifest(context, champion)
        seen = find_seen(context, manifest, training=champions.datasets["train"])
    if seen:
        return _Met(obstacle=_describe_seen(seen, champion))
    look = look_at_holdout(context, release.id, manifest, ours)
    if look is not None and look.is_spent:
        return _Met(is_spent=True)
    progress(f"comparing with champion {short(champion.id)} by {rules.metric}")
    pair = _Pair(
        holdout=load_holdout(context, manifest),
        rules=rules,
        champion=(_outputs(champions), theirs),
        candidate=(_outputs(manifest), ours),
    )
    try:
        return _Met(
            compared=pair.compare(),
            slices=tuple(pair.compare_slice(name) for name in pair.holdout.slices),
        )
    except TooFewRowsError as error:
        return _Met(obstacle=Reason(code="TOO_FEW_ROWS", message=str(error)))
    except StatsError as error:
        return _Met(obstacle=Reason(code="NOT_COMPARABLE", message=str(error)))


def _describe_seen(rows: tuple[int, ...], champion: ReleaseRecord) -> Reason:
    return Reason(
        code="HOLDOUT_IN_TRAINING",
        message=f"{counted(len(rows), 'row')} of the holdout (the first is row {rows[0]}) "
        f"{'is' if len(rows) == 1 else 'are'} in the training data of the champion "
        f"{short(champion.id)}, which would be judged on what it has seen; hold out rows that "
        "neither model was trained on",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """Candidate and champion on one holdout."""

    holdout: Holdout
    rules: GateRules
    champion: tuple[Outputs, Predictions]
    candidate: tuple[Outputs, Predictions]

    def compare(self) -> Compared:
        question = Question(alpha=self.rules.alpha)
        found = self.holdout.compare(
            self.rules.metric,
            champion=self.champion,
            candidate=self.candidate,
            rows=None,
            question=question,
        )
        return self._compared(found, rows=self.holdout.rows)

    def compare_slice(self, name: str) -> SliceCompared:
        each = self.holdout.slices[name]
        rows = int(each.rows.sum())
        question = Question(alpha=self.rules.alpha, null=-self.rules.max_slice_harm)
        shortage = ""
        try:
            found = self.holdout.compare(
                self.rules.metric,
                champion=self.champion,
                candidate=self.candidate,
                rows=each.rows,
                question=question,
            )
        except TooFewRowsError as error:
            found, shortage = None, str(error)
        return SliceCompared(
            name=name,
            rows=rows,
            min_rows=each.spec.min_rows,
            required=each.spec.required,
            compared=self._compared(found, rows=rows) if found else None,
            p_harm=found.p_below if found else None,
            shortage=shortage,
        )

    def _compared(self, found: PairedComparison, *, rows: int) -> Compared:
        return Compared(
            champion=found.champion,
            candidate=found.candidate,
            delta=found.delta,
            lower=found.bounds.lower,
            upper=found.bounds.upper,
            alpha=self.rules.alpha,
            standard_error=found.standard_error,
            rows=rows,
            method=str(found.method),
        )


def _outputs(manifest: Manifest) -> Outputs:
    assert manifest.signature is not None
    return manifest.signature.outputs
