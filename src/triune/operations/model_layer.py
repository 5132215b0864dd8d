"""The model layer: whether a release answers every row, well enough everywhere, and as it should.

All that is scored is scored by the release in its own worker, when the checks are made; the checks
themselves measure and judge what came of it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from triune.domain.canonical import Json, sha256
from triune.domain.errors import (
    ConfigError,
    TamperedError,
    TriuneError,
    UsageError,
    WorkerError,
    WorkerKilledError,
    nearest,
)
from triune.domain.evidence import Judgement, Layer
from triune.domain.manifest import FieldType, Manifest, Outputs
from triune.domain.model_checks import (
    Floor,
    Measured,
    ModelReason,
    is_short,
    judge_behaviour,
    judge_floor,
    judge_holdout,
    judge_not_applicable,
    judge_not_met,
    judge_not_scored,
    judge_predictions,
    judge_refused,
    judge_slice,
    judge_unscored,
    misfit,
)
from triune.domain.project import BehaviourSpec, ModelSpec, SliceSpec
from triune.domain.verdict import Reason
from triune.operations.checks import Check
from triune.operations.context import Context
from triune.operations.measuring import HOLDOUT, Holdout, is_missing, load_holdout
from triune.operations.parity import parity_checks
from triune.operations.scoring import Variant, dataset_of, lay_out_dataset, score_variants
from triune.ports import Predictions, Progress
from triune.stats.errors import StatsError, TooFewRowsError
from triune.stats.inputs import BoolArray, FloatArray
from triune.stats.metrics import METRICS, find_metric

_FORMAT: Final = 1
"""Raised whenever the same release, holdout and settings would be judged otherwise."""

_TRAIN: Final = "train"
_NOT_LOOKED_AT: Final = frozenset({ModelReason.PREDICTIONS_INVALID, ModelReason.NO_ROWS})

_T = TypeVar("_T")
_Array = npt.NDArray[Any]

MayLook = Callable[[Predictions], Reason | None]
"""Reserves a look before predictions meet labels; says why where they may not."""


def _say_nothing(_: str) -> None:
    """Keep what goes on to oneself."""


def model_checks(
    context: Context,
    release_id: str,
    manifest: Manifest,
    *,
    may_look: MayLook,
    progress: Progress = _say_nothing,
) -> tuple[Check, ...]:
    """Make the checks of a release's model; none where there is no model.

    What they need is scored here and the look is reserved here, both by whoever calls this: the
    checks themselves touch no ledger, and may be run in threads side by side.

    Parameters
    ----------
    may_look
        Called at most once, with valid predictions that are to meet sound labels.

    Raises
    ------
    DatasetError
        The release has no holdout.
    """
    if context.spec.model is None or manifest.model is None or manifest.signature is None:
        return ()
    holdout = dataset_of(manifest, HOLDOUT)
    columns = _attempt(partial(_look_at_columns, context, manifest, context.spec.model))
    behaviours = tuple(
        _Behaviour(spec=spec, obstacle=_find_obstacle(manifest, columns, spec))
        for spec in context.spec.model.behaviour
    )
    subject = _Subject(
        manifest=manifest,
        model=context.spec.model,
        outputs=manifest.signature.outputs,
        columns=columns,
        behaviours=behaviours,
        scored=score_variants(
            context, manifest, _variants(manifest, behaviours), progress=progress
        ),
        holdout=_attempt(partial(load_holdout, context, manifest)),
    )
    return tuple(
        Check(
            layer=Layer.MODEL,
            name=draft.name,
            digest=partial(_digest, release_id, holdout.digest, draft.settings),
            judge=partial(_judge, draft.judge),
            is_reusable=draft.is_reusable,
        )
        for draft in _drafts(subject, _look(subject, may_look))
    ) + parity_checks(context, release_id, manifest, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What is known of the columns that behaviours are about.

    ``empty`` are those without a value in the holdout; ``texts`` has all values of those in the
    training data that hold text.
    """

    empty: frozenset[str]
    texts: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behaviour:
    """A behaviour, and what it comes to without a prediction: a mistake, or not applicable."""

    spec: BehaviourSpec
    obstacle: Judgement | TriuneError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A release with what it predicted, by the digest of what it was given, and its holdout."""

    manifest: Manifest
    model: ModelSpec
    outputs: Outputs
    columns: _Columns | TriuneError
    behaviours: tuple[_Behaviour, ...]
    scored: Mapping[str, Predictions | TriuneError]
    holdout: Holdout | TriuneError

    @property
    def task(self) -> str:
        """What the model predicts."""
        assert self.manifest.model is not None
        return self.manifest.model.task

    def found(self, dataset: str, replace: Mapping[str, Json] | None = None) -> "_Found":
        """Find what was predicted, or why nothing was."""
        variant = Variant(dataset=self.manifest.datasets[dataset], replace=replace or {})
        return self.scored[variant.digest]


_Found = Predictions | TriuneError
_Look = Reason | TriuneError | None
"""Why predictions may not meet the labels; None where they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A check to be; ``settings`` are what it asks of a release."""

    name: str
    settings: Json
    judge: Callable[[], Judgement]
    is_reusable: bool = True


def _drafts(subject: _Subject, look: _Look) -> Iterator[_Draft]:
    model = subject.model
    # With more looks to spend, or a worker that nobody kills, it may come out otherwise.
    has_met = look is None and not isinstance(subject.found(HOLDOUT), TriuneError)
    yield _Draft(
        name=HOLDOUT,
        settings=None,
        judge=partial(_judge_holdout, subject, look),
        # What keeps the labels from being met is told, whatever was found before.
        is_reusable=not isinstance(look, TriuneError),
    )
    for dataset in _scored_datasets(subject.manifest):
        yield _Draft(
            name="predictions" if dataset == HOLDOUT else f"predictions: {dataset}",
            settings=None,
            judge=partial(_judge_predictions, subject, dataset),
        )
    for metric, worst in model.floors.items():
        yield _Draft(
            name=f"floor: {_name_floor(metric, worst)}",
            settings={metric: worst},
            judge=partial(_judge_floor, subject, look, metric, worst),
            is_reusable=has_met,
        )
    for spec in model.slices:
        yield _Draft(
            name=f"slice: {spec.name}",
            settings=asdict(spec),
            judge=partial(_judge_slice, subject, look, spec),
            is_reusable=has_met,
        )
    for behaviour in subject.behaviours:
        yield _Draft(
            name=f"behaviour: {behaviour.spec.name}",
            settings=asdict(behaviour.spec),
            judge=partial(_judge_behaviour, subject, behaviour),
        )


def _judge(judge: Callable[[], Judgement], _: Progress) -> Judgement:
    try:
        return judge()
    except StatsError as error:
        raise UsageError(str(error)) from error


def _digest(release_id: str, holdout: str, settings: Json) -> str:
    read = {"format": _FORMAT, "release": release_id, "holdout": holdout, "settings": settings}
    return sha256(json.dumps(read, sort_keys=True).encode())


def _scored_datasets(manifest: Manifest) -> list[str]:
    """List the holdout, and what else the model was not trained on."""
    others = sorted(manifest.datasets.keys() - {HOLDOUT, _TRAIN})
    return [HOLDOUT, *others]


def _variants(manifest: Manifest, behaviours: Sequence[_Behaviour]) -> Iterator[Variant]:
    for name in _scored_datasets(manifest):
        yield Variant(dataset=manifest.datasets[name])
    for behaviour in behaviours:
        if behaviour.obstacle is None:
            for values in (behaviour.spec.against, behaviour.spec.set):
                yield Variant(dataset=manifest.datasets[HOLDOUT], replace=values)


def _look(subject: _Subject, may_look: MayLook) -> _Look:
    """Reserve the look, where there are labels for valid predictions to meet."""
    predictions, holdout = subject.found(HOLDOUT), subject.holdout
    has_floors = subject.model.floors or any(each.floors for each in subject.model.slices)
    if not has_floors or isinstance(predictions, TriuneError) or isinstance(holdout, TriuneError):
        return None
    labels = _attempt(lambda: holdout.truth(subject.outputs.classes))
    if isinstance(labels, TriuneError) or not _has_valid_predictions(subject):
        return None
    return _attempt(lambda: may_look(predictions))


def _judge_holdout(subject: _Subject, look: _Look) -> Judgement:
    holdout, classes = _require(subject.holdout), subject.outputs.classes
    _require(look)
    different, counts = np.unique(holdout.truth(classes), return_counts=True)
    names = [str(classes[each]) if classes else f"{each:g}" for each in different[:2].tolist()]
    return judge_holdout(
        rows=holdout.rows,
        labels=dict(zip(names, counts.tolist(), strict=False)),
        subjects=holdout.subjects,
        has_key=subject.manifest.model is not None and subject.manifest.model.key is not None,
    )


def _judge_predictions(subject: _Subject, dataset: str) -> Judgement:
    found = subject.found(dataset)
    if _is_its_fault(found):
        return judge_unscored(str(found))
    predictions = _require(found)
    is_counted = dataset == HOLDOUT and isinstance(subject.holdout, Holdout)
    return judge_predictions(
        rows=_require(subject.holdout).rows if is_counted else len(predictions.labels),
        labels=predictions.labels,
        probabilities=predictions.probabilities,
        outputs=subject.outputs,
        task=subject.task,
    )


def _has_valid_predictions(subject: _Subject) -> bool:
    """Tell whether the holdout has predictions to measure; that they are all the same is no bar."""
    if isinstance(subject.found(HOLDOUT), TriuneError):
        return False
    return _judge_predictions(subject, HOLDOUT).reason.code not in _NOT_LOOKED_AT


def _name_floor(metric: str, worst: float) -> str:
    # The same way for each task; what is no metric at all is told when it is judged.
    better = {each.name: each.higher_is_better for each in METRICS}
    return str(Floor(metric=metric, worst=worst, higher_is_better=better.get(metric, True)))


def _judge_floor(subject: _Subject, look: _Look, metric: str, worst: float) -> Judgement:
    holdout = _require(subject.holdout)
    if refused := _judge_unmet(subject, holdout, look):
        return refused
    return judge_floor(_measure(subject, holdout, metric, worst), rows=holdout.rows)


def _judge_slice(subject: _Subject, look: _Look, spec: SliceSpec) -> Judgement:
    holdout = _require(subject.holdout)
    inside = holdout.slice_of(spec.name).rows
    rows = int(inside.sum())
    if not spec.floors or (look is not None and is_short(spec, rows=rows)):
        return judge_slice(spec, rows=rows, measured=())
    if refused := _judge_unmet(subject, holdout, look):
        return refused
    measured = [
        _measure(subject, holdout, metric, worst, rows=inside)
        for metric, worst in spec.floors.items()
    ]
    return judge_slice(spec, rows=rows, measured=measured)


def _judge_unmet(subject: _Subject, holdout: Holdout, look: _Look) -> Judgement | None:
    """Say why predictions cannot meet the labels, where they cannot."""
    holdout.truth(subject.outputs.classes)
    if not _has_valid_predictions(subject):
        return judge_not_scored()
    if isinstance(look, TriuneError):
        return judge_not_met()
    return judge_refused(look) if look else None


def _measure(
    subject: _Subject,
    holdout: Holdout,
    metric: str,
    worst: float,
    *,
    rows: BoolArray | None = None,
) -> Measured:
    floor = Floor(
        metric=metric,
        worst=worst,
        higher_is_better=find_metric(metric, task=holdout.task).higher_is_better,
    )
    answers = (subject.outputs, _require(subject.found(HOLDOUT)))
    try:
        estimate = holdout.estimate(metric, answers=answers, rows=rows)
    except TooFewRowsError as error:
        return Measured(floor=floor, estimate=None, shortage=str(error))
    return Measured(floor=floor, estimate=estimate)


def _judge_behaviour(subject: _Subject, behaviour: _Behaviour) -> Judgement:
    spec = behaviour.spec
    if obstacle := _require(behaviour.obstacle):
        return obstacle
    pair = (subject.found(HOLDOUT, spec.against), subject.found(HOLDOUT, spec.set))
    for found, values in zip(pair, (spec.against, spec.set), strict=True):
        if _is_its_fault(found):
            return judge_unscored(f"rows with {dict(values)}: {found}")
    before, after = (_require(found) for found in pair)
    against, given, shown = comparable(spec, before, after)
    return judge_behaviour(
        spec, against=against, given=given, notes=_notes(subject.columns, spec), shown=shown
    )


def comparable(
    spec: BehaviourSpec, before: Predictions, after: Predictions
) -> tuple[FloatArray, FloatArray, tuple[_Array, _Array] | None]:
    """Make one number of each row's answer, and what to show where that says little.

    Of two classes that is the probability of the second one. Of more it is, for ``same``, the
    probability that changes most; for the others that of the class answered for ``against``.

    Raises
    ------
    ConfigError
        The model gives no number that could do what is expected.
    """
    old, new = before.probabilities, after.probabilities
    if old is None or new is None:
        if before.labels.dtype.kind == "f":
            return before.labels.astype(np.float64), after.labels.astype(np.float64), None
        if spec.expect != "same":
            raise ConfigError(
                f"behaviour {spec.name!r} expects the prediction to {spec.expect}, and this model "
                "gives no probabilities that could; expect `same`, or give it a predict_proba"
            )
        differs = (before.labels != after.labels).astype(np.float64)
        return np.zeros(len(differs)), differs, (before.labels, after.labels)
    if old.shape[1] == 2:
        return old[:, 1], new[:, 1], None
    place = np.argmax(np.abs(new - old) if spec.expect == "same" else old, axis=1)
    rows = np.arange(len(place))
    return old[rows, place], new[rows, place], None


def _look_at_columns(context: Context, manifest: Manifest, model: ModelSpec) -> _Columns:
    assert manifest.signature is not None
    named = {name for spec in model.behaviour for name in (*spec.set, *spec.against)}
    inputs = [each for each in manifest.signature.inputs if each.name in named]
    texts = [each.name for each in inputs if each.type is FieldType.STRING and not each.categories]
    held = _read(context, manifest, HOLDOUT, [each.name for each in inputs])
    known = _read(context, manifest, _TRAIN, texts)
    return _Columns(
        empty=frozenset(name for name, values in held.items() if is_missing(values).all()),
        texts={name: frozenset(values.tolist()) - {None} for name, values in known.items()},
    )


def _read(
    context: Context, manifest: Manifest, name: str, columns: Sequence[str]
) -> dict[str, _Array]:
    if not columns:
        return {}
    dataset = dataset_of(manifest, name)
    with context.scratch.folder() as folder:
        files = lay_out_dataset(context, dataset, folder)
        return context.data.arrays(files, format=dataset.format, columns=columns)


def _find_obstacle(
    manifest: Manifest, columns: _Columns | TriuneError, spec: BehaviourSpec
) -> Judgement | TriuneError | None:
    assert manifest.signature is not None
    fields = {each.name: each for each in manifest.signature.inputs}
    for values in (spec.set, spec.against):
        for name, value in values.items():
            if name not in fields:
                hint = nearest(name, fields) or f"; its inputs are {', '.join(fields)}"
                return ConfigError(
                    f"behaviour {spec.name!r}: the model has no input {name!r}{hint}"
                )
            if wrong := misfit(fields[name], value):
                return ConfigError(f"behaviour {spec.name!r}: {name} = {value!r}: {wrong}")
    if isinstance(columns, TriuneError):
        return columns
    empty = [name for name in spec.set if name in columns.empty or fields[name].type is None]
    return judge_not_applicable(empty) if empty else None


def _notes(columns: _Columns | TriuneError, spec: BehaviourSpec) -> tuple[str, ...]:
    """Name the texts that the training data never has: a model may take them for anything."""
    texts = _require(columns).texts
    return tuple(
        f"the training data never has {name} = {value!r}{nearest(str(value), known)}"
        for values in (spec.against, spec.set)
        for name, value in values.items()
        if value is not None and name in texts and str(value) not in (known := texts[name])
    )


def _is_its_fault(found: _Found) -> bool:
    """Tell whether the model itself was asked, and raised or broke its worker."""
    return isinstance(found, WorkerError) and not isinstance(
        found, TamperedError | WorkerKilledError
    )


def _attempt(ask: Callable[[], _T]) -> _T | TriuneError:
    """Keep a fault for the checks that it concerns."""
    try:
        return ask()
    except TriuneError as error:
        return error


def _require(found: _T | TriuneError) -> _T:
    if isinstance(found, TriuneError):
        raise found
    return found
