"""What the table that is judged holds, and what is expected of it."""

from typing import Any

NUMBERS = ("amount", "balance", "age", "score", "rate", "visits", "spend", "tenure")
PLANS = ("basic", "plus", "pro")
REGIONS = ("north", "south", "east", "west")


def a_suite(expectations: int) -> dict[str, Any]:
    """Expect 20 things, or as many more, with other bounds each time, as are asked for."""
    listed: list[dict[str, Any]] = []
    spread = 0
    while len(listed) < expectations:
        listed += _round(spread)
        spread += 1
    return {"name": "benchmark", "expectations": listed[:expectations]}


def _round(spread: int) -> list[dict[str, Any]]:
    low, high = -50.0 - spread, 150.0 + spread
    between = [
        _expect("values_to_be_between", name, min_value=low, max_value=high) for name in NUMBERS[:6]
    ]
    means = [
        _expect("mean_to_be_between", name, min_value=low, max_value=high) for name in NUMBERS[:3]
    ]
    missing = [
        _expect("values_to_not_be_null", name, mostly=0.9 - spread / 1000)
        for name in ("id", *NUMBERS[:4])
    ]
    return [
        *between,
        *means,
        *missing,
        _expect("min_to_be_between", "spend", min_value=low),
        _expect("max_to_be_between", "spend", max_value=high),
        _expect("stdev_to_be_between", "tenure", min_value=0, max_value=10 + spread),
        _expect("values_to_be_in_set", "plan", value_set=[*PLANS, f"other {spread}"]),
        _expect("values_to_be_in_set", "region", value_set=[*REGIONS, f"other {spread}"]),
        _expect("values_to_match_regex", "code", regex=f"^C[0-9]{{5,{6 + spread}}}$"),
    ]


def _expect(type_: str, column: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_column_{type_}", "kwargs": {"column": column, **kwargs}}
