"""One trajectory in three forms: correlation matrix, matrix-product density operator, density matrix."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tnness_models.conserving_gates as ensemble
from tnness.engines.circuits.network import LargeGates, Queue
from tnness.engines.exact import Exact
from tnness.engines.fermions.quadratic import NotQuadratic
from tnness.engines.gaussian import Gaussian
from tnness.engines.tebd import TEBD
from tnness.engines.transfer import Transfer
from tnness.errors import InputError, ModelError, Unavailable
from tnness.network.chain_state import ChainState
from tnness.observables.observable import Observable
from tnness.operators.basis import spin_half, spinless
from tnness.problems.circuit import Circuit
from tnness.problems.ensembles import mapped
from tnness.runs.solve import evolve, steady_state

FREE, ALL = ensemble.gates(0.6, 0.0), ensemble.gates(0.4, 0.4)
LEFT, RIGHT = [0.9, 0.1], [0.3, 0.7]
TIMES = [0.0, 0.5, 3.0, 8.0]


def views(law, engine, times=TIMES, seed=5, initial="product:01*010"):
    return list(engine.solve(law, initial=initial, times=times, seed=seed).views)


def agree(ours, theirs, names=("density", "correlation"), tolerance=1e-10):
    for (at, one), (also_at, other) in zip(ours, theirs, strict=True):
        assert at == also_at
        for name in names:
            assert_allclose(getattr(one, name), getattr(other, name), atol=tolerance)
        for a, b in ((0, 6), (0, 3), (2, 5)):
            assert_allclose(one.entropy(range(a, b)), other.entropy(range(a, b)), atol=1e-9)
            assert_allclose(one.renyi2(range(a, b)), other.renyi2(range(a, b)), atol=tolerance)
        left, right = range(3), range(3, 6)
        first, second = (view.negativity(left, right) for view in (one, other))
        assert_allclose(first, second, atol=1e-7)  # the root of round-off where modes are pure


@pytest.mark.parametrize("placement", ["random", "layers"])
def test_network_equals_gaussian_equals_dense_gate_by_gate(placement):
    """L = 6, full chi, free-fermion gates: to 1e-10."""
    law = Circuit([spin_half] * 6, FREE, LEFT, RIGHT, placement=placement)
    dense = views(law, Exact())
    agree(views(law, Gaussian()), dense)
    agree(views(law, TEBD(chi=64)), dense)
    agree(views(law, TEBD(chi=64, method="svd")), dense)


def test_with_interactions_network_equals_dense():
    law = Circuit([spin_half] * 6, ALL, LEFT, RIGHT)
    agree(views(law, TEBD(chi=64)), views(law, Exact()))


def test_fermions_by_name_are_the_same():
    """spinless sites: level 1 is the particle, gates act in the order 00, 01, 10, 11."""
    spins = Circuit([spin_half] * 6, FREE, LEFT, RIGHT)
    fermions = Circuit([spinless] * 6, mapped(FREE, lambda u: u[..., ::-1, ::-1]), LEFT[::-1], RIGHT[::-1])
    other = views(fermions, Gaussian(), initial="product:10*101")
    agree(views(spins, Gaussian()), other)
    agree(views(fermions, Exact(), initial="product:10*101"), other)


def test_closed_ends_keep_the_particles():
    law = Circuit([spin_half] * 6, ALL)
    for engine in (Exact(), TEBD()):
        found = [view.density.sum() for _, view in views(law, engine)]
        assert_allclose(found, 3.5, atol=1e-12)


def test_resets_and_noise():
    """A reset behind every gate leaves the level it resets to on every site; noise is seen half-way."""
    reset = np.array([[[0, 0], [1, 0]], [[0, 0], [0, 1]]])
    law = Circuit([spin_half] * 6, ALL, LEFT, RIGHT, channel=reset)
    for engine in (Exact(), TEBD()):
        assert_allclose(views(law, engine)[-1][1].density, 0, atol=1e-12)
    half = Circuit([spin_half] * 6, ALL, LEFT, RIGHT, channel=np.array([np.eye(2), np.diag([1, -1])]) / np.sqrt(2))
    agree(views(half, TEBD(chi=64)), views(half, Exact()), names=("density", "correlation"))
    assert_allclose(views(half, Exact())[-1][1].correlation, np.diag(views(half, Exact())[-1][1].density))


def test_a_truncated_network_is_close_and_says_what_it_dropped():
    law = Circuit([spin_half] * 6, ALL, [0.6, 0.4], [0.4, 0.6])
    times = list(range(1, 21))
    dense, rough = views(law, Exact(), times, initial=None), TEBD(chi=24).solve(law, times=times, seed=5)
    for (_, one), (_, other) in zip(dense, rough.views, strict=True):
        assert_allclose(one.density, other.density, atol=2e-3)
    assert 0 < rough.figures["weight_dropped"] < 1e-2
    assert rough.figures["bond_dimension"] == 24
    worse = TEBD(chi=4).solve(law, times=[0.0, 30.0], seed=5)
    list(worse.views)
    assert worse.verdict == "truncation dominates: raise --chi"


def test_gates_that_wait():
    queue = Queue([0, 1, 3, 1, 2], [np.array([[k]]) for k in (2, 3, 5, 7, 11)], 3)
    assert queue.take(1) is None  # behind the gate on bond 0
    assert [None if m is None else m.item() for m in map(queue.take, (0, 1, 2, 3, 2))] == [2, 21, None, 5, 11]
    assert not queue


def test_splits_of_large_gates():
    rng = np.random.default_rng(0)
    truncation = LargeGates(chi=12)
    for shape in ((8, 40), (40, 12), (12, 12)):
        matrix = rng.standard_normal(shape)
        split = truncation.split(matrix, None, rng)
        assert_allclose(split.isometry @ split.remainder, matrix, atol=1e-13)
        assert_allclose(split.isometry.T @ split.isometry, np.eye(split.isometry.shape[1]), atol=1e-13)
    low = rng.standard_normal((40, 10)) @ rng.standard_normal((10, 40))  # ten times the rank of its guess
    split = truncation.split(low, rng.standard_normal((1, 40)), rng)
    assert_allclose(split.isometry @ split.remainder, low, atol=1e-12)


def test_what_the_gaussian_engine_refuses():
    def begin(law, initial=None):
        return Gaussian().solve(law, initial=initial)

    with pytest.raises(NotQuadratic, match=r"takes gates of free fermions: a gate makes particles interact.*tebd"):
        begin(Circuit([spin_half] * 4, ALL, LEFT, RIGHT))
    with pytest.raises(ModelError, match="measurements and noise leave no Gaussian state"):
        begin(Circuit([spin_half] * 4, FREE, LEFT, RIGHT, channel=[np.eye(2)]))
    with pytest.raises(ModelError, match="the right one has some"):
        begin(Circuit([spin_half] * 4, FREE, LEFT, np.full((2, 2), 0.5)))
    with pytest.raises(ModelError, match="starts from sites without coherences"):
        begin(Circuit([spin_half] * 4, FREE, LEFT, RIGHT), np.full((4, 2, 2), 0.5))
    with pytest.raises(InputError, match=r"Hermitian of shape \(4, 4\)"):
        begin(Circuit([spin_half] * 4, FREE, LEFT, RIGHT), np.eye(3))


def test_what_the_others_refuse():
    law = Circuit([spin_half] * 4, FREE, LEFT, RIGHT)
    with pytest.raises(InputError, match="solves a TransferChain, not a Circuit"):
        Transfer().solve(law)
    with pytest.raises(InputError, match="no time step"):
        TEBD(dt=0.1).solve(law)
    with pytest.raises(InputError, match=r"up to 1,100,000 dimensions, this chain has 10\^7.2: use 'tebd'"):
        Exact().solve(Circuit([spin_half] * 12, FREE, LEFT, RIGHT))
    with pytest.raises(InputError, match=r"one level per site \(4\)"):
        Exact().solve(law, initial="product:01")
    with pytest.raises(InputError, match=r"local dimensions \(4, 4, 4\), the problem \(4, 4, 4, 4\)"):
        TEBD().solve(law, initial=ChainState.product([np.ones(4)] * 3))


def test_regions_too_large_to_diagonalise_are_left_out():
    law = Circuit([spin_half] * 12, FREE, LEFT, RIGHT)
    (_, view), *_ = TEBD(chi=8).solve(law, times=[0.0]).views
    with pytest.raises(Unavailable, match="entropy of 12 sites"):
        view.entropy()
    with pytest.raises(Unavailable, match="negativity of 12 sites"):
        view.negativity(range(6), range(6, 12))
    assert view.entropy(range(4)) == pytest.approx(4 * np.log(2))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A model of these tests."""

    steps: int = 2000

    engines: ClassVar[tuple[str, ...]] = ("exact", "tebd", "gaussian")

    def problem(self) -> Circuit:
        return Circuit([spin_half] * 3, FREE, LEFT, RIGHT, steps=self.steps, settle=200, every=5)

    def observables(self) -> dict[str, Observable]:
        return {
            "density": Observable(lambda v: v.density, dims=("site",)),
        }


def test_a_steady_state_is_an_average_over_time():
    record = steady_state(Measured(), seed=4)
    series = evolve(Measured(), list(np.arange(205, 2001, 5) / 4), seed=4)["density"]
    assert_allclose(record["density"], series.mean("time"), atol=1e-12)
    assert record.outcome == "converged"
    assert (record["density_error"] > 0).all()
    assert record.certificate.further["samples"] == 360
    mean = 0.9 - 0.6 * np.arange(1, 4) / 4
    assert np.abs((record["density"] - mean) / record["density_error"]).max() < 4


def test_a_short_trajectory_is_not_called_converged():
    record = steady_state(Measured(steps=260))
    assert record.outcome == "the error of density has not levelled off: raise steps"
    assert "density_error" not in record.dataset
