"""The plan of a sweep: its points, its seeds, and what makes two points the same."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnness import TEBD, Ask
from tnness.errors import InputError
from tnness.study.plan import Plan, canonical, disorder_seed, disorder_words
from tnness.typed import field_types


def points(plan):
    return [g.point(plan.root_seed, r) for g in plan.grid_points() for r in range(plan.realizations)]


def mbl(**changes):
    settings = {"model": "mbl-heisenberg", "parameters": {"n": 4}, "engine": "exact", "realizations": 2}
    settings |= {"grid": {"h": [1.0, 2.0], "eps": [0.1, 0.2]}, "independent": ("h",)}
    ask = {"seed": changes.pop("root_seed", 0)}
    ask |= {name: changes.pop(name) for name in list(changes) if name in field_types(Ask)}
    return Plan(**(settings | changes), ask=Ask(**ask))


def test_a_seed_is_what_it_is_said_to_be():
    digest = hashlib.sha256(np.array([2.0], "<f8").tobytes()).digest()
    words = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4)]
    expected = np.random.SeedSequence(7, spawn_key=(3, *words)).generate_state(1, np.uint64)[0]
    assert disorder_seed(7, 3, disorder_words([2.0])) == expected
    (found,) = {p.seed for p in points(mbl(root_seed=7, realizations=4)) if p.realization == 3 and p.values["h"] == 2}
    assert found == expected


def test_minus_zero_is_zero():
    assert disorder_words([-0.0]) == disorder_words([0.0])


def test_disorder_is_the_same_along_one_axis_and_its_own_along_the_other():
    seeds = {}
    for point in points(mbl()):
        seeds.setdefault((point.values["h"], point.realization), set()).add(point.seed)
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set.union(*seeds.values())) == 4


@given(st.permutations([1.0, 2.0, 3.0, 5.0]), st.integers(1, 4))
def test_seeds_do_not_depend_on_order_or_number(strengths, realizations):
    plan = mbl(grid={"eps": [0.1], "h": strengths}, realizations=realizations)
    known = {
        (p.values["h"], p.realization): (p.seed, p.key)
        for p in points(mbl(grid={"h": [1, 2, 3, 5], "eps": [0.1]}, realizations=4))
    }
    assert all(known[p.values["h"], p.realization] == (p.seed, p.key) for p in points(plan))


def test_whole_numbers_are_floats_and_order_of_independent_names_does_not_matter():
    first, second = (
        mbl(grid={"h": [h], "eps": [0.1]}, independent=names) for h, names in ((2, ("h", "n")), (2.0, ("n", "h")))
    )
    assert points(first) == points(second)


def test_what_changes_a_number_changes_the_key():
    keys = {
        points(mbl(**change))[0].key
        for change in (
            {},
            {"root_seed": 1},
            {"parameters": {"n": 5}},
            {"tolerance": 1e-4},
            {"times": (1.0,)},
            {"engine": "tebd"},
            {"engine": TEBD(chi=8)},
            {"max_time": 3.0},
            {"initial": "thermal:1"},
            {"measure": "a:b"},
            {"independent": ()},
        )
    }
    assert len(keys) == 11


def test_a_default_that_is_written_out_changes_nothing():
    assert points(mbl(parameters={"n": 4, "drive": "correlated"})) == points(mbl())


def test_settings_of_the_engine_are_axes_too():
    plan = mbl(engine=TEBD(order=2), grid={"chi": [8, 16], "eps": [0.1]})
    assert [plan.engine_at(p.values) for p in points(plan)][::2] == [TEBD(order=2, chi=8), TEBD(order=2, chi=16)]
    assert len({p.seed for p in points(plan)}) == 2


def test_a_list_of_points():
    listed = [{"h": 1.0, "eps": 0.1}, {"h": 2.0, "eps": 0.2}]
    assert [p.values for p in points(mbl(grid={}, points=listed, realizations=1))] == listed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"grid": {"hh": [1.0]}}, r"hh is no parameter .*did you mean 'h'"),
        ({"grid": {"h": []}}, "axis h takes one value or more"),
        ({"grid": {"h": [1, 1.0]}}, "each once"),
        ({"grid": {"n": [4]}}, "n is an axis of the grid and a fixed parameter"),
        ({"grid": {"h": ["x"], "eps": [0.1]}}, "h = 'x' is not a number"),
        ({"grid": {"realization": [1]}}, "an axis by itself"),
        ({"realizations": 0}, "realizations = 0: an integer >= 1"),
        ({"root_seed": -1}, "seed = -1: an integer >= 0"),
        ({"independent": ("hh",)}, "independent: the model has no parameter 'hh'"),
        ({"independent": ("drive",)}, "drive = 'correlated' is not a number"),
        ({"points": [{"h": 1.0}]}, "a grid or a list of points, not both"),
        ({"points": [{"h": 1.0, "eps": 0.1}, {"h": 1.0}], "grid": {}}, "every point of a list gives the same names"),
        ({"model": "mbl"}, "there is no model 'mbl'"),
        ({"engine": "transfer"}, "does not serve"),
    ],
)
def test_plans_that_are_none(change, told):
    with pytest.raises(InputError, match=told):
        points(mbl(**change))


def test_equal_values_have_equal_texts():
    assert canonical({"b": (1.0, np.float64(2)), "a": np.arange(2)}) == canonical({"a": [0, 1], "b": [1, 2]})
    assert canonical(0.1) != canonical(0.2)
