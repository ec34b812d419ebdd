"""Both halves of a chain swept at once: against one sweep over the whole, and against dense products of gates."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tnness.errors import NumericalError, TnnessError
from tnness.network.chain_state import ChainState
from tnness.network.halves import Halves, divided
from tnness.network.partner import Partner
from tnness.network.sweep import sweep_layer
from tnness.network.truncation import Truncation


@pytest.fixture(scope="module")
def partner():
    process = Partner()
    yield process
    process.close()


def random_state(rng, dims, chi):
    """A random chain with bonds of up to chi."""
    n = len(dims)
    largest = [min(chi, int(np.prod(dims[:i])), int(np.prod(dims[i:]))) for i in range(n + 1)]
    state = ChainState([rng.normal(size=(largest[i], dims[i], largest[i + 1])) for i in range(n)])
    state.canonicalise(0)
    return state


def random_layer(rng, dims, parity):
    """Gates near 1 that are not isometric."""
    sizes = [a * b for a, b in pairwise(dims)]
    return [
        np.eye(size) + 0.2 * rng.normal(size=(size, size)) if i % 2 == parity else None for i, size in enumerate(sizes)
    ]


def applied(vector, dims, gates):
    """A layer on a dense vector, by the test's own code."""
    for i, gate in enumerate(gates):
        if gate is not None:
            before, pair = int(np.prod(dims[:i])), dims[i] * dims[i + 1]
            vector = np.einsum("ab,xbz->xaz", gate, vector.reshape(before, pair, -1)).ravel()
    return vector


def rngs(*seed):
    return np.random.default_rng(seed).spawn(3)


@given(
    seed=st.integers(0, 10**6),
    dims=st.lists(st.integers(2, 4), min_size=4, max_size=6),
    parities=st.lists(st.integers(0, 1), min_size=1, max_size=5),
    chi=st.integers(1, 64),
)
def test_layers_without_truncation_are_products_of_matrices(seed, dims, parities, chi):
    """Any order of layers, and any number of them: an odd one leaves the centre to be brought back."""
    rng = np.random.default_rng(seed)
    state = random_state(rng, dims, chi)
    expected, halves = state.dense(), Halves(state, Truncation(chi=10**4, cutoff=1e-26, method="svd"))
    for number, parity in enumerate(parities):
        gates = random_layer(rng, dims, parity)
        expected = applied(expected, dims, gates)
        halves.sweep(gates, rngs(seed, number))
    joined = halves.joined()
    np.testing.assert_allclose(joined.dense(), expected, atol=1e-9 * np.linalg.norm(expected))
    assert joined.centre == len(dims) // 2
    again = joined.copy()
    again.centre = None
    again.canonicalise(joined.centre)  # in a canonical form the norm is that of the centre
    assert again.log_norm_squared() == pytest.approx(joined.log_norm_squared(), abs=1e-9)


def test_truncation_loses_what_a_sweep_over_the_whole_chain_loses():
    rng = np.random.default_rng(3)
    dims, truncation = [4] * 8, Truncation(chi=12, power=1)
    whole = random_state(rng, dims, 2)
    halves, exact = Halves(whole, truncation), whole.dense()
    lost = [0.0, 0.0]
    for number in range(6):
        gates = [None if g is None else np.eye(16) + (g - np.eye(16)) / 4 for g in random_layer(rng, dims, number % 2)]
        exact = applied(exact, dims, gates)
        lost[0] += sweep_layer(whole, gates, truncation, np.random.default_rng(number))[0]
        lost[1] += halves.sweep(gates, rngs(number))[0]
    errors = [np.linalg.norm(state.dense() - exact) / np.linalg.norm(exact) for state in (whole, halves.joined())]
    assert 1e-3 < errors[0] < 0.5
    assert errors[1] < 1.3 * errors[0]
    assert lost[1] < 1.3 * lost[0]


def test_the_other_process_gives_the_same_numbers_bit_for_bit(partner):
    rng = np.random.default_rng(5)
    dims, truncation = [2, 3, 4, 2, 3, 2], Truncation(chi=6)
    state, layers = random_state(rng, dims, 6), [random_layer(rng, dims, k % 2) for k in range(5)]
    found = []
    for right in (None, partner):
        halves = Halves(state, truncation, right)
        weights = [halves.sweep(gates, rngs(number)) for number, gates in enumerate(layers)]
        found.append((weights, halves.joined()))
    assert found[0][0] == found[1][0]
    for here, there in zip(found[0][1].tensors, found[1][1].tensors, strict=True):
        np.testing.assert_array_equal(here, there)


def test_a_centre_of_small_rank_divides_what_is_in_its_range():
    rng = np.random.default_rng(7)
    left, right = np.linalg.qr(rng.normal(size=(6, 6)))[0], np.linalg.qr(rng.normal(size=(6, 6)))[0]
    centre = left @ np.diag([1.0, 1e-3, 1e-6, 1e-9, 0.0, 0.0]) @ right
    images = centre @ rng.normal(size=(6, 4))
    np.testing.assert_allclose(centre @ divided(centre, images), images, atol=1e-15)


def test_an_error_in_the_other_process_is_raised_here_and_the_next_step_begins_anew(partner):
    rng = np.random.default_rng(9)
    dims, truncation = [2] * 6, Truncation(chi=4)
    state, gates = random_state(rng, dims, 4), random_layer(rng, dims, 0)
    bad = [*gates[:-1], np.full((4, 4), np.nan)]
    with pytest.raises(NumericalError, match="not finite"):
        Halves(state, truncation, partner).sweep(bad, rngs(1))
    halves = Halves(state, truncation, partner)
    halves.sweep(gates, rngs(1))
    assert np.isfinite(halves.joined().dense()).all()


def test_a_process_that_was_killed_is_told():
    rng, other = np.random.default_rng(11), Partner()
    dims = [2] * 6
    halves = Halves(random_state(rng, dims, 4), Truncation(chi=4), other)
    other._process.kill()
    other._process.wait()
    with pytest.raises(TnnessError, match="second process of this run has ended"):
        halves.sweep(random_layer(rng, dims, 0), rngs(0))
    other.close()
