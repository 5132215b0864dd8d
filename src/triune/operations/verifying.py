"""Verifies a release: each byte that it pins, and that its gate's decision follows its evidence."""

from dataclasses import dataclass

from triune.domain.errors import StoreError
from triune.domain.projection import GateRecord, ReleaseRecord
from triune.operations.context import Context
from triune.operations.gates import recompute
from triune.operations.releases import load_manifest, load_tree
from triune.ports import ArtifactStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with a release: which part of it, and what about it."""

    part: str
    message: str


def verify_release(context: Context, record: ReleaseRecord) -> tuple[Finding, ...]:
    """Read every byte that a release pins and list what is missing or changed."""
    try:
        manifest = load_manifest(context, record)
    except StoreError as error:
        return (Finding(part="manifest", message=str(error)),)
    findings: list[Finding] = []
    for part, digest in manifest.trees.items():
        findings += _verify_tree(context.store, part, digest)
    answers = {"golden answers": record.answers} if record.answers else {}
    for part, digest in {**manifest.leaves, **answers}.items():
        findings += _verify_blob(context.store, part, digest)
    return (*findings, *_verify_decision(context, record))


def _verify_decision(context: Context, record: ReleaseRecord) -> list[Finding]:
    """See that what the gate said still follows from the evidence that it said it by."""
    said = context.ledger.find(GateRecord, record.id)
    if said is None:
        return []
    try:
        gated = recompute(context, said)
    except StoreError as error:
        return [Finding(part="gate decision", message=str(error))]
    decision = gated.decision
    if (gated.evidence.candidate, gated.evidence.champion) != (record.id, said.champion):
        return [Finding(part="gate decision", message="the evidence is that of another release")]
    if (decision.verdict, decision.reason.code) == (said.verdict, said.reason):
        return []
    return [
        Finding(
            part="gate decision",
            message=f"the ledger says {said.verdict} {said.reason}, and the evidence comes to "
            f"{decision.verdict} {decision.reason.code}: {decision.reason.message}",
        )
    ]


def _verify_tree(store: ArtifactStore, part: str, digest: str) -> list[Finding]:
    try:
        tree = load_tree(store, digest)
    except StoreError as error:
        return [Finding(part=part, message=str(error))]
    findings: list[Finding] = []
    for file in tree.files:
        findings += _verify_blob(store, f"{part}: {file.path}", file.digest)
    return findings


def _verify_blob(store: ArtifactStore, part: str, digest: str) -> list[Finding]:
    try:
        store.verify(digest)
    except StoreError as error:
        return [Finding(part=part, message=str(error))]
    return []
