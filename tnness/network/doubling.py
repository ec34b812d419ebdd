"""Pure states as density operators: |psi><psi| in the operator basis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import opt_einsum
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.network.chain_state import Array, ChainState
from tnness.network.truncation import Truncation, kept_rank, safe_svd
from tnness.operators.basis import LocalSpace
from tnness.typed import typed

PARITY_TOLERANCE = 1e-8
"""Largest odd part of a state of fermions, relative to the whole, that counts as round-off."""


@typed
def density_from_pure(
    pure: ChainState,
    spaces: Sequence[LocalSpace],
    truncation: Truncation | None = None,
    partners: Sequence[int] = (),
) -> ChainState:
    """Return |psi><psi|, normalised, as a matrix-product state in the operator basis of `spaces`.

    Parameters
    ----------
    pure: amplitudes of |psi>, n tensors (left, d, right), real or complex.
    spaces: the local space of each site; classical ones keep the probabilities only.
    truncation: of the doubled bonds, whose exact size is chi^2 (the default drops nothing but round-off).
    partners: levels of a second system on each site, to be traced out: then |psi> is a purification, and has d times as
        many levels, the second system's minor.

    Raises
    ------
    InputError: the levels of state and spaces differ, or a state of fermions is neither even nor odd in their number.
    """
    beside = tuple(partners) or (1,) * len(spaces)
    if len(beside) != len(spaces):
        raise InputError(f"partners has {len(beside)} entries for {len(spaces)} sites")
    levels = tuple(space.levels * other for space, other in zip(spaces, beside, strict=True))
    if pure.dims != levels:
        raise InputError(f"the pure state has {pure.dims} levels, the spaces have {levels}")
    truncation = truncation or Truncation(chi=10**9, cutoff=1e-28, method="svd")
    psi = pure.copy()
    psi.canonicalise(0)
    carry, odd, tensors = np.ones((1, 1, 1)), np.zeros(1, bool), []
    for i, (tensor, space) in enumerate(zip(psi.tensors, spaces, strict=True)):
        theta = _doubled(carry, odd, tensor, space, beside[i])  # (left, a, r, r'), Hermitian in r, r'
        left, dim, right, _ = theta.shape
        matrix, odd = _real_bond(theta).reshape(left * dim, right**2), (odd[:, None] ^ space.grading).ravel()
        if i == psi.n - 1:
            _check_parity(matrix, odd)
            tensors.append(np.where(odd[:, None], 0, matrix).reshape(left, dim, 1))
            break
        columns, rest, odd = _split_by_parity(matrix, odd, truncation)
        tensors.append(columns.reshape(left, dim, -1))
        carry = _hermitian_bond(rest)
    result = ChainState(tensors, centre=psi.n - 1)
    result.canonicalise(0)
    return result


def _doubled(carry: Array, odd: NDArray[np.bool_], tensor: Array, space: LocalSpace, beside: int) -> Array:
    """Return Tr(F_a^+ A X A^+) for the products F_a of elements up to this site: (left, a, r, r').

    carry: X (left, l, l') of the products before it; the odd ones are Hermitian but for exp(3 i pi/4), which is left
    out. As the whole is even, what is right of a product has its parity: so the string on this site is known.
    """
    theta = np.empty((len(carry), space.dim, tensor.shape[2], tensor.shape[2]), complex)
    for parity in (False, True):
        rows = np.flatnonzero(odd == parity)
        if len(rows):
            elements = space.elements.conj().transpose(0, 2, 1)
            if space.parity is not None:
                after = space.grading ^ parity  # the product is odd with this element, and so is what follows
                phases = np.exp(0.75j * np.pi * (after.astype(int) - int(parity)))[:, None, None]
                elements = phases * np.where(after[:, None, None], space.parity @ elements, elements)
            if beside > 1:
                elements = np.kron(elements, np.eye(beside))
            double = _doubling((len(rows), *carry.shape[1:]), tensor.shape, elements.shape)
            theta[rows] = double(carry[rows], tensor, tensor.conj(), elements)
    return theta


def _split_by_parity(
    matrix: Array, odd: NDArray[np.bool_], truncation: Truncation
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Split a matrix whose rows are even or odd: isometric columns, the rest, and which of the columns are odd."""
    columns, rests, kinds = [], [], []
    for parity in (False, True):
        rows = np.flatnonzero(odd == parity)
        if not (len(rows) and matrix[rows].any()):
            continue
        u, s, vt, _ = safe_svd(matrix[rows])
        rank = kept_rank(s, truncation.chi, truncation.cutoff)
        block = np.zeros((len(matrix), rank))
        block[rows] = u[:, :rank]
        columns.append(block)
        rests.append(s[:rank, None] * vt[:rank])
        kinds.append(np.full(rank, parity))
    return np.hstack(columns), np.vstack(rests), np.concatenate(kinds)


def _check_parity(matrix: Array, odd: NDArray[np.bool_]) -> None:
    """Refuse a state of fermions that superposes even and odd numbers of them."""
    if np.linalg.norm(matrix[odd]) > PARITY_TOLERANCE * np.linalg.norm(matrix):
        raise InputError("the pure state superposes even and odd numbers of fermions, which no state of fermions does")


@cache
def _doubling(carry: tuple[int, ...], tensor: tuple[int, ...], elements: tuple[int, ...]) -> Any:
    """Return the contraction Tr(O_a A X A^+) of X (k, l, l'), A (l, i, r), its conjugate (l', j, r'), O (a, j, i)."""
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
