"""What a client may send, and what it is told when it sends something else."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triune.domain.canonical import Json
from triune.domain.manifest import Field, FieldType, Outputs, Signature
from triune.domain.refusal import Refusal
from triune.serving.requests import MAX_PROBLEMS, RequestReader, Requests, read_requests


def a_field(
    name: str = "x", type: FieldType | None = FieldType.NUMBER, *, nullable: bool = False
) -> Field:
    return Field(name=name, type=type, nullable=nullable)


def read(body: bytes | str, *fields: Field, ignored: tuple[str, ...] = ()) -> Requests | Refusal:
    signature = Signature(inputs=fields or (a_field(),), outputs=Outputs())
    content = body.encode() if isinstance(body, str) else body
    return read_requests(content, signature, ignored=ignored)


def accepted(body: str, *fields: Field, ignored: tuple[str, ...] = ()) -> Requests:
    requests = read(body, *fields, ignored=ignored)
    assert isinstance(requests, Requests), requests
    return requests


def refused(body: bytes | str, *fields: Field, ignored: tuple[str, ...] = ()) -> Refusal:
    refusal = read(body, *fields, ignored=ignored)
    assert isinstance(refusal, Refusal), refusal
    return refusal


def test_one_object_and_a_list_of_objects_are_told_apart() -> None:
    one, many = accepted('{"x": 1}'), accepted('[{"x": 1}, {"x": 2.5}]')

    assert (one.is_list, one.count, one.columns) == (False, 1, {"x": [1.0]})
    assert (many.is_list, many.count, many.columns) == (True, 2, {"x": [1.0, 2.5]})


def test_an_empty_list_is_a_batch_of_nothing() -> None:
    assert accepted("[]").count == 0


@pytest.mark.parametrize(
    ("type", "sent", "read"),
    [
        (FieldType.BOOLEAN, "true", True),
        (FieldType.INTEGER, "3", 3),
        (FieldType.INTEGER, "3.0", 3),
        (FieldType.INTEGER, "-9223372036854775808", -(2**63)),
        (FieldType.NUMBER, "3", 3.0),
        (FieldType.NUMBER, "1e3", 1000.0),
        (FieldType.STRING, '"never seen"', "never seen"),
        (FieldType.DATE, '"2026-01-31"', dt.date(2026, 1, 31)),
        (FieldType.TIMESTAMP, '"2026-01-31T12:30:00"', dt.datetime(2026, 1, 31, 12, 30)),
        (FieldType.TIMESTAMP, '"2026-01-31T12:30:00Z"', dt.datetime(2026, 1, 31, 12, 30)),
        (FieldType.TIMESTAMP, '"2026-01-31T12:30:00+02:00"', dt.datetime(2026, 1, 31, 10, 30)),
        (FieldType.TIMESTAMP, '"2026-01-31"', dt.datetime(2026, 1, 31)),
    ],
)
def test_a_value_of_the_right_type_is_taken(type: FieldType, sent: str, read: Json) -> None:
    value = accepted(f'{{"x": {sent}}}', a_field(type=type)).columns["x"][0]

    assert value == read
    assert isinstance(value, bool) == isinstance(read, bool)


@pytest.mark.parametrize(
    ("type", "sent", "message"),
    [
        (FieldType.BOOLEAN, "1", "is the number 1; give true or false"),
        (FieldType.INTEGER, "true", "is true; give an integer"),
        (FieldType.INTEGER, "1.5", "is the number 1.5; give an integer"),
        (FieldType.INTEGER, '"3"', "is the string '3'; give an integer"),
        (FieldType.INTEGER, "9223372036854775808", "beyond the integers of 64 bits"),
        (FieldType.INTEGER, "1" + "0" * 40, "beyond the integers of 64 bits"),
        (FieldType.NUMBER, '"1"', "is the string '1'; give a number"),
        (FieldType.NUMBER, "false", "is false; give a number"),
        (FieldType.NUMBER, "[1]", "is a list; give a number"),
        (FieldType.NUMBER, "1" + "0" * 400, "beyond what a number of 64 bits can hold"),
        (FieldType.STRING, "1", "is the number 1; give a string"),
        (FieldType.STRING, '{"a": 1}', "is an object; give a string"),
        (FieldType.DATE, '"31.1.2026"', "give a date, such as"),
        (FieldType.DATE, "20260131", "give a date, such as"),
        (FieldType.TIMESTAMP, '"yesterday"', "give a time, such as"),
        (FieldType.TIMESTAMP, '"0001-01-01T00:00:00+14:00"', "give a time, such as"),
        (FieldType.TIMESTAMP, "1769860800", "give a time, such as"),
        (None, '"east"', "the training data held no value here"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_field(
    type: FieldType | None, sent: str, message: str
) -> None:
    refusal = refused(f'{{"x": {sent}}}', a_field(type=type))

    assert refusal.status == 422
    assert [error.field for error in refusal.errors] == ["x"]
    assert message in refusal.errors[0].message
    assert message in refusal.detail


def test_a_nullable_field_may_be_null_or_absent() -> None:
    fields = (a_field("x", nullable=True), a_field("empty", None, nullable=True))

    requests = accepted('[{"x": null, "empty": null}, {}]', *fields)

    assert requests.columns == {"x": [None, None], "empty": [None, None]}


def test_a_field_that_always_had_a_value_must_have_one() -> None:
    refusal = refused('[{"x": 1}, {"x": null}, {}]')

    assert [(error.row, error.message) for error in refusal.errors] == [
        (1, "is null; give a number"),
        (2, "is missing; give a number"),
    ]


def test_an_unknown_field_is_refused_with_the_nearest_valid_name() -> None:
    refusal = refused('{"tenure": 1, "tenur": 2}', a_field("tenure"))

    assert refusal.status == 422
    assert refusal.errors[0].field == "tenur"
    assert "did you mean 'tenure'?" in refusal.errors[0].message


def test_key_and_time_are_accepted_and_left_out() -> None:
    requests = accepted('{"x": 1, "id": "c-1", "at": 5}', ignored=("id", "at"))

    assert requests.columns == {"x": [1.0]}


def test_rows_are_named_in_a_list_and_left_out_for_one_object() -> None:
    assert refused('{"x": "a"}').errors[0].row is None
    assert refused('[{"x": 1}, {"x": "a"}]').errors[0].row == 1


@pytest.mark.parametrize("body", ["1", '"text"', "null", "[[1]]", "[null]", '[{"x": 1}, 2]'])
def test_what_is_no_object_is_refused(body: str) -> None:
    refusal = refused(body)

    assert refusal.status == 422
    assert "where an object of inputs is needed" in refusal.detail


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"x": 1} {"x": 2}',
        b"\xff\xfe",
        b'{"x": "\xff"}',
        b"[" * 100_000,
        b'{"x":' * 100_000,
    ],
)
def test_what_is_not_json_is_refused_as_a_bad_request(body: bytes) -> None:
    assert refused(body).status == 400


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused_by_row_and_field(value: str) -> None:
    refusal = refused(f'[{{"x": 1}}, {{"x": {value}}}]')

    assert refusal.status == 422
    assert refusal.detail.startswith("row 1, field 'x': is NaN or infinite")


def test_of_very_many_problems_the_first_are_told() -> None:
    refusal = refused("[" + ",".join(['{"x": "a"}'] * 5000) + "]")

    assert len(refusal.errors) == MAX_PROBLEMS
    assert "(and 4999 more)" in refusal.detail
    assert len(refusal.content) < 5000


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([5.0, -0.0, 1e300, 2**63, -(2**63), 2**63 - 1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.lists(st.none(), max_size=1),
)
NAMES = ["flag", "whole", "number", "word", "maybe", "visit_id", "other"]
MIXED = Signature(
    inputs=(
        Field(name="flag", type=FieldType.BOOLEAN, nullable=True),
        Field(name="whole", type=FieldType.INTEGER, nullable=False),
        Field(name="number", type=FieldType.NUMBER, nullable=False),
        Field(name="word", type=FieldType.STRING, nullable=False),
        Field(name="maybe", type=FieldType.INTEGER, nullable=True),
    ),
    outputs=Outputs(),
)
GOOD = st.fixed_dictionaries(
    {
        "whole": st.integers(-(2**63), 2**63 - 1),
        "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
        "word": st.text(max_size=3),
    },
    optional={
        "flag": st.none() | st.booleans(),
        "maybe": st.none() | st.integers(-9, 9),
        "visit_id": SCALARS,
    },
)
ROWS = GOOD | st.dictionaries(st.sampled_from(NAMES), SCALARS)
BODIES = st.one_of(GOOD, ROWS, st.lists(GOOD, max_size=3), st.lists(ROWS, max_size=3), SCALARS)


@given(BODIES, st.sampled_from(["", " ", "\n"]))
def test_what_is_read_at_once_is_what_is_read_value_by_value(document: Json, space: str) -> None:
    body = (space + json.dumps(document)).encode()

    at_once = RequestReader(MIXED, ignored={"visit_id"}).read(body)

    one_by_one = read_requests(body, MIXED, ignored={"visit_id"})
    assert at_once == one_by_one
    if isinstance(at_once, Requests) and isinstance(one_by_one, Requests):
        assert types_of(at_once) == types_of(one_by_one)


def types_of(requests: Requests) -> dict[str, list[type]]:
    return {name: [type(value) for value in column] for name, column in requests.columns.items()}


@pytest.mark.parametrize("name", ['say "x"', "back\\slash", "a b", "é", "class", ""])
def test_an_input_may_be_named_as_it_likes(name: str) -> None:
    signature = Signature(
        inputs=(Field(name=name, type=FieldType.INTEGER, nullable=False),), outputs=Outputs()
    )

    read = RequestReader(signature, ignored=()).read(json.dumps([{name: 5}]).encode())

    assert read == Requests(names=(name,), rows=[(5,)], is_list=True)
