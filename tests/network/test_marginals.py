"""Truncation that keeps local marginals: they stay, whatever is dropped, and the rest is near the optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from chains import seeds
from tnness.network.chain_state import ChainState
from tnness.network.chain_view import ChainView
from tnness.network.marginals import Kept
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation
from tnness.operators.basis import spin_half

TRACE = [spin_half.trace] * 6


def random_state(seed, chi=24, n=6):
    """Near the identity, so that its trace is not lost in its norm, with long-ranged correlations."""
    rng = np.random.default_rng(seed)
    edges = [min(4**i, 4 ** (n - i), chi) for i in range(n + 1)]
    tensors = [0.3 * rng.standard_normal((edges[i], 4, edges[i + 1])) for i in range(n)]
    state = ChainState(tensors)
    vector = state.dense() / np.linalg.norm(state.dense())
    one = ChainState.product([spin_half.trace] * n).dense()
    return ChainState.from_dense(one / np.linalg.norm(one) + 0.5 * vector, (4,) * n)


def pairs(state):
    """The reduced state of every two neighbours."""
    view = ChainView(state, [spin_half] * state.n, {"trace": TRACE})
    return np.array([view.pair(bond) for bond in range(state.n - 1)])


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(10, 15), st.integers(0, 1), st.booleans(), st.integers(0, 1))
def test_a_sweep_keeps_every_two_site_marginal(seed, chi, power, leftwards, parity):
    state = random_state(seed)
    state.canonicalise(state.n - 1 if leftwards else 0)
    before = pairs(state)
    gates = [np.eye(16) if bond % 2 == parity else None for bond in range(state.n - 1)]
    method = Truncation(chi=chi, method="marginals", power=power)
    discarded, _ = sweep_layer(state, gates, method, np.random.default_rng(seed), TRACE)
    assert discarded > 1e-6
    assert max(state.bond_dimensions[parity::2]) <= chi
    assert_allclose(pairs(state), before, atol=1e-12)


def test_plain_truncation_does_not():
    state = random_state(3)
    state.canonicalise(0)
    before = pairs(state)
    gates = [np.eye(16) if bond % 2 == 0 else None for bond in range(5)]
    sweep_layer(state, gates, Truncation(chi=12), np.random.default_rng(3), TRACE)
    assert np.abs(pairs(state) - before).max() > 1e-4


@settings(max_examples=20)
@given(seeds, st.integers(6, 12), st.booleans())
def test_a_split_keeps_what_it_is_told_to_and_drops_little_more_than_it_must(seed, chi, warm):
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(2))
    matrix = (u * 0.4 ** np.arange(20)) @ v.T
    kept = Kept(rng.standard_normal((20, 2)), rng.standard_normal((20, 2)))
    guess = (v[:, :chi] + 1e-3 * rng.standard_normal((20, chi))).T if warm else None
    split = Truncation(chi=chi, method="marginals", power=1).split(matrix, guess, rng, kept)
    assert split.isometry.shape == (20, chi)
    assert_allclose(split.isometry.T @ split.isometry, np.eye(chi), atol=1e-12)
    change = matrix - split.isometry @ split.remainder
    assert_allclose(kept.rows.T @ change, 0, atol=1e-12)
    assert_allclose(change @ kept.columns, 0, atol=1e-12)
    dropped = np.linalg.norm(change) ** 2 / np.linalg.norm(matrix) ** 2
    assert split.discarded == pytest.approx(dropped, rel=1e-6, abs=1e-15)
    singular = 0.4 ** np.arange(20)
    least = np.sum(singular[chi - 4 :] ** 2) / np.sum(singular**2)
    assert dropped <= 1.5 * least + 1e-15  # 4 columns are taken; the others do as well as the best that are left


def test_a_bond_without_room_for_what_is_kept_is_split_plainly():
    state, gates = random_state(1), [None, None, np.eye(16), None, None]
    state.canonicalise(0)
    other = state.copy()
    for chain, method in ((state, "marginals"), (other, "cholesky-qr")):
        sweep_layer(chain, gates, Truncation(chi=8, method=method), np.random.default_rng(0), TRACE)
    assert_allclose(state.dense(), other.dense(), atol=1e-12)
