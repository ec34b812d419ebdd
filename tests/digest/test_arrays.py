"""Digests of arrays: what round-off must not change, and what must show."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains import seeds
from tnness.digest.arrays import ARRAY_BLOCK, DIGITS, LOG_OF_ZERO, magnitudes, of_array, of_arrays, of_number

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


def noisy(values, rng):
    """The values with up to two units in the last place added."""
    return values * (1 + 2.3e-16 * rng.integers(-2, 3, values.shape))


@pytest.mark.parametrize("size", [4, 1000, 40_000])
def test_round_off_leaves_arrays_of_any_size_their_digest(size):
    """Element-wise rounding to 12 digits would fail for nearly every array of 40,000."""
    rng, changed, trials = np.random.default_rng(size), 0, 300
    for _ in range(trials):
        values = rng.standard_normal(size)
        changed += of_array(values) != of_array(noisy(values, rng))
    assert changed <= 2  # expected: below 0.3


@given(seed=seeds, digits=st.integers(6, DIGITS))
def test_a_relative_change_of_everything_shows_in_the_last_digit(seed, digits):
    values = np.random.default_rng(seed).standard_normal(100)
    assert of_array(values, digits) != of_array(values * (1 + 20 * 10.0**-digits), digits)


@given(seed=seeds)
def test_the_change_of_one_element_shows(seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((30, 40))
    other = values.copy()
    other[rng.integers(30), rng.integers(40)] += 1e-9
    assert of_array(values) != of_array(other)


@given(seed=seeds)
def test_the_order_of_elements_counts_within_and_across_blocks(seed):
    values = np.random.default_rng(seed).standard_normal((3, ARRAY_BLOCK))
    assert len({of_array(v) for v in (values, values[::-1], values[:, ::-1], np.roll(values, 1))}) == 4


def test_zero_has_no_sign_and_round_off_of_zero_is_zero():
    assert of_array([0.0, 1.0]) == of_array([-0.0, 1.0]) == of_array([1e-17, 1.0])
    assert of_array([0.0]) == of_array([-0.0])
    assert of_number(0.0) == of_number(-0.0)


def test_shape_and_kind_count():
    values = [[1.0, 2.0], [3.0, 4.0]]
    digests = {of_array(np.array(values, kind)) for kind in (int, float, complex)}
    assert len(digests | {of_array(np.ravel(values)), of_array([values]), of_array([True]), of_array([1])}) == 7


def test_integers_count_exactly():
    assert of_array([2**60]) != of_array([2**60 + 1])
    assert of_array(np.array([3], np.int32)) == of_array([3])


def test_numbers_that_are_not_finite_count_by_their_places():
    lists = [[1.0, math.nan], [1.0, math.inf], [1.0, -math.inf], [math.nan, 1.0], [1.0, 0.0]]
    assert len({of_array(values) for values in lists}) == 5
    assert of_array([1.0, math.nan]) == of_array([1.0 + 2e-16, math.nan])
    assert len({of_number(value) for value in (math.nan, math.inf, -math.inf, 0.0)}) == 4


@pytest.mark.parametrize("scale", [1e-310, 1e-300, 1.0, 1.7e308])
def test_the_whole_range_of_numbers_is_told_apart(scale):
    assert of_array([scale, 0.0]) != of_array([scale / 2, 0.0])


@given(k=st.integers(-30, 30), sign=st.sampled_from([-1, 1]))
def test_round_off_below_a_power_of_two_leaves_the_digest(k, sign):
    """There the unit of fixed point would jump, and so would the exponent of a rounded number."""
    power = 2.0**k
    other = power * (1 + sign * 1.2e-16)
    assert of_array([power, 0.3 * power]) == of_array([other, 0.3 * power])
    assert of_number(power) == of_number(other)


@given(number=numbers)
def test_numbers_count_to_twelve_digits(number):
    if number:
        assert of_number(number) != of_number(number * (1 + 1e-11))
        assert of_number(number) != of_number(-number)


def test_single_precision_counts_as_far_as_it_goes():
    values = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    assert of_array(values) == of_array(np.nextafter(values, np.float32(9)))
    assert of_array(values) != of_array(values * np.float32(1.1))


def test_arrays_together_count_in_units_of_the_largest():
    small, large = np.array([1e-9]), np.array([1.0, 2.0])
    assert of_arrays([small, large]) == of_arrays([small * (1 + 1e-5), large]) != of_arrays([2e3 * small, large])
    assert of_arrays([small, large]) != of_arrays([np.r_[small, large], np.zeros(0)])
    assert of_arrays([]) == of_arrays([])


@given(a=st.floats(1e-300, 1e300), b=st.floats(1e-300, 1e300))
def test_magnitudes_are_logarithms_but_for_a_bend(a, b):
    bent = magnitudes([a, -b, 0.0])
    assert np.abs(bent[:2] - np.log2([a, b])).max() < 0.0861  # largest of log2(1 + x) - x on [0, 1]
    assert (a < b) <= (bent[0] <= bent[1])
    assert bent[2] == LOG_OF_ZERO
