"""Row conditions are read into a tree, or refused with the place where they stop making sense."""

from typing import Any

import pytest

from triune.domain.expectations.row_condition import (
    All,
    AnyOf,
    Column,
    Comparison,
    Condition,
    Holds,
    Literal,
    Membership,
    Missing,
    Not,
    RowConditionError,
    columns_of,
    read_row_condition,
)

A, B = Column("a"), Column("b")


def compare(column: Column, operator: str, value: Any) -> Comparison:
    return Comparison(column, operator, value if isinstance(value, Column) else Literal(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == 1", compare(A, "==", 1)),
        ("a=='it''s'", None),
        ('a == "it\'s"', compare(A, "==", "it's")),
        (r'a == "say \"x\""', compare(A, "==", 'say "x"')),
        ("a >= -1.5e3", compare(A, ">=", -1500.0)),
        ("3 < a", compare(A, ">", 3)),
        ("a < b", compare(A, "<", B)),
        ("a", Holds(A)),
        ("a == True", compare(A, "==", True)),
        ("`a b.c` > 1", compare(Column("a b.c"), ">", 1)),
        ('col("a b") > 1', compare(Column("a b"), ">", 1)),
        ('col("a") > date("2024-01-31")', compare(A, ">", "2024-01-31")),
        ('col("a").notNull()', Not(Missing(A))),
        ("a.isna()", Missing(A)),
        ("a in [1, 'x']", Membership(A, (Literal(1), Literal("x")))),
        ("a not in (1,)", Not(Membership(A, (Literal(1),)))),
        ("a in []", Membership(A, ())),
        ("1 < a <= 3", All((compare(A, ">", 1), compare(A, "<=", 3)))),
        ("a>1 & b<2 | a==0", AnyOf((All((compare(A, ">", 1), compare(B, "<", 2))),
                                    compare(A, "==", 0)))),
        ("a>1 and (b<2 or not a)", All((compare(A, ">", 1),
                                        AnyOf((compare(B, "<", 2), Not(Holds(A))))))),
        ("~(a == 1)", Not(compare(A, "==", 1))),
    ],
)  # fmt: skip
def test_text_is_read_as_pandas_reads_it(text: str, expected: Condition | None) -> None:
    if expected is None:
        with pytest.raises(RowConditionError):
            read_row_condition(text, parser="pandas")
    else:
        assert read_row_condition(text, parser="pandas") == expected


def test_objects_of_great_expectations_are_read() -> None:
    document = {
        "type": "and",
        "conditions": [
            {"type": "comparison", "column": {"name": "a"}, "operator": "NOT_IN",
             "parameter": [1, 2]},
            {"type": "or", "conditions": [{"type": "nullity", "column": {"name": "b"},
                                           "is_null": True}]},
        ],
    }  # fmt: skip

    condition = read_row_condition(document, parser=None)

    assert condition == All((Not(Membership(A, (Literal(1), Literal(2)))), AnyOf((Missing(B),))))
    assert columns_of(condition) == {"a", "b"}


@pytest.mark.parametrize(
    ("condition", "parser", "message"),
    [
        ("a ==", "pandas", "has '' where a column or a value is due"),
        ("a == 1 b", "pandas", "stops making sense at 'b'"),
        ("a @ 1", "pandas", "is not understood from '@ 1' on"),
        ("(a == 1", "pandas", r"has '' where \) is due"),
        ("a.str.len() > 1", "pandas", r"has '.' where \( is due"),
        ("a.max()", "pandas", "neither isnull"),
        ("a + 1 > 2", "pandas", "is not understood from"),
        ("1 == 1", "pandas", "compares two values; name a column"),
        ("'x'", "pandas", "compares nothing"),
        ("a in [b]", "pandas", "lists a column among values"),
        ("", "pandas", "where a column or a value is due"),
        ("a > 1", "spark", "'spark' cannot be evaluated here; write"),
        (3, None, "neither text nor an object"),
        ({"type": "maybe"}, None, "is no condition of Great Expectations"),
        ({"type": "and", "conditions": []}, None, "lists no conditions"),
        ({"type": "comparison", "column": {"name": "a"}, "operator": "~", "parameter": 1}, None,
         "no operator"),
        ({"type": "comparison", "column": {"name": "a"}, "operator": "IN", "parameter": 1}, None,
         "needs a list"),
        ({"type": "comparison", "column": {"name": "a"}, "operator": "==", "parameter": None},
         None, "cannot be compared with None"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(condition: Any, parser: Any, message: str) -> None:
    with pytest.raises(RowConditionError, match=message):
        read_row_condition(condition, parser=parser)
