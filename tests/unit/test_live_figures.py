"""Figures of the live benchmark: medians and worst, beside goals that every run has to reach."""

from math import inf

from benchmarks.goals import summary
from benchmarks.live.figures import Figure, table


def test_one_run_beyond_the_goal_misses_it() -> None:
    figure = Figure.of("rolled back", [0.2, 0.3, 1.1], unit="s", goal=1.0)

    assert not figure.is_met
    assert table("Canaries", [figure]).splitlines()[-1].split() == [
        "rolled", "back", "<=", "1", "s", "0.30", "s", "1.10", "s", "MISSED", "3",
    ]  # fmt: skip


def test_what_never_came_about_is_no_number() -> None:
    figure = Figure.of("rolled back", [0.2, 0.3, inf], unit="s", goal=1.0)

    assert "never" in table("Canaries", [figure])
    assert not figure.is_met


def test_a_summary_names_what_is_missed_and_counts_goals_alone() -> None:
    met = Figure.of("errors", [0.0, 0.0], goal=0.0)
    missed = Figure.of("rolled back", [2.0], unit="s", goal=1.0)
    shown = Figure.of("p99", [9.0], unit="ms")

    assert summary({"a": [met, missed], "b": [shown]}) == "1 of 2 goals met; missed: rolled back"
