"""Public calls with wrong values: one line that names the argument, and nothing is allocated before it is refused."""

import time

import numpy as np
import pytest
import xarray as xr

import tnness
from tnness import Record
from tnness import spin_half as s
from tnness.engines.trajectories import Trajectories
from tnness.errors import TnnessError
from tnness.study.figure import plot
from tnness.study.verify import verify

CHAIN = tnness.find("xxz-driven")(n=3).problem()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: tnness.boson(10**9), "a site of 1000000001 levels"),
        (lambda: tnness.spin(10**9), "a site of 1000000001 levels"),
        (lambda: tnness.composite([tnness.spin(7)] * 3), "a site of 512 levels"),
        (lambda: tnness.composite([]), "joins quantum spaces"),
        (lambda: tnness.composite(s), r"composite\(\): parts = "),
        (lambda: tnness.string(s.Z, range(10**12)), "at most 10,000,000 values"),
        (lambda: tnness.power_law_sum(s.Z, s.Z, 10**6, 2.0), "more than 10,000,000 terms"),
        (lambda: tnness.power_law_sum(s.Z, s.Z, 3, "2"), "alpha = '2' is not a number"),
        (lambda: tnness.periodic(10**12), "from 3 to a million"),
        (lambda: tnness.ladder(10**6, 10**6), "at most a million sites"),
        (lambda: tnness.find("ssep")(n=10**18), "at most 1,000,000 sites"),
        (lambda: tnness.find("ssep")(n="4"), "n = '4' is not an integer"),
        (lambda: tnness.find("xxz-driven")(mu=s.Z(0)), "mu = .* is not a number"),
        (lambda: tnness.product_state([s, s], ["a", "b"]), r"matrices\[0\] = 'a' is not an array of numbers"),
        (lambda: tnness.product_state([s, s], [[1, 0], [[1], [0, 1]]]), "is not an array of numbers"),
        (lambda: tnness.local_temperature("hot", np.eye(2)), "rho = 'hot' is not an array of numbers"),
        (lambda: tnness.Observable("z"), "an observable: measure = 'z' is not a function"),
        (lambda: tnness.Observable(len, dims="site"), "an observable: dims = 'site' is not a list of strings"),
        (lambda: tnness.ChainState(3), "a list of tensors"),
        (lambda: tnness.ChainState(["a"]), "tensor 0"),
        (lambda: tnness.ChainGenerator(s, [], []), r"ChainGenerator\(\): spaces = "),
        (lambda: tnness.from_quimb(3), "mps = 3 is not a MatrixProductState"),
        (lambda: tnness.from_tenpy(3), "psi = 3 is not a MPS"),
        (lambda: tnness.register(3), "a model is registered under a name, got 3"),
        (lambda: tnness.register("none")(3), "a model is a class, got 3"),
        (lambda: tnness.register_truncation("none")(3), "is a function, got 3"),
        (lambda: tnness.LocalOperator("a", 3), "takes square matrices, got 3"),
        (lambda: tnness.LocalSpace("a", np.eye(2), {}), "elements"),
        (lambda: tnness.Operator(3), "a sum of terms"),
        (lambda: tnness.FactorisedHopping(1, 2), "couplings = 1 is not an array"),
        (lambda: tnness.Record(3), "a Dataset of xarray"),
        (lambda: tnness.Record.open(None), "path = None is not a string or a Path"),
        (lambda: s.Z(np.ones((3, 3))), "sites are integers from 0"),
        (lambda: Trajectories(realizations=10**10), "at most 1,000,000 go in one run"),
        (lambda: tnness.find("cavity")(levels=10**9), "levels = 1000000000: at most 5,000"),
        (lambda: Record.open("\ud800"), "no name of a file"),
        (lambda: tnness.Lindbladian([s] * 2).jump(s.Sm(0), xr.Dataset()), "a rate is a finite number"),
        (lambda: verify("a" * 5000), "no name of a file"),
        (lambda: tnness.status("a\0b"), "no name of a file"),
        (lambda: tnness.collect("a" * 5000), "no name of a file"),
        (lambda: plot("\ud800"), "no name of a file"),
        (lambda: tnness.find("a" * 5000 + ".py:A"), "no name of a file"),
        (lambda: tnness.sweep("ssep", store="a" * 5000), "no name of a file"),
        (lambda: tnness.ground_state(CHAIN, 1, chi=-1), "takes chi >= 1"),
        (lambda: tnness.ground_energy(CHAIN, 1e9), "3 sites takes 0 to 3 particles"),
        (lambda: tnness.Circuit(3, 4), "a circuit: spaces = 3 is not a list"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_before_anything_is_allocated(call, told):
    began = time.process_time()
    with pytest.raises(TnnessError, match=told) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 3  # quimb and TeNPy are imported on the way


def test_an_array_may_be_given_where_one_is_needed():
    assert tnness.product_state([s, s], np.array([[0.5, 0.5], [1.0, 0.0]])).n == 2
    assert tnness.product_state([s, s], (matrix for matrix in [np.eye(2) / 2] * 2)).n == 2
    assert tnness.composite((s, s)).levels == tnness.composite([s, s]).levels == 4


def test_numbers_beyond_any_size_are_refused_in_one_line():
    for call in (
        lambda: tnness.clock(1e300),
        lambda: tnness.power_law_sum(s.Z, s.Z, 4, alpha=1e300),
        lambda: tnness.renyi2_of_sites(range(10**12)),
        lambda: tnness.Piecewise([[1], [2]]),
        lambda: tnness.structure_factor(s.Z, "q"),
    ):
        with pytest.raises(TnnessError) as caught:
            call()
        assert "\n" not in str(caught.value)
