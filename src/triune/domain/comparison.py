"""What changed between two manifests and what they name, as values."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from triune.domain.canonical import canonical_json
from triune.domain.manifest import CompiledRef, Field, Manifest, Tree

Change = tuple[str, object, object]
"""A name, what it was, what it is; None stands for absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetChange:
    """Rows are compared as a multiset over the columns that both sides have."""

    rows_before: int
    rows_after: int
    rows_added: int
    rows_removed: int
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: tuple[tuple[str, str, str], ...] = ()

    def __bool__(self) -> bool:
        columns = self.columns_added or self.columns_removed or self.columns_retyped
        return bool(self.rows_added or self.rows_removed or columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """Paths that came, went, or hold other bytes."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChanges:
    """How many lines there were and are, and how many came and went.

    With none of either, the same lines stand in another order or end otherwise.
    """

    before: int
    after: int
    added: int
    removed: int


def compare_trees(before: Tree, after: Tree) -> FileChanges:
    """Compare two trees file by file; a changed mode counts as a change."""
    old = {file.path: (file.digest, file.executable) for file in before.files}
    new = {file.path: (file.digest, file.executable) for file in after.files}
    return FileChanges(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(path for path in old.keys() & new.keys() if old[path] != new[path])),
    )


def compare_lines(before: bytes, after: bytes) -> LineChanges | None:
    """Compare two texts as multisets of lines; None where they are the same to the byte."""
    if before == after:
        return None
    old, new = Counter(before.splitlines()), Counter(after.splitlines())
    return LineChanges(
        before=old.total(),
        after=new.total(),
        added=(new - old).total(),
        removed=(old - new).total(),
    )


def compare_values(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    """List ``(name, before, after)`` where two mappings differ; None stands for absent.

    Values differ where their JSON does: to Python, true is 1.
    """
    return tuple(
        (name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if (name in before) != (name in after)
        or json.dumps(before.get(name), sort_keys=True)
        != json.dumps(after.get(name), sort_keys=True)
    )


def differing_parts(before: Manifest, after: Manifest) -> tuple[str, ...]:
    """Name the parts in which two manifests differ: at least one where their ids do."""
    old, new = before.document, after.document
    return tuple(name for name in old if canonical_json(old[name]) != canonical_json(new[name]))


def compare_models(before: Manifest, after: Manifest) -> tuple[Change, ...]:
    """Compare how the project says that its model is to be used."""
    return compare_values(_model_values(before), _model_values(after))


def compare_signatures(before: Manifest, after: Manifest) -> tuple[Change, ...]:
    """Compare what the models take and answer; the order of inputs counts, as models go by it."""
    changes = compare_values(_signature_values(before), _signature_values(after))
    old, new = _input_names(before), _input_names(after)
    if old != new and sorted(old) == sorted(new):
        return (*changes, ("order of inputs", old, new))
    return changes


def _model_values(manifest: Manifest) -> dict[str, object]:
    model = manifest.model
    if model is None:
        return {}
    return {
        "format": model.format,
        "path": model.path,
        "task": model.task,
        "target": model.target,
        "key": model.key,
        "time": model.time,
        "compiled": _describe_compiled(model.compiled),
    }


def _describe_compiled(compiled: CompiledRef | None) -> str | None:
    if compiled is None:
        return None
    return f"{compiled.format} of {', '.join(compiled.compiled)} ({compiled.digest[:12]})"


def _signature_values(manifest: Manifest) -> dict[str, object]:
    signature = manifest.signature
    if signature is None:
        return {}
    return {
        **{f"input {field.name}": _describe_input(field) for field in signature.inputs},
        "classes": signature.outputs.classes,
        "gives probabilities": signature.outputs.probabilities,
    }


def _describe_input(field: Field) -> str:
    words = [f"{field.type or 'no value'}{'?' if field.nullable else ''}"]
    if field.categories is not None:
        words.append(f"{'in order ' if field.ordered else ''}of {list(field.categories)}")
    elif field.ordered:
        words.append("in order")
    if field.zone:
        words.append(f"in {field.zone}")
    return " ".join(words)


def _input_names(manifest: Manifest) -> tuple[str, ...]:
    return tuple(field.name for field in manifest.signature.inputs) if manifest.signature else ()
