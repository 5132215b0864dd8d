"""Scores a dataset by a release, in the release's own worker; what was scored once is kept."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from triune.domain.canonical import Json, sha256
from triune.domain.errors import DatasetError, TriuneError, UsageError, WorkerError, nearest
from triune.domain.manifest import DatasetRef, Manifest
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context
from triune.operations.releases import lay_out_tree, load_manifest, load_tree, running
from triune.ports import Predictions, Progress, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A dataset of which every row is given the values of ``replace``."""

    dataset: DatasetRef
    replace: Mapping[str, Json] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What identifies its rows: the dataset's own digest where nothing is replaced."""
        if not self.replace:
            return self.dataset.digest
        document = {"dataset": self.dataset.digest, "replace": dict(self.replace)}
        return sha256(json.dumps(document, sort_keys=True).encode())


def score_dataset(context: Context, release: ReleaseRecord, dataset: DatasetRef) -> Predictions:
    """Score the rows of a dataset, its own or another release's, in their order.

    Raises
    ------
    DatasetError
        The dataset lacks a column that the model needs.
    WorkerError
        The model raised, answered with something invalid, or its worker died.
    """
    known = context.scorer.recall(release=release.id, dataset=dataset.digest)
    if known is not None:
        return known
    manifest = load_manifest(context, release)
    if manifest.signature is None:
        raise UsageError(f"release {release.id[:12]} holds no model that could score")
    with context.scratch.folder() as folder, running(context, manifest) as worker:
        source = folder / "dataset.arrow"
        context.data.export(
            lay_out_dataset(context, dataset, folder / "dataset"),
            format=dataset.format,
            columns=[field.name for field in manifest.signature.inputs],
            destination=source,
        )
        return worker.score(source, dataset=dataset.digest)


def score_variants(
    context: Context, manifest: Manifest, variants: Iterable[Variant], *, progress: Progress
) -> dict[str, Predictions | TriuneError]:
    """Score variants of datasets by a release, by their digests, in as few workers as may be.

    What cannot be scored has its error for an answer, and keeps no other from being scored.
    """
    release, scored = manifest.release_id, dict[str, Predictions | TriuneError]()
    waiting: list[Variant] = []
    for variant in {each.digest: each for each in variants}.values():
        known = context.scorer.recall(release=release, dataset=variant.digest)
        if known is None:
            waiting.append(variant)
        else:
            scored[variant.digest] = known
    while waiting:
        try:
            with running(context, manifest) as worker:
                while waiting:
                    variant = waiting.pop(0)
                    progress(f"scoring {_describe(manifest, variant)}")
                    scored[variant.digest] = found = _attempt(context, manifest, worker, variant)
                    if isinstance(found, WorkerError):
                        # It may have died of it.
                        break
        except TriuneError as error:
            scored |= dict.fromkeys((each.digest for each in waiting), error)
            break
    return scored


def _attempt(
    context: Context, manifest: Manifest, worker: Worker, variant: Variant
) -> Predictions | TriuneError:
    assert manifest.signature is not None
    try:
        with context.scratch.folder() as folder:
            source = folder / "dataset.arrow"
            context.data.export(
                lay_out_dataset(context, variant.dataset, folder / "dataset"),
                format=variant.dataset.format,
                columns=[each.name for each in manifest.signature.inputs],
                destination=source,
                replace=variant.replace,
            )
            return worker.score(source, dataset=variant.digest)
    except TriuneError as error:
        return error


def _describe(manifest: Manifest, variant: Variant) -> str:
    name = next(name for name, each in manifest.datasets.items() if each == variant.dataset)
    given = ", ".join(f"{column} = {value!r}" for column, value in variant.replace.items())
    return f"the {name}{f' with {given}' if given else ''}"


def lay_out_dataset(context: Context, dataset: DatasetRef, folder: Path) -> tuple[Path, ...]:
    """Write the files of a dataset into a folder, each checked against its digest."""
    return lay_out_tree(context.store, load_tree(context.store, dataset.digest), folder)


def dataset_of(manifest: Manifest, name: str) -> DatasetRef:
    """Find a dataset of a release by its name.

    Raises
    ------
    DatasetError
        The release has none of that name.
    """
    found = manifest.datasets.get(name)
    if found is None:
        raise DatasetError(
            f"the release has no dataset {name!r}"
            f"{nearest(name, manifest.datasets) or '; it has ' + ', '.join(manifest.datasets)}"
        )
    return found
