"""Parameters get values, wherever they are, and nothing else is calculated."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from triune.domain.expectations.parameters import ParameterError, resolve

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def resolved(value: Any, **parameters: Any) -> Any:
    return resolve({"x": value}, parameters, now=NOW)["x"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("low", 3),
        ("low * 2 + 1", 7),
        ("-low / 2", -1.5),
        ("'a' + 'b'", "ab"),
        ("now()", NOW),
        ("now() - timedelta(weeks=1, days=2)", NOW - timedelta(days=9)),
    ],
)
def test_an_expression_is_calculated_from_names_and_moments(expression: str, expected: Any) -> None:
    assert resolved({"$PARAMETER": expression}, low=3) == expected


def test_parameters_are_found_inside_lists_and_objects() -> None:
    value = {"quantiles": [0.5], "value_ranges": [[{"$PARAMETER": "low"}, None]]}

    assert resolved(value, low=3) == {"quantiles": [0.5], "value_ranges": [[3, None]]}


def test_a_name_that_is_no_name_of_pythons_is_looked_up_whole() -> None:
    assert resolved({"$PARAMETER": "urn:a-b.c"}, **{"urn:a-b.c": 3}) == 3


def test_a_value_kept_beside_the_name_is_taken() -> None:
    assert resolved({"$PARAMETER": "low", "$PARAMETER.low": 4}, low=3) == 4


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("high", r"'high' has no value \(the suite's parameters: low\); give it one"),
        ("low +", r"'low \+' has no value"),
        ("low ** 9", "added, subtracted"),
        ("__import__('os')", "has no value"),
        ("now().year", "has no value"),
        ("low / 0", "cannot be calculated: division by zero"),
        ("low + 'a'", "cannot be calculated"),
        ("timedelta(fortnights=1)", "cannot be calculated"),
        (3, "is no text"),
    ],
)
def test_what_has_no_value_is_refused(expression: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        resolved({"$PARAMETER": expression}, low=3)
