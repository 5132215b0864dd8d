"""Cuts a release: gathers what a project's files are now, and pins them under one id."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from triune.domain.canonical import Json
from triune.domain.errors import (
    ConfigError,
    DatasetError,
    LockError,
    ModelError,
    NothingIncludedError,
    RuntimeMismatchError,
    nearest,
)
from triune.domain.events import EventKind
from triune.domain.lock import mismatches, parse_lock
from triune.domain.manifest import (
    DatasetRef,
    Field,
    FieldType,
    FileRef,
    Manifest,
    ModelRef,
    Outputs,
    Runtime,
    Signature,
    Tree,
)
from triune.domain.project import DatasetSpec, ModelSpec
from triune.domain.projection import ReleaseRecord
from triune.operations.context import Context, record
from triune.operations.releases import running
from triune.ports import Checkout, Installation

TESTS = "tests"
GLOB = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A release as it was cut; ``is_new`` is false where the ledger held it already."""

    id: str
    manifest: Manifest
    is_new: bool


def require_runtime(root: Path, lock: str, installation: Installation) -> bytes:
    """Read a project's lock, and see that what is installed equals it.

    Raises
    ------
    ConfigError
        There is no lock.
    LockError
        It is no text, names nothing, or says anything else than exact versions.
    RuntimeMismatchError
        A locked package is missing, or installed in another version.
    """
    path = root / lock
    if not path.is_file():
        raise ConfigError(
            f"there is no {lock} (runtime.lock in triune.yaml), so a release could not say what "
            "it runs on; write it from what is installed: `triune init --lock .`"
        )
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LockError(
            f"{lock} is no text in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8, "
            "or write it anew from what is installed: `triune init --lock .`"
        ) from error
    locked = parse_lock(text)
    if not locked.packages:
        raise LockError(
            f"{lock} names no package, so a release would not say what it runs on; write it from "
            "what is installed: `triune init --lock .`"
        )
    differences = mismatches(locked, installation.versions())
    if differences:
        listed = "; ".join(str(difference) for difference in differences)
        raise RuntimeMismatchError(
            f"what is installed differs from {lock}: {listed}; install what it names "
            f"(`pip install -r {lock}`), or lock what is installed now: `triune init --lock .`"
        )
    return content


def gather_manifest(context: Context, *, lock: bytes) -> Manifest:
    """Store what the project's files are now and list it as a manifest.

    Raises
    ------
    DatasetError, ModelError
        A dataset or the model is missing, damaged, or not what the project says of it.
    """
    spec, store = context.spec, context.store
    files = {dataset.name: dataset_files(context.root, dataset) for dataset in spec.datasets}
    fields = {
        dataset.name: context.data.fields(files[dataset.name], format=dataset.format)
        for dataset in spec.datasets
    }
    if spec.model:
        _require_apart(files, context.root)
        _require_columns(spec.model, spec.datasets, fields)
        artifact = model_files(context.root, spec.model)
    machine = context.installation.machine()
    manifest = Manifest(
        code=_store_tree(context, context.source.files(spec.include)),
        tests=_store_tests(context),
        datasets={
            dataset.name: DatasetRef(
                format=dataset.format,
                digest=_store_tree(
                    context,
                    [path.relative_to(context.root) for path in files[dataset.name]],
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
        return manifest
    inputs = tuple(field for field in fields["train"] if field.name not in spec.model.not_features)
    draft = replace(
        manifest,
        model=_store_model(context, spec.model, artifact),
        golden=_store_golden(context, files["train"], inputs),
        signature=Signature(inputs=inputs, outputs=Outputs()),
    )
    with running(context, draft) as worker:
        outputs = worker.describe()
    return replace(draft, signature=Signature(inputs=inputs, outputs=outputs))


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


def record_golden_answers(context: Context, cut: Cut) -> int:
    """Score all golden requests as one batch, record the answers, and count them.

    Answers that the ledger holds already stand, if their blob does.
    """
    if cut.manifest.golden is None:
        return 0
    requests = load_golden(context, cut.manifest.golden)
    known = context.ledger.find(ReleaseRecord, cut.id)
    if known and known.answers and context.store.has(known.answers):
        return len(requests)
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


def load_golden(context: Context, digest: str) -> list[dict[str, Json]]:
    """Load golden requests, or answers, from their blob."""
    return [json.loads(line) for line in context.store.read(digest).splitlines()]


def dataset_files(root: Path, dataset: DatasetSpec) -> tuple[Path, ...]:
    """Find the files of a dataset, in the order of their names.

    Raises
    ------
    DatasetError
        There is none.
    """
    if any(sign in dataset.path for sign in GLOB):
        files = tuple(sorted(path for path in root.glob(dataset.path) if path.is_file()))
    else:
        path = root / dataset.path
        files = (path,) if path.is_file() else ()
    if not files:
        raise DatasetError(
            f"dataset {dataset.name!r}: there is no {dataset.path}; the pipeline did not make "
            "it, or data.datasets in triune.yaml names another path than the pipeline does"
        )
    return files


def model_files(root: Path, model: ModelSpec) -> tuple[Path, ...]:
    """Find the files of the model.

    Raises
    ------
    ModelError
        There is none, or it is empty.
    """
    path = root / model.artifact
    if not path.is_file():
        raise ModelError(
            f"there is no model at {model.artifact} (model.artifact in triune.yaml); the "
            "pipeline did not make it, or makes it somewhere else"
        )
    if path.stat().st_size == 0:
        raise ModelError(f"{model.artifact} is empty; train it again with `triune run`")
    return (path,)


def _require_columns(
    model: ModelSpec,
    datasets: Sequence[DatasetSpec],
    fields: Mapping[str, Sequence[Field]],
) -> None:
    train = {field.name: field for field in fields["train"]}
    for dataset in datasets:
        names = {field.name: field for field in fields[dataset.name]}
        if dataset.name in {"train", "holdout"}:
            _require_named_columns(model, dataset, names)
        for name, field in train.items():
            if name in model.not_features:
                continue
            if name not in names:
                raise DatasetError(
                    f"{dataset.path} has no column {name!r}, which the training data has"
                    f"{nearest(name, names) or _list_columns(names)}"
                )
            if not _is_compatible(field.type, names[name].type):
                raise DatasetError(
                    f"{dataset.path}: column {name!r} holds {names[name].type}, "
                    f"where the training data holds {field.type}"
                )


def _require_named_columns(model: ModelSpec, dataset: DatasetSpec, names: Iterable[str]) -> None:
    # A key that is not there by that name would be taken for a feature by its own.
    for setting, column in (("target", model.target), ("key", model.key), ("time", model.time)):
        if column is not None and column not in names:
            raise DatasetError(
                f"{dataset.path} has no column {column!r} (model.{setting} in triune.yaml)"
                f"{nearest(column, names) or _list_columns(names)}"
            )


def _require_apart(files: Mapping[str, Sequence[Path]], root: Path) -> None:
    shared = sorted(set(files["train"]) & set(files["holdout"]))
    if shared:
        raise DatasetError(
            f"{shared[0].relative_to(root)} is in both the training data and the holdout "
            "(data.datasets in triune.yaml); a holdout is never trained on"
        )


def _list_columns(names: Iterable[str]) -> str:
    return f"; its columns are {', '.join(sorted(names))}"


def _is_compatible(train: FieldType | None, other: FieldType | None) -> bool:
    numbers = {FieldType.INTEGER, FieldType.NUMBER}
    return train == other or None in (train, other) or {train, other} == numbers


def _store_model(context: Context, model: ModelSpec, files: Sequence[Path]) -> ModelRef:
    tree = Tree.of(_store_file(context, path, path.name) for path in files)
    return ModelRef(
        format=model.format,
        path=files[0].name,
        digest=context.store.put(tree.content).digest,
        task=model.task,
        target=model.target,
        key=model.key,
        time=model.time,
    )


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


def _store_tree(context: Context, paths: Iterable[Path]) -> str:
    tree = Tree.of(_store_file(context, context.root / path, path.as_posix()) for path in paths)
    return context.store.put(tree.content).digest


def _store_file(context: Context, path: Path, name: str) -> FileRef:
    with path.open("rb") as stream:
        blob = context.store.put(stream)
        executable = bool(path.stat().st_mode & 0o100)
    return FileRef(path=name, digest=blob.digest, size=blob.size, executable=executable)


def _json_lines(documents: Iterable[dict[str, Json]]) -> bytes:
    # Not RFC 8785, which refuses integers beyond 2**53 that a dataset may well hold.
    lines = (
        json.dumps(document, sort_keys=True, ensure_ascii=False, allow_nan=False)
        for document in documents
    )
    return "".join(f"{line}\n" for line in lines).encode()
