"""Puts what changed between two releases into sentences, one line each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from triune.domain.release import short

if TYPE_CHECKING:
    from triune.domain.answers import AnswerChanges
    from triune.domain.comparison import Change, FileChanges, LineChanges
    from triune.operations.comparing import ReleaseChanges

_CALLED: Final = {"datasets": "data", "golden": "golden requests", "signature": "model"}


def describe_changes(changes: "ReleaseChanges") -> list[str]:
    """Say all that is different: a part that differs has a line at the least."""
    told = _describe_parts(changes)
    lines = [line for part in told for line in told[part]]
    lines += [
        f"{_CALLED.get(part, part)}: written otherwise in the manifest, to the same effect"
        for part in changes.parts
        if not told.get(part)
    ]
    lines += _describe_answers("golden answers", changes.answers, is_asked_for=False)
    lines += _describe_answers("predictions on the holdout", changes.predictions, is_asked_for=True)
    if changes.unscored:
        lines.append(f"model: the two cannot be scored on one dataset: {changes.unscored}")
    lines += _describe_values("metric", changes.metrics)
    title = f"from {short(changes.before)} to {short(changes.after)}"
    return [title, *lines] if lines else [f"{title}: nothing changed"]


def _describe_parts(changes: "ReleaseChanges") -> dict[str, list[str]]:
    """Describe each part of the manifests, by its name there."""
    return {
        "code": _describe_files("code", changes.code),
        "tests": _describe_files("tests", changes.tests),
        "datasets": _describe_data(changes),
        "model": [
            *_describe_values("model", changes.model),
            *_describe_files("model", changes.model_files),
        ],
        "signature": _describe_values("model", changes.signature),
        "golden": _describe_golden(changes.golden),
        "drift": ["drift profile: the training data is distributed otherwise"]
        if "drift" in changes.parts
        else [],
        "runtime": [
            *_describe_values("runtime", changes.runtime),
            *_describe_lock(changes.lock),
        ],
        "serve": _describe_values("serve", changes.serve),
    }


def _describe_files(part: str, changes: "FileChanges") -> list[str]:
    return [
        f"{part}: {path} {what}"
        for what, paths in (
            ("added", changes.added),
            ("removed", changes.removed),
            ("changed", changes.changed),
        )
        for path in paths
    ]


def _describe_data(changes: "ReleaseChanges") -> list[str]:
    lines = _describe_values("data", changes.datasets)
    for name, change in changes.data.items():
        lines.append(
            f"data: {name}: {change.rows_added:,} rows added, {change.rows_removed:,} removed "
            f"({change.rows_before:,} -> {change.rows_after:,})"
        )
        lines += [f"data: {name}: column {column} added" for column in change.columns_added]
        lines += [f"data: {name}: column {column} removed" for column in change.columns_removed]
        lines += [
            f"data: {name}: column {column} was {old}, is {new}"
            for column, old, new in change.columns_retyped
        ]
        if not change:
            lines[-1] += ", so the rows are the same: stored or ordered otherwise"
            lines += _describe_files(f"data: {name}", changes.data_files[name])
    return lines


def _describe_golden(changes: "LineChanges | None") -> list[str]:
    if changes is None:
        return []
    return [f"golden requests: {_count_lines(changes)}; so their answers are not compared"]


def _describe_lock(changes: "LineChanges | None") -> list[str]:
    return [] if changes is None else [f"runtime: lines of the lock: {_count_lines(changes)}"]


def _count_lines(changes: "LineChanges") -> str:
    if not (changes.added or changes.removed):
        return "the same ones, in another order or ending otherwise"
    return (
        f"{changes.added:,} added, {changes.removed:,} removed "
        f"({changes.before:,} -> {changes.after:,})"
    )


def _describe_answers(
    what: str, changes: "AnswerChanges | None", *, is_asked_for: bool
) -> list[str]:
    if changes is None or not (changes.differing or is_asked_for):
        return []
    of_all = f"of {changes.compared:,} {what}"
    by = "" if changes.largest is None else f", by at most {changes.largest:.4g}"
    lines = [f"model: {changes.differing:,} {of_all} differ{by}"]
    if changes.relabelled:
        lines.append(f"model: {changes.relabelled:,} {of_all} have another label")
    return lines


def _describe_values(part: str, changes: "Iterable[Change]") -> list[str]:
    return [_describe_value(part, *change) for change in changes]


def _describe_value(part: str, name: str, before: Any, after: Any) -> str:
    if before is None:
        return f"{part}: {name} added: {_show(after)}"
    if after is None:
        return f"{part}: {name} removed (was {_show(before)})"
    return f"{part}: {name} {_show(before)} -> {_show(after)}"


def _show(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(_show(each) for each in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
