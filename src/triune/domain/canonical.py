"""Bytes that are the same wherever the same value is written: RFC 8785 JSON and its digest."""

import hashlib
import json
import re
from typing import Any, Final

import rfc8785

Json = Any

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def canonical_json(document: Json) -> bytes:
    """Encode a JSON value as RFC 8785 says: sorted keys, no white space, shortest numbers."""
    return rfc8785.dumps(document)


def parse_json(content: bytes) -> Json:
    """Decode what `canonical_json` wrote."""
    return json.loads(content)


def sha256(content: bytes) -> str:
    """Digest bytes: 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def is_digest(text: str) -> bool:
    """Tell whether text is what `sha256` returns."""
    return _DIGEST.fullmatch(text) is not None


def require_digest(text: str) -> str:
    """Return a digest as it is.

    Raises
    ------
    ValueError
        It is none: a part of a path, say.
    """
    if not is_digest(text):
        raise ValueError(f"{text!r} is no sha256: 64 hexadecimal digits, in lower case")
    return text
