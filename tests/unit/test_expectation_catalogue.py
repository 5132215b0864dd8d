"""Arguments that make no sense are told with what to do, and those that do are let through."""

from typing import Any

import pytest

from triune.domain.expectations.catalogue import (
    canonical_type,
    find_contradiction,
    find_problem,
    find_signature,
)
from triune.domain.expectations.suite import Expectation


def problem(type: str, **kwargs: Any) -> str | None:
    return find_problem(Expectation(type=f"expect_{type}", kwargs=kwargs), kwargs)


@pytest.mark.parametrize(
    ("type", "kwargs"),
    [
        ("column_values_to_be_between", {"column": "a", "min_value": 0, "mostly": 0.9}),
        ("column_values_to_be_between", {"column": "a", "max_value": "z", "meta": {"a": 1}}),
        ("column_values_to_be_in_set", {"column": "a", "value_set": None}),
        ("column_values_to_be_in_set", {"column": "a", "value_set": []}),
        ("column_values_to_match_regex", {"column": "a", "regex": "(?<=a)b"}),
        ("column_mean_to_be_between", {"column": "a"}),
        ("column_mean_to_be_between", {"column": "a", "parse_strings_as_datetimes": False}),
        ("table_columns_to_match_set", {"column_set": None}),
        ("compound_columns_to_be_unique", {"column_list": ["a", "b"], "ignore_row_if": "never"}),
        ("column_quantile_values_to_be_between", {"column": "a", "quantile_ranges": {
            "quantiles": [0, 1], "value_ranges": [[None, 3], [1, 2]]}}),
        ("column_values_to_not_be_null", {"column": "a", "row_condition": "b > 1",
                                          "condition_parser": "pandas"}),
    ],
)  # fmt: skip
def test_sound_arguments_have_no_problem(type: str, kwargs: dict[str, Any]) -> None:
    assert problem(type, **kwargs) is None


@pytest.mark.parametrize(
    ("type", "kwargs", "said"),
    [
        ("column_values_to_be_between", {"column": "a"}, "nothing is expected; give one of them"),
        ("column_min_to_be_between", {"column": "a"}, "neither min_value nor max_value"),
        ("column_values_to_be_between", {"min_value": 1}, "lacks 'column'"),
        ("column_values_to_be_between", {"column": 3, "min_value": 1}, "is to be text"),
        ("column_values_to_be_between", {"column": "a", "min_value": 1, "max_value": "b"},
         "of two types"),
        ("column_values_to_be_between", {"column": "a", "min_value": [1]}, "a single value"),
        ("column_mean_to_be_between", {"column": "a", "min_value": "1"}, "to be a number"),
        ("column_values_to_not_be_null", {"column": "a", "mostly": "0.9"}, "from 0 to 1"),
        ("column_values_to_not_be_null", {"column": "a", "mostly": float("nan")}, "from 0 to 1"),
        ("column_values_to_not_be_null", {"column": "a", "mostly": True}, "from 0 to 1"),
        ("column_values_to_not_be_null", {"column": "a", "mosty": 1}, "did you mean 'mostly'"),
        ("column_values_to_be_in_set", {"column": "a", "value_set": "abc"}, "to be a list"),
        ("column_distinct_values_to_be_in_set", {"column": "a", "value_set": []}, "is empty"),
        ("column_values_to_match_regex", {"column": "a", "regex": "a("}, "no regular expression"),
        ("column_values_to_match_regex", {"column": "a", "regex": ["a"]}, "is to be text"),
        ("column_values_to_be_increasing", {"column": "a", "strictly": "yes"}, "true or false"),
        ("table_columns_to_match_set", {"column_set": [], "exact_match": []}, "true or false"),
        ("column_values_to_match_regex_list", {"column": "a", "regex_list": ["a", "b["]},
         "'b[' is no regular expression"),
        ("column_values_to_match_regex_list", {"column": "a", "regex_list": ["a"],
                                               "match_on": "some"}, "use any, all"),
        ("column_values_to_be_in_set", {"column": "a", "value_set": [],
                                        "parse_strings_as_datetimes": True}, "0.x"),
        ("column_pair_values_to_be_equal", {"column_A": "a", "column_B": "b",
                                            "ignore_row_if": "never"}, "either_value_is_missing"),
        ("column_pair_values_to_be_in_set", {"column_A": "a", "column_B": "b",
                                             "value_pairs_set": [[1]]}, "list of pairs"),
        ("compound_columns_to_be_unique", {"column_list": ["a"]}, "two columns or more"),
        ("compound_columns_to_be_unique", {"column_list": ["a", "a"]}, "each once"),
        ("table_row_count_to_equal", {"value": 1.5}, "a whole number"),
        ("column_quantile_values_to_be_between", {"column": "a", "quantile_ranges": {
            "quantiles": [0.5], "value_ranges": [[2, 1]]}}, "wrong way round"),
        ("column_quantile_values_to_be_between", {"column": "a", "quantile_ranges": {
            "quantiles": [0.5], "value_ranges": []}}, "give each one its own"),
        ("column_quantile_values_to_be_between", {"column": "a", "quantile_ranges": {
            "quantiles": [50], "value_ranges": [[1, 2]]}}, "from 0 to 1"),
        ("column_kl_divergence_to_be_less_than", {"column": "a", "partition_object": None,
                                                  "threshold": -1}, "0 or more"),
        ("column_vals_to_be_unique", {}, "'expect_column_values_to_be_unique'"),
        ("table_row_count_to_equal_other_table", {}, "needs a second table"),
    ],
)  # fmt: skip
def test_a_problem_says_what_and_how_to_mend_it(
    type: str, kwargs: dict[str, Any], said: str
) -> None:
    found = problem(type, **kwargs)

    assert found is not None
    assert said in found


def test_an_unknown_type_names_the_nearest_and_the_extra_that_knows_others() -> None:
    found = problem("column_values_to_be_valid_passwords")

    assert found is not None
    assert "the nearest is 'expect_column_values_to_be_" in found
    assert "triune[gx]" in found


def test_bounds_the_wrong_way_round_contradict_each_other() -> None:
    assert find_contradiction({"min_value": 2, "max_value": 1}) == (
        "min_value 2 is greater than max_value 1; exchange them"
    )
    assert find_contradiction({"min_value": 1, "max_value": 1}) is None
    assert find_contradiction({"min_value": 1}) is None


def test_types_of_the_old_dialect_are_those_of_the_new() -> None:
    old = "expect_column_pair_values_A_to_be_greater_than_B"

    assert canonical_type(old) == old.replace("_A_", "_a_").replace("_B", "_b")
    assert find_signature(old) is find_signature(canonical_type(old))
