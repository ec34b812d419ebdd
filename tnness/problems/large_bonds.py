"""Bonds of large sites by their Hamiltonians: -i[h, rho] without a matrix of d^4 x d^4 numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import ArrayLike, NDArray

from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace, coefficients
from tnness.operators.ketbra import PairHamiltonian
from tnness.operators.terms import Matrix

Real = NDArray[np.float64]
Terms = Sequence[tuple[tuple[int, ...], Real]]

SMALL_SCHMIDT = 1e-14
"""Weight of a part of a Hamiltonian, relative to the largest, that counts as round-off."""


def large_hamiltonians(spaces: Sequence[LocalSpace], given: Mapping[int, ArrayLike]) -> dict[int, PairHamiltonian]:
    """Return the Hamiltonians of bonds, checked."""
    result, bonds = {}, range(len(spaces) - 1)
    wrong = next((bond for bond in given if not isinstance(bond, int) or bond not in bonds), None)
    if wrong is not None:
        raise ModelError(f"a Hamiltonian is given for the bond {wrong!r}: bonds are numbered 0 to {len(spaces) - 2}")
    for bond, value in sorted(given.items()):
        matrix, size = np.asarray(value), spaces[bond].levels * spaces[bond + 1].levels
        if matrix.shape != (size, size) or not np.isfinite(matrix).all():
            raise ModelError(f"the Hamiltonian of bond {bond} must be finite and have shape ({size}, {size})")
        if np.abs(matrix - matrix.conj().T).max() > 1e-12 * max(1.0, np.abs(matrix).max()):
            raise ModelError(f"the Hamiltonian of bond {bond} is not Hermitian")
        result[bond] = PairHamiltonian(matrix, spaces[bond], spaces[bond + 1])
    return result


def apply_local(
    terms: Terms, coherent: Mapping[int, PairHamiltonian], dims: Sequence[int], vector: Any, transposed: bool = False
) -> Any:
    """Return the sum of terms on sites and neighbours, applied to a dense vector (prod D,) or (prod D, columns).

    transposed: whether `terms` are transposed matrices, so that -i[h, .] is to be transposed too: it changes its sign.
    """
    if np.iscomplexobj(vector):
        parts = (apply_local(terms, coherent, dims, part, transposed) for part in (vector.real, vector.imag))
        return sum(factor * part for factor, part in zip((1, 1j), parts, strict=True))
    result = np.zeros_like(vector)
    for sites, matrix in terms:
        before = math.prod(dims[: sites[0]])
        result += np.matmul(matrix, vector.reshape(before, len(matrix), -1)).reshape(vector.shape)
    for bond, hamiltonian in coherent.items():
        folded = vector.reshape(math.prod(dims[:bond]), dims[bond] * dims[bond + 1], -1)
        result += (-1 if transposed else 1) * hamiltonian.commuted(folded).reshape(vector.shape)
    return result


def sparse_local(
    terms: Terms, coherent: Mapping[int, PairHamiltonian], spaces: Sequence[LocalSpace]
) -> sparse.csr_array:
    """Return the sum of terms on sites and neighbours as a sparse matrix (prod D, prod D)."""
    dims = [space.dim for space in spaces]
    total: Any = sparse.csr_array((math.prod(dims),) * 2)
    for sites, matrix in terms:
        total = total + _placed_at(sites[0], sparse.csr_array(matrix), dims)
    for bond, hamiltonian in coherent.items():
        for first, second in zip(*coherent_factors(hamiltonian), strict=True):
            first, second = (sparse.csr_array(np.where(np.abs(m) > 1e-15, m, 0)) for m in (first, second))
            total = total + _placed_at(bond, sparse.kron(first, second, format="csr"), dims)
    return sparse.csr_array(total)


def _placed_at(start: int, matrix: Any, dims: Sequence[int]) -> Any:
    before = math.prod(dims[:start])
    after = math.prod(dims) // (before * matrix.shape[0])
    return sparse.kron(sparse.kron(sparse.eye_array(before), matrix), sparse.eye_array(after), format="csr")


def coherent_factors(hamiltonian: PairHamiltonian) -> tuple[list[Real], list[Real]]:
    """Split -i[h, .] = sum_k A_k x B_k into real matrices (D, D) and (D', D') of the two sites.

    With h = sum_k P_k x Q_k, P_k and Q_k Hermitian, each part is -i[P, .] x {Q, .}/2 + {P, .}/2 x -i[Q, .].
    """
    first, second = hamiltonian.spaces
    folded = coefficients(hamiltonian.matrix, hamiltonian.spaces)
    u, s, vt = np.linalg.svd(folded, full_matrices=False)
    left, right = list[Real](), list[Real]()
    for k in range(int((s > SMALL_SCHMIDT * max(s[0], 1e-300)).sum())):
        p, q = np.tensordot(u[:, k], first.elements, 1), s[k] * np.tensordot(vt[k], second.elements, 1)
        (p_turned, p_shared), (q_turned, q_shared) = _turning(p, first), _turning(q, second)
        left += [p_turned, p_shared]
        right += [q_shared, q_turned]
    return left, right


def _turning(operator: Matrix, space: LocalSpace) -> tuple[Real, Real]:
    """Return -i[P, .] and {P, .}/2 as real matrices (D, D)."""
    ahead = operator @ space.elements
    behind = space.elements @ operator
    bras, size = space.elements.conj().reshape(space.dim, -1), space.dim
    return tuple(
        np.ascontiguousarray((bras @ image.reshape(size, -1).T).real)
        for image in (-1j * (ahead - behind), 0.5 * (ahead + behind))
    )  # type: ignore[return-value]
