"""Trotter decompositions: the fractions add up, and errors fall with the order claimed."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.linalg as linalg
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import random_lindbladian
from tnness.errors import InputError
from tnness.network.trotter import FRACTIONS, Gates, layers
from tnness.operators.basis import spin_half, spin_one

orders = st.sampled_from(sorted(FRACTIONS))


@given(orders, st.integers(1, 7))
def test_each_half_of_the_bonds_is_evolved_for_the_whole_time(order, steps):
    total = [0.0, 0.0]
    parities = []
    for parity, fraction in layers(order, steps):
        total[parity] += fraction
        parities.append(parity)
    assert_allclose(total, steps, rtol=1e-14)
    assert all(a != b for a, b in pairwise(parities))
    assert len(parities) == steps * (len(FRACTIONS[order]) - 1) + 1  # steps in a row share a layer


@pytest.mark.parametrize("order", sorted(FRACTIONS))
def test_steps_are_the_same_backwards(order):
    assert_allclose(FRACTIONS[order], FRACTIONS[order][::-1], atol=1e-15)


def dense_layers(gates, dims, order, steps, dt, vector):
    """Apply the layers to a dense vector."""
    for parity, fraction in layers(order, steps):
        for i, gate in enumerate(gates.layer(parity, fraction * dt)):
            if gate is not None:
                before = int(np.prod(dims[:i]))
                vector = (gate @ vector.reshape(before, len(gate), -1)).ravel()
    return vector


@pytest.mark.parametrize(("order", "steps"), [(2, [16, 32, 64, 128]), (4, [4, 8, 16, 32])])
@pytest.mark.parametrize("spaces", [[spin_half] * 4, [spin_half, spin_one, spin_half]], ids=["spin-half", "unequal"])
def test_errors_fall_with_the_order_claimed(order, steps, spaces):
    generator = random_lindbladian(spaces, seed=3).generator()
    vector = np.random.default_rng(0).standard_normal(generator.dimension)
    time = 4.0 / generator.scale * (generator.n - 1)
    expected = linalg.expm(time * generator.matrix().toarray()) @ vector
    gates = Gates(generator.merged_bonds, np.dtype(float))
    errors = [
        linalg.norm(dense_layers(gates, generator.dims, order, count, time / count, vector) - expected)
        for count in steps
    ]
    slope = np.polyfit(np.log([time / count for count in steps]), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.15


def test_a_single_bond_has_no_trotter_error():
    generator = random_lindbladian([spin_half] * 2, seed=1).generator()
    gates = Gates(generator.merged_bonds, np.dtype(float))
    vector = np.random.default_rng(0).standard_normal(16)
    evolved = dense_layers(gates, generator.dims, 4, 2, 0.5, vector)
    assert_allclose(evolved, linalg.expm(generator.matrix().toarray()) @ vector, atol=1e-12)


def test_gates_are_exponentials_made_once():
    generator = random_lindbladian([spin_half] * 3, seed=2).generator()
    gates = Gates(generator.merged_bonds, np.dtype(np.float32))
    layer = gates.layer(1, 0.3)
    assert layer[0] is None
    assert layer[1] is not None
    assert layer[1].dtype == np.float32
    assert_allclose(layer[1], linalg.expm(0.3 * generator.merged_bonds[1]), atol=1e-5)
    assert gates.layer(1, 0.1 + 0.2) is layer  # 0.30000000000000004: equal but for round-off


def test_many_step_lengths_do_not_fill_the_memory():
    gates = Gates([np.zeros((4, 4))], np.dtype(float))
    for k in range(500):
        gates.layer(0, 0.1 + 0.01 * k)
    assert len(gates._kept) <= 65


def test_an_unknown_order_is_refused():
    with pytest.raises(InputError, match=r"Trotter order 3 is not known \(known: 2, 4\)"):
        list(layers(3, 1))
