"""Finds the rows that a condition of SQL holds for; what it may say is a list, not the lack of one.

One expression over the columns of a row: no query in it, no function that looks at anything else
than what it is given. So it reads no file, sets nothing, and holds for the same rows tomorrow.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from triune.adapters.data.session import as_text, open_session
from triune.domain.canonical import Json
from triune.domain.errors import ConditionError, nearest

_ALLOWED: Final = {
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "OPERATOR",
    "TYPE",
}
_REFUSED: Final = {
    "SUBQUERY": "holds a query of its own",
    "WINDOW": "looks at other rows",
    "STAR": "names all columns at once; name one",
}
# Macros of DuckDB's that are short for expressions of the row; it has others that read the clock.
_MACROS: Final = {"days_in_month", "fdiv", "fmod", "if", "nullif", "split_part"}
# DuckDB calls them CONSISTENT, as if they were given all that they look at.
_CLOCKS: Final = {"current_localtime", "current_localtimestamp"}
_AGE: Final = "age"
_KIND: Final = re.compile(r"^[\w ]+ Error: ")


def columns_of(where: str, names: Sequence[str]) -> tuple[str, ...]:
    """List the columns that a condition rests on, as the dataset writes their ``names``.

    Raises
    ------
    ConditionError
        It is no condition, asks for more than one may, or names no column, or one that is missing.
    """
    with open_session() as session:
        parsed = _parse(where, session.database)
        parts = list(_expressions(parsed))
        for part in parts:
            _require_allowed(part, where)
            _require_timeless(part, where)
        _require_pure(
            where,
            {part["function_name"] for part in parts if part["class"] == "FUNCTION"},
            session.database,
        )
    mentioned = [part["column_names"] for part in parts if part["class"] == "COLUMN_REF"]
    if not mentioned:
        raise _refused(where, "it names no column, so that it is the same for every row")
    return tuple(dict.fromkeys(_resolve(where, name, names) for name in mentioned))


def rows_where(where: str, columns: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell of each row whether a condition holds; where it is unknown, it does not.

    Parameters
    ----------
    where
        A condition that `columns_of` has taken.
    columns
        The columns that it rests on, under their names.

    Raises
    ------
    ConditionError
        A value does not go with what the condition does to it.
    """
    with open_session() as session:
        session.database.register("dataset", columns)
        try:
            named = session.database.sql(f"SELECT {_select(columns.schema)} FROM dataset")  # noqa: S608 - quoted names
            holds = duckdb.SQLExpression(where).cast("BOOLEAN").alias("holds")
            found = named.project(holds).fetchnumpy()["holds"]
        except duckdb.Error as error:
            raise _refused(where, f"DuckDB says: {_cause(error)}") from error
    return np.asarray(np.ma.filled(found, fill_value=False), dtype=np.bool_)


def _parse(where: str, database: duckdb.DuckDBPyConnection) -> Json:
    try:
        duckdb.SQLExpression(where)
    except duckdb.Error as error:
        raise _refused(where, f"it is no condition: DuckDB says: {_cause(error)}") from error
    ((found,),) = database.execute("SELECT json_serialize_sql(?)", [f"SELECT {where}"]).fetchall()
    tree = json.loads(found)
    if tree["error"]:
        raise _refused(where, f"it is no condition: DuckDB says: {tree['error_message']}")
    (statement,) = tree["statements"]
    (expression,) = statement["node"]["select_list"]
    if expression["alias"]:
        raise _refused(where, f"it gives itself a name, {expression['alias']!r}; leave that out")
    return expression


def _expressions(tree: Json) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _expressions(each)


def _require_allowed(part: Mapping[str, Any], where: str) -> None:
    kind = part["class"]
    if kind not in _ALLOWED:
        said = _REFUSED.get(kind, f"holds a {kind.lower().replace('_', ' ')}")
        raise _refused(where, f"it {said}; a condition compares the columns of one row")


def _require_timeless(part: Mapping[str, Any], where: str) -> None:
    if part["class"] != "FUNCTION":
        return
    name = part["function_name"]
    # DuckDB 1 has them as children, and a column before the dot is none of them.
    given = part["arguments"] if "arguments" in part else part["children"]
    if name.lower() == _AGE and len(given) < 2:
        raise _refused(
            where,
            f"{name}() of one moment reads the clock, so that other rows match tomorrow; give it "
            f"the moment to count from: {name}(TIMESTAMP '2025-01-01', the column)",
        )
    if name.lower() in _CLOCKS:
        raise _refused(
            where,
            f"{name}() reads the clock, so that other rows match tomorrow; write the moment "
            "itself, as TIMESTAMP '2025-01-01'",
        )


def _require_pure(where: str, functions: set[str], database: duckdb.DuckDBPyConnection) -> None:
    listed = ", ".join(as_text(name.lower()) for name in functions) or "NULL"
    known: dict[str, set[tuple[str, str | None]]] = {}
    for name, kind, stability in database.execute(
        "SELECT function_name, function_type, stability FROM duckdb_functions() "  # noqa: S608 - quoted names
        f"WHERE function_name IN ({listed})"
    ).fetchall():
        known.setdefault(name, set()).add((kind, stability))
    for name in sorted(functions):
        found = known.get(name.lower())
        if found is None:
            raise _refused(where, f"there is no function {name!r}")
        if name.lower() not in _MACROS and found != {("scalar", "CONSISTENT")}:
            raise _refused(
                where,
                f"it calls {name}(), which looks at more than what it is given; a condition "
                "compares the columns of one row",
            )


def _resolve(where: str, mentioned: Sequence[str], names: Sequence[str]) -> str:
    name = ".".join(mentioned)
    # DuckDB takes names that differ in case only for one.
    found = [each for each in names if each.casefold() == name.casefold()]
    if not found:
        hint = nearest(name, names) or f"; the columns are {', '.join(names)}"
        raise _refused(where, f"there is no column {name!r}{hint}")
    if len(found) > 1:
        both = " and ".join(repr(each) for each in found)
        raise _refused(where, f"{name!r} may be {both}, which SQL takes for one; rename one")
    if len(mentioned) > 1:
        raise _refused(where, f'put the name of the column in quotation marks: "{name}"')
    return found[0]


def _select(schema: pa.Schema) -> str:
    return ", ".join(_as_condition_sees(column) for column in schema)


def _as_condition_sees(column: "pa.Field[Any]") -> str:
    quoted = '"' + column.name.replace('"', '""') + '"'
    if pa.types.is_floating(column.type):
        # A missing number in pandas; DuckDB has it greater than any other.
        return f"CASE WHEN isnan({quoted}) THEN NULL ELSE {quoted} END AS {quoted}"
    return quoted


def _refused(where: str, why: str) -> ConditionError:
    return ConditionError(f"condition {where!r}: {why}")


def _cause(error: duckdb.Error) -> str:
    return _KIND.sub("", str(error).partition("\n")[0])
