"""The tables that tests are given or give: files, globs, or frames of several libraries."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from triune.domain.errors import DatasetError
from triune.domain.expectations.outcome import ResultFormat, SuiteOutcome
from triune.domain.expectations.suite import Suite

_MAGIC = frozenset("*?[")


class Table:
    """A table that is read where it is needed, in one way whatever it was given as.

    Parameters
    ----------
    data
        A path, several (a tuple) or a glob, a DataFrame of pandas or Polars, an Arrow table, or a
        list of rows.
    root
        The folder that a relative path starts from.
    name
        What messages call it.
    """

    def __init__(self, data: object, *, root: Path, name: str | None = None) -> None:
        self._data = data
        self._root = root
        self._name = name

    def __str__(self) -> str:
        if self._name is not None:
            return self._name
        return str(self._data) if isinstance(self._data, str | Path) else "the table"

    @contextmanager
    def files(self) -> Iterator[tuple[tuple[Path, ...], str]]:
        """Give its files and their format for as long as the block lasts.

        Raises
        ------
        DatasetError
            There is no such file, or a column holds values that go in no one type.
        UsageError
            It is no table.
        """
        if isinstance(self._data, str | Path):
            found = _find_files(self._root / self._data)
            yield found, _format_of(found[0])
            return
        if isinstance(self._data, tuple):
            yield self._data, _format_of(self._data[0])
            return
        from triune.adapters.data.arrow import write_parquet

        with TemporaryDirectory(prefix="triune-table-") as folder:
            yield (write_parquet(self._data, Path(folder) / "table.parquet"),), "parquet"

    def evaluate(
        self, suite: Suite, *, result_format: ResultFormat, memory_limit: str | None = None
    ) -> SuiteOutcome:
        """Evaluate a suite of expectations on it.

        ``memory_limit`` is what may be held at once; without it, what the environment says.

        Raises
        ------
        DatasetError
            It cannot be read.
        UsageError
            The limit is no size, or too small to work in.
        """
        from triune.adapters.clock import SystemClock
        from triune.adapters.data.duckdb import DuckDbEngine
        from triune.adapters.data.session import Workspace
        from triune.config.memory import read_memory_limit

        workspace = Workspace(memory_limit=read_memory_limit(memory_limit))
        with self.files() as (files, written_as):
            return DuckDbEngine(workspace=workspace).evaluate(
                files,
                format=written_as,
                suite=suite,
                now=SystemClock().now(),
                result_format=result_format,
            )


def _find_files(path: Path) -> tuple[Path, ...]:
    if path.is_file() or not _MAGIC & set(str(path)):
        return (path,)
    place = path.absolute()
    pattern = str(place.relative_to(place.anchor))
    found = sorted(each for each in Path(place.anchor).glob(pattern) if each.is_file())
    if not found:
        raise DatasetError(f"no file is named like {path}; name one, or a glob of some")
    return tuple(found)


def _format_of(path: Path) -> str:
    return "csv" if ".csv" in path.suffixes else "parquet"
