"""The gateway's end of the line to a worker: replies are told whole, however they come."""

import pytest

from triune.domain.frames import Reply, encode_reply
from triune.gateway.worker_process import _Line

REPLIES = (
    Reply(status=200, body=b"one"),
    Reply(status=500, body=b""),
    Reply(status=200, body=b"x"),
)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 20, 1000])
def test_a_reply_is_told_once_it_is_complete(size: int) -> None:
    line = _Line()
    told: list[Reply | None] = []

    for reply in REPLIES:
        frame = encode_reply(reply)
        line._tell = told.append
        for at in range(0, len(frame), size):
            assert told == list(REPLIES[: len(told)])
            line.data_received(frame[at : at + size])

    assert told == list(REPLIES)


def test_what_is_no_frame_ends_the_line() -> None:
    line = _Line()
    told: list[Reply | None] = []
    line._tell = told.append

    line.data_received(b"printed by a model")

    assert told == [None]
