"""The candidate's holdout as tests see it: features freely, labels by a look that is counted."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from triune.adapters.data.arrow import read_pandas
from triune.adapters.data.conditions import columns_of
from triune.domain.errors import UsageError
from triune.domain.evidence import Judgement
from triune.domain.manifest import DatasetRef, Manifest, ModelRef, Outputs
from triune.domain.model_checks import Floor, Measured, is_short, judge_floor
from triune.domain.project import SliceSpec
from triune.domain.projection import ReleaseRecord
from triune.domain.release import short
from triune.operations import measuring
from triune.operations.context import Context
from triune.operations.gates import Opponent, look_at_holdout
from triune.operations.scoring import dataset_of, lay_out_dataset, score_dataset
from triune.ports import Predictions
from triune.stats.errors import TooFewRowsError
from triune.stats.metrics import find_metric

Frame = Any
"""A DataFrame of pandas, the caller's own."""


class _Model(Protocol):
    """A release, whether it was asked anything or not."""

    @property
    def record(self) -> ReleaseRecord: ...

    @property
    def outputs(self) -> Outputs: ...


class Holdout:
    """Rows that no model was trained on: all of the candidate's, or a slice of them."""

    def __init__(
        self,
        source: "_Source",
        *,
        rows: npt.NDArray[np.bool_] | None = None,
        spec: SliceSpec | None = None,
    ) -> None:
        self._source = source
        self._rows = rows
        self._spec = spec

    @classmethod
    @contextmanager
    def open(
        cls, context: Context, record: ReleaseRecord, manifest: Manifest, *, champion: Opponent
    ) -> Iterator[Self]:
        """Lay the holdout of a release out for as long as the block lasts.

        Raises
        ------
        DatasetError
            It has none.
        UsageError
            It has no model, and so no labels.
        """
        if manifest.model is None:
            raise UsageError(
                f"release {short(record.id)} holds no model, and so no holdout to look at"
            )
        dataset = dataset_of(manifest, measuring.HOLDOUT)
        with context.scratch.folder() as folder:
            source = _Source(
                context=context,
                record=record,
                manifest=manifest,
                model=manifest.model,
                dataset=dataset,
                champion=champion.release,
                files=lay_out_dataset(context, dataset, folder / "holdout"),
            )
            yield cls(source)

    def __len__(self) -> int:
        if self._rows is not None:
            return int(self._rows.sum())
        return len(self._source.frame)

    @property
    def features(self) -> Frame:
        """The model's inputs; reading them is no look."""
        return self._taken()[self._source.inputs]

    @property
    def target(self) -> Any:
        """The labels, a Series of pandas; whoever reads them looks at the holdout.

        Raises
        ------
        AssertionError
            All looks at it are spent.
        """
        self._source.look()
        return self._taken()[self._source.model.target]

    @property
    def frame(self) -> Frame:
        """Every column, labels among them; whoever reads it looks at the holdout.

        Raises
        ------
        AssertionError
            All looks at it are spent.
        """
        self._source.look()
        return self._taken()

    def slice(self, where: str) -> "Holdout":
        """Take the rows of a slice of ``triune.yaml``, or those that a condition of SQL holds for.

        Raises
        ------
        AssertionError
            The condition is about the labels, and all looks at them are spent.
        ConditionError
            It is neither the name of a slice nor a condition.
        """
        spec = self._source.slices.get(where)
        rows = self._source.matching(spec.where if spec else where)
        return Holdout(
            self._source, rows=rows if self._rows is None else self._rows & rows, spec=spec
        )

    def judge_floor(self, model: _Model, metric: str, floor: float) -> Judgement:
        """Judge whether a metric of a model clears a floor here.

        Raises
        ------
        AssertionError
            All looks at the holdout are spent.
        StatsError, UsageError
            The metric does not go with the task, the labels or what the model answers.
        """
        labelled = self._source.labelled(model)
        asked = Floor(
            metric=metric,
            worst=floor,
            higher_is_better=find_metric(metric, task=labelled.task).higher_is_better,
        )
        answers = (model.outputs, self._source.predictions(model))
        try:
            estimate = labelled.estimate(metric, answers=answers, rows=self._rows)
        except TooFewRowsError as error:
            return judge_floor(
                Measured(floor=asked, estimate=None, shortage=str(error)), rows=len(self)
            )
        return judge_floor(Measured(floor=asked, estimate=estimate), rows=len(self))

    @property
    def shortage(self) -> str:
        """Say of what a slice of ``triune.yaml`` has too few; nothing where it has enough."""
        if self._spec is None or self._spec.required:
            return ""
        return is_short(self._spec, rows=len(self))

    def _taken(self) -> Frame:
        frame = self._source.frame
        if self._rows is None:
            return frame.copy()
        return frame[self._rows].reset_index(drop=True)


class _Source:
    """The dataset that a holdout and its slices share, read once, and the one look at it."""

    def __init__(  # noqa: PLR0913 - all are named
        self,
        *,
        context: Context,
        record: ReleaseRecord,
        manifest: Manifest,
        model: ModelRef,
        dataset: DatasetRef,
        champion: ReleaseRecord | None,
        files: Sequence[Path],
    ) -> None:
        self.model = model
        self._context = context
        self._record = record
        self._manifest = manifest
        self._dataset = dataset
        self._champion = champion
        self._files = files

    @property
    def inputs(self) -> list[str]:
        signature = self._manifest.signature
        return [each.name for each in signature.inputs] if signature else []

    @property
    def slices(self) -> dict[str, SliceSpec]:
        model = self._context.spec.model
        return {each.name: each for each in model.slices} if model else {}

    @cached_property
    def frame(self) -> Frame:
        return read_pandas(self._files, format=self._dataset.format)

    def matching(self, where: str) -> npt.NDArray[np.bool_]:
        names = [
            each.name
            for each in self._context.data.fields(self._files, format=self._dataset.format)
        ]
        # Which rows have which label is what looks are counted for.
        if self.model.target in columns_of(where, names):
            self.look()
        return self._context.data.matching(self._files, format=self._dataset.format, where=where)

    def predictions(self, model: _Model) -> Predictions:
        return score_dataset(self._context, model.record, self._dataset)

    def labelled(self, model: _Model) -> measuring.Holdout:
        """Load the labels for the predictions of a model to meet."""
        # Those of the champion met labels before it was promoted.
        if self._champion is None or model.record.id != self._champion.id:
            self.look()
        return self._labelled

    def look(self) -> None:
        """Reserve the candidate's look.

        Raises
        ------
        AssertionError
            None is left.
        """
        __tracebackhide__ = True
        refusal = self._refusal
        if refusal is not None:
            raise AssertionError(refusal)

    @cached_property
    def _refusal(self) -> str | None:
        predictions = score_dataset(self._context, self._record, self._dataset)
        look = look_at_holdout(self._context, self._record.id, self._manifest, predictions)
        reason = look.refusal if look else None
        return f"{reason.code}: {reason.message}" if reason else None

    @cached_property
    def _labelled(self) -> measuring.Holdout:
        return measuring.load_holdout(self._context, self._manifest)
