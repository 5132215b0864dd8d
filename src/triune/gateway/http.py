"""The HTTP face of a gateway: which paths there are, and what each takes."""

from collections.abc import Callable
from typing import Final

from triune.domain.canonical import Json
from triune.gateway.client import JSON, Clients, Exchange, Handler, Limits, Response
from triune.gateway.fleet import Fleet
from triune.gateway.router import Router

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

_JSON: Final = JSON.encode()


class Routes:
    """Finds who handles a request, by its path and method."""

    def __init__(self, routes: dict[str, tuple[str, Handler]]) -> None:
        self._routes = routes

    def handle(self, exchange: Exchange) -> None:
        """Have a request handled, or refuse it."""
        route = self._routes.get(exchange.head.path)
        if route is None:
            exchange.answer(
                Response.refusing(
                    404, f"there is nothing at this path; there is {', '.join(self._routes)}"
                )
            )
            return
        method, handle = route
        if exchange.head.method == method or (exchange.head.method == "HEAD" and method == "GET"):
            handle(exchange)
            return
        allowed = "GET, HEAD" if method == "GET" else method
        exchange.answer(
            Response.refusing(
                405, f"this path takes {method}, not {exchange.head.method}", allow=allowed
            )
        )


class ReleaseApp:
    """Answers for the releases of one gateway; every response says which in `X-Triune-Release`."""

    def __init__(self, router: Router, fleet: Fleet, *, limits: Limits | None = None) -> None:
        self._router = router
        self._fleet = fleet
        routes: dict[str, tuple[str, Callable[[Exchange], None]]] = {
            "/predict": ("POST", self._predict),
            "/health": ("GET", self._health),
            "/v2/health/live": ("GET", self._live),
            "/v2/health/ready": ("GET", self._ready),
            "/openapi.json": ("GET", self._openapi),
            "/metrics": ("GET", self._metrics),
        }
        self.clients = Clients(
            Routes(routes).handle, limits=limits or Limits(), release=self._champion
        )

    def _champion(self) -> str | None:
        champion = self._router.champion
        return None if champion is None else champion.release

    def _predict(self, exchange: Exchange) -> None:
        content_type = exchange.head.content_type
        if content_type != _JSON:
            kind = content_type.decode("latin-1").partition(";")[0].strip().lower()
            if kind != JSON:
                text = f"send `Content-Type: {JSON}`, not {kind or 'none'}"
                exchange.answer(Response.refusing(415, text))
                return
        self._router.predict(exchange)

    def _health(self, exchange: Exchange) -> None:
        self._when_ready(exchange, {"live": True, "ready": True, "release": self._champion()})

    def _live(self, exchange: Exchange) -> None:
        exchange.answer(Response.of({"live": True}))

    def _ready(self, exchange: Exchange) -> None:
        self._when_ready(exchange, {"ready": True})

    def _when_ready(self, exchange: Exchange, document: Json) -> None:
        champion = self._router.champion
        if champion is None:
            exchange.answer(Response.unavailable(self._router.absence))
        elif champion.is_ready:
            exchange.answer(Response.of(document))
        else:
            exchange.answer(Response.unavailable("the release's worker is being started again"))

    def _openapi(self, exchange: Exchange) -> None:
        champion = self._router.champion
        running = None if champion is None else self._fleet.find(champion.release)
        if running is None:
            exchange.answer(Response.unavailable(self._router.absence))
        else:
            exchange.answer(Response(status=200, body=running.api))

    def _metrics(self, exchange: Exchange) -> None:
        text = self._router.metrics(connections=len(self.clients))
        exchange.answer(Response(status=200, body=text.encode(), content_type=TEXT))
