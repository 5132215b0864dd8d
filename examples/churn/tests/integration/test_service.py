"""What a client of the service relies on, asked with customers as production sends them."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pandas as pd
import pytest

NOT_SENT = ["customer_id", "observed_at", "churned"]


@pytest.fixture
def customer(production_sample: pd.DataFrame) -> dict[str, Any]:
    first = production_sample.drop(columns=NOT_SENT).head(1)
    return json.loads(first.to_json(orient="records", date_format="iso"))[0]


def ask(base_url: str, customers: Any) -> Any:
    body = json.dumps(customers).encode()
    request = Request(f"{base_url}/predict", body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_customer_without_a_bill_gets_an_answer(base_url: str, customer: dict[str, Any]):
    answer = ask(base_url, customer | {"total_spend": None})

    assert 0 <= answer["probability"] <= 1
    assert answer["prediction"] in {0, 1}


def test_several_customers_are_answered_in_their_order(base_url: str, customer: dict[str, Any]):
    contracts = ("monthly", "two_year", "monthly")

    answers = ask(base_url, [customer | {"contract_type": each} for each in contracts])

    first, second, third = (each["probability"] for each in answers)
    assert first == pytest.approx(third)
    assert second < first


def test_a_contract_that_nobody_had_before_is_no_error(base_url: str, customer: dict[str, Any]):
    assert "probability" in ask(base_url, customer | {"contract_type": "weekly"})


def test_what_is_no_customer_is_refused_with_the_field(base_url: str, customer: dict[str, Any]):
    with pytest.raises(HTTPError) as refused:
        ask(base_url, customer | {"tenure": "long"})

    with refused.value as answer:
        assert answer.code == 422
        assert "tenure" in answer.read().decode()
