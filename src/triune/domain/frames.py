"""The bytes between a release's worker and whoever asks it: one header, one body, a frame each.

A frame is two unsigned 32-bit big-endian lengths, a JSON header, and a body of raw bytes. The
asking side sends a `Call`, the worker answers each with a `Reply`, in order. This module only
encodes and decodes; sockets belong to the caller.
"""

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from triune.domain.canonical import Json

PREFIX: Final = struct.Struct(">II")
MAX_HEADER_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 1 << 30


class Verb(StrEnum):
    """What a worker can be asked."""

    DESCRIBE = "describe"
    SCORE = "score"
    PREDICT = "predict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A question: ``arguments`` depend on the verb, ``body`` is only used by PREDICT."""

    verb: Verb
    arguments: dict[str, Json]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: an HTTP status, and JSON in ``body``."""

    status: int
    body: bytes


def encode_call(call: Call) -> bytes:
    """Encode a call as one frame."""
    return _frame({"verb": call.verb, "arguments": call.arguments}, call.body)


def encode_reply(reply: Reply) -> bytes:
    """Encode a reply as one frame."""
    return _frame({"status": reply.status}, reply.body)


def lengths(prefix: bytes) -> tuple[int, int]:
    """Read the lengths of header and body, in bytes, from the first ``PREFIX.size`` bytes.

    Raises
    ------
    ValueError
        A length is beyond what a frame may have: the other side speaks something else.
    """
    header, body = PREFIX.unpack(prefix)
    if header > MAX_HEADER_BYTES or body > MAX_BODY_BYTES:
        raise ValueError(f"a frame of {header} + {body} bytes is beyond the limit")
    return header, body


def decode_call(header: bytes, body: bytes) -> Call:
    """Decode what `encode_call` wrote."""
    document = json.loads(header)
    return Call(verb=Verb(document["verb"]), arguments=document["arguments"], body=body)


def decode_reply(header: bytes, body: bytes) -> Reply:
    """Decode what `encode_reply` wrote."""
    return Reply(status=json.loads(header)["status"], body=body)


def _frame(header: dict[str, Json], body: bytes) -> bytes:
    encoded = json.dumps(header, separators=(",", ":")).encode()
    return PREFIX.pack(len(encoded), len(body)) + encoded + body
