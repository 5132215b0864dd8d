"""Reads, writes and compares a lock: the packages of a runtime, each in one exact version.

What is installed, and which of it a project needs, is for others to find out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from triune.domain.errors import LockError

_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")
_HASH: Final = re.compile(r"\s--hash[=\s]\s*\S+")
_PIN: Final = re.compile(
    r"(?P<name>[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?)"
    r"\s*(?:\[[A-Z0-9._,\s-]*\])?"
    r"\s*==\s*(?P<version>[^\s=;,*]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The packages of a runtime: normalised name to version, as the lock states it."""

    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A package that is installed in another version than locked, or not at all."""

    name: str
    locked: str
    installed: str | None

    def __str__(self) -> str:
        if self.installed is None:
            return f"{self.name} {self.locked} is not installed"
        return f"{self.name} is {self.installed} instead of {self.locked}"


def normalise_name(name: str) -> str:
    """Spell a package's name as PEP 503 does, so that spellings of one name are equal.

    Examples
    --------
    >>> normalise_name("Ruamel_YAML")
    'ruamel-yaml'
    """
    return canonicalize_name(name)


def parse_lock(text: str) -> Lock:
    """Read the lines of a lock: ``name==version``, comments, hashes.

    Extras are read and left out: what they bring is locked on lines of its own. Hashes are for
    the installer and left out too.

    Raises
    ------
    LockError
        A line says anything else: a range, a marker, an address, an option of pip, or another
        version of a package that is locked already.

    Examples
    --------
    >>> parse_lock("NumPy==2.4.6  # for features").packages
    {'numpy': '2.4.6'}
    """
    packages: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, statement in _statements(text):
        name, version = _parse_pin(statement, number)
        if name in packages and not _equal(packages[name], version):
            raise LockError(
                f"line {number} of the lock says {name}=={version}, line {lines[name]} says "
                f"{name}=={packages[name]}; keep the one that is meant"
            )
        packages.setdefault(name, version)
        lines.setdefault(name, number)
    return Lock(packages=packages)


def render_lock(lock: Lock) -> str:
    """Write a lock, one package a line, ordered by name."""
    return "".join(f"{name}=={lock.packages[name]}\n" for name in sorted(lock.packages))


def mismatches(lock: Lock, installed: Mapping[str, str]) -> tuple[Mismatch, ...]:
    """List where what is installed differs from the lock; further packages may be installed.

    Versions are compared as PEP 440 does, local parts included: 1.0 is 1.0.0, and 2.8.0+cpu is
    not 2.8.0.

    Parameters
    ----------
    installed
        Name to version; the names need not be normalised.
    """
    found = {normalise_name(name): version for name, version in installed.items()}
    return tuple(
        Mismatch(name=name, locked=locked, installed=found.get(name))
        for name, locked in sorted(lock.packages.items())
        if name not in found or not _equal(found[name], locked)
    )


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines, drop comments and hashes; number each statement's first line."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        first = first if parts else number
        content = _COMMENT.sub("", line).rstrip()
        parts.append(content.removesuffix("\\"))
        if content.endswith("\\"):
            continue
        if statement := _HASH.sub("", " ".join(parts)).strip():
            yield first, statement
        parts = []
    if statement := _HASH.sub("", " ".join(parts)).strip():
        yield first, statement


def _parse_pin(statement: str, number: int) -> tuple[str, str]:
    pin = _PIN.fullmatch(statement)
    if pin is None:
        raise LockError(f"line {number} of the lock, {statement!r}, {_objection(statement)}")
    name, version = normalise_name(pin["name"]), pin["version"]
    try:
        Version(version)
    except InvalidVersion:
        raise LockError(
            f"line {number} of the lock: {version!r} is no version (PEP 440) of {name}"
        ) from None
    return name, version


def _objection(statement: str) -> str:
    if statement.startswith("-"):
        return "is an option; a lock holds packages only: remove it, or name what it brings"
    if ";" in statement:
        return (
            "has a marker; a lock is for one platform: remove what follows the semicolon, or "
            "the line where it does not apply"
        )
    if "@" in statement or "://" in statement:
        return "is an address; a lock holds exact versions: name==version"
    return "is no exact version: name==version"


def _equal(one: str, other: str) -> bool:
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        # Some old packages are installed with a version that PEP 440 does not know.
        return one == other
