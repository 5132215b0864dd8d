"""The admin socket: orders and releases in, the standing, outcomes and metrics out.

It is for the control plane. Whoever can open the socket may ask anything: its folder is the guard.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qs

from triune.domain.canonical import Json, parse_json
from triune.domain.release import short
from triune.gateway.client import Clients, Exchange, Limits, Response
from triune.gateway.fleet import Fleet
from triune.gateway.http import TEXT, Routes
from triune.gateway.orders import (
    ORDER,
    RELEASES,
    read_order,
    read_releases,
    write_order,
    write_token,
    write_tripped,
)
from triune.gateway.outcomes import MAX_READ, OutcomeLog
from triune.gateway.router import OrderRefusedError, Router
from triune.gateway.state import Memory

T = TypeVar("T")


class AdminApp:
    """Answers the control plane.

    Parameters
    ----------
    traffic
        The clients of the traffic itself.
    started
        The id of this process's life.
    stop
        Has the gateway end.
    """

    def __init__(  # noqa: PLR0913 - what it tells of
        self,
        router: Router,
        fleet: Fleet,
        log: OutcomeLog,
        memory: Memory,
        *,
        traffic: Clients,
        started: str,
        stop: Callable[[], None],
    ) -> None:
        self._router = router
        self._fleet = fleet
        self._log = log
        self._memory = memory
        self._traffic = traffic
        self._started = started
        self._end = stop
        self._saving: set[asyncio.Task[None]] = set()
        routes = Routes(
            {
                "/routing": ("GET", self._routing),
                "/releases": ("POST", self._releases),
                "/apply": ("POST", self._apply),
                "/stop": ("POST", self._stop),
                "/outcomes": ("GET", self._outcomes),
                "/metrics": ("GET", self._metrics),
            }
        )
        self.clients = Clients(routes.handle, limits=Limits(connections=100))

    def _routing(self, exchange: Exchange) -> None:
        exchange.answer(Response.of(self._standing()))

    def _releases(self, exchange: Exchange) -> None:
        listed = _read(exchange, read_releases, f"list of releases; give {RELEASES}")
        if listed is None:
            return
        wanted = {each.release for each in listed}
        kept = [
            short(each.release)
            for each in self._fleet.served
            if each.release not in wanted and self._router.names(each.release)
        ]
        if kept:
            text = (
                f"the order in force, {self._router.routing.token}, names release "
                f"{' and '.join(kept)}; order something else before it is dropped"
            )
            exchange.answer(Response.refusing(409, text))
            return
        self._fleet.run(listed)
        self._answer_once_saved(exchange)

    def _apply(self, exchange: Exchange) -> None:
        order = _read(exchange, read_order, f"order; give {ORDER}")
        if order is None:
            return
        try:
            self._router.apply(order)
        except OrderRefusedError as refused:
            exchange.answer(Response.refusing(409, str(refused)))
        else:
            self._answer_once_saved(exchange)

    def _stop(self, exchange: Exchange) -> None:
        exchange.answer(Response.of({"stopping": True}))
        self._end()

    def _outcomes(self, exchange: Exchange) -> None:
        query = parse_qs(exchange.head.query.decode("latin-1"))
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

    def _answer_once_saved(self, exchange: Exchange) -> None:
        task = asyncio.create_task(self._save_and_answer(exchange))
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    async def _save_and_answer(self, exchange: Exchange) -> None:
        """Answer what is followed already, once it would be followed after a restart too."""
        try:
            await self._memory.save()
        except OSError as error:
            text = f"this is followed, but could not be written down: {error}; say it again"
            exchange.answer(Response.unavailable(text))
        else:
            exchange.answer(Response.of(self._standing()))

    def _standing(self) -> Json:
        router = self._router
        applied, tripped = router.applied, router.tripped
        return {
            "routing": write_order(router.routing),
            "applied": {
                "token": write_token(applied.token),
                "weight_pct": applied.split.candidate,
            },
            "candidate_deadline_s": router.candidate_deadline_s,
            "breaker": None if tripped is None else write_tripped(tripped),
            "releases": self._fleet.document(),
            "control": self._fleet.control_document(),
            "cursor": self._log.cursor,
            "started": self._started,
        }


def _read(exchange: Exchange, read: Callable[[Json], T], what: str) -> T | None:
    """Read a request's body, or refuse it as no such thing."""
    try:
        return read(parse_json(exchange.body))
    except (ValueError, RecursionError) as error:
        exchange.answer(Response.refusing(422, f"this is no {what} ({error})"))
        return None
