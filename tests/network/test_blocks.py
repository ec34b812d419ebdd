"""Sweeps block by block: the same states as without charges, and the charges read back from the zeros."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tnness import TEBD, find
from tnness.model.protocol import generator_of
from tnness.network.blocks import ChargedState
from tnness.network.chain_state import ChainState
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation
from tnness.operators.charges import Charges

N, D = 6, 3
CHARGES = Charges([[[-1], [0], [1]]] * N, [0])


def conserving_gates(rng):
    """Random two-site matrices that conserve the charge, on even and on odd bonds."""
    total = np.add.outer([-1, 0, 1], [-1, 0, 1]).ravel()
    blocks = (total[:, None] == total[None, :]).astype(float)
    gates = [np.eye(9) + 0.5 * blocks * rng.standard_normal((9, 9)) for _ in range(N - 1)]
    return [[g if i % 2 == parity else None for i, g in enumerate(gates)] for parity in (0, 1)]


def neutral():
    return ChainState.product([np.eye(3)[k] for k in (0, 2, 1, 2, 0, 1)])


@pytest.mark.parametrize("layers", [1, 2, 7])
def test_sweeps_equal_sweeps_without_charges(layers):
    rng = np.random.default_rng(3)
    gates, truncation = conserving_gates(rng), Truncation(chi=100, method="svd", cutoff=1e-26)
    charged, plain = ChargedState.adapted(neutral(), CHARGES), neutral()
    for layer in range(layers):
        charged.sweep(gates[layer % 2], truncation)
        sweep_layer(plain, gates[layer % 2], truncation, rng)
    assert_allclose(charged.state.dense(), plain.dense(), atol=1e-11 * np.abs(plain.dense()).max())
    assert charged.state.bond_dimensions == plain.bond_dimensions


def test_truncation_discards_what_an_svd_of_the_whole_discards():
    rng = np.random.default_rng(4)
    gates = conserving_gates(rng)
    charged, plain = ChargedState.adapted(neutral(), CHARGES), neutral()
    plain.move_centre(N - 1)  # both sweep the same way
    for layer in range(6):
        truncation = Truncation(chi=8, method="svd", cutoff=0.0)
        found = charged.sweep(gates[layer % 2], truncation)
        expected = sweep_layer(plain, gates[layer % 2], truncation, rng)
        assert found[0] == pytest.approx(expected[0], rel=1e-9, abs=1e-13)
        charged.state.normalise()
        plain.normalise()
    assert max(charged.state.bond_dimensions) == 8
    assert_allclose(charged.state.dense(), plain.dense(), atol=1e-10 * np.abs(plain.dense()).max())


@pytest.mark.parametrize("layers", [0, 1, 4])
def test_charges_are_read_back_from_the_zeros(layers):
    charged, gates = ChargedState.adapted(neutral(), CHARGES), conserving_gates(np.random.default_rng(6))
    for layer in range(layers):
        charged.sweep(gates[layer % 2], Truncation(chi=8, method="svd"))
    read = ChargedState.read(charged.state, CHARGES)
    for own, found in zip(charged.labels, read.labels, strict=True):
        assert_array_equal(own, found)


def test_any_gauge_of_a_state_of_definite_charge_is_taken():
    charged, gates = ChargedState.adapted(neutral(), CHARGES), conserving_gates(np.random.default_rng(7))
    for layer in range(4):
        charged.sweep(gates[layer % 2], Truncation(chi=50, method="svd"))
    dense = charged.state.dense()
    mixed = ChainState.from_dense(dense, (D,) * N)
    assert ChargedState.read(mixed, CHARGES) is None
    adapted = ChargedState.adapted(mixed, CHARGES)
    assert_allclose(adapted.state.dense(), dense, atol=1e-12 * np.abs(dense).max())
    assert ChargedState.read(adapted.state, CHARGES) is not None


def test_a_state_without_a_definite_charge_is_left_alone():
    assert ChargedState.adapted(ChainState.product([np.ones(3)] * N), CHARGES) is None


def test_sectors_that_nothing_completes_are_dropped():
    charged, gates = ChargedState.adapted(neutral(), CHARGES), conserving_gates(np.random.default_rng(8))
    for layer in range(3):
        charged.sweep(gates[layer % 2], Truncation(chi=50, method="svd"))
    dense = charged.state.dense()
    stray = dense.reshape((D,) * N).copy()
    stray[2, 2, 2, 2, 2, 2] = 1e-14 * np.linalg.norm(dense)  # round-off with another total charge
    adapted = ChargedState.adapted(ChainState.from_dense(stray, (D,) * N), CHARGES)
    for layer in range(3):
        for state in (charged, adapted):
            state.sweep(gates[layer % 2], Truncation(chi=100, method="svd"))
    expected = charged.state.dense()
    assert_allclose(adapted.state.dense(), expected, atol=1e-9 * np.abs(expected).max())


def test_an_interrupted_run_goes_on_to_the_same_numbers():
    model = find("replica-abc")(n=5, order="second")
    generator, settings = generator_of(model), TEBD(chi=20, dt=0.5, schedule=())
    whole = settings.init(generator, model.initial_state("tebd"))
    for _ in range(6):
        whole.step()
    part = settings.init(generator, model.initial_state("tebd"))
    for _ in range(3):
        part.step()
    part = settings.restore(generator, part.save())
    for _ in range(3):
        part.step()
    for own, found in zip(whole.state.tensors, part.state.tensors, strict=True):
        assert_array_equal(own, found)
