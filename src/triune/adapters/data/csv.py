"""Reads CSV files as one table, with the types that pandas would find in them.

Only booleans, integers, numbers and strings are told apart. Dates stay strings: whoever trained a
model on `pandas.read_csv` had strings, and the release must see what the training saw. For the
same reason DuckDB's own guesses are not used, for which Yes and No are booleans.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import shorten
from typing import Final

import duckdb
import pyarrow as pa

from triune.adapters.data.columns import INFINITE, Column, Values, require_same_columns, too_wide
from triune.adapters.data.session import ANYWHERE, Session, Workspace, as_text, open_session
from triune.domain.errors import DatasetError

# As `pandas.read_csv` has them by default.
_MISSING: Final = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_BOOLEANS: Final = ("True", "TRUE", "true", "False", "FALSE", "false")
_INTEGER: Final = " *[-+]?[0-9]+ *"
_NUMBER: Final = (
    " *[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)? *| *[-+]?([iI]nf|[iI]nfinity) *"
)
_SQL_TYPES: Final = {
    pa.null(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
}
_BATCH_ROWS: Final = 1 << 16
_KIND: Final = re.compile(r"^[\w ]+ Error: ")
_ROW: Final = re.compile(r"Original Line: .*?(?=\nExpected|\nValue|\Z)", re.DOTALL)
_SHOWN: Final = 80
_ADVICE: Final = re.compile(r"\s*Possible (fixes|solution).*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Column:
    """What the texts of a column are, all of them; how many there are."""

    values: int
    are_booleans: bool | None
    are_integers: bool | None
    are_numbers: bool | None
    look_like_integers: bool | None
    widest: str | None
    has_infinity: bool | None

    @property
    def narrowest(self) -> pa.DataType:
        if not self.values:
            return pa.null()
        if self.are_booleans:
            return pa.bool_()
        if self.are_integers:
            return pa.int64()
        return pa.float64() if self.are_numbers else pa.string()

    @property
    def unsendable(self) -> str | None:
        """What in it no request could carry exactly, and what to do."""
        if self.narrowest != pa.float64():
            return None
        # As floating-point numbers they would not be what they are, nor what pandas reads.
        if self.look_like_integers:
            return too_wide((self.widest or "").strip())
        return INFINITE if self.has_infinity else None


class CsvTable:
    """CSV files, one after the other: comma-separated, in UTF-8, with a header; gzipped or not.

    Raises
    ------
    DatasetError
        A file is missing, empty or ragged, or the files' columns differ.
    """

    def __init__(self, files: Sequence[Path], *, workspace: Workspace = ANYWHERE) -> None:
        self._workspace = workspace
        self._headers = {path: _read_header(path) for path in files}
        require_same_columns(self._headers)
        self._names = next(iter(self._headers.values()))
        self.categories: Mapping[str, Values] = {}
        # SQL would read them anew, by types of its own, at every query.
        self.sql_files: tuple[tuple[Path, int], ...] = ()
        self.rows, columns = self._profile()
        self._columns = dict(zip(self._names, columns, strict=True))
        self.schema = pa.schema((name, column.narrowest) for name, column in self._columns.items())
        self.nullable = frozenset(
            name for name, column in self._columns.items() if column.values < self.rows
        )

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read columns, in the order asked for, in the types of ``schema``."""
        schema = pa.schema(self.schema.field(name) for name in columns)
        selected = ", ".join(
            f"CAST({_place(self._names.index(column.name))} AS {_SQL_TYPES[column.type]})"
            for column in schema
        )
        with self._reading() as session:
            query = f"SELECT {selected} FROM {self._source(session)}"  # noqa: S608 - no name of theirs
            for batch in session.database.sql(query).to_arrow_reader(_BATCH_ROWS):
                yield pa.record_batch(
                    [_typed(*pair) for pair in zip(batch.columns, schema, strict=True)],
                    schema=schema,
                )

    def require_inputs(self, columns: Sequence[str]) -> None:
        """See that every value of some columns can travel in a request, as it is.

        Raises
        ------
        DatasetError
            One cannot; the message names files, column and value.
        """
        for name in columns:
            if found := self._columns[name].unsendable:
                files = ", ".join(str(path) for path in self._headers)
                raise DatasetError(f"{files}: column {name!r} holds {found}")

    def _profile(self) -> tuple[int, list["_Column"]]:
        questions = ", ".join(_questions(_place(number)) for number in range(len(self._names)))
        with self._reading() as session:
            query = f"SELECT count(*), {questions} FROM {self._source(session)}"  # noqa: S608 - no name of theirs
            answers = session.database.execute(query).fetchone()
        assert answers is not None
        rows, *rest = answers
        width = len(fields(_Column))
        return rows, [_Column(*rest[start : start + width]) for start in range(0, len(rest), width)]

    def _source(self, session: Session) -> str:
        reads = []
        for name, (path, header) in zip(session.names, self._headers.items(), strict=True):
            places = ", ".join(
                f"{_place(header.index(column))} AS {_place(number)}"
                for number, column in enumerate(self._names)
            )
            reads.append(f"SELECT {places} FROM {_read_csv(name, path, len(header))}")  # noqa: S608 - no name of theirs
        return f"({' UNION ALL '.join(reads)})"

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        files = tuple(self._headers)
        with open_session(files, workspace=self._workspace) as session:
            try:
                yield session
            except (duckdb.Error, pa.ArrowException) as error:
                raise _unreadable(files, session.links, str(error)) from error


def _read_header(path: Path) -> list[str]:
    opened = gzip.open if _is_gzipped(path) else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            names = next(csv.reader(lines), None)
    except FileNotFoundError as error:
        raise DatasetError(f"there is no {path}") from error
    except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
        raise DatasetError(
            f"{path} cannot be read as CSV: {error}; it is to be comma-separated text in UTF-8"
            f"{', compressed by gzip' if _is_gzipped(path) else ''}"
        ) from error
    if not names:
        raise DatasetError(f"{path} is empty; a CSV file begins with the names of its columns")
    # As pandas calls them; its index, when written to CSV, has no name.
    return [name or f"Unnamed: {number}" for number, name in enumerate(names)]


def _is_gzipped(path: Path) -> bool:
    return path.suffix == ".gz"


def _place(number: int) -> str:
    """Name a column by its place: DuckDB takes names that differ in case only for one."""
    return f"c{number}"


def _read_csv(name: str, path: Path, width: int) -> str:
    columns = ", ".join(f"{_place(number)}: 'VARCHAR'" for number in range(width))
    return (
        f"read_csv({as_text(name)}, columns = {{{columns}}}, nullstr = [{_texts(_MISSING)}], "
        f"compression = '{'gzip' if _is_gzipped(path) else 'none'}', auto_detect = false, "
        "header = true, delim = ',', quote = '\"', escape = '\"', comment = '', "
        "strict_mode = true, null_padding = false)"
    )


def _questions(column: str) -> str:
    """Ask what `_Column` holds, of the values that are not missing."""
    fits = f"try_cast({column} AS BIGINT) IS NOT NULL"
    return ", ".join(
        f"{question} FILTER ({column} IS NOT NULL)"
        for question in (
            "count(*)",
            f"bool_and({column} IN ({_texts(_BOOLEANS)}))",
            f"bool_and(regexp_full_match({column}, '{_INTEGER}') AND {fits})",
            f"bool_and(regexp_full_match({column}, '{_NUMBER}'))",
            f"bool_and(regexp_full_match({column}, '{_INTEGER}'))",
            f"max(CASE WHEN {fits} THEN NULL ELSE {column} END)",
            f"bool_or(isinf(try_cast({column} AS DOUBLE)))",
        )
    )


def _texts(texts: Sequence[str]) -> str:
    return ", ".join(as_text(text) for text in texts)


def _typed(values: Values, column: Column) -> Values:
    # Arrow has no cast to nothing.
    return pa.nulls(len(values)) if pa.types.is_null(column.type) else values.cast(column.type)


def _unreadable(files: Sequence[Path], links: Sequence[str], message: str) -> DatasetError:
    told = _ADVICE.sub("", _KIND.sub("", message))
    linked = [(link, str(path)) for link, path in zip(links, files, strict=True)]
    named = next((pair for pair in linked if pair[0] in message), None)
    where = named[1] if named else ", ".join(str(path) for path in files)
    if named:
        told = told.replace(*named)
    # An unclosed quote makes the rest of the file one row, and DuckDB quotes the row.
    told = _ROW.sub(lambda found: shorten(found[0], _SHOWN, placeholder=" ..."), told)
    cause = "; ".join(line for line in told.splitlines() if line.strip())
    return DatasetError(f"{where} cannot be read as CSV: {cause}; mend the file, or make it again")
