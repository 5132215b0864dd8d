"""Hello-world on the gateway's own HTTP layer: asyncio.Protocol with httptools, on uvloop."""

import asyncio
import sys

import uvloop

from triune.gateway.client import Clients, Exchange, Limits, Response

HELLO = Response(status=200, body=b'{"hello":"world"}')


def answer(exchange: Exchange) -> None:
    """Answer."""
    exchange.answer(HELLO)


async def main(port: int) -> None:
    """Listen until killed."""
    clients = Clients(answer, limits=Limits())
    clients.watch()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(clients.accept, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
