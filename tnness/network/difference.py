"""Differences of two states: matrix-product vectors whose trace is 0, and what is left of them on neighbouring sites.

Evolution is linear, so that the difference of two states evolves by itself; how fast it decays is how fast the chain
forgets which of the two it was in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_state import Array, ChainState

Real = NDArray[np.float64]

LARGEST_EXPONENT = 700.0
"""Largest x for which e^x and e^-x are numbers in double precision."""


def product_difference(first: Sequence[Real], second: Sequence[Real]) -> ChainState:
    """Return prod_i a_i - prod_i b_i: bond dimension 2, canonical at site 0.

    Parameters
    ----------
    first, second: one vector (D_i,) per site each.

    >>> up, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    >>> difference = product_difference([up, down, up], [down, up, up])
    >>> bool(abs(difference.dense().sum()) < 1e-15), difference.bond_dimensions
    (True, (2, 2))
    """
    last, tensors = len(first) - 1, []
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        tensor = np.zeros((2, len(a), 2))
        tensor[0, :, 0], tensor[1, :, 1] = a, b
        if i == 0:
            tensor = tensor.sum(axis=0, keepdims=True)
        if i == last:
            tensor = tensor[:, :, :1] - tensor[:, :, 1:]
        tensors.append(tensor)
    state = ChainState(tensors)
    state.canonicalise(0)
    return state


def neighbour_marginals(state: ChainState, trace: Sequence[Real]) -> tuple[list[Array], float]:
    """Return the coefficients of every two neighbours with the others traced out, and the trace of the whole.

    Both are those of the state itself: nothing is divided by the trace.

    Parameters
    ----------
    state: any state, a difference too. trace: one covector (D_i,) per site.

    Returns
    -------
    One array (D_i, D_{i+1}) per bond, and the trace.
    """
    traced = [np.tensordot(v, t, (0, 1)) for v, t in zip(trace, state.tensors, strict=True)]  # (left, right) each
    right: list[tuple[Array, int]] = [(np.ones(1), 0)]
    for matrix in reversed(traced[2:]):
        vector, power = right[-1]
        right.append(_scaled(matrix @ vector, power))
    (left, before), pairs = (np.ones(1), 0), []
    for bond, (after, behind) in enumerate(reversed(right)):
        first, second = state.tensors[bond], state.tensors[bond + 1]
        block = np.tensordot(np.tensordot(left, first, 1), second @ after, 1)  # (D_i, D_{i+1})
        pairs.append(_multiplied(block, state.log_norm, before + behind))
        left, before = _scaled(left @ traced[bond], before)
    return pairs, float(_multiplied((left @ traced[-1]) @ np.ones(1), state.log_norm, before))


def _scaled(vector: Array, power: int) -> tuple[Array, int]:
    """Return a vector with its largest element between 1/2 and 1, and what 2 to a power multiplied it by."""
    own = int(np.frexp(np.abs(vector).max())[1])
    return np.ldexp(vector, -own), power + own


def _multiplied(values: Array, logarithm: float, power: int) -> Array:
    """Return values times e^logarithm 2^power, neither of which need be a number in double precision."""
    if abs(logarithm) < LARGEST_EXPONENT:
        return np.ldexp(np.exp(logarithm) * values, power)
    return values * np.exp(logarithm + power * np.log(2))
