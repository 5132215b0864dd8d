"""Reads the files in which tools report; a report that cannot be read is no verdict."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from triune.adapters.tools.tool import Ended
from triune.domain.canonical import Json

T = TypeVar("T")

# What reading stumbles over; an XML parser raises a SyntaxError.
_MISREAD: Final = (AttributeError, LookupError, SyntaxError, TypeError, ValueError)


def read_report(path: Path, ended: Ended, read: Callable[[bytes], T]) -> T:
    """Read a report by ``read``, whatever that stumbles over.

    Raises
    ------
    NoVerdictError
        There is none, or it is not what it should be.
    """
    try:
        return read(path.read_bytes())
    except FileNotFoundError:
        raise ended.crash(f"{ended.how} and left no report") from None
    except _MISREAD as error:
        why = f"{ended.how} and left a report that cannot be read ({error})"
        raise ended.crash(why) from error


def parse_report(content: bytes) -> Json:
    """Decode a report in JSON."""
    return json.loads(content)
