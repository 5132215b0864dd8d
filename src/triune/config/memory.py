"""Reads how much of the memory looking at data may take: from what was asked for, or the process.

DuckDB keeps to it by spilling to a disk; without a limit it takes up to four fifths of the machine.
"""

import os
import re
from typing import Final

from triune.domain.errors import UsageError

MEMORY_VARIABLE: Final = "TRIUNE_MEMORY_LIMIT"
_LIMIT: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt])(i?)b", re.IGNORECASE)
_LEAST_BYTES: Final = 64_000_000


def read_memory_limit(asked: str | None = None, *, name: str = "memory_limit") -> str | None:
    """Tell how much memory may be taken (as ``400MB``); None leaves it to the machine.

    Parameters
    ----------
    asked
        What was asked for; None asks the process environment.
    name
        What messages call it.

    Raises
    ------
    UsageError
        It is no size, or too small to work in.
    """
    if asked is None:
        asked, name = os.environ.get(MEMORY_VARIABLE) or None, MEMORY_VARIABLE
    if asked is None:
        return None
    read = _LIMIT.fullmatch(asked.strip())
    if read is None:
        raise UsageError(f"{name} is {asked!r}; write a number and its unit, such as 400MB or 2GiB")
    number, unit, binary = read.groups()
    size = float(number) * (1024 if binary else 1000) ** ("kmgt".index(unit.lower()) + 1)
    if size < _LEAST_BYTES:
        raise UsageError(f"{name} is {asked!r}, too little to read a table in; give 64MB at least")
    return read.group()
