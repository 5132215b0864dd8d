"""Suites are read in both dialects of Great Expectations, and refused where they are neither."""

import json
from typing import Any

import pytest

from triune.domain.expectations.suite import Suite, SuiteError, read_suite

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "age"}}
OLD_NOT_NULL = {
    "expectation_type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "age"},
}


def old_suite(*expectations: Any, **more: Any) -> dict[str, Any]:
    return {"expectation_suite_name": "churn", "expectations": list(expectations), **more}


def new_suite(*expectations: Any, **more: Any) -> dict[str, Any]:
    return {"name": "churn", "expectations": list(expectations), **more}


@pytest.mark.parametrize("document", [old_suite(OLD_NOT_NULL), new_suite(NOT_NULL)])
def test_both_dialects_say_the_same(document: dict[str, Any]) -> None:
    from_object = read_suite(document)
    from_bytes = read_suite(json.dumps(document).encode())

    assert from_object == from_bytes
    assert from_object.name == "churn"
    assert [each.type for each in from_object.expectations] == [
        "expect_column_values_to_not_be_null"
    ]
    assert from_object.expectations[0].kwargs == {"column": "age"}


def test_what_stands_beside_the_arguments_is_kept() -> None:
    expectation = {**NOT_NULL, "id": "7", "severity": "warning", "meta": {"notes": "why"}}

    suite = read_suite(new_suite(expectation, meta={"a": 1}, suite_parameters={"low": 3}))

    (read,) = suite.expectations
    assert (read.id, read.severity, read.meta) == ("7", "warning", {"notes": "why"})
    assert (suite.meta, suite.parameters) == ({"a": 1}, {"low": 3})


def test_parameters_of_the_old_dialect_are_the_suites() -> None:
    assert read_suite(old_suite(evaluation_parameters={"low": 3})).parameters == {"low": 3}


def test_an_unknown_type_and_lacking_arguments_are_kept_for_the_evaluation() -> None:
    suite = read_suite(new_suite({"type": "expect_the_best"}))

    assert [(each.type, each.kwargs) for each in suite.expectations] == [("expect_the_best", {})]


def test_a_suite_without_a_name_has_its_sources() -> None:
    suite = read_suite({"expectations": [OLD_NOT_NULL]}, source="suites/churn.json")

    assert suite.name == "suites/churn.json"


def test_an_empty_suite_is_told_apart() -> None:
    assert read_suite(new_suite()).is_empty
    assert not read_suite(new_suite(NOT_NULL)).is_empty
    assert Suite(name="a", expectations=()).is_empty


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"{", r"s\.json is no JSON: .*export the suite again"),
        (b"\xff\xfe{", r"s\.json is no JSON"),
        (b"[]", r"s\.json holds no JSON object"),
        ({"name": "a"}, r"has no list `expectations`"),
        ({"name": "a", "expectations": {}}, r"has no list `expectations`"),
        (new_suite(OLD_NOT_NULL), r"1 has `expectation_type`, a key of 0\.x.*write `type`"),
        (new_suite(NOT_NULL, {**NOT_NULL, **OLD_NOT_NULL}), r"expectation 2 has .*0\.x"),
        (old_suite(NOT_NULL), r"expectation 1 has `type`, a key of 1\.x, in a suite of 0\.x"),
        ({**new_suite(), **old_suite()}, r"`expectation_suite_name` \(0\.x\) beside `name`"),
        (new_suite({"kwargs": {}}), r"expectation 1 has no `type`; name one"),
        (new_suite({"type": 3}), r"expectation 1 has no `type`"),
        (new_suite("expect_it"), r"expectation 1 is no JSON object"),
        (new_suite({"type": "expect_it", "kwargs": [1]}), r"1 \(expect_it\): `kwargs` is no JSON"),
        (new_suite(suite_parameters=[]), r"`suite_parameters` is no JSON object"),
    ],
)  # fmt: skip
def test_what_is_no_suite_is_refused_with_place_and_remedy(document: Any, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read_suite(document, source="s.json")
