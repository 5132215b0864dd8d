"""Turns the text of a settings file into plain values that know which line they stand on.

YAML is read by its 1.2 rules: only ``true`` and ``false`` are booleans, so that the key ``on`` and
the country ``no`` stay text, and dates stay text too.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isinf
from pathlib import Path
from typing import Final

import yaml
from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

from triune.domain.canonical import Json
from triune.domain.errors import ConfigError, Problem

Location = tuple[str | int, ...]
"""Where a value stands: keys and positions from the top down."""

MAX_NODES: Final = 20_000
_MAX_DIGITS: Final = 20
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A settings file: its value, and the line of every key and list item in it.

    ``problems`` is what had to be left out of the value: keys said twice, tags.
    """

    file: str
    value: dict[str, Json]
    lines: Mapping[Location, int]
    problems: tuple[Problem, ...] = ()

    def at(self, location: Location) -> Json:
        """Look a value up; None where there is none, whatever stands in its place."""
        value: Json = self.value
        for part in location:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def problem(self, location: Location, message: str) -> Problem:
        """Say that something is wrong at a place; what is missing is reported at its parent."""
        known = next(
            location[:length]
            for length in range(len(location), -1, -1)
            if location[:length] in self.lines
        )
        return Problem(
            file=self.file, line=self.lines[known], key=dotted(location), message=message
        )


def as_lists(value: Json) -> Json:
    """Write what a document holds as JSON has it, where a list is none of pydantic's tuples."""
    match value:
        case dict():
            return {key: as_lists(held) for key, held in value.items()}
        case tuple():
            return [as_lists(held) for held in value]
        case _:
            return value


def dotted(location: Location) -> str:
    """Write a place as people do.

    Examples
    --------
    >>> dotted(("model", "slices", 0, "name"))
    'model.slices[0].name'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".")


def read_document(path: Path) -> Document:
    """Read a settings file as a mapping.

    Raises
    ------
    ConfigError
        It cannot be read, is no YAML, or no mapping; ``problems`` has the lines.
    """
    text = _read_text(path)
    try:
        return _build_document(path.name, _compose(path.name, text))
    except RecursionError:
        problem = Problem(file=path.name, line=1, key="", message="nested too deep to be read")
        raise ConfigError.listing([problem]) from None


def _build_document(file: str, node: yaml.Node | None) -> Document:
    if not isinstance(node, yaml.MappingNode):
        message = (
            "the file is empty; `triune init` writes one that works"
            if node is None or node.tag == f"{_TAG}null"
            else "expected keys and values, such as `version: 1`"
        )
        raise ConfigError.listing([Problem(file=file, line=1, key="", message=message)])
    builder = _Builder(file)
    value = builder.build(node, ())
    return Document(file=file, value=value, lines=builder.lines, problems=tuple(builder.problems))


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(
            file=path.name,
            line=content[: error.start].count(b"\n") + 1,
            key="",
            message=f"byte 0x{content[error.start]:02x} is no UTF-8; save the file as UTF-8",
        )
        raise ConfigError.listing([problem]) from error


class _Loader(yaml.BaseLoader):
    """Composes nodes and constructs nothing; what a plain scalar is, the core rules below say."""


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _tag, re.compile(rf"(?:{_pattern})$"), _first)


def _compose(file: str, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"{_explain(error)} (column {column})"
    except ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"a control character, 0x{error.character:02x}; remove it"
    raise ConfigError.listing([Problem(file=file, line=line, key="", message=message)])


def _explain(error: MarkedYAMLError) -> str:
    problem = error.problem or "no YAML"
    if "'\\t'" in problem:
        return "a tab; indent with spaces"
    if "alias" in problem or "alias" in (error.context or ""):
        return 'not YAML: a plain * begins an alias; quote the value: "* * * * *"'
    if "single document" in (error.context or ""):
        return "a second document begins; keep one to a file"
    return f"not YAML: {problem}"


def _boolean(text: str) -> bool:
    return text.lower() == "true"


def _whole(text: str) -> int:
    if len(text.lstrip("+-0")) > _MAX_DIGITS:
        raise OverflowError
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise OverflowError
    return value


_SCALARS: Final[Mapping[str, Callable[[str], Json]]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": _boolean,
    f"{_TAG}int": _whole,
    f"{_TAG}float": _number,
    f"{_TAG}str": str,
}


class _Builder:
    """Builds values from nodes and collects what is wrong with them on the way."""

    def __init__(self, file: str) -> None:
        self.lines: dict[Location, int] = {(): 1}
        self.problems: list[Problem] = []
        self._file = file
        self._nodes = 0
        self._open: set[int] = set()

    def build(self, node: yaml.Node, location: Location) -> Json:
        """Build a value; lists become tuples, which pydantic's strict mode asks for."""
        self._nodes += 1
        if self._nodes > MAX_NODES or id(node) in self._open:
            # Aliases make endless or exponential files of a few lines.
            self._complain(node, location, "too large for settings; repeat less by aliases")
            raise ConfigError.listing(self.problems)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return {
                    key: self.build(value, (*location, key))
                    for key, value in self._entries(node, location)
                }
            if isinstance(node, yaml.SequenceNode):
                return tuple(self._items(node, location))
            return self._scalar(node, location)
        finally:
            self._open.discard(id(node))

    def _entries(
        self, node: yaml.MappingNode, location: Location
    ) -> Iterator[tuple[str, yaml.Node]]:
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_TAG}str":
                self._complain(key, location, "a key that is no text; quote it")
                continue
            place = (*location, key.value)
            if place in self.lines:
                self._complain(key, place, f"said on line {self.lines[place]} already; keep one")
                continue
            self.lines[place] = key.start_mark.line + 1
            yield key.value, value

    def _items(self, node: yaml.SequenceNode, location: Location) -> Iterator[Json]:
        for position, item in enumerate(node.value):
            place = (*location, position)
            self.lines[place] = item.start_mark.line + 1
            yield self.build(item, place)

    def _scalar(self, node: yaml.Node, location: Location) -> Json:
        convert = _SCALARS.get(node.tag)
        if convert is None:
            self._complain(node, location, f"the tag {node.tag} has no meaning here; remove it")
            return None
        given = node.value if len(node.value) <= 20 else f"{node.value[:20]}..."
        try:
            return convert(node.value)
        except ValueError:
            message = f"{given!r} is no {node.tag.split(':')[-1]}"
        except OverflowError:
            message = f"{given} is too large a number; write a smaller one, or quote it as text"
        self._complain(node, location, message)
        return None

    def _complain(self, node: yaml.Node, location: Location, message: str) -> None:
        line = node.start_mark.line + 1
        self.problems.append(
            Problem(file=self._file, line=line, key=dotted(location), message=message)
        )
