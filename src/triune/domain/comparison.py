"""What changed between two datasets, two trees or two releases, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from triune.domain.manifest import Tree


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """Paths that came, went, or hold other bytes."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def compare_trees(before: Tree, after: Tree) -> FileChanges:
    """Compare two trees file by file; a changed mode counts as a change."""
    old = {file.path: (file.digest, file.executable) for file in before.files}
    new = {file.path: (file.digest, file.executable) for file in after.files}
    return FileChanges(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(path for path in old.keys() & new.keys() if old[path] != new[path])),
    )


def compare_values(
    before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[tuple[str, object, object], ...]:
    """List ``(name, before, after)`` where two mappings differ; None stands for absent."""
    return tuple(
        (name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
