"""Sees that datasets are what the project says of them: their columns, types and target."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from triune.domain.canonical import Json
from triune.domain.errors import DatasetError, nearest
from triune.domain.manifest import Field, FieldType
from triune.domain.project import DatasetSpec, ModelSpec
from triune.operations.context import Context
from triune.operations.locating import dataset_files

_LABELLED: Final = ("train", "holdout")
_NO_QUANTITY: Final = frozenset({FieldType.STRING, FieldType.DATE, FieldType.TIMESTAMP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasets:
    """The project's datasets as they are now, by name; ``inputs`` are the columns of the model."""

    files: Mapping[str, tuple[Path, ...]]
    fields: Mapping[str, tuple[Field, ...]]
    inputs: tuple[Field, ...] = ()


def read_datasets(context: Context) -> Datasets:
    """Find the datasets, and see that they go together, and with the model's columns and task.

    Raises
    ------
    DatasetError
        One is missing or damaged, or they do not; the message names the file and the column.
    """
    spec = context.spec
    files = {dataset.name: dataset_files(context, dataset) for dataset in spec.datasets}
    fields = {
        dataset.name: context.data.fields(files[dataset.name], format=dataset.format)
        for dataset in spec.datasets
    }
    if spec.model is None:
        return Datasets(files=files, fields=fields)
    _require_apart(files, context.root)
    _require_columns(spec.model, spec.datasets, fields)
    _require_targets(context, spec.model, files, fields)
    inputs = _inputs(spec.dataset("train"), spec.model, fields["train"])
    for dataset in spec.datasets:
        context.data.require_inputs(
            files[dataset.name],
            format=dataset.format,
            columns=[field.name for field in inputs],
        )
    return Datasets(files=files, fields=fields, inputs=inputs)


def _inputs(train: DatasetSpec, model: ModelSpec, columns: Iterable[Field]) -> tuple[Field, ...]:
    """Tell a model's inputs, as whoever trained it had them.

    A column of a CSV without a value is one of numbers to pandas, all of them missing.
    """
    is_text = train.format == "csv"
    return tuple(
        replace(field, type=FieldType.NUMBER) if is_text and field.type is None else field
        for field in columns
        if field.name not in model.not_features
    )


def _require_apart(files: Mapping[str, Sequence[Path]], root: Path) -> None:
    shared = sorted(set(files["train"]) & set(files["holdout"]))
    if shared:
        raise DatasetError(
            f"{shared[0].relative_to(root)} is in both the training data and the holdout "
            "(data.datasets in triune.yaml); a holdout is never trained on"
        )


def _require_columns(
    model: ModelSpec,
    datasets: Sequence[DatasetSpec],
    fields: Mapping[str, Sequence[Field]],
) -> None:
    train = {field.name: field for field in fields["train"]}
    for dataset in datasets:
        names = {field.name: field for field in fields[dataset.name]}
        if dataset.name in _LABELLED:
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


def _list_columns(names: Iterable[str]) -> str:
    return f"; its columns are {', '.join(sorted(names))}"


def _is_compatible(train: FieldType | None, other: FieldType | None) -> bool:
    numbers = {FieldType.INTEGER, FieldType.NUMBER}
    return train == other or None in (train, other) or {train, other} == numbers


def _require_targets(
    context: Context,
    model: ModelSpec,
    files: Mapping[str, Sequence[Path]],
    fields: Mapping[str, Sequence[Field]],
) -> None:
    seen: dict[Json, str] = {}
    for name in _LABELLED:
        dataset = context.spec.dataset(name)
        values = context.data.values(
            files[name], format=dataset.format, column=model.target, limit=3
        )
        if not values:
            raise DatasetError(_explain_no_target(context, model, dataset, files[name]))
        type_ = next(field.type for field in fields[name] if field.name == model.target)
        if model.task == "regression" and type_ in _NO_QUANTITY:
            raise DatasetError(
                f"{dataset.path}: the target {model.target!r} holds {type_} ({values[0]!r}, say), "
                "and a regression predicts numbers; correct model.task or model.target in "
                "triune.yaml"
            )
        seen |= dict.fromkeys(values, dataset.path)
        if model.task == "binary" and len(seen) > 2:
            shown = ", ".join(f"{value!r} in {path}" for value, path in seen.items())
            raise DatasetError(
                f"the target {model.target!r} holds more than two values ({shown}), and "
                "model.task in triune.yaml is binary; write `task: multiclass`, or correct "
                "model.target or the data"
            )
        if model.task != "regression" and name == "holdout" and len(values) == 1:
            raise DatasetError(
                f"{dataset.path}: every row's target {model.target!r} is {values[0]!r}, so nothing "
                "shows how well a model tells classes apart; make a holdout with rows of each"
            )


def _explain_no_target(
    context: Context, model: ModelSpec, dataset: DatasetSpec, files: Sequence[Path]
) -> str:
    if not context.data.sample(files, format=dataset.format, columns=[model.target], count=1):
        return (
            f"{dataset.path} has columns and not one row (data.datasets.{dataset.name} in "
            "triune.yaml); make it again, with rows"
        )
    return (
        f"{dataset.path}: no row has a value in the target {model.target!r} (model.target in "
        "triune.yaml); name another column, or make the dataset again with its labels"
    )
