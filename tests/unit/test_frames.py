"""Calls and replies survive the wire, and what is no frame is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.domain.failures import Failure
from triune.domain.frames import (
    MAX_BODY_BYTES,
    PREFIX,
    Answered,
    AnsweredBatch,
    Call,
    Reply,
    Verb,
    decode_call,
    decode_reply,
    encode_call,
    encode_reply,
    lengths,
    pack_answers,
    pack_requests,
    unpack_answers,
    unpack_requests,
)


def split(frame: bytes) -> tuple[bytes, bytes]:
    header, body = lengths(frame[: PREFIX.size])
    rest = frame[PREFIX.size :]
    assert len(rest) == header + body
    return rest[:header], rest[header:]


@given(st.sampled_from(Verb), st.dictionaries(st.text(), st.text()), st.binary())
def test_a_call_is_read_as_it_was_written(
    verb: Verb, arguments: dict[str, str], body: bytes
) -> None:
    call = Call(verb=verb, arguments=arguments, body=body)

    assert decode_call(*split(encode_call(call))) == call


@given(st.integers(100, 599), st.binary())
def test_a_reply_is_read_as_it_was_written(status: int, body: bytes) -> None:
    reply = Reply(status=status, body=body)

    assert decode_reply(*split(encode_reply(reply))) == reply


def test_a_frame_larger_than_any_can_be_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="beyond the limit"):
        lengths(PREFIX.pack(2, MAX_BODY_BYTES + 1))

    with pytest.raises(ValueError, match="beyond the limit"):
        lengths(b"GET / HT")


@given(st.lists(st.binary()))
def test_requests_that_travel_together_are_parted_as_they_were(bodies: list[bytes]) -> None:
    assert unpack_requests(pack_requests(bodies)) == bodies


@given(
    st.lists(
        st.builds(
            Answered,
            st.integers(100, 599),
            st.binary(),
            st.sampled_from([None, *Failure]),
        )
    ),
    st.floats(0, 1e6),
)
def test_answers_that_travel_together_are_parted_as_they_were(
    answers: list[Answered], service_s: float
) -> None:
    batch = AnsweredBatch(tuple(answers), service_s)

    assert unpack_answers(pack_answers(batch)) == batch


def test_a_batch_that_says_more_than_it_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="says that it has"):
        unpack_requests(pack_requests([b"one", b"two"])[:-1])
