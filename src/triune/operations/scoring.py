"""Scores a dataset by a release, in the release's own worker; what was scored once is kept."""

from triune.domain.errors import DatasetError, UsageError, nearest
from triune.domain.manifest import DatasetRef, Manifest
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context
from triune.operations.releases import lay_out_tree, load_manifest, load_tree, running
from triune.ports import Predictions


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
        tree = load_tree(context.store, dataset.digest)
        source = folder / "dataset.arrow"
        context.data.export(
            lay_out_tree(context.store, tree, folder / "dataset"),
            format=dataset.format,
            columns=[field.name for field in manifest.signature.inputs],
            destination=source,
        )
        return worker.score(source, dataset=dataset.digest)


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
