"""Reads releases back: finds them, loads and verifies what they pin, lays them out to be run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triune.domain.errors import StoreError, UnknownReleaseError
from triune.domain.manifest import Manifest, ModelRef, Tree
from triune.domain.projection import ReleaseRecord
from triune.domain.release import (
    BUNDLE_CODE,
    BUNDLE_CODE_TREE,
    BUNDLE_COMPILED,
    BUNDLE_GOLDEN,
    BUNDLE_LOCK,
    BUNDLE_MANIFEST,
    BUNDLE_MODEL,
    BUNDLE_MODEL_TREE,
    LATEST,
    resolve,
    short,
)
from triune.operations.context import Context
from triune.ports import ArtifactStore, Worker


def find_release(context: Context, name: str) -> ReleaseRecord:
    """Find the release that an id, a prefix of one, or ``latest`` names.

    Raises
    ------
    UnknownReleaseError
        None is named so, or several are.
    """
    records = context.ledger.all(ReleaseRecord)
    if name == LATEST:
        # What the last run came to: after a change is taken back that is an older release, and a
        # release whose run failed before its end was never come to.
        run = {each.run_at: each for each in records if each.run_at and each.pruned_at is None}
        if run:
            return run[max(run)]
        raise UnknownReleaseError("no run has come to a release yet; cut one with `triune run`")
    release_id = resolve(name, [record.id for record in records])
    return next(record for record in records if record.id == release_id)


def load_manifest(context: Context, record: ReleaseRecord) -> Manifest:
    """Load a release's manifest, whose bytes are checked against the release id.

    Raises
    ------
    UnknownReleaseError
        The release was pruned.
    StoreError
        The manifest is gone, changed, or of a later format.
    """
    if record.pruned_at is not None:
        raise UnknownReleaseError(
            f"release {short(record.id)} was pruned at {record.pruned_at}; "
            f"cut it again from commit {record.commit[:12]} with `triune run`"
        )
    try:
        return Manifest.parse(context.store.read(record.id))
    except ValueError as error:
        raise StoreError(f"release {short(record.id)}: {error}; upgrade Triune") from error


def load_tree(store: ArtifactStore, digest: str) -> Tree:
    """Load a list of files by its digest."""
    return Tree.parse(store.read(digest))


def lay_out_tree(store: ArtifactStore, tree: Tree, folder: Path) -> tuple[Path, ...]:
    """Write the files of a tree into a folder, each checked against its digest, to be read only."""
    written = []
    for file in tree.files:
        destination = folder / file.path
        destination.parent.mkdir(parents=True, exist_ok=True)
        store.copy(file.digest, destination)
        destination.chmod(0o500 if file.executable else 0o400)
        written.append(destination)
    return tuple(written)


@contextmanager
def bundle(context: Context, manifest: Manifest, *, label: str = "") -> Iterator[Path]:
    """Lay a release, or a draft of one, out as a worker runs it; the folder goes at the end."""
    with context.scratch.folder(label=label) as folder:
        lay_out_bundle(context.store, manifest, folder)
        yield folder


def find_damage(context: Context, record: ReleaseRecord) -> str | None:
    """Tell what of that which a release is run from is missing or changed; None where all is well.

    A release that was pruned has no damage, but is not there.
    """
    if record.pruned_at is not None:
        return None
    store = context.store
    try:
        manifest = load_manifest(context, record)
        if manifest.model is None:
            return None
        for digest in _bundle_files(manifest, manifest.model).values():
            store.verify(digest)
        for digest, _, _ in _bundle_trees(manifest, manifest.model):
            for file in load_tree(store, digest).files:
                store.verify(file.digest)
    except StoreError as error:
        return str(error)
    return None


def lay_out_bundle(store: ArtifactStore, manifest: Manifest, folder: Path) -> None:
    """Lay a release, or a draft of one, out in an empty folder as a worker runs it.

    Raises
    ------
    UnknownReleaseError
        It holds no model.
    """
    if manifest.model is None:
        raise UnknownReleaseError(
            "this release holds no model, so there is nothing to run; "
            "say where it is under `model:` in triune.yaml"
        )
    (folder / BUNDLE_MANIFEST).write_bytes(manifest.content)
    for name, digest in _bundle_files(manifest, manifest.model).items():
        store.copy(digest, folder / name)
    for digest, listing, name in _bundle_trees(manifest, manifest.model):
        store.copy(digest, folder / listing)
        (folder / name).mkdir()
        lay_out_tree(store, load_tree(store, digest), folder / name)
        _close(folder / name)


def _bundle_files(manifest: Manifest, model: ModelRef) -> dict[str, str]:
    """Name the single files of a bundle, each with its digest."""
    found = {
        BUNDLE_LOCK: manifest.runtime.lock,
        BUNDLE_GOLDEN: manifest.golden,
        BUNDLE_COMPILED: model.compiled.digest if model.compiled else None,
    }
    return {name: digest for name, digest in found.items() if digest is not None}


def _bundle_trees(manifest: Manifest, model: ModelRef) -> tuple[tuple[str, str, str], ...]:
    """Give the trees of a bundle: the digest of each, the name of its list, and of its folder."""
    return (
        (manifest.code, BUNDLE_CODE_TREE, BUNDLE_CODE),
        (model.digest, BUNDLE_MODEL_TREE, BUNDLE_MODEL),
    )


def _close(folder: Path) -> None:
    """Let nothing be added to a folder by mistake: by the release's own code, for one."""
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        path.chmod(0o500)


@contextmanager
def running(context: Context, manifest: Manifest) -> Iterator[Worker]:
    """Run a release in a worker of its own for as long as the block lasts."""
    with (
        bundle(context, manifest) as folder,
        context.scorer.start(folder, release=manifest.release_id) as worker,
    ):
        yield worker


def referenced_blobs(context: Context, record: ReleaseRecord) -> frozenset[str]:
    """List every blob that a release needs, itself included.

    Raises
    ------
    StoreError
        The release is damaged, so that what it needs cannot be told.
    """
    manifest = load_manifest(context, record)
    digests = {record.id, *manifest.leaves.values(), *manifest.trees.values()}
    if record.answers:
        digests.add(record.answers)
    for digest in manifest.trees.values():
        digests.update(file.digest for file in load_tree(context.store, digest).files)
    return frozenset(digests)
