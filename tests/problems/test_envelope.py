"""Functions of time: pieces, their jumps, their digests, and what is refused."""

import math

import numpy as np
import pytest

from tnness.errors import InputError, ModelError
from tnness.problems.envelope import (
    Piecewise,
    breaks_of,
    content_of,
    is_periodic,
    largest,
    piece_of,
    quickness,
    value_at,
)

SQUARE = Piecewise({0.0: 2.0, 0.25: -1.0}, period=1.0)
RAMP = Piecewise({0.0: lambda t: t, 1.0: 1.0})


@pytest.mark.parametrize(
    ("function", "time", "expected"),
    [(SQUARE, 0.1, 2), (SQUARE, 0.25, -1), (SQUARE, 7.0, 2), (SQUARE, 7.9, -1), (RAMP, 0.3, 0.3), (RAMP, 5.0, 1)],
)
def test_a_piece_lasts_from_its_start_to_the_next(function, time, expected):
    assert function(time) == expected


def test_a_function_in_a_periodic_drive_gets_the_time_since_the_period_began():
    sawtooth = Piecewise({0.0: lambda t: t}, period=2.0)
    assert sawtooth(5.5) == pytest.approx(1.5)


def test_jumps_are_all_between_two_times_and_neither_of_them():
    assert SQUARE.breaks(0.25, 2.25) == [1.0, 1.25, 2.0]
    assert RAMP.breaks(0.0, 3.0) == [1.0]
    assert breaks_of(math.sin, 0.0, 9.0) == []


def test_on_a_stretch_a_function_is_that_of_its_piece_up_to_both_ends():
    """The value at a jump depends on the side, and a step that ends there needs the one before it."""
    assert [piece_of(SQUARE, 0.0, 0.25)(t) for t in (0.0, 0.25)] == [2, 2]
    assert [piece_of(SQUARE, 0.25, 1.0)(t) for t in (0.25, 1.0)] == [-1, -1]
    assert piece_of(math.sin, 0.0, 1.0) is math.sin


@pytest.mark.parametrize(
    ("pieces", "period", "text"),
    [
        ({}, None, "start at 0"),
        ({0.5: 1.0}, None, r"start at 0 and at later times, got \[0.5\]"),
        ({0.0: 1.0, 2.0: 0.0}, 2.0, "period = 2.0: it ends after the start of the last piece, 2"),
        ({0.0: "on"}, None, "the piece from 0 on is 'on'"),
        ({0.0: 1j}, None, "a real number or a function is needed"),
    ],
)
def test_pieces_that_say_nothing_are_refused(pieces, period, text):
    with pytest.raises(InputError, match=text):
        Piecewise(pieces, period)


@pytest.mark.parametrize(
    ("function", "is_rate", "text"),
    [
        (lambda t: 1j * t, False, "the field has the envelope 1j at t = 1; a finite real number is needed"),
        (lambda t: math.nan, False, "has the envelope nan"),
        (lambda t: -t, True, "the field has the negative rate -1 at t = 1; rates are >= 0"),
        (lambda t: "much", True, "has the rate 'much'"),
        (lambda t: True, False, "has the envelope True"),
    ],
)
def test_values_that_are_no_envelope_or_no_rate_are_refused(function, is_rate, text):
    with pytest.raises(ModelError, match=text):
        value_at(function, 1.0, "the field", is_rate)


def test_numbers_of_numpy_are_values():
    assert value_at(lambda t: np.float64(t), 2.0, "f") == 2
    assert value_at(lambda t: np.array(t), 2.0, "f") == 2  # type: ignore[arg-type]


def _wave(rate):
    return lambda time: math.cos(rate * time)


def test_equal_functions_have_equal_digests():
    assert content_of(_wave(2.0)) == content_of(_wave(2.0))
    assert content_of(_wave(2.0)) != content_of(_wave(2.1))
    assert content_of(SQUARE) == content_of(Piecewise({0.25: -1.0, 0.0: 2.0}, 1.0))
    assert len({content_of(Piecewise({0.0: 2.0, 0.25: x}, p)) for x in (-1.0, -2.0) for p in (1.0, 2.0, None)}) == 6


def test_the_digest_of_bytecode_names_the_version_of_python():
    assert content_of(_wave(2.0))[0].startswith("cpython-")
    assert content_of(SQUARE)[0] == ""
    assert content_of(RAMP)[0] == content_of(_wave(2.0))[0]


def test_a_digest_reads_values_too():
    """An object whose code is not Python's own differs by its values alone."""
    first, second = (np.polynomial.Polynomial([0.0, slope]) for slope in (1.0, 2.0))
    assert content_of(first) != content_of(second)


def test_periods():
    assert is_periodic(_wave(2 * math.pi / 3), 3.0)
    assert is_periodic(_wave(2 * math.pi / 3), 6.0)
    assert not is_periodic(_wave(2 * math.pi / 3), 1.5)
    assert is_periodic(SQUARE, 1.0)
    assert not is_periodic(SQUARE, 0.5)
    assert not is_periodic(RAMP, 1.0)


def test_sizes_and_speeds():
    assert largest(_wave(3.0), 10.0) == pytest.approx(1, abs=1e-2)
    assert quickness(_wave(3.0), 10.0) == pytest.approx(3, rel=0.1)
    assert quickness(SQUARE, 10.0) == 0
    assert quickness(lambda t: 5.0, 10.0) == 0
