"""Regular expressions find in SQL what Python finds, or are left to Python."""

import re
from datetime import UTC, datetime
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from tests.ports.test_data_expectations import InMemory

from triune.adapters.data.expectations.engine import evaluate
from triune.adapters.data.expectations.regex import translate
from triune.adapters.data.expectations.sql import text as as_sql
from triune.domain.expectations.outcome import Method
from triune.domain.expectations.suite import read_suite

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = (
    "", "a", "b", "ab", "aab", "abc", "a\n", "\n", "a\nb", "a b", " ", "\t", "\x0b", "\x1c", "\x1f",
    "7", "a7", "-", "a-b", "[a]", "{2}", "a{2}", "^a", "a$", "a.b", "A", "_", "é", "aé", "٣", "²",
    "\xa0", "K", "x" * 40, "\\", "|", "a\r\n", "ß", "]", "&&", "\x00", "👍🏽",
)  # fmt: skip
PIECES = (
    "a", "b", ".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\b", "[ab]", "[^ab]", r"[\d-]",
    r"[\s_]", "[]a]", "[^]a]", r"[a\-z]", "[a-z]", "[.^$]", "(a|b)", "(?:ab)", "(?P<n>a)", "^", "$",
    r"\A", r"\Z", r"\.", r"\[", "-", " ", r"\n", r"\t", r"\x41", "é", "|", "{", "}", "]", r"\-",
    r"\ ", r"\é", "(?=a)", r"(?<!a)", "(?i:A)", r"[\b]",
)  # fmt: skip
REPEATS = ("", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,}", "{1,2}", "{,2}", "*+", "{a}")


def random_patterns(count: int) -> list[str]:
    random = Random(11)
    patterns: dict[str, None] = {}
    while len(patterns) < count:
        pieces = random.choices(PIECES, k=random.randint(1, 5))
        pattern = "".join(piece + random.choice(REPEATS) for piece in pieces)
        try:
            re.compile(pattern)
        except re.error:
            continue
        patterns[pattern] = None
    return list(patterns)


def test_a_translated_expression_finds_the_same_in_every_text_it_is_meant_for() -> None:
    database = duckdb.connect()
    ascii_texts = [text for text in TEXTS if text.isascii()]
    compared = 0
    for pattern in random_patterns(3000):
        translated = translate(pattern)
        if translated is None:
            continue
        texts = ascii_texts if translated.ascii_only else list(TEXTS)
        database.register("texts", pa.table({"t": texts}))
        try:
            rows = database.execute(
                f"SELECT regexp_matches(t, {as_sql(translated.pattern)}) FROM texts"
            ).fetchall()
        except duckdb.Error:
            continue
        found = [matches for (matches,) in rows]
        expected = [re.search(pattern, text) is not None for text in texts]
        assert found == expected, pattern
        compared += 1

    assert compared > 1000


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)", "(?!a)", "(?<=a)b", r"(a)\1", "(?i)a", "(?m)^a", "a++", "a{,2}", r"\Bb", "a$b",
     "[[:alpha:]]", r"\u0041", "(?#x)a"],
)  # fmt: skip
def test_what_may_mean_something_else_is_left_to_python(pattern: str) -> None:
    assert translate(pattern) is None


@pytest.mark.parametrize(
    ("texts", "method"), [(["a1", "b2"], Method.SCAN), (["a1", "é2"], Method.PYTHON)]
)
def test_letters_beyond_ascii_are_judged_by_python(texts: list[str], method: Method) -> None:
    kwargs = {"column": "x", "regex": r"^\w\d$"}
    document = {"type": "expect_column_values_to_match_regex", "kwargs": kwargs}
    suite = read_suite({"name": "a", "expectations": [document]})

    outcome = evaluate(InMemory(pa.table({"x": texts})), suite, now=NOW)

    assert outcome.is_met
    assert outcome.outcomes[0].method is method


@pytest.mark.parametrize(
    ("values", "regex", "unexpected"),
    [
        (pa.array([1, 22, None]), r"^\d$", 1),
        (pa.array([1.0, 2.5]), r"\.0$", 1),
        (pa.array([True, False]), "^True$", 1),
        (pa.array([datetime(2024, 1, 31), datetime(2024, 2, 1)]), "^2024-01", 1),
    ],
)
def test_what_is_no_text_is_searched_as_python_writes_it(
    values: Any, regex: str, unexpected: int
) -> None:
    document = {
        "type": "expect_column_values_to_match_regex",
        "kwargs": {"column": "x", "regex": regex},
    }
    suite = read_suite({"name": "a", "expectations": [document]})

    (outcome,) = evaluate(InMemory(pa.table({"x": values})), suite, now=NOW).outcomes

    assert outcome.rows is not None
    assert outcome.rows.unexpected == unexpected
