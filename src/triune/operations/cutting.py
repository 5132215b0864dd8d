"""Cuts a release: gathers what a project's files are now, and pins them under one id."""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from triune.domain.canonical import Json
from triune.domain.errors import NothingIncludedError, WorkerError
from triune.domain.events import EventKind
from triune.domain.manifest import (
    DatasetRef,
    Field,
    FileRef,
    Manifest,
    ModelRef,
    Outputs,
    Runtime,
    Signature,
    Tree,
)
from triune.domain.project import ModelSpec
from triune.domain.projection import ReleaseRecord
from triune.operations.compiling import compile_model
from triune.operations.context import Context, record
from triune.operations.datasets import Datasets, read_datasets
from triune.operations.locating import TESTS, model_files, require_included
from triune.operations.locking import require_locked
from triune.operations.releases import running
from triune.ports import Checkout, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A release as it was cut; ``is_new`` is false where the ledger held it already."""

    id: str
    manifest: Manifest
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What a release is to be.

    ``answers`` are its model's to the golden requests; None where it was not asked, or could not.
    """

    manifest: Manifest
    answers: tuple[dict[str, Json], ...] | None = None


def gather_release(context: Context, *, lock: bytes) -> Gathered:
    """Store what the project's files are now and list it as a manifest.

    Raises
    ------
    DatasetError, ModelError
        A dataset or the model is missing, damaged, or not what the project says of it.
    LockError
        The lock does not name all that the model runs on.
    """
    spec, store = context.spec, context.store
    datasets = read_datasets(context)
    if spec.model:
        artifact = model_files(context, spec.model)
    machine = context.installation.machine()
    manifest = Manifest(
        code=_store_tree(context, require_included(context, context.source)),
        tests=_store_tests(context),
        datasets={
            dataset.name: DatasetRef(
                format=dataset.format,
                digest=_store_tree(
                    context,
                    [path.relative_to(context.root) for path in datasets.files[dataset.name]],
                    is_run=False,
                ),
            )
            for dataset in spec.datasets
        },
        model=None,
        golden=None,
        signature=None,
        runtime=Runtime(
            python=machine.python, platform=machine.platform, lock=store.put(lock).digest
        ),
        serve=spec.serve,
    )
    if spec.model is None:
        return Gathered(manifest=manifest)
    draft = replace(
        manifest,
        model=_store_model(context, spec.model, artifact),
        golden=_store_golden(context, datasets.files["train"], datasets.inputs),
        drift=_store_drift_profile(context, datasets),
        signature=Signature(inputs=datasets.inputs, outputs=Outputs()),
    )
    with running(context, draft) as worker:
        signature = Signature(inputs=datasets.inputs, outputs=worker.describe())
        named = replace(draft, signature=signature)
        needs, answers = worker.needs(), None
        if spec.model.compile is not None:
            # Its answers are those of the compiled model, which another worker has to load.
            named = compile_model(context, worker, named)
        else:
            answers = _ask_golden(context, named, worker)
        with suppress(WorkerError):
            # Once it has answered, as code may import what it needs as late as that.
            needs = worker.needs()
        require_locked(context, named, needs, lock)
        return Gathered(manifest=named, answers=answers)


def cut_release(context: Context, manifest: Manifest, checkout: Checkout) -> Cut:
    """Record a manifest as a release; one that the ledger holds already is left as it is.

    A release that was first cut from a dirty tree is recorded again once its very content
    comes from a commit.
    """
    release_id = context.store.put(manifest.content).digest
    known = context.ledger.find(ReleaseRecord, release_id)
    is_new = known is None or known.pruned_at is not None
    is_cleaner = known is not None and known.dirty and not checkout.dirty
    if is_new or is_cleaner:
        record(
            context,
            f"release:{release_id}",
            EventKind.RELEASE_CUT,
            {
                "release": release_id,
                "project": context.spec.name,
                "repository": checkout.repository,
                "commit": checkout.commit,
                "dirty": bool(checkout.dirty),
                "dirty_paths": list(checkout.dirty),
                "authors": list(checkout.authors),
                "hardware": context.installation.machine().hardware,
                "metrics": context.pipeline.metrics(),
            },
        )
    return Cut(id=release_id, manifest=manifest, is_new=is_new)


def record_golden_answers(
    context: Context, cut: Cut, answers: Sequence[dict[str, Json]] | None = None
) -> int:
    """Record what a release answers to all golden requests as one batch, and count the answers.

    Without ``answers`` it is asked for them. Those that the ledger holds already stand, if their
    blob does.
    """
    if cut.manifest.golden is None:
        return 0
    requests = load_golden(context, cut.manifest.golden)
    if _has_answers(context, cut.id):
        return len(requests)
    if answers is None:
        with running(context, cut.manifest) as worker:
            answers = worker.predict(requests)
    digest = context.store.put(_json_lines(answers)).digest
    record(
        context,
        f"release:{cut.id}",
        EventKind.GOLDEN_RECORDED,
        {"release": cut.id, "answers": digest, "count": len(answers)},
    )
    return len(answers)


def _ask_golden(
    context: Context, manifest: Manifest, worker: Worker
) -> tuple[dict[str, Json], ...] | None:
    """Ask the worker at hand, as another would take seconds to load what it has loaded."""
    if manifest.golden is None or _has_answers(context, manifest.release_id):
        return None
    try:
        return tuple(worker.predict(load_golden(context, manifest.golden)))
    except WorkerError:
        # Told once the release is cut, which is kept: by asking it again.
        return None


def _has_answers(context: Context, release_id: str) -> bool:
    known = context.ledger.find(ReleaseRecord, release_id)
    return bool(known and known.answers and context.store.has(known.answers))


def load_golden(context: Context, digest: str) -> list[dict[str, Json]]:
    """Load golden requests, or answers, from their blob."""
    return [json.loads(line) for line in context.store.read(digest).splitlines()]


def _store_model(context: Context, model: ModelSpec, files: Sequence[Path]) -> ModelRef:
    tree = Tree.of(_store_file(context, path, path.name, is_run=False) for path in files)
    return ModelRef(
        format=model.format,
        path=files[0].name,
        digest=context.store.put(tree.content).digest,
        task=model.task,
        target=model.target,
        key=model.key,
        time=model.time,
    )


def _store_drift_profile(context: Context, datasets: Datasets) -> str:
    """Freeze how the model's inputs are distributed in what it learned from."""
    profile = context.data.drift_profile(
        datasets.files["train"],
        format=context.spec.dataset("train").format,
        columns=[field.name for field in datasets.inputs],
    )
    return context.store.put(profile.content).digest


def _store_golden(context: Context, files: Sequence[Path], inputs: Sequence[Field]) -> str | None:
    if context.spec.golden == 0:
        return None
    train = next(dataset for dataset in context.spec.datasets if dataset.name == "train")
    requests = context.data.sample(
        files,
        format=train.format,
        columns=[field.name for field in inputs],
        count=context.spec.golden,
    )
    return context.store.put(_json_lines(requests)).digest


def _store_tests(context: Context) -> str | None:
    try:
        files = context.source.files([TESTS])
    except NothingIncludedError:
        return None
    return _store_tree(context, files)


def _store_tree(context: Context, paths: Iterable[Path], *, is_run: bool = True) -> str:
    tree = Tree.of(
        _store_file(context, context.root / path, path.as_posix(), is_run=is_run) for path in paths
    )
    return context.store.put(tree.content).digest


def _store_file(context: Context, path: Path, name: str, *, is_run: bool) -> FileRef:
    with path.open("rb") as stream:
        blob = context.store.put(stream)
        # Of what is only read, the mode is a whim of whoever wrote it, and no other release.
        executable = is_run and bool(path.stat().st_mode & 0o100)
    return FileRef(path=name, digest=blob.digest, size=blob.size, executable=executable)


def _json_lines(documents: Iterable[dict[str, Json]]) -> bytes:
    # Not RFC 8785, which refuses integers beyond 2**53 that a dataset may well hold.
    lines = (
        json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
        for document in documents
    )
    return "".join(f"{line}\n" for line in lines).encode()
