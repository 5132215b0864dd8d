"""The split over many keys, asked of a gateway that runs: exact, steady, and only ever growing."""

import asyncio
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.gateways import AGateway, a_gateway, a_release

from triune.domain.traffic import Arm, unit_id

KEYS = 100_000
AT_ONCE = 64
TOGETHER = 16


def arms_of(gateway: AGateway, keys: Sequence[str]) -> list[str]:
    """Ask once with each key, and tell its arm: also where the champion stood in for it."""
    standing = gateway.control("GET", "/routing").json()
    ask_each(gateway, keys)
    cursor: int = standing["cursor"]
    arms: dict[str, str] = {}
    while (part := gateway.control("GET", f"/outcomes?after={cursor}").json())["outcomes"]:
        assert part["lost"] == 0
        arms |= {outcome["unit"]: outcome["arm"] for outcome in part["outcomes"]}
        cursor = part["next"]
    # What the breaker takes back is no split.
    assert gateway.control("GET", "/routing").json()["breaker"] is None
    salt = standing["routing"]["rollout"]
    return [arms[unit_id(key, salt=salt).hex()] for key in keys]


def ask_each(gateway: AGateway, keys: Sequence[str]) -> None:
    """Ask once with each key, over many connections."""
    body = json.dumps({"x": 1.0}).encode()

    async def ask(share: Sequence[str]) -> None:
        reader, writer = await asyncio.open_connection(*gateway.address)
        for start in range(0, len(share), TOGETHER):
            part = share[start : start + TOGETHER]
            writer.write(b"".join(request(key) for key in part))
            for _ in part:
                await read_answer(reader)
        writer.close()
        await writer.wait_closed()

    def request(key: str) -> bytes:
        return (
            f"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            f"x-triune-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def read_answer(reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        assert head[0].split()[1] == "200", head
        named = dict(line.split(": ", 1) for line in head[1:] if line)
        await reader.readexactly(int(named["content-length"]))

    async def ask_all() -> None:
        size = -(-len(keys) // AT_ONCE)
        shares = [keys[start : start + size] for start in range(0, len(keys), size)]
        await asyncio.gather(*map(ask, shares))

    asyncio.run(ask_all())


@pytest.mark.slow
def test_many_keys_are_split_as_ordered_stay_where_they_are_and_only_come_as_the_weight_grows(
    tmp_path: Path,
) -> None:
    champion = a_release(tmp_path / "champion")
    candidate = a_release(tmp_path / "candidate", shift=1.0)
    keys = [f"customer-{number}" for number in range(KEYS)]
    with a_gateway(tmp_path, champion, candidate, weight_pct=5) as gateway:
        first = arms_of(gateway, keys)
        again = arms_of(gateway, keys)
        routing = gateway.control("GET", "/routing").json()["routing"]
        order = {**routing, "token": {"term": 1, "number": 1}, "weight_pct": 25}
        assert gateway.control("POST", "/apply", order).status_code == 200
        grown = arms_of(gateway, keys)

    assert first == again
    for found, weight in ((first, 0.05), (grown, 0.25)):
        error = math.sqrt(KEYS * weight * (1 - weight))
        assert abs(found.count(Arm.CANDIDATE) - KEYS * weight) <= 3 * error
    came = [(one, other) for one, other in zip(first, grown, strict=True) if one != other]
    assert set(came) == {(Arm.CHAMPION, Arm.CANDIDATE)}
