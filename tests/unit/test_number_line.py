"""How an interval is drawn on a line of text."""

from math import inf

from triune.cli.number_line import WIDTH, draw_interval


def test_an_interval_is_drawn_with_its_estimate_over_the_marks() -> None:
    line, ticks, names = draw_interval(low=0.0, value=0.5, high=1.0, marks={"0": 0.0, "most": 1.0})

    assert (line[0], line[-1], len(line)) == ("[", "]", WIDTH)
    assert line.index("*") in {WIDTH // 2, WIDTH // 2 - 1}
    assert ticks[0] == ticks[WIDTH - 1] == "|"
    assert names.split() == ["0", "most"]


def test_a_mark_outside_of_the_interval_widens_the_line() -> None:
    line, ticks, _ = draw_interval(low=0.5, value=0.7, high=1.0, marks={"0": 0.0})

    assert line.startswith(" ")
    assert ticks == "|"


def test_names_that_would_touch_are_written_on_lines_of_their_own() -> None:
    drawn = draw_interval(low=0.0, value=0.5, high=1.0, marks={"zero": 0.0, "near": 0.02})

    assert [line.strip() for line in drawn[2:]] == ["zero", "near"]


def test_what_has_no_length_is_not_drawn() -> None:
    assert draw_interval(low=0.0, value=0.0, high=0.0, marks={"0": 0.0}) == []
    assert draw_interval(low=-inf, value=0.0, high=1.0, marks={}) == []
