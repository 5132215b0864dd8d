"""Looks at the Python that Triune runs in: the machine, what is installed, what code needs."""

import ast
import os
import platform
import re
import sys
import sysconfig
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from triune.domain.errors import UsageError
from triune.domain.lock import normalise_name
from triune.ports import Machine

_TRIUNE: Final = "triune"
_FORGIVING: Final = frozenset({"ImportError", "ModuleNotFoundError", "Exception"})


class LocalInstallation:
    """The interpreter of this process, its packages, and the machine below it.

    What is installed is looked up once for each instance.

    Parameters
    ----------
    proc
        Where Linux tells of its hardware.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc

    def machine(self) -> Machine:
        """Tell Python, platform and hardware."""
        return Machine(
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            platform=re.sub(r"[-.]", "_", sysconfig.get_platform()),
            hardware=_describe_hardware(self._proc),
        )

    def versions(self) -> dict[str, str]:
        """List installed packages: normalised name to version."""
        return dict(self._versions)

    def needed(
        self,
        sources: Sequence[Path],
        *,
        beside: Sequence[Path] = (),
        modules: Collection[str] = (),
        also: Collection[str] = (),
    ) -> dict[str, str]:
        """List what Python files and what is said beside them need: name to version.

        Where several packages share an imported name, as with ``google``, all of them count.

        Raises
        ------
        UsageError
            A file is no Python.
        """
        project = _Sources(sources)
        names = project.imported() | project.with_readable(beside).imported()
        names.update(filter(_is_foreign, modules))
        imported = {
            distribution for name in names for distribution in self._providers.get(name, ())
        }
        needed = self._closure(imported | (self._installed.keys() & set(also)))
        return {name: self._versions[name] for name in sorted(needed)}

    def packages_of(self, modules: Collection[str]) -> frozenset[str]:
        """Name the packages that top-level modules come from; shared modules tell of none."""
        providers = (self._providers.get(name, frozenset()) for name in modules)
        return frozenset().union(*(each for each in providers if len(each) == 1))

    def missing(self, sources: Sequence[Path]) -> tuple[str, ...]:
        """List what Python files import that is neither theirs, Python's, nor installed.

        Raises
        ------
        UsageError
            A file is no Python.
        """
        project = _Sources(sources)
        return tuple(
            sorted(
                name
                for name in project.required() - project.names
                if name not in self._providers and find_spec(name) is None
            )
        )

    @cached_property
    def _installed(self) -> dict[str, metadata.Distribution]:
        found: dict[str, metadata.Distribution] = {}
        for distribution in metadata.distributions():
            read = distribution.metadata
            # An interrupted installation leaves folders without metadata behind.
            if "Name" in read:
                # The first on the path is the one that Python imports.
                found.setdefault(normalise_name(read["Name"]), distribution)
        return found

    @cached_property
    def _versions(self) -> dict[str, str]:
        # To read a version takes reading all metadata of a package.
        return {name: found.version for name, found in sorted(self._installed.items())}

    @cached_property
    def _providers(self) -> dict[str, frozenset[str]]:
        return {
            module: frozenset(map(normalise_name, filter(None, names)))
            for module, names in metadata.packages_distributions().items()
        }

    def _closure(self, roots: Iterable[str]) -> set[str]:
        """Follow requirements, each with the extras that it is required with."""
        waiting = [(name, "") for name in roots]
        seen: set[tuple[str, str]] = set()
        while waiting:
            wanted = waiting.pop()
            if wanted in seen:
                continue
            seen.add(wanted)
            for requirement in self._requirements(*wanted):
                name = normalise_name(requirement.name)
                if name in self._installed:
                    waiting += [(name, extra) for extra in ("", *requirement.extras)]
        return {name for name, _ in seen}

    def _requirements(self, name: str, extra: str) -> Iterator[Requirement]:
        for line in self._installed[name].requires or ():
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                # Written before the rules were: pip cannot follow it either.
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                yield requirement


@dataclass(slots=True)
class _Imports(ast.NodeVisitor):
    """The top-level names that a file imports: those it must have, those it can do without."""

    required: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    _forgiven: bool = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0 and node.module:
            self._add(node.module)

    def visit_Try(self, node: ast.Try) -> None:
        self._visit_forgiven(node.body, when=any(map(_forgives_import, node.handlers)))
        for rest in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(rest)

    def visit_If(self, node: ast.If) -> None:
        # What only a type checker imports is never run.
        is_run = _last_name(node.test) != "TYPE_CHECKING"
        for statement in (*(node.body if is_run else ()), *node.orelse):
            self.visit(statement)

    def _visit_forgiven(self, body: list[ast.stmt], *, when: bool) -> None:
        before, self._forgiven = self._forgiven, self._forgiven or when
        for statement in body:
            self.visit(statement)
        self._forgiven = before

    def _add(self, module: str) -> None:
        (self.optional if self._forgiven else self.required).add(module.partition(".")[0])


class _Sources:
    """Python files that belong together: what they import, and which of that is their own."""

    def __init__(
        self, sources: Sequence[Path], *, known: Mapping[Path, _Imports] = MappingProxyType({})
    ) -> None:
        paths = [path.absolute() for path in sources]
        self._imports = {**known, **{path: _read_imports(path) for path in paths}}
        folders = [path.parent for path in self._imports]
        self._root = Path(os.path.commonpath(folders)) if folders else Path()
        self._is_package = cache(_is_package)

    def with_readable(self, others: Sequence[Path]) -> "_Sources":
        """Add other files, those that are no Python left out."""
        imports = dict(self._imports)
        for path in others:
            with suppress(UsageError):
                imports[path.absolute()] = _read_imports(path)
        return _Sources([], known=imports)

    @property
    def names(self) -> set[str]:
        """List every name by which the files may import each other."""
        modules = set[str]().union(*self._modules_of.values())
        # Where all files lie in `src`, `import src.features` still means one of them.
        above = {self._root.name}
        folder = self._root
        while self._is_package(folder):
            folder = folder.parent
            above.add(folder.name)
        return modules | above

    def imported(self) -> set[str]:
        """List the names that are imported from outside, the optional ones among them."""
        return {
            name
            for path, imports in self._imports.items()
            for name in imports.required | imports.optional
            if _is_foreign(name) and not self._is_own(name, path)
        }

    def required(self) -> set[str]:
        """List the names without which some file cannot be imported."""
        return {
            name
            for imports in self._imports.values()
            for name in imports.required
            if _is_foreign(name)
        }

    def _is_own(self, name: str, importer: Path) -> bool:
        """Tell whether Python, run in the project, would find a name in the project first.

        A file deep in a package does not hide an installed package of its name.
        """
        return any(
            name in self._modules_of.get(folder, ())
            for folder in self._import_roots | self._beside(importer)
        )

    @cached_property
    def _modules_of(self) -> Mapping[Path, set[str]]:
        """List, for each folder from the common one down, the modules that lie in it."""
        modules: dict[Path, set[str]] = {}
        for path in self._imports:
            for part in (path, *path.parents):
                if part == self._root:
                    break
                modules.setdefault(part.parent, set()).add(part.stem)
        return modules

    @cached_property
    def _import_roots(self) -> set[Path]:
        return {
            folder
            for folder in self._modules_of
            if folder == self._root
            or (folder.parent == self._root and not self._is_package(folder))
        }

    def _beside(self, importer: Path) -> set[Path]:
        # A script finds what lies beside it, unless it is run as part of a package.
        return set() if self._is_package(importer.parent) else {importer.parent}


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def _is_foreign(name: str) -> bool:
    return name not in sys.stdlib_module_names and name not in {_TRIUNE, "__main__"}


def _read_imports(path: Path) -> _Imports:
    try:
        with warnings.catch_warnings():
            # Python says so again when it runs the file; here it would only be noise.
            warnings.simplefilter("ignore")
            tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        # Before Python 3.11.4 a null byte was a ValueError.
        line, message = getattr(error, "lineno", None) or 1, getattr(error, "msg", error)
        raise UsageError(
            f"{path}:{line}: not Python {platform.python_version()}: {message}"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    imports = _Imports()
    imports.visit(tree)
    return imports


def _forgives_import(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is None or _last_name(each) in _FORGIVING for each in caught)


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _describe_hardware(proc: Path) -> str:
    cores = os.cpu_count() or 1
    parts = [
        _field(proc / "cpuinfo", "model name") or platform.processor() or platform.machine(),
        f"{cores} core{'' if cores == 1 else 's'}",
        f"{_memory_bytes(proc) / 2**30:.1f} GiB",
    ]
    return ", ".join(parts)


def _memory_bytes(proc: Path) -> int:
    total = re.match(r"(\d+) kB", _field(proc / "meminfo", "MemTotal"))
    if total:
        return int(total[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _field(path: Path, name: str) -> str:
    """Read the first ``name : value`` of a file of Linux's; empty where there is none."""
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(rf"^{name}\s*:\s*(.+)$", content, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""
