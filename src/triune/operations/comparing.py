"""Tells what changed between two releases: code, tests, data, model, runtime, serving, metrics."""

from dataclasses import dataclass
from pathlib import Path

from triune.domain.answers import AnswerChanges, Answers, compare_answers
from triune.domain.comparison import (
    Change,
    DatasetChange,
    FileChanges,
    LineChanges,
    compare_lines,
    compare_models,
    compare_signatures,
    compare_trees,
    compare_values,
    differing_parts,
)
from triune.domain.errors import DatasetError, TamperedError, WorkerError
from triune.domain.lock import parse_lock
from triune.domain.manifest import DatasetRef, Manifest, Tree
from triune.domain.projection import ReleaseRecord
from triune.domain.release import short
from triune.operations.context import Context
from triune.operations.cutting import load_golden
from triune.operations.releases import lay_out_tree, load_manifest, load_tree
from triune.operations.scoring import dataset_of, score_dataset

HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseChanges:
    """What is different in ``after``; None or empty where nothing is.

    Parameters
    ----------
    parts
        The parts in which the manifests differ: none only where the releases are one. All else
        says in what.
    datasets
        Those that came or went, or are read as another format.
    data, data_files
        Those that both have and that differ: in which rows and columns, and in which files.
    golden
        The golden requests, line by line. ``answers`` compares what both releases answered to
        them, where they are the same and both did.
    lock
        The lines of the lock; ``runtime`` compares the packages that they name.
    predictions, unscored
        The holdout of ``before`` scored by both, if that was asked for, or why it cannot be.
    """

    before: str
    after: str
    parts: tuple[str, ...]
    code: FileChanges
    tests: FileChanges
    datasets: tuple[Change, ...]
    data: dict[str, DatasetChange]
    data_files: dict[str, FileChanges]
    model: tuple[Change, ...]
    model_files: FileChanges
    signature: tuple[Change, ...]
    golden: LineChanges | None
    answers: AnswerChanges | None
    predictions: AnswerChanges | None
    unscored: str | None
    runtime: tuple[Change, ...]
    lock: LineChanges | None
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
    old_lock, new_lock = (context.store.read(each.runtime.lock) for each in (old, new))
    predictions, unscored = (
        _compare_predictions(context, (old, before), (new, after))
        if by_predictions
        else (None, None)
    )
    return ReleaseChanges(
        before=before.id,
        after=after.id,
        parts=differing_parts(old, new),
        code=_compare_files(context, old.code, new.code),
        tests=_compare_files(context, old.tests, new.tests),
        datasets=compare_values(_formats(old), _formats(new)),
        data=_compare_data(context, old, new),
        data_files={
            name: _compare_files(context, was.digest, now.digest)
            for name, (was, now) in _changed_datasets(old, new).items()
        },
        model=compare_models(old, new),
        model_files=_compare_files(
            context,
            old.model.digest if old.model else None,
            new.model.digest if new.model else None,
        ),
        signature=compare_signatures(old, new),
        golden=compare_lines(_golden(context, old), _golden(context, new)),
        answers=_compare_golden_answers(context, (old, before), (new, after)),
        predictions=predictions,
        unscored=unscored,
        runtime=compare_values(_runtime_values(old, old_lock), _runtime_values(new, new_lock)),
        lock=compare_lines(old_lock, new_lock),
        serve=compare_values(old.serve, new.serve),
        metrics=compare_values(dict(before.metrics), dict(after.metrics)),
    )


def _compare_files(context: Context, before: str | None, after: str | None) -> FileChanges:
    return compare_trees(_tree(context, before), _tree(context, after))


def _tree(context: Context, digest: str | None) -> Tree:
    return load_tree(context.store, digest) if digest else Tree(files=())


def _formats(manifest: Manifest) -> dict[str, str]:
    return {name: dataset.format for name, dataset in manifest.datasets.items()}


def _changed_datasets(old: Manifest, new: Manifest) -> dict[str, tuple[DatasetRef, DatasetRef]]:
    return {
        name: (old.datasets[name], new.datasets[name])
        for name in sorted(old.datasets.keys() & new.datasets.keys())
        if old.datasets[name] != new.datasets[name]
    }


def _compare_data(context: Context, old: Manifest, new: Manifest) -> dict[str, DatasetChange]:
    changes: dict[str, DatasetChange] = {}
    for name, (before, after) in _changed_datasets(old, new).items():
        with context.scratch.folder() as folder:
            changes[name] = context.data.compare(
                _lay_out(context, before, folder / "before"),
                _lay_out(context, after, folder / "after"),
                formats=(before.format, after.format),
            )
    return changes


def _lay_out(context: Context, dataset: DatasetRef, folder: Path) -> tuple[Path, ...]:
    return lay_out_tree(context.store, load_tree(context.store, dataset.digest), folder)


def _runtime_values(manifest: Manifest, lock: bytes) -> dict[str, object]:
    runtime = manifest.runtime
    packages = parse_lock(lock.decode("utf-8-sig")).packages
    return {"python": runtime.python, "platform": runtime.platform, **packages}


def _golden(context: Context, manifest: Manifest) -> bytes:
    return context.store.read(manifest.golden) if manifest.golden else b""


def _compare_golden_answers(
    context: Context,
    before: tuple[Manifest, ReleaseRecord],
    after: tuple[Manifest, ReleaseRecord],
) -> AnswerChanges | None:
    if before[0].golden != after[0].golden:
        return None
    old, new = (_golden_answers(context, *each) for each in (before, after))
    return compare_answers(old, new) if old and new else None


def _golden_answers(context: Context, manifest: Manifest, record: ReleaseRecord) -> Answers | None:
    if manifest.signature is None or record.answers is None:
        return None
    return Answers.parse(
        load_golden(context, record.answers),
        classes=manifest.signature.outputs.classes,
        is_regression=_is_regression(manifest),
    )


def _compare_predictions(
    context: Context,
    before: tuple[Manifest, ReleaseRecord],
    after: tuple[Manifest, ReleaseRecord],
) -> tuple[AnswerChanges | None, str | None]:
    """Score the first one's holdout by both, or say why that cannot be done."""
    try:
        holdout = dataset_of(before[0], HOLDOUT)
        old, new = (_predicted(context, *each, holdout) for each in (before, after))
    except DatasetError as error:
        return None, str(error)
    except WorkerError as error:
        # A model that takes other columns or types may well stumble over these: no fault then.
        if isinstance(error, TamperedError) or _inputs(before[0]) == _inputs(after[0]):
            raise
        return None, str(error)
    return compare_answers(old, new), None


def _predicted(
    context: Context, manifest: Manifest, release: ReleaseRecord, holdout: DatasetRef
) -> Answers:
    if manifest.signature is None:
        raise DatasetError(f"release {short(release.id)} holds no model that could score")
    predictions = score_dataset(context, release, holdout)
    return Answers(
        labels=predictions.labels,
        probabilities=predictions.probabilities,
        classes=tuple(str(value) for value in manifest.signature.outputs.classes),
        is_regression=_is_regression(manifest),
    )


def _is_regression(manifest: Manifest) -> bool:
    return manifest.model is not None and manifest.model.task == "regression"


def _inputs(manifest: Manifest) -> object:
    return manifest.signature and manifest.signature.inputs
