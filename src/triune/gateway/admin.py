"""The admin socket: orders about traffic in, outcomes and metrics out; for the control plane.

Whoever can open the socket may ask anything: its folder is the guard.
"""

from typing import Final
from urllib.parse import parse_qs

import msgspec

from triune.domain.canonical import Json, parse_json
from triune.domain.rollout.routing import FencingToken, Routing
from triune.domain.traffic import TrafficSplit
from triune.gateway.client import Clients, Exchange, Limits, Response
from triune.gateway.http import TEXT, Routes
from triune.gateway.outcomes import MAX_READ, OutcomeLog
from triune.gateway.router import OrderRefusedError, Router

_NEEDED: Final = "token {term, number}, rollout, champion, candidate, weight_pct, shadow"


class AdminApp:
    """Answers the control plane."""

    def __init__(self, router: Router, log: OutcomeLog, traffic: Clients) -> None:
        self._router = router
        self._log = log
        self._traffic = traffic
        routes = Routes(
            {
                "/routing": ("GET", self._routing),
                "/apply": ("POST", self._apply),
                "/outcomes": ("GET", self._outcomes),
                "/metrics": ("GET", self._metrics),
            }
        )
        self.clients = Clients(routes.handle, limits=Limits(connections=100))

    def _routing(self, exchange: Exchange) -> None:
        exchange.answer(Response.of(self._standing()))

    def _apply(self, exchange: Exchange) -> None:
        try:
            self._router.apply(_read_routing(parse_json(exchange.body)))
        except OrderRefusedError as refused:
            exchange.answer(Response.refusing(409, str(refused)))
        except (ValueError, KeyError, TypeError) as error:
            text = f"this is no order ({error!r}); give {_NEEDED}"
            exchange.answer(Response.refusing(422, text))
        else:
            exchange.answer(Response.of(self._standing()))

    def _outcomes(self, exchange: Exchange) -> None:
        query = parse_qs(exchange.query.decode("latin-1"))
        try:
            after = int(query.get("after", ["0"])[0])
            limit = int(query.get("limit", [str(MAX_READ)])[0])
        except ValueError:
            after = limit = -1
        if after < 0 or limit < 1:
            text = "give `after`, the cursor that was read to, and `limit`, as positive integers"
            exchange.answer(Response.refusing(422, text))
            return
        body = self._log.read(after=after, limit=limit)
        exchange.answer(Response(status=200, body=body))

    def _metrics(self, exchange: Exchange) -> None:
        text = self._router.metrics(connections=len(self._traffic))
        exchange.answer(Response(status=200, body=text.encode(), content_type=TEXT))

    def _standing(self) -> Json:
        router = self._router
        applied, tripped = router.applied, router.tripped
        return {
            "routing": _routing_document(router.routing),
            "applied": {
                "token": _token_document(applied.token),
                "weight_pct": applied.split.candidate,
            },
            "candidate_deadline_s": router.candidate_deadline_s,
            "breaker": tripped
            and {
                "rollout": tripped.rollout,
                "requests": tripped.requests,
                "failures": tripped.failures,
            },
        }


def _read_routing(document: Json) -> Routing:
    token = document["token"]
    return Routing(
        token=FencingToken(term=_integer(token["term"]), number=_integer(token["number"])),
        rollout=msgspec.convert(document["rollout"], str),
        champion=msgspec.convert(document["champion"], str | None),
        candidate=msgspec.convert(document["candidate"], str | None),
        split=TrafficSplit.giving(msgspec.convert(document["weight_pct"], float)),
        is_shadow=msgspec.convert(document["shadow"], bool),
    )


def _integer(value: Json) -> int:
    return msgspec.convert(value, int)


def _routing_document(routing: Routing) -> Json:
    return {
        "token": _token_document(routing.token),
        "rollout": routing.rollout,
        "champion": routing.champion,
        "candidate": routing.candidate,
        "weight_pct": routing.split.candidate,
        "shadow": routing.is_shadow,
    }


def _token_document(token: FencingToken) -> Json:
    return {"term": token.term, "number": token.number}
