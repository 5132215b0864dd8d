"""The bytes between a release's worker and whoever asks it: one header, one body, a frame each.

A frame is two unsigned 32-bit big-endian lengths, a JSON header, and a body of raw bytes. The
asking side sends a `Call`, the worker answers each with a `Reply`, in order. Many requests travel
as one call, and their answers as one reply: `pack_requests` and `pack_answers` lay their bodies
side by side. This module only encodes and decodes; sockets belong to the caller.
"""

import json
import struct
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from triune.domain.canonical import Json
from triune.domain.failures import Failure

PREFIX: Final = struct.Struct(">II")
MAX_HEADER_BYTES: Final = 1 << 20
MAX_BODY_BYTES: Final = 1 << 30


class Verb(StrEnum):
    """What a worker can be asked."""

    SCORE = "score"
    PREDICT = "predict"
    BATCH = "batch"
    COMPILE = "compile"
    NEEDS = "needs"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A question: ``arguments`` depend on the verb; SCORE, COMPILE and NEEDS use no ``body``."""

    verb: Verb
    arguments: dict[str, Json]
    body: bytes = b""


class Reply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer: an HTTP status, and JSON in ``body``."""

    status: int
    body: bytes


TOGETHER: Final = -1.0


class Answered(msgspec.Struct, frozen=True, gc=False):
    """What became of one request of a batch: an HTTP status, JSON, and how it failed if it did.

    ``alone_s`` is how long it took where it was predicted by itself, as it is where a batch raises;
    `TOGETHER` where it took its part in the batch.
    """

    status: int
    body: bytes
    failure: Failure | None = None
    alone_s: float = TOGETHER


class AnsweredBatch(NamedTuple):
    """The answers to a batch, in its order, and how long the worker took for all of it."""

    answers: tuple[Answered, ...]
    service_s: float


def pack_requests(bodies: Sequence[bytes]) -> bytes:
    """Lay the bodies of requests side by side: how many, the size of each, and the bytes."""
    return struct.pack(f">I{len(bodies)}I", len(bodies), *map(len, bodies)) + b"".join(bodies)


def unpack_requests(content: bytes) -> list[bytes]:
    """Part what `pack_requests` laid side by side."""
    (count,) = _COUNT.unpack_from(content)
    sizes = struct.unpack_from(f">{count}I", content, _COUNT.size)
    return _part(content, sizes, start=_COUNT.size + 4 * count)


def pack_answers(batch: AnsweredBatch) -> bytes:
    """Lay answers side by side: time taken, how many, of each what and how large, the bytes."""
    answers = batch.answers
    heads = b"".join(
        _ANSWER.pack(
            answer.status, _FAILURES.index(answer.failure), answer.alone_s, len(answer.body)
        )
        for answer in answers
    )
    bodies = b"".join([answer.body for answer in answers])
    return _BATCH.pack(batch.service_s, len(answers)) + heads + bodies


def unpack_answers(content: bytes) -> AnsweredBatch:
    """Part what `pack_answers` laid side by side."""
    service_s, count = _BATCH.unpack_from(content)
    end = _BATCH.size + _ANSWER.size * count
    answers = []
    start = end
    for status, failure, alone_s, size in _ANSWER.iter_unpack(content[_BATCH.size : end]):
        answers.append(Answered(status, content[start : start + size], _FAILURES[failure], alone_s))
        start += size
    _require_all(content, start)
    return AnsweredBatch(answers=tuple(answers), service_s=service_s)


def encode_call(call: Call) -> bytes:
    """Encode a call as one frame."""
    if not call.arguments:
        return _frame(_BARE[call.verb], call.body)
    return _frame(_json({"verb": call.verb, "arguments": call.arguments}), call.body)


def encode_reply(reply: Reply) -> bytes:
    """Encode a reply as one frame."""
    return _frame(_status_header(reply.status), reply.body)


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
    verb = _BARE_VERBS.get(header)
    if verb is not None:
        return Call(verb=verb, arguments={}, body=body)
    document = json.loads(header)
    return Call(verb=Verb(document["verb"]), arguments=document["arguments"], body=body)


def decode_reply(header: bytes, body: bytes) -> Reply:
    """Decode what `encode_reply` wrote."""
    return Reply(status=_status_in(header), body=body)


def _frame(header: bytes, body: bytes) -> bytes:
    return b"%b%b%b" % (PREFIX.pack(len(header), len(body)), header, body)


def _json(header: dict[str, Json]) -> bytes:
    return json.dumps(header, separators=(",", ":")).encode()


# There are few statuses, and one is in almost every frame.
@lru_cache(maxsize=16)
def _status_header(status: int) -> bytes:
    return _json({"status": status})


@lru_cache(maxsize=16)
def _status_in(header: bytes) -> int:
    status: int = json.loads(header)["status"]
    return status


def _part(content: bytes, sizes: Sequence[int], *, start: int) -> list[bytes]:
    parts = []
    for size in sizes:
        parts.append(content[start : start + size])
        start += size
    _require_all(content, start)
    return parts


def _require_all(content: bytes, end: int) -> None:
    if end != len(content):
        raise ValueError(f"a batch of {len(content)} bytes says that it has {end}")


_COUNT: Final = struct.Struct(">I")
_BATCH: Final = struct.Struct(">dI")
_ANSWER: Final = struct.Struct(">HBdI")
_FAILURES: Final = (None, *Failure)
_BARE: Final = {verb: _json({"verb": verb, "arguments": {}}) for verb in Verb}
_BARE_VERBS: Final = {header: verb for verb, header in _BARE.items()}
