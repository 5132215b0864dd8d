"""Bytes that are the same wherever the same value is written: RFC 8785 JSON and its digest."""

import hashlib
import json
from typing import Any

import rfc8785

Json = Any


def canonical_json(document: Json) -> bytes:
    """Encode a JSON value as RFC 8785 says: sorted keys, no white space, shortest numbers."""
    return rfc8785.dumps(document)


def parse_json(content: bytes) -> Json:
    """Decode what `canonical_json` wrote."""
    return json.loads(content)


def sha256(content: bytes) -> str:
    """Digest bytes: 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
