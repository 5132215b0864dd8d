"""Imports a release's code from the bytes that were verified, whatever lies on the disk later.

Modules are looked up in what was read when the bundle was verified; so nothing that comes or
changes in its folder afterwards is ever executed by an import. Bytecode is neither read nor
written. Other files that the code opens, it opens itself, by path. So do processes that it starts.
"""

import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType
from typing import Any, Final

# In the order in which Python itself prefers them.
SUFFIXES: Final = (*EXTENSION_SUFFIXES, *SOURCE_SUFFIXES)
_PACKAGE: Final = "__init__"


@dataclass(frozen=True)
class VerifiedCode:
    """The code of a release as it was verified.

    ``paths`` names every file, relative to the folder; ``modules`` has the bytes of those that can
    be imported.
    """

    folder: Path
    paths: frozenset[str]
    modules: Mapping[str, bytes]

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folder itself ("."), and all those below it."""
        return frozenset(
            {".", *(str(folder) for path in self.paths for folder in PurePosixPath(path).parents)}
        )

    def locate(self, path: str) -> str | None:
        """Tell how a path is called within the folder; None for one that lies elsewhere."""
        # As it is written before where it leads to: a folder that was made a link since is ours.
        for absolute in (os.path.abspath(path), os.path.realpath(path)):  # noqa: PTH100 - as written
            if Path(absolute).is_relative_to(self.folder):
                return Path(absolute).relative_to(self.folder).as_posix()
        return None

    def read(self, path: str) -> bytes | None:
        """Read a module's bytes, if it is one of ours."""
        located = self.locate(path)
        return None if located is None else self.modules.get(located)


def import_from(code: VerifiedCode) -> None:
    """Have every import out of the code's folder served from memory, from now on."""

    def hook(path: str) -> "_Finder":
        located = code.locate(path)
        if located is None:
            raise ImportError(f"{path} is no part of the release")
        return _Finder(code, located)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


@dataclass(frozen=True)
class _Finder:
    """Finds the modules that lie in one folder of the code; what is no folder of it holds none."""

    code: VerifiedCode
    inside: str

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 - as Python calls it
        name = fullname.rpartition(".")[2]
        package = self._place(name)
        if (found := self._find(f"{package}/{_PACKAGE}")) is not None:
            return self._spec(fullname, found, package=package)
        if (found := self._find(package)) is not None:
            return self._spec(fullname, found, package=None)
        if package in self.code.folders:
            spec = ModuleSpec(fullname, None)
            spec.submodule_search_locations = [str(self.code.folder / package)]
            return spec
        return None

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """List name, and whether it is a package, as `pkgutil` asks of a finder."""
        for path in sorted(self.code.modules):
            name = next(path.removesuffix(end) for end in SUFFIXES if path.endswith(end))
            parent, stem = str(PurePosixPath(name).parent), PurePosixPath(name).name
            if parent == self.inside and stem != _PACKAGE:
                yield prefix + stem, False
            elif stem == _PACKAGE and parent != self.inside:
                package = PurePosixPath(parent)
                if str(package.parent) == self.inside:
                    yield prefix + package.name, True

    def invalidate_caches(self) -> None:
        """Do nothing: what was verified does not change."""

    def _place(self, name: str) -> str:
        return name if self.inside == "." else f"{self.inside}/{name}"

    def _find(self, stem: str) -> str | None:
        return next((stem + end for end in SUFFIXES if stem + end in self.code.modules), None)

    def _spec(self, fullname: str, path: str, *, package: str | None) -> ModuleSpec | None:
        absolute = str(self.code.folder / path)
        make = _SourceLoader if path.endswith(tuple(SOURCE_SUFFIXES)) else _ExtensionLoader
        return spec_from_file_location(
            fullname,
            absolute,
            loader=make(fullname, absolute, self.code),
            submodule_search_locations=(
                None if package is None else [str(self.code.folder / package)]
            ),
        )


class _SourceLoader(SourceFileLoader):
    """Loads a module from its verified source."""

    def __init__(self, fullname: str, path: str, code: VerifiedCode) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_data(self, path: str) -> bytes:
        content = self._code.read(path)
        return super().get_data(path) if content is None else content

    def path_stats(self, path: str) -> Any:
        # Without the time of its source no bytecode is trusted, nor any written.
        raise OSError(f"{path} is held in memory")

    def get_code(self, fullname: str) -> CodeType | None:
        # Kept for tracebacks and `inspect`, which would read the file, and compilers with them.
        source = self.get_source(fullname)
        if source is not None:
            lines = source.splitlines(keepends=True)
            linecache.cache[self.path] = (len(source), None, lines, self.path)
        return super().get_code(fullname)


class _ExtensionLoader(ExtensionFileLoader):
    """Loads an extension module from a file in memory that holds the verified bytes."""

    def __init__(self, fullname: str, path: str, code: VerifiedCode) -> None:
        super().__init__(fullname, path)
        self._code = code

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        content = self._code.read(self.path)
        assert content is not None
        descriptor = os.memfd_create(Path(self.path).name, os.MFD_CLOEXEC)
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(content)
            held = ModuleSpec(spec.name, self, origin=f"/proc/self/fd/{descriptor}")
            module = super().create_module(held)
        finally:
            os.close(descriptor)
        module.__file__ = self.path
        return module
