"""Guards holdouts against reuse: tells one by its rows, and counts the models that met its labels.

A look is one model's predictions (their digest) that meet the labels of a holdout for the first
time, in any layer. It is reserved before they do, and stays spent whatever happens after.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from triune.domain.canonical import Json
from triune.domain.data_checks import is_beyond_chance
from triune.domain.errors import ConcurrencyError, LedgerError
from triune.domain.events import EventDraft, EventKind
from triune.domain.manifest import DatasetRef, Manifest
from triune.domain.projection import HoldoutRecord, LookRecord
from triune.domain.release import short
from triune.domain.verdict import Reason
from triune.operations.context import Context, timestamp
from triune.operations.releases import lay_out_tree, load_tree

Rows = npt.NDArray[np.uint64]
"""Digests of rows, ascending and each once."""

_TRIES: Final = 20
"""How often a look is tried again where others reserve theirs at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Whether predictions may meet the labels: ``used`` of ``budget`` looks, this one included.

    ``is_new`` is false where the same predictions met them before, which is free.
    """

    holdout: str
    used: int
    budget: int
    is_new: bool
    is_spent: bool

    @property
    def refusal(self) -> Reason | None:
        """Why the labels may not be met."""
        if not self.is_spent:
            return None
        return Reason(
            code="HOLDOUT_SPENT",
            message=f"all {self.budget} looks at holdout {short(self.holdout)} are spent; label "
            "new rows and give them as the holdout, or raise gate.looks and bear the chance of a "
            "false promotion that `triune gate show` tells",
        )


def identify_holdout(context: Context, manifest: Manifest) -> HoldoutRecord:
    """Find the holdout of a release by its set of rows, or make it known."""
    rows = read_rows(context, manifest)
    identity = hashlib.sha256(rows.tobytes()).hexdigest()
    for _ in range(_TRIES):
        version = context.ledger.version(_aggregate(context))
        known = context.ledger.find(HoldoutRecord, identity)
        if known is not None:
            return known
        older = sorted(_older(context, rows))
        data = {
            "holdout": identity,
            "rows": context.store.put(rows.tobytes()).digest,
            "count": len(rows),
            "older": older,
        }
        _append(context, EventKind.HOLDOUT_SEEN, data, version=version)
    raise _overtaken()


def reserve_look(
    context: Context, holdout: HoldoutRecord, *, predictions: str, release: str, budget: int
) -> Look:
    """Reserve a model's look, atomically; ``predictions`` is their digest.

    Predictions that met these labels before need none, and none is reserved beyond ``budget``.
    """
    for _ in range(_TRIES):
        version = context.ledger.version(_aggregate(context))
        met = _met(context, holdout)
        is_new = predictions not in met
        if not is_new or len(met) >= budget:
            return Look(
                holdout=holdout.id, used=len(met), budget=budget, is_new=is_new, is_spent=is_new
            )
        data = {"holdout": holdout.id, "predictions": predictions, "release": release}
        if _append(context, EventKind.LOOK_RESERVED, data, version=version):
            return Look(
                holdout=holdout.id, used=len(met) + 1, budget=budget, is_new=True, is_spent=False
            )
    raise _overtaken()


def count_looks(context: Context, holdout: HoldoutRecord) -> int:
    """Count the models that met a holdout's labels, or those of one that it inherits from."""
    return len(_met(context, holdout))


def find_seen(context: Context, manifest: Manifest, *, training: DatasetRef) -> tuple[int, ...]:
    """List the rows of a release's holdout, from 0, that are in the training data of a model.

    Rows are equal that are so in the columns that both datasets have.
    """
    holdout = manifest.datasets["holdout"]
    with context.scratch.folder() as folder:
        tested, trained = (
            _lay_out(context, dataset, folder / name)
            for name, dataset in (("holdout", holdout), ("training", training))
        )
        columns = sorted(_columns(context, tested, holdout) & _columns(context, trained, training))
        rows = context.data.row_digests(tested, format=holdout.format, columns=columns)
        seen = context.data.row_digests(trained, format=training.format, columns=columns)
    has_key = manifest.model is not None and manifest.model.key is not None
    return shared_rows(rows, seen, has_key=has_key)


def shared_rows(
    rows: npt.NDArray[np.uint64], seen: npt.NDArray[np.uint64], *, has_key: bool
) -> tuple[int, ...]:
    """List the rows, by their digests, that are among those ``seen``; none if chance explains it.

    Parameters
    ----------
    has_key
        Whether a column says whose row it is. Only then does one equal row mean the same row.
    """
    shared = np.flatnonzero(np.isin(rows, seen))
    if not has_key:
        counts = np.unique(seen, return_counts=True)[1]
        repeated = counts[counts > 1].sum() / max(len(seen), 1)
        if not is_beyond_chance(len(shared), rows=len(rows), repeated_share=float(repeated)):
            return ()
    return tuple(int(row) for row in shared)


def read_rows(context: Context, manifest: Manifest) -> Rows:
    """Read the set of a holdout's rows.

    Where a key says whose a row is, it is told by that and by its label: another feature does not
    make it another row.
    """
    dataset, model = manifest.datasets["holdout"], manifest.model
    with context.scratch.folder() as folder:
        files = _lay_out(context, dataset, folder / "dataset")
        columns = (
            {model.key, model.target}
            if model is not None and model.key is not None
            else _columns(context, files, dataset)
        )
        digests = context.data.row_digests(files, format=dataset.format, columns=sorted(columns))
    return np.unique(digests)


def _lay_out(context: Context, dataset: DatasetRef, folder: Path) -> tuple[Path, ...]:
    return lay_out_tree(context.store, load_tree(context.store, dataset.digest), folder)


def _columns(context: Context, files: Iterable[Path], dataset: DatasetRef) -> set[str]:
    return {field.name for field in context.data.fields(tuple(files), format=dataset.format)}


def _older(context: Context, rows: Rows) -> set[str]:
    """List the holdouts that hold half of these rows, and those that they inherit from."""
    older: set[str] = set()
    for other in context.ledger.all(HoldoutRecord):
        theirs = np.frombuffer(context.store.read(other.rows), dtype=np.uint64)
        if 2 * len(np.intersect1d(rows, theirs, assume_unique=True)) >= len(rows):
            older |= {other.id, *other.older}
    return older


def _met(context: Context, holdout: HoldoutRecord) -> set[str]:
    """List the predictions that met these labels, or most of them, before or since."""
    younger = {each.id for each in context.ledger.all(HoldoutRecord) if holdout.id in each.older}
    family = {holdout.id, *holdout.older, *younger}
    return {look.predictions for look in context.ledger.all(LookRecord) if look.holdout in family}


def _append(context: Context, kind: EventKind, data: Json, *, version: int) -> bool:
    draft = EventDraft(
        aggregate=_aggregate(context),
        kind=kind,
        actor=context.source.actor(),
        time=timestamp(context.clock.now()),
        data=data,
    )
    try:
        context.ledger.append([draft], expected_version=version)
    except ConcurrencyError:
        return False
    return True


def _aggregate(context: Context) -> str:
    # One for all holdouts: a look counts for each that shares rows with the one looked at.
    return f"holdouts:{context.spec.name}"


def _overtaken() -> LedgerError:
    return LedgerError(
        "others kept reserving looks at the same holdouts; run it again once they are done"
    )
