"""Density operators given as matrix-product operators or dense matrices, in the operator basis of a chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tnness.errors import InputError
from tnness.network.chain_state import Array, ChainState, product_overlap
from tnness.network.product_sum import LOSSLESS, as_pairs
from tnness.network.truncation import Truncation
from tnness.operators.basis import LocalSpace, coefficients, oddness
from tnness.typed import typed

HERMITIAN_TOLERANCE = 1e-7
"""Largest anti-Hermitian part of a given density operator, relative to the whole, that counts as round-off."""


@typed
def density_from_operator(tensors: Sequence[Any], spaces: Sequence[LocalSpace]) -> ChainState:
    """Return a density operator given as a matrix-product operator, with trace 1, canonical at site 0.

    Parameters
    ----------
    tensors: one array (left, d, d, right) per site, output (ket) before input (bra); the outer bonds have size 1. On
        sites with fermions they are those of a Jordan-Wigner matrix.
    spaces: the local space of each site; classical ones keep the probabilities only.

    Raises
    ------
    InputError: dimensions that do not fit, an operator that is not Hermitian or has no positive trace. Whether it is
        positive is not tested.

    >>> from tnness.operators.basis import spin_half as s
    >>> density_from_operator([np.eye(2).reshape(1, 2, 2, 1)] * 3, [s] * 3).bond_dimensions
    (1, 1)
    """
    arrays = [np.asarray(tensor) for tensor in tensors]
    needed = [space.levels for space in spaces]
    if [a.shape[1:3] if a.ndim == 4 else a.shape for a in arrays] != [(d, d) for d in needed]:
        shapes = [a.shape for a in arrays]
        raise InputError(
            f"a matrix-product operator of {len(needed)} sites with levels {needed} has tensors (left, d, d, right), "
            f"got shapes {shapes}"
        )
    graded = any(space.graded for space in spaces)
    converted = [_converted(a, space, graded) for a, space in zip(arrays, spaces, strict=True)]
    if graded:  # all elements together are even
        converted[0], converted[-1] = converted[0][:1], converted[-1][:, :, :1]
    state = ChainState(converted)
    state.canonicalise(0)
    if state.dtype.kind == "c":
        state = _real_part(state)
    return _with_trace_1(state, spaces)


@typed
def density_from_matrix(matrix: ArrayLike, spaces: Sequence[LocalSpace]) -> ChainState:
    """Return a dense density matrix (prod d, prod d), first site major, with trace 1, canonical at site 0.

    Raises
    ------
    InputError: a wrong shape, a matrix that is not Hermitian or has no positive trace, or an odd part with fermions.
    """
    given, size = np.asarray(matrix), math.prod(space.levels for space in spaces)
    if given.shape != (size, size):
        raise InputError(f"a density matrix of this chain has shape ({size}, {size}), but has shape {given.shape}")
    if np.abs(given - given.conj().T).max() > HERMITIAN_TOLERANCE * np.abs(given).max():
        raise InputError("the density matrix is not Hermitian")
    vector = coefficients(given, spaces).ravel()
    if np.linalg.norm(vector[oddness(spaces)]) > HERMITIAN_TOLERANCE * np.linalg.norm(vector):
        raise InputError("the density matrix superposes even and odd numbers of fermions, which no state does")
    state = ChainState.from_dense(vector, [space.dim for space in spaces])
    state.canonicalise(0)
    return _with_trace_1(state, spaces)


def _converted(tensor: Array, space: LocalSpace, graded: bool) -> Array:
    """Return Tr(E_a^+ W): (left, D, right), on a chain without fermions.

    With fermions its bonds also tell whether all elements to their right are odd together, which puts a string here.
    """
    if not graded:
        return np.einsum("aij,lijr->lar", space.elements.conj(), tensor)
    left, right = tensor.shape[0], tensor.shape[-1]
    result = np.zeros((2, left, space.dim, 2, right), complex)
    for after in (0, 1):
        elements = space.elements @ space.parity if after and space.parity is not None else space.elements
        whole = np.einsum("aij,lijr->lar", elements.conj(), tensor)
        for odd in (0, 1):
            chosen = space.grading == bool(odd)
            result[odd ^ after, :, chosen, after] = whole[:, chosen].transpose(1, 0, 2)
    return result.reshape(2 * left, space.dim, 2 * right)


def _real_part(state: ChainState) -> ChainState:
    """Return the same state with real tensors; refuse one that is not real."""
    last = state.n - 1
    pairs = [as_pairs(tensor, i == 0, i == last) for i, tensor in enumerate(state.tensors)]
    real = ChainState(pairs, None, state.log_norm)
    real.compress(Truncation(chi=10**9, cutoff=LOSSLESS, method="svd"))
    lost = 1 - math.exp(real.log_norm_squared() - state.log_norm_squared())
    if lost > HERMITIAN_TOLERANCE**2 + 1e-13:
        raise InputError("the density operator is not Hermitian")
    return real


def _with_trace_1(state: ChainState, spaces: Sequence[LocalSpace]) -> ChainState:
    mantissa, logarithm = product_overlap(state, [space.trace for space in spaces])
    if not mantissa.real > 0:
        raise InputError(
            f"the trace of the density operator is {mantissa.real * math.exp(logarithm):.3g}, not positive"
        )
    state.log_norm -= math.log(mantissa.real) + logarithm
    return state
