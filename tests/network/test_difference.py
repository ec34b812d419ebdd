"""Neighbours of a state with the others traced out, of chains whose norms are beyond double precision."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tnness.network.chain_state import ChainState
from tnness.network.difference import neighbour_marginals, product_difference


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_long_chains_keep_their_marginals(size):
    """Products of 400 factors: 1e-1200 and 1e1200 are no numbers in double precision."""
    local = size * np.array([0.75, 0.25])
    state = ChainState.product([local] * 400)
    state.log_norm -= 400 * np.log(size)
    pairs, whole = neighbour_marginals(state, [np.ones(2)] * 400)
    assert_allclose(whole, 1.0, rtol=1e-10)
    assert_allclose(pairs, [np.outer([0.75, 0.25], [0.75, 0.25])] * 399, rtol=1e-10)


def test_short_chains_too():
    up, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    pairs, whole = neighbour_marginals(product_difference([up, down, up], [down, up, up]), [np.ones(2)] * 3)
    assert abs(whole) < 1e-15
    assert_allclose(pairs, [[[0, 1], [-1, 0]], [[-1, 0], [1, 0]]], atol=1e-14)
