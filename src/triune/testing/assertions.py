"""What tests assert of a model: that it is good enough, and answers to a change as it should."""

from collections.abc import Mapping
from typing import Literal

import pytest

from triune.domain.canonical import Json
from triune.domain.evidence import Judgement
from triune.domain.model_checks import judge_behaviour
from triune.domain.project import BehaviourSpec
from triune.domain.verdict import Verdict
from triune.operations.model_layer import comparable
from triune.stats.errors import StatsError
from triune.testing.model import Model, Rows

_SHOWN_ROWS = 3


# What fails is the test, not what it is written with: pytest leaves these lines out.
__tracebackhide__ = True


def assert_floor(model: Model, metric: str, floor: float, where: str | None = None) -> None:
    """Assert that a metric is clearly above a floor, or for a loss, clearly below it.

    The nearer bound of the metric on the candidate's holdout is compared, not the metric. The
    labels are looked at, which is counted.

    Parameters
    ----------
    where
        A slice of ``triune.yaml``, or a condition of SQL; all rows by default. A slice with fewer
        rows than its ``min_rows`` skips the test, unless it is required.

    Raises
    ------
    AssertionError
        It is not, or that cannot be told; or all looks at the holdout are spent.
    """
    holdout = model.holdout if where is None else model.holdout.slice(where)
    if holdout.shortage:
        pytest.skip(f"slice {where!r} is not judged: {holdout.shortage}")
    try:
        judged = holdout.judge_floor(model, metric, floor)
    except StatsError as error:
        raise AssertionError(str(error)) from error
    _require(judged, of=f"{model}{f', {where}' if where else ''}")


def assert_invariant(  # noqa: PLR0913 - what it is of, and four that are named
    model: Model,
    rows: Rows,
    *,
    set: Mapping[str, Json],
    against: Mapping[str, Json],
    tolerance: float = 0.0,
    at_least: float = 1.0,
) -> None:
    """Assert that predictions stay where they are when ``against`` becomes ``set`` in a row.

    Parameters
    ----------
    rows
        As `Model.predict` takes them.
    tolerance
        How far a probability (or the answer of a regression) may move.
    at_least
        The share of rows for which it must hold.

    Raises
    ------
    AssertionError
        They do not; the message names the first rows.
    """
    spec = BehaviourSpec(
        name="assert_invariant",
        set=set,
        against=against,
        expect="same",
        tolerance=tolerance,
        at_least=at_least,
    )
    _require_behaviour(model, rows, spec)


def assert_directional(  # noqa: PLR0913 - what it is of, and four that are named
    model: Model,
    rows: Rows,
    *,
    set: Mapping[str, Json],
    against: Mapping[str, Json],
    expect: Literal["increase", "decrease"],
    at_least: float = 1.0,
) -> None:
    """Assert that predictions increase, or decrease, when ``against`` becomes ``set`` in a row.

    Parameters
    ----------
    rows
        As `Model.predict` takes them.
    at_least
        The share of rows for which it must hold.

    Raises
    ------
    AssertionError
        They do not; the message names the first rows.
    """
    if expect not in {"increase", "decrease"}:
        raise ValueError(f"expect is {expect!r}; use 'increase' or 'decrease'")
    spec = BehaviourSpec(
        name="assert_directional", set=set, against=against, expect=expect, at_least=at_least
    )
    _require_behaviour(model, rows, spec)


def _require_behaviour(model: Model, rows: Rows, spec: BehaviourSpec) -> None:
    before, after = (model.score(rows, replace=values) for values in (spec.against, spec.set))
    if not len(after.labels):
        raise AssertionError(f"{spec.name}: there is no row to judge; give one or more")
    against, given, shown = comparable(spec, before, after)
    _require(judge_behaviour(spec, against=against, given=given, shown=shown), of=str(model))


def _require(judged: Judgement, *, of: str) -> None:
    if judged.verdict is Verdict.PASS:
        return
    rows = [
        f"  row {finding.row}: {finding.message}"
        for finding in judged.findings[:_SHOWN_ROWS]
        if finding.row is not None
    ]
    raise AssertionError("\n".join([f"{of}: {judged.reason.message}", *rows]))
