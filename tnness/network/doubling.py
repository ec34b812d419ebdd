"""Pure states as density operators: |psi><psi| in the operator basis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import opt_einsum

from tnness.errors import InputError
from tnness.network.chain_state import Array, ChainState
from tnness.network.truncation import Truncation, kept_rank, safe_svd
from tnness.operators.basis import LocalSpace
from tnness.typed import typed


@typed
def density_from_pure(
    pure: ChainState, spaces: Sequence[LocalSpace], truncation: Truncation | None = None
) -> ChainState:
    """Return |psi><psi|, normalised, as a matrix-product state in the operator basis of `spaces`.

    Parameters
    ----------
    pure: amplitudes of |psi>, n tensors (left, d, right), real or complex.
    spaces: the local space of each site; classical ones keep the probabilities only.
    truncation: of the doubled bonds, whose exact size is chi^2 (the default drops nothing but round-off).

    Raises
    ------
    InputError: the levels of state and spaces differ.
    """
    levels = tuple(space.levels for space in spaces)
    if pure.dims != levels:
        raise InputError(f"the pure state has {pure.dims} levels, the spaces have {levels}")
    truncation = truncation or Truncation(chi=10**9, cutoff=1e-28, method="svd")
    psi = pure.copy()
    psi.canonicalise(0)
    carry, tensors = np.ones((1, 1, 1)), []
    for i, (tensor, space) in enumerate(zip(psi.tensors, spaces, strict=True)):
        double = _doubling(carry.shape, tensor.shape, space.elements.shape)
        theta = double(carry, tensor, tensor.conj(), space.elements)  # (left, a, r, r'), Hermitian in r, r'
        left, dim, right, _ = theta.shape
        matrix = _real_bond(theta).reshape(left * dim, right**2)
        if i == psi.n - 1:
            tensors.append(matrix.reshape(left, dim, 1))
            break
        u, s, vt, _ = safe_svd(matrix)
        rank = kept_rank(s, truncation.chi, truncation.cutoff)
        tensors.append(np.ascontiguousarray(u[:, :rank]).reshape(left, dim, rank))
        carry = _hermitian_bond(s[:rank, None] * vt[:rank])
    result = ChainState(tensors, centre=psi.n - 1)
    result.canonicalise(0)
    return result


@cache
def _doubling(carry: tuple[int, ...], tensor: tuple[int, ...], elements: tuple[int, ...]) -> Any:
    """Return the contraction Tr(E_a A X A^+) of X (k, l, l'), A (l, i, r), its conjugate (l', j, r'), E (a, j, i)."""
    return opt_einsum.contract_expression("klm,lir,mjs,aji->kars", carry, tensor, tensor, elements)


def _real_bond(matrices: Array) -> Array:
    """Return the coefficients of Hermitian matrices (..., r, r) in a real orthonormal basis: (..., r^2)."""
    rows, columns = np.triu_indices(matrices.shape[-1], 1)
    diagonal = np.diagonal(matrices, axis1=-2, axis2=-1)
    upper = math.sqrt(2) * matrices[..., rows, columns]
    return np.concatenate([np.real(diagonal), np.real(upper), np.imag(upper)], axis=-1)


def _hermitian_bond(coefficients: Array) -> Array:
    """Invert `_real_bond`: (..., r^2) -> (..., r, r)."""
    size = math.isqrt(coefficients.shape[-1])
    rows, columns = np.triu_indices(size, 1)
    diagonal, real, imaginary = np.split(coefficients, [size, size + len(rows)], axis=-1)
    result = np.zeros((*coefficients.shape[:-1], size, size), complex)
    result[..., np.arange(size), np.arange(size)] = diagonal
    result[..., rows, columns] = (real + 1j * imaginary) / math.sqrt(2)
    result[..., columns, rows] = (real - 1j * imaginary) / math.sqrt(2)
    return result
