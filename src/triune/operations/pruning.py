"""Frees the store of releases that nothing holds, and of blobs that no release refers to."""

from dataclasses import dataclass

from triune.domain.events import EventKind
from triune.domain.projection import (
    EnvironmentRecord,
    GateRecord,
    HoldoutRecord,
    ReleaseRecord,
    RolloutRecord,
)
from triune.domain.retention import Retention, retain
from triune.operations.context import Context, record
from triune.operations.releases import referenced_blobs
from triune.ports import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a prune came to; on a rehearsal, what it would come to (``bytes_freed`` is None)."""

    releases: tuple[Retention, ...]
    blobs_removed: int
    bytes_freed: int | None


def prune_releases(
    context: Context, *, keep: int, rehearse: bool, progress: Progress, wait: bool = True
) -> Pruned:
    """Forget the bytes of releases that may go; their history stays in the ledger.

    Raises
    ------
    StoreError
        A release that stays is damaged, so that what it needs cannot be told; nothing is
        removed.
    """
    with context.lock.hold(progress=progress, wait=wait):
        judged = retain(
            context.ledger.all(ReleaseRecord),
            environments=context.ledger.all(EnvironmentRecord),
            rollouts=context.ledger.all(RolloutRecord),
            in_use=context.scratch.in_use(),
            keep=keep,
        )
        needed = frozenset[str]().union(
            *(referenced_blobs(context, each.release) for each in judged if each.is_kept),
            evidence_blobs(context),
        )
        orphans = [digest for digest in context.store.digests() if digest not in needed]
        if rehearse:
            return Pruned(releases=judged, blobs_removed=len(orphans), bytes_freed=None)
        # Recorded before it is done: after a crash the blobs left are orphans, and go next time.
        for each in judged:
            if not each.is_kept:
                record(
                    context,
                    f"release:{each.release.id}",
                    EventKind.RELEASE_PRUNED,
                    {"release": each.release.id},
                )
        freed = context.store.sweep()
        for count, digest in enumerate(orphans, start=1):
            progress(f"removing blob {count} of {len(orphans)}")
            freed += context.store.remove(digest)
        freed += context.scorer.keep_only({each.release.id for each in judged if each.is_kept})
    return Pruned(releases=judged, blobs_removed=len(orphans), bytes_freed=freed)


def evidence_blobs(context: Context) -> frozenset[str]:
    """List the blobs that decisions rest on: small, and kept whatever becomes of their releases."""
    return frozenset(
        {gate.evidence for gate in context.ledger.all(GateRecord)}
        | {holdout.rows for holdout in context.ledger.all(HoldoutRecord)}
    )
