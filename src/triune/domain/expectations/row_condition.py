"""Which rows an expectation is about: ``row_condition`` read into a tree, never executed.

Three forms are read: the text of `pandas.DataFrame.query` as far as it compares columns, Great
Expectations' own text (``col("age") > 18``), and the objects that Great Expectations 1.x writes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from triune.domain.canonical import Json


class RowConditionError(ValueError):
    """A row condition is not understood."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: a number, text or a boolean."""

    value: int | float | str | bool


Operand: TypeAlias = Column | Literal


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands, and one of ``== != < <= > >=`` between them."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class Membership:
    """A column whose value is one of several."""

    column: Column
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A column without a value."""

    column: Column


@dataclass(frozen=True, slots=True)
class Holds:
    """A boolean column that is true."""

    column: Column


@dataclass(frozen=True, slots=True)
class Not:
    """The rows that a condition leaves out."""

    condition: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """Rows that meet each condition."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Rows that meet one condition or more."""

    conditions: tuple["Condition", ...]


Condition: TypeAlias = Comparison | Membership | Missing | Holds | Not | All | AnyOf

_COMPARISONS: Final = ("==", "!=", "<=", ">=", "<", ">")
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_PARSERS: Final = ("pandas", "python", "great_expectations", "great_expectations__experimental__")
_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<quoted>`[^`]+`)
      | (?P<name>[^\W\d]\w*)
      | (?P<sign>==|!=|<=|>=|&&|\|\||[<>&|~()\[\],.=-])
    )""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")
_MISSING_CALLS: Final = ("isnull", "isna")
_PRESENT_CALLS: Final = ("notnull", "notna")


def read_row_condition(condition: Json, *, parser: Json) -> Condition:
    """Read a row condition, whichever form it has.

    Raises
    ------
    RowConditionError
        It is none of the forms, or says what cannot be compared.
    """
    if isinstance(condition, Mapping):
        return _read_object(condition)
    if not isinstance(condition, str):
        raise RowConditionError(f"row_condition {condition!r} is neither text nor an object")
    if parser is not None and parser not in _PARSERS:
        raise RowConditionError(
            f"condition_parser {parser!r} cannot be evaluated here; write the row_condition for "
            "'pandas' or 'great_expectations'"
        )
    return _Reader(condition).read()


def columns_of(condition: Condition) -> frozenset[str]:
    """Name the columns that a condition reads."""
    match condition:
        case Comparison(left=left, right=right):
            return frozenset(side.name for side in (left, right) if isinstance(side, Column))
        case Membership(column=column) | Missing(column=column) | Holds(column=column):
            return frozenset({column.name})
        case Not(condition=held):
            return columns_of(held)
        case All(conditions=held) | AnyOf(conditions=held):
            return frozenset[str]().union(*(columns_of(each) for each in held))


def _read_object(document: Mapping[str, Json]) -> Condition:
    kind = document.get("type")
    if kind in {"and", "or"}:
        held = document.get("conditions")
        if not isinstance(held, list) or not held:
            raise RowConditionError(f"row_condition {kind!r} lists no conditions")
        conditions = tuple(_read_object(each) for each in held)
        return All(conditions) if kind == "and" else AnyOf(conditions)
    named = document.get("column")
    name = named.get("name") if isinstance(named, Mapping) else named
    if kind not in {"comparison", "nullity"} or not isinstance(name, str):
        raise RowConditionError(
            f"row_condition {dict(document)!r} is no condition of Great Expectations; its type is "
            "'comparison', 'nullity', 'and' or 'or'"
        )
    column = Column(name)
    if kind == "nullity":
        return Missing(column) if document.get("is_null") else Not(Missing(column))
    operator = str(document.get("operator")).upper().replace("_", " ")
    parameter = document.get("parameter")
    if operator in {"IN", "NOT IN"}:
        if not isinstance(parameter, list):
            raise RowConditionError(f"row_condition: {operator} needs a list, not {parameter!r}")
        membership = Membership(column, tuple(_literal(value) for value in parameter))
        return membership if operator == "IN" else Not(membership)
    if operator not in _COMPARISONS:
        raise RowConditionError(f"row_condition: there is no operator {operator!r}")
    return Comparison(column, operator, _literal(parameter))


def _literal(value: Json) -> Literal:
    if isinstance(value, int | float | str | bool):
        return Literal(value)
    raise RowConditionError(f"row_condition: a column cannot be compared with {value!r}")


class _Reader:
    """Reads text by recursive descent; ``&`` and ``|`` bind like ``and`` and ``or``, as in pandas.

    Each token is a pair: what it is, and its text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._at = 0

    def read(self) -> Condition:
        condition = self._any()
        if self._at < len(self._tokens):
            raise self._refuse(f"stops making sense at {self._peek()!r}")
        return condition

    def _split(self, text: str) -> Sequence[tuple[str, str]]:
        tokens = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise self._refuse(f"is not understood from {text[at:].strip()!r} on")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        return tokens

    def _any(self) -> Condition:
        held = [self._all()]
        while self._take("or", "|", "||"):
            held.append(self._all())
        return held[0] if len(held) == 1 else AnyOf(tuple(held))

    def _all(self) -> Condition:
        held = [self._not()]
        while self._take("and", "&", "&&"):
            held.append(self._not())
        return held[0] if len(held) == 1 else All(tuple(held))

    def _not(self) -> Condition:
        if self._take("not", "~"):
            return Not(self._not())
        if self._peek() == "(":
            self._at += 1
            condition = self._any()
            self._require(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        left = self._operand()
        if isinstance(left, Column):
            if self._take("."):
                return self._called(left)
            if self._take("in"):
                return Membership(left, self._values())
            if self._peek() == "not":
                self._at += 1
                self._require("in")
                return Not(Membership(left, self._values()))
        compared: list[Condition] = []
        while operator := self._take(*_COMPARISONS, "="):
            right = self._operand()
            compared.append(_compare(left, "==" if operator == "=" else operator, right))
            left = right
        if compared:
            return compared[0] if len(compared) == 1 else All(tuple(compared))
        if isinstance(left, Column):
            return Holds(left)
        raise self._refuse("compares nothing")

    def _called(self, column: Column) -> Condition:
        name = self._peek().lower()
        self._at += 1
        self._require("(")
        self._require(")")
        if name in _MISSING_CALLS:
            return Missing(column)
        if name in _PRESENT_CALLS:
            return Not(Missing(column))
        raise self._refuse(f"calls {name}(), which is neither isnull() nor notnull()")

    def _values(self) -> tuple[Literal, ...]:
        closing = ")" if self._require("[", "(") == "(" else "]"
        values: list[Literal] = []
        while not self._take(closing):
            value = self._operand()
            if not isinstance(value, Literal):
                raise self._refuse("lists a column among values")
            values.append(value)
            if self._peek() != closing:
                self._require(",")
        return tuple(values)

    def _operand(self) -> Operand:
        negative = bool(self._take("-"))
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")
        self._at += 1
        if kind == "number":
            number = int(text) if text.isdigit() else float(text)
            return Literal(-number if negative else number)
        if negative or kind not in {"text", "quoted", "name"}:
            raise self._refuse(f"has {text!r} where a column or a value is due")
        if kind == "text":
            return Literal(_ESCAPE.sub(r"\1", text[1:-1]))
        if kind == "quoted":
            return Column(text[1:-1])
        if text in {"True", "False"}:
            return Literal(text == "True")
        if text in {"col", "date"} and self._peek() == "(":
            return self._wrapped(text)
        return Column(text)

    def _wrapped(self, wrapper: str) -> Operand:
        self._require("(")
        held = self._operand()
        self._require(")")
        if not (isinstance(held, Literal) and isinstance(held.value, str)):
            raise self._refuse(f"needs text in {wrapper}()")
        return Column(held.value) if wrapper == "col" else held

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, *texts: str) -> str:
        """Go past the next token if it is one of these, and return it; otherwise return ''."""
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            if kind in {"sign", "name"} and text in texts:
                self._at += 1
                return text
        return ""

    def _require(self, *texts: str) -> str:
        if taken := self._take(*texts):
            return taken
        raise self._refuse(f"has {self._peek()!r} where {' or '.join(texts)} is due")

    def _refuse(self, why: str) -> RowConditionError:
        return RowConditionError(
            f"row_condition {self._text!r} {why}; it may compare columns with values, joined by "
            "and, or, not, and put names with other signs than letters in `backticks`"
        )


def _compare(left: Operand, operator: str, right: Operand) -> Comparison:
    if isinstance(left, Literal) and isinstance(right, Literal):
        raise RowConditionError("row_condition compares two values; name a column")
    # The column stands first, so that whoever evaluates has one case less.
    if isinstance(left, Literal):
        return Comparison(right, _MIRRORED[operator], left)
    return Comparison(left, operator, right)
