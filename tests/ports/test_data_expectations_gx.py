"""What is not known here is asked of Great Expectations, where that is installed."""

from importlib.util import find_spec
from typing import Any

import pytest

from triune.testing import validate

OWN = {"name": "own", "expectations": [{"type": "expect_few_pages", "kwargs": {}}]}
VISITS = [{"pages": pages} for pages in range(10)]


def only_result(suite: dict[str, Any]) -> dict[str, Any]:
    told = validate(VISITS, suite)
    (result,) = told["results"]
    assert told["success"] == result["success"]
    return dict(result)


@pytest.mark.skipif(find_spec("great_expectations") is not None, reason="it is installed")
def test_without_it_an_unknown_expectation_is_an_error_that_names_the_extra() -> None:
    result = only_result(OWN)

    assert result["meta"]["verdict"] == "ERROR"
    assert "pip install 'triune[gx]'" in result["exception_info"]["exception_message"]


@pytest.mark.filterwarnings("ignore")
class TestInstalled:
    @pytest.fixture(autouse=True)
    def _gx(self) -> None:
        expectations: Any = pytest.importorskip("great_expectations.expectations")

        class ExpectFewPages(expectations.ExpectColumnValuesToBeBetween):  # type: ignore[misc]
            column: str = "pages"
            max_value: float = 5

    def test_an_expectation_of_ones_own_is_evaluated(self) -> None:
        result = only_result(OWN)

        assert result["meta"] == {"method": "gx", "verdict": "FAIL"}
        assert result["result"]["partial_unexpected_list"] == [6, 7, 8, 9]

    def test_one_that_it_does_not_know_either_is_an_error(self) -> None:
        result = only_result(
            {"name": "own", "expectations": [{"type": "expect_fewer_pages", "kwargs": {}}]}
        )

        assert result["meta"]["verdict"] == "ERROR"
        assert "knows no 'expect_fewer_pages'" in result["exception_info"]["exception_message"]

    def test_what_it_cannot_evaluate_is_an_error(self) -> None:
        result = only_result(
            {
                "name": "own",
                "expectations": [
                    {
                        "type": "unexpected_rows_expectation",
                        "kwargs": {"unexpected_rows_query": "SELECT 1"},
                    }
                ],
            }
        )

        assert result["meta"]["verdict"] == "ERROR"
        assert (
            "Great Expectations cannot evaluate it"
            in (result["exception_info"]["exception_message"])
        )
