"""Numbers as text."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tnness.display.numbers import BARS, columns, printable, sparkline, value_text


@given(st.floats(-1e9, 1e9), st.floats(1e-9, 1e6))
def test_a_value_is_rounded_to_less_than_its_error(value, error):
    shown, claimed = map(float, value_text(value, error).split(" +- "))
    assert abs(shown - value) <= max(0.1 * error, 1e-9 * abs(value))
    assert abs(claimed - error) <= 0.1 * error or error >= 10


@given(st.text())
def test_no_text_orders_a_terminal_about(text):
    assert printable(text).isprintable()


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)))
def test_any_series_is_a_row_of_bars(values):
    row = sparkline(values)
    assert set(row) <= {*BARS, " "}
    assert len(row) <= 40


def test_the_largest_value_has_the_highest_bar():
    row = sparkline(np.sin(np.linspace(0, 3, 30)))
    assert row[15] == "█"
    assert row[0] == "▁"


def test_columns_are_aligned():
    lines = columns([("a", "bb"), ("ccc", "d")])
    assert lines[0].index("bb") == lines[1].index("d")
    assert math.isinf(float(value_text(math.inf, 1.0)))
