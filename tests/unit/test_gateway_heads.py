"""Which heads of requests are known again, and which go to the parser each time."""

import pytest

from triune.gateway.heads import Head, KnownHeads


def a_head(**said: object) -> Head:
    head = Head()
    head.method, head.path, head.content_length = "POST", "/predict", b"7"
    for name, value in said.items():
        setattr(head, name, value)
    return head


def sent(body: bytes = b'{"x":1}', *, length: int = 7, head: str = "") -> bytes:
    return f"POST /predict HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n".encode() + body


def test_a_head_is_known_again_with_another_body() -> None:
    heads, head = KnownHeads(), a_head()

    heads.remember(sent(b'{"x":1}'), head)

    assert heads.find(sent(b'{"x":2}')) == (head, b'{"x":2}')


@pytest.mark.parametrize(
    "data",
    [
        sent(b'{"x":1'),
        sent(b'{"x":1}P'),
        sent(b'{"x":1}') + sent(b'{"x":1}'),
        sent(b""),
        sent()[:20],
        b"\r\n\r\n",
        b"",
        sent(b'{"x":12}', length=8),
        sent(head="a: b\r\n"),
    ],
)
def test_what_is_not_one_whole_request_with_that_head_is_left_to_the_parser(data: bytes) -> None:
    heads = KnownHeads()
    heads.remember(sent(), a_head())

    assert heads.find(data) is None


@pytest.mark.parametrize(
    "said",
    [
        {"key": b"anna"},
        {"release": b"a" * 12},
        {"token": b"secret"},
        {"expect": b"100-continue"},
        {"is_kept": False},
        {"content_length": b""},
        {"content_length": b"+7"},
    ],
)
def test_a_head_that_asks_for_more_than_the_usual_is_not_remembered(
    said: dict[str, object],
) -> None:
    heads = KnownHeads()

    heads.remember(sent(), a_head(**said))

    assert heads.find(sent()) is None


@pytest.mark.parametrize(
    "data", [sent() + sent(), b"\r\n\r\n" + sent(), sent(head=f"a: {'b' * 2000}\r\n")]
)
def test_what_the_parser_read_among_other_things_is_not_remembered(data: bytes) -> None:
    heads = KnownHeads()

    heads.remember(data, a_head())

    assert heads.find(data) is None
    assert heads.find(sent()) is None


def test_few_heads_are_remembered() -> None:
    heads = KnownHeads()

    for number in range(10_000):
        heads.remember(sent(head=f"a: {number}\r\n"), a_head())

    known = [heads.find(sent(head=f"a: {number}\r\n")) is not None for number in range(10_000)]
    assert known[-1]
    assert 0 < sum(known) <= 256
