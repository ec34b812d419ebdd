"""Digests of plain values, containers and dataclasses."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tnness.digest.content import LENGTH, digest
from tnness.operators.basis import spin_half as s
from tnness.operators.basis import spin_one

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


@dataclass(frozen=True)
class Pair:
    left: object
    right: object = None


class Colour(Enum):
    RED = 1
    BLUE = 2


@given(tree=trees)
def test_equal_values_have_equal_digests(tree):
    def rebuilt(value):
        if isinstance(value, dict):
            return {key: rebuilt(value[key]) for key in reversed(value)}
        return tuple(map(rebuilt, value)) if isinstance(value, list) else value

    assert digest(tree) == digest(rebuilt(tree))
    assert digest(tree) != digest([tree])
    assert len(digest(tree)) == LENGTH


def test_different_values_have_different_digests():
    distinct = [
        None,
        True,
        False,
        0,
        1,
        1.0,
        1j,
        "1",
        b"1",
        (),
        (1,),
        ((1,),),
        {},
        {"a": 1},
        {"a": 2},
        {1, 2},
        range(3),
    ]
    distinct += [Pair(1), Pair(1, 2), Colour.RED, Colour.BLUE, np.ones(1), np.ones((1, 1)), int, float, np.sin, ...]
    distinct += [s, spin_one, s.X, s.Z, s.X(0), s.X(1), [s.X(0), s.X(1)], np, slice(3), ["ab", "c"], ["a", "bc"]]
    distinct += [np.datetime64("2020-01-01"), np.array(["a"]), np.array([None, 1.0], object), object()]
    assert len({digest(value) for value in distinct}) == len(distinct)


def test_digests_take_round_off_for_what_it_is():
    third = [0.1 + 0.2] * 20
    assert digest(third) == digest([0.3] * 20) != digest([0.3] * 19)
    assert digest(Pair(0.1 + 0.2)) == digest(Pair(0.3)) != digest(Pair(0.31))
    assert digest(np.float64(0.3)) == digest(0.3)
    assert digest(np.int64(3)) == digest(3)


def test_many_values_are_not_one_after_the_other():
    assert digest(1, 2) != digest((1, 2)) != digest(2, 1)


def test_an_object_shared_twice_counts_like_two_equal_ones():
    shared = [1.0, "a"]
    assert digest(shared, shared) == digest([1.0, "a"], [1.0, "a"])
