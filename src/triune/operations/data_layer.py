"""The data layer: each dataset against its suite, its reference, and the holdout against training.

It looks at the project's files as they are now, before anything is trained on them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from triune.domain.canonical import Json, canonical_json, sha256
from triune.domain.data_checks import (
    MOST_FINDINGS,
    judge_holdout,
    judge_labels,
    judge_skew,
    judge_suite,
)
from triune.domain.drift_report import compare_profiles
from triune.domain.errors import UsageError, nearest
from triune.domain.evidence import Judgement, Layer
from triune.domain.expectations.outcome import ResultFormat
from triune.domain.expectations.suite import Suite, read_suite
from triune.domain.project import DatasetSpec, ModelSpec, SkewSpec
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.operations.holdouts import shared_rows
from triune.operations.locating import dataset_files, require_file
from triune.operations.measuring import HOLDOUT, is_missing
from triune.operations.project_tests import layer_tests
from triune.ports import Progress

_FORMAT = 2
"""Raised whenever the same data and suite would be judged otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSelection:
    """What of the data layer is asked for: one dataset alone, and a suite in place of its own.

    ``suite`` is read from wherever it is; then nothing but it is held against the dataset.
    """

    dataset: str | None = None
    suite: Path | None = None


EVERYTHING: Final = DataSelection()


def data_checks(context: Context, selection: DataSelection = EVERYTHING) -> tuple[Check, ...]:
    """Make the checks of the datasets; none without suites, a model or tests of the project's.

    Raises
    ------
    UsageError
        There is no such dataset, nothing that it could be held against, or no such suite.
    """
    if selection.suite is not None:
        dataset = _selected(context, selection.dataset)
        return (suite_check(context, dataset, suite=_read_suite_file(selection.suite)),)
    datasets = context.spec.datasets
    if selection.dataset is not None:
        datasets = (_selected(context, selection.dataset),)
    suites = tuple(
        suite_check(context, dataset, suite=dataset.suite)
        for dataset in datasets
        if dataset.suite is not None
    )
    skew = context.spec.skew
    skews = tuple(
        _skew_check(context, skew, dataset)
        for dataset in datasets
        if skew is not None and dataset.name in skew.against
    )
    if selection.dataset is not None:
        if not suites and not skews:
            raise UsageError(
                f"nothing is said of what {selection.dataset} must look like: data.suites has no "
                "suite of it, and data.skew does not name it; name one: `--suite FILE`"
            )
        return (*suites, *skews)
    model = context.spec.model
    holdout = (_holdout_check(context), _labels_check(context, model)) if model else ()
    return (*suites, *skews, *holdout, *layer_tests(context, Layer.DATA))


def suite_check(context: Context, dataset: DatasetSpec, *, suite: str | Suite) -> Check:
    """Make the check of a dataset against a suite: a file in the project, or one read already."""
    return Check(
        layer=Layer.DATA,
        name=dataset.name,
        digest=partial(_digest_suite, context, dataset, suite),
        judge=partial(_judge_suite, context, dataset, suite),
        # What holds now need not hold tomorrow.
        is_reusable=b"now()" not in _content(context, dataset, suite),
    )


def _selected(context: Context, name: str | None) -> DatasetSpec:
    names = [dataset.name for dataset in context.spec.datasets]
    if name is None:
        if len(names) != 1:
            raise UsageError(
                f"a suite is for one dataset: name it, `--dataset NAME` ({', '.join(names)})"
                if names
                else "triune.yaml has no dataset that a suite could be held against; add one to "
                "data.datasets"
            )
        name = names[0]
    if name not in names:
        known = f"; there are {', '.join(names)}" if names else "; data.datasets names none"
        raise UsageError(f"there is no dataset {name!r}{nearest(name, names) or known}")
    return context.spec.dataset(name)


def _read_suite_file(path: Path) -> Suite:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}; name a suite's file") from error
    return read_suite(content, source=str(path))


def _digest_suite(context: Context, dataset: DatasetSpec, suite: str | Suite) -> str:
    content = _content(context, dataset, suite)
    return _digest(
        {
            "dataset": _digest_files(_files(context, dataset)),
            "format": dataset.format,
            "suite": hashlib.sha256(content).hexdigest(),
            "key": _key(context),
        }
    )


def _content(context: Context, dataset: DatasetSpec, suite: str | Suite) -> bytes:
    if isinstance(suite, str):
        return _suite_file(context, dataset, suite).read_bytes()
    # Not RFC 8785, which refuses integers beyond 2**53 that a bound may well be.
    return json.dumps(asdict(suite), sort_keys=True, default=str).encode()


def _judge_suite(
    context: Context, dataset: DatasetSpec, suite: str | Suite, progress: Progress
) -> Judgement:
    expected = suite if isinstance(suite, Suite) else _read(context, dataset, suite)
    files = _files(context, dataset)
    progress(f"{len(expected.expectations)} expectations of {expected.name}")
    key = _key(context)
    outcome = context.data.evaluate(
        files,
        format=dataset.format,
        suite=expected,
        now=context.clock.now(),
        result_format=ResultFormat.SUMMARY,
        key=key,
    )
    file = files[0].relative_to(context.root).as_posix() if len(files) == 1 else None
    written = _written(context, dataset, expected) if expected is dataset.suite else ()
    return judge_suite(outcome, dataset=dataset.name, file=file, key=key, written=written)


def _read(context: Context, dataset: DatasetSpec, suite: str) -> Suite:
    return read_suite(_suite_file(context, dataset, suite).read_bytes(), source=suite)


def _key(context: Context) -> str | None:
    return context.spec.model.key if context.spec.model else None


def _written(context: Context, dataset: DatasetSpec, suite: Suite) -> list[tuple[str, int]]:
    """Tell where the expectations stand that the settings hold themselves."""
    problems = (
        context.spec.problem(f"data.suites.{dataset.name}[{number}]", "")
        for number in range(len(suite.expectations))
    )
    return [(problem.file, problem.line) for problem in problems]


def _skew_check(context: Context, skew: SkewSpec, dataset: DatasetSpec) -> Check:
    return Check(
        layer=Layer.DATA,
        name=f"skew of {dataset.name}",
        digest=partial(_digest_skew, context, skew, dataset),
        judge=partial(_judge_skew, context, skew, dataset),
    )


def _digest_skew(context: Context, skew: SkewSpec, dataset: DatasetSpec) -> str:
    reference = context.spec.dataset(skew.reference)
    model = context.spec.model
    return _digest(
        {
            "dataset": [dataset.format, _digest_files(_files(context, dataset))],
            "reference": [reference.format, _digest_files(_files(context, reference))],
            "named": reference.name,
            "psi_max": skew.psi_max,
            "not_features": list(model.not_features) if model else None,
        }
    )


def _judge_skew(
    context: Context, skew: SkewSpec, dataset: DatasetSpec, progress: Progress
) -> Judgement:
    reference = context.spec.dataset(skew.reference)
    progress(f"comparing its features with those of {reference.name}")
    known = context.data.drift_profile(
        _files(context, reference),
        format=reference.format,
        columns=_compared(context, reference, dataset),
    )
    seen = context.data.count_into(_files(context, dataset), format=dataset.format, reference=known)
    report = compare_profiles(known, seen, threshold=skew.psi_max)
    return judge_skew(report, dataset=dataset.name, reference=reference.name)


def _compared(context: Context, reference: DatasetSpec, dataset: DatasetSpec) -> list[str]:
    """List the columns to compare: the model's features, or all that both datasets have."""
    mine, others = (
        [field.name for field in context.data.fields(_files(context, each), format=each.format)]
        for each in (reference, dataset)
    )
    if context.spec.model:
        return [name for name in mine if name not in context.spec.model.not_features]
    return [name for name in mine if name in others]


def _holdout_check(context: Context) -> Check:
    return Check(
        layer=Layer.DATA,
        name="holdout apart",
        digest=partial(_digest_holdout, context),
        judge=partial(_judge_holdout, context),
    )


def _digest_holdout(context: Context) -> str:
    model = context.spec.model
    digests: dict[str, Json] = {
        name: _digest_files(_files(context, context.spec.dataset(name)))
        for name in ("train", "holdout")
    }
    return _digest({**digests, "key": model.key if model else None})


def _judge_holdout(context: Context, progress: Progress) -> Judgement:
    datasets = {name: context.spec.dataset(name) for name in ("train", "holdout")}
    files = {name: _files(context, dataset) for name, dataset in datasets.items()}
    columns = {
        name: {field.name for field in context.data.fields(files[name], format=dataset.format)}
        for name, dataset in datasets.items()
    }
    progress("comparing the rows of holdout and training data")
    common = sorted(columns["train"] & columns["holdout"])
    rows, seen = (
        context.data.row_digests(files[name], format=datasets[name].format, columns=common)
        for name in ("holdout", "train")
    )
    _, first, counts = np.unique(rows, return_index=True, return_counts=True)
    repeated = np.setdiff1d(np.arange(len(rows)), first) if (counts > 1).any() else ()
    has_key = context.spec.model is not None and context.spec.model.key is not None
    return judge_holdout(
        rows=len(rows),
        shared=shared_rows(rows, seen, has_key=has_key),
        repeated=tuple(int(row) for row in repeated),
        has_key=has_key,
    )


def _labels_check(context: Context, model: ModelSpec) -> Check:
    return Check(
        layer=Layer.DATA,
        name="holdout labelled",
        digest=partial(_digest_labels, context, model),
        judge=partial(_judge_labels, context, model),
    )


def _digest_labels(context: Context, model: ModelSpec) -> str:
    holdout = context.spec.dataset(HOLDOUT)
    content = _digest_files(_files(context, holdout))
    return _digest(
        {"labelled": [holdout.format, content], "target": model.target, "key": model.key}
    )


def _judge_labels(context: Context, model: ModelSpec, _: Progress) -> Judgement:
    holdout = context.spec.dataset(HOLDOUT)
    files = _files(context, holdout)
    labels = context.data.arrays(files, format=holdout.format, columns=[model.target])
    missing = np.flatnonzero(is_missing(labels[model.target])).tolist()
    keys: list[object] = []
    if missing and model.key:
        held = context.data.arrays(files, format=holdout.format, columns=[model.key])[model.key]
        keys = held[missing[:MOST_FINDINGS]].tolist()
    return judge_labels(
        target=model.target,
        rows=len(labels[model.target]),
        missing=missing,
        key=model.key,
        keys=keys,
    )


def _files(context: Context, dataset: DatasetSpec) -> tuple[Path, ...]:
    return dataset_files(context, dataset)


def _suite_file(context: Context, dataset: DatasetSpec, suite: str) -> Path:
    return require_file(
        context,
        f"data.suites.{dataset.name}",
        suite,
        advice="write what the dataset must look like there",
    )


def _digest(read: Json) -> str:
    return sha256(canonical_json({"check": _FORMAT, **read}))


def _digest_files(files: Sequence[Path]) -> str:
    """Digest files by their content and order."""
    whole = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()
