"""Orders about traffic, and what shall run, as JSON documents: read from outside with suspicion."""

from pathlib import Path
from typing import Final

import msgspec

from triune.domain.canonical import Json, is_digest
from triune.domain.release import short
from triune.domain.rollout.routing import Breaker, FencingToken, Routing
from triune.domain.traffic import TrafficSplit
from triune.gateway.fleet import Served

ORDER: Final = "token {term, number}, rollout, champion, candidate, weight_pct, shadow"
RELEASES: Final = '{"releases": [{"release": ID, "bundle": "/absolute/path"}, ...]}'


class _Token(msgspec.Struct):
    term: int
    number: int


class _Order(msgspec.Struct):
    token: _Token
    rollout: str
    champion: str | None
    candidate: str | None
    weight_pct: float
    shadow: bool


class _Served(msgspec.Struct):
    release: str
    bundle: str


class _Listed(msgspec.Struct):
    releases: list[_Served]


class _Tripped(msgspec.Struct):
    rollout: str
    requests: int
    failures: int


def read_order(document: Json) -> Routing:
    """Read an order.

    Raises
    ------
    ValueError
        It is none.
    """
    order = msgspec.convert(document, _Order)
    # It is hashed with every key; what has no UTF-8 has no hash.
    order.rollout.encode()
    return Routing(
        token=FencingToken(term=order.token.term, number=order.token.number),
        rollout=order.rollout,
        champion=order.champion,
        candidate=order.candidate,
        split=TrafficSplit.giving(order.weight_pct),
        is_shadow=order.shadow,
    )


def write_order(routing: Routing) -> Json:
    """Write what `read_order` reads."""
    return {
        "token": write_token(routing.token),
        "rollout": routing.rollout,
        "champion": routing.champion,
        "candidate": routing.candidate,
        "weight_pct": routing.split.candidate,
        "shadow": routing.is_shadow,
    }


def write_token(token: FencingToken) -> Json:
    """Write a token."""
    return {"term": token.term, "number": token.number}


def read_tripped(document: Json) -> Breaker:
    """Read what `write_tripped` writes."""
    tripped = msgspec.convert(document, _Tripped)
    return Breaker(rollout=tripped.rollout, requests=tripped.requests, failures=tripped.failures)


def write_tripped(tripped: Breaker) -> Json:
    """Write what the breaker did."""
    return {
        "rollout": tripped.rollout,
        "requests": tripped.requests,
        "failures": tripped.failures,
    }


def read_releases(document: Json) -> tuple[Served, ...]:
    """Read what shall run.

    Raises
    ------
    ValueError
        It is no list of releases, or one is listed twice.
    """
    listed = msgspec.convert(document, _Listed).releases
    found: dict[str, Served] = {}
    for each in listed:
        if not is_digest(each.release):
            raise ValueError(f"{each.release[:64]!r} is no release id: 64 hexadecimal digits")
        bundle = Path(each.bundle)
        if not bundle.is_absolute() or "\0" in each.bundle:
            raise ValueError(f"{each.bundle[:200]!r} is no absolute path")
        if each.release in found:
            raise ValueError(f"release {short(each.release)} is listed twice")
        found[each.release] = Served(release=each.release, bundle=bundle)
    return tuple(found.values())


def write_releases(served: tuple[Served, ...]) -> Json:
    """Write what `read_releases` reads."""
    return {"releases": [{"release": each.release, "bundle": str(each.bundle)} for each in served]}
