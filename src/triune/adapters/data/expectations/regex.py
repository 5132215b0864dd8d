"""Regular expressions that mean the same to RE2 (SQL's engine) as to Python, or none.

What is not surely the same is left to Python. Some only are on text in ASCII: RE2's classes know no
other letters, where Python's do.
"""

import re
from dataclasses import dataclass
from typing import Final

_SPACES: Final = r"\t-\r\x1c-\x20"
_SAME_ESCAPES: Final = frozenset("tnrfva")
_ASCII_CLASSES: Final = frozenset("dDwW")
_REPEAT: Final = re.compile(r"\{\d+(?:,\d*)?\}")
_HEX: Final = re.compile(r"x[0-9a-fA-F]{2}")
_PLAIN_GROUP: Final = re.compile(r"\?(?::|P<\w+>)")
# Python warns of these in a class, as they may come to mean something.
_DOUBTFUL_IN_CLASS: Final = ("[", "--", "&&", "||", "~~")


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A regular expression for RE2; ``ascii_only`` if it is right on text in ASCII alone."""

    pattern: str
    ascii_only: bool


class _Untranslatable(Exception):  # noqa: N818 - ends the translation, seen nowhere else
    pass


def translate(pattern: str) -> Translated | None:
    """Translate a regular expression of Python's, to be searched for; None if it may differ."""
    try:
        return _Translator(pattern).translate()
    except _Untranslatable:
        return None


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._ascii_only = False

    def translate(self) -> Translated:
        parts = []
        while self._at < len(self._pattern):
            parts.append(self._next())
        return Translated(pattern="".join(parts), ascii_only=self._ascii_only)

    def _next(self) -> str:  # noqa: C901, PLR0911 - one return for each sign
        sign = self._take()
        match sign:
            case "\\":
                return self._escape()
            case "[":
                return self._class()
            case "(":
                return self._group()
            case "^":
                return r"\A"
            case "$":
                # Before a last line feed too; it takes no part in what is found only at the end.
                self._require(self._at == len(self._pattern))
                return r"(?:\n?\z)"
            case ".":
                return r"[^\n]"
            case "*" | "+" | "?":
                return self._repeat(sign)
            case "{":
                if found := _REPEAT.match(self._pattern, self._at - 1):
                    self._at = found.end()
                    return self._repeat(found[0])
                self._require(not self._pattern.startswith(",", self._at))
                return r"\{"
            case "}" | "]":
                return f"\\{sign}"
            case _:
                return sign

    def _repeat(self, repeat: str) -> str:
        following = self._pattern[self._at : self._at + 1]
        self._require(following != "+")
        if following == "?":
            self._at += 1
            repeat += "?"
        return repeat

    def _escape(self) -> str:
        sign = self._take()
        match sign:
            case "A":
                return r"\A"
            case "Z":
                return r"\z"
            case "b":
                self._ascii_only = True
                return r"\b"
            case "s":
                self._ascii_only = True
                return f"[{_SPACES}]"
            case "S":
                self._ascii_only = True
                return f"[^{_SPACES}]"
            case _:
                return self._escaped(sign)

    def _escaped(self, sign: str) -> str:
        """Translate an escape that means the same in a class as outside."""
        if sign in _ASCII_CLASSES:
            self._ascii_only = True
            return f"\\{sign}"
        if sign in _SAME_ESCAPES:
            return f"\\{sign}"
        if found := _HEX.match(self._pattern, self._at - 1):
            self._at = found.end()
            return f"\\{found[0]}"
        self._require(not sign.isascii() or not sign.isalnum())
        return f"\\{sign}" if sign.isascii() and sign.isprintable() and sign != " " else sign

    def _class(self) -> str:
        parts = ["["]
        if self._pattern.startswith("^", self._at):
            self._at += 1
            parts.append("^")
        if self._pattern.startswith("]", self._at):
            self._at += 1
            parts.append(r"\]")
        while (sign := self._take()) != "]":
            doubtful = self._pattern.startswith(_DOUBTFUL_IN_CLASS, self._at - 1)
            self._require(not doubtful)
            parts.append(self._escape_in_class() if sign == "\\" else sign)
        return "".join((*parts, "]"))

    def _escape_in_class(self) -> str:
        sign = self._take()
        if sign == "s":
            self._ascii_only = True
            return _SPACES
        if sign == "b":
            return r"\x08"
        return self._escaped(sign)

    def _group(self) -> str:
        if not self._pattern.startswith("?", self._at):
            return "("
        found = _PLAIN_GROUP.match(self._pattern, self._at)
        self._require(found is not None)
        assert found is not None
        self._at = found.end()
        return "(?:"

    def _take(self) -> str:
        self._require(self._at < len(self._pattern))
        self._at += 1
        return self._pattern[self._at - 1]

    def _require(self, condition: bool) -> None:  # noqa: FBT001 - what is to hold
        if not condition:
            raise _Untranslatable
