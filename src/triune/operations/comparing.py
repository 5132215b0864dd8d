"""Tells what changed between two releases: code, tests, data, model, runtime, serving, metrics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triune.domain.comparison import (
    DatasetChange,
    FileChanges,
    compare_trees,
    compare_values,
)
from triune.domain.lock import parse_lock
from triune.domain.manifest import DatasetRef, Manifest, Signature, Tree
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context
from triune.operations.cutting import load_golden
from triune.operations.releases import lay_out_tree, load_manifest, load_tree
from triune.operations.scoring import dataset_of, score_dataset

HOLDOUT = "holdout"

Probabilities = npt.NDArray[np.float64]

Change = tuple[str, object, object]
"""A name, what it was, what it is; None stands for absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChanges:
    """Golden requests that both releases answered: how many, and how many answers differ."""

    compared: int
    differing: int
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionChanges:
    """The holdout of the first release, scored by both: rows, labels that differ, largest gap."""

    rows: int
    differing: int
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseChanges:
    """What is different in ``after``; None or empty where nothing is."""

    before: str
    after: str
    code: FileChanges
    tests: FileChanges
    data: dict[str, DatasetChange | None]
    model: tuple[Change, ...]
    model_files: FileChanges
    answers: AnswerChanges | None
    predictions: PredictionChanges | None
    runtime: tuple[Change, ...]
    serve: tuple[Change, ...]
    metrics: tuple[Change, ...]


def compare_releases(
    context: Context, before: ReleaseRecord, after: ReleaseRecord, *, by_predictions: bool = False
) -> ReleaseChanges:
    """Compare two releases part by part; datasets are compared row by row.

    Parameters
    ----------
    by_predictions
        Score the holdout by both too. No label is looked at.

    Raises
    ------
    StoreError
        A blob of either is missing or changed.
    """
    old, new = load_manifest(context, before), load_manifest(context, after)
    return ReleaseChanges(
        before=before.id,
        after=after.id,
        code=compare_trees(_tree(context, old.code), _tree(context, new.code)),
        tests=compare_trees(_tree(context, old.tests), _tree(context, new.tests)),
        data=_compare_data(context, old, new),
        model=compare_values(_model_values(old), _model_values(new)),
        model_files=compare_trees(
            _tree(context, old.model.digest if old.model else None),
            _tree(context, new.model.digest if new.model else None),
        ),
        answers=_compare_answers(context, (old, before), (new, after)),
        predictions=(
            _compare_predictions(context, before, after, dataset_of(old, HOLDOUT))
            if by_predictions
            else None
        ),
        runtime=compare_values(_runtime_values(context, old), _runtime_values(context, new)),
        serve=compare_values(old.serve, new.serve),
        metrics=compare_values(dict(before.metrics), dict(after.metrics)),
    )


def _compare_predictions(
    context: Context, before: ReleaseRecord, after: ReleaseRecord, holdout: DatasetRef
) -> PredictionChanges:
    old, new = (score_dataset(context, release, holdout) for release in (before, after))
    return PredictionChanges(
        rows=len(old.labels),
        differing=int((old.labels != new.labels).sum()),
        largest=_largest_gap(old.probabilities, new.probabilities),
    )


def _largest_gap(old: Probabilities | None, new: Probabilities | None) -> float:
    """Tell how far probabilities moved; 0 where either model gives none, or of other classes."""
    if old is None or new is None or old.shape != new.shape:
        return 0.0
    return float(np.abs(old - new).max(initial=0.0))


def _tree(context: Context, digest: str | None) -> Tree:
    return load_tree(context.store, digest) if digest else Tree(files=())


def _compare_data(
    context: Context, old: Manifest, new: Manifest
) -> dict[str, DatasetChange | None]:
    changes: dict[str, DatasetChange | None] = {}
    for name in sorted(old.datasets.keys() | new.datasets.keys()):
        before, after = old.datasets.get(name), new.datasets.get(name)
        if before == after:
            continue
        if before is None or after is None:
            changes[name] = None
            continue
        with context.scratch.folder() as folder:
            changes[name] = context.data.compare(
                _lay_out(context, before, folder / "before"),
                _lay_out(context, after, folder / "after"),
                formats=(before.format, after.format),
            )
    return changes


def _lay_out(context: Context, dataset: DatasetRef, folder: Path) -> tuple[Path, ...]:
    return lay_out_tree(context.store, load_tree(context.store, dataset.digest), folder)


def _model_values(manifest: Manifest) -> dict[str, object]:
    model = manifest.model
    if model is None:
        return {}
    return {
        "format": model.format,
        "task": model.task,
        "target": model.target,
        "key": model.key,
        "time": model.time,
        **(_signature_values(manifest.signature) if manifest.signature else {}),
    }


def _signature_values(signature: Signature) -> dict[str, object]:
    inputs = {
        f"input {field.name}": f"{field.type or 'no value'}{'?' if field.nullable else ''}"
        for field in signature.inputs
    }
    return {**inputs, "classes": signature.outputs.classes}


def _runtime_values(context: Context, manifest: Manifest) -> dict[str, object]:
    runtime = manifest.runtime
    lock = parse_lock(context.store.read(runtime.lock).decode("utf-8-sig"))
    return {"python": runtime.python, "platform": runtime.platform, **lock.packages}


def _compare_answers(
    context: Context,
    before: tuple[Manifest, ReleaseRecord],
    after: tuple[Manifest, ReleaseRecord],
) -> AnswerChanges | None:
    (old, old_record), (new, new_record) = before, after
    if old.golden != new.golden or not (old_record.answers and new_record.answers):
        return None
    pairs = list(
        zip(
            load_golden(context, old_record.answers),
            load_golden(context, new_record.answers),
            strict=True,
        )
    )
    gaps = [
        abs(was["probability"] - now["probability"])
        for was, now in pairs
        if "probability" in was and "probability" in now
    ]
    return AnswerChanges(
        compared=len(pairs),
        differing=sum(was != now for was, now in pairs),
        largest=max(gaps, default=0.0),
    )
