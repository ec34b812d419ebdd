"""The steady state of a small chain by factorising its generator, part by part.

Where the generator conserves charges it falls into parts that do not mix, in the basis of definite charge; any other
generator may still fall into parts. The trace lives in one of them, and so does a unique steady state; the others are
factorised as well, to see whether an eigenvalue of theirs is 0. Of two parts that are complex conjugates of each other
one is enough. Each part is factorised as a dense or as a sparse matrix, whichever is less work.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import scipy.linalg as linalg
import scipy.sparse as sparse
import scipy.sparse.linalg as sparse_linalg
from scipy.sparse.csgraph import connected_components

from tnness.engines.arnoldi import leading, nearest_to_shift
from tnness.network.chain_state import Array
from tnness.operators.basis import oddness
from tnness.problems.generator import ChainGenerator, Real
from tnness.problems.large_bonds import sparse_local

FEW_STATES = 400
"""Largest size of a part whose dense factors are made without a thought of sparse ones."""
TINY = 32
"""Largest size of a part whose eigenvalues are all computed."""
FULL_ROWS = 18.0
"""Mean number of elements in a row above which sparse factors fill up and dense ones are made faster."""
DIAGONAL: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 0.01,
    "options": {"SymmetricMode": True},
}
"""Settings of SuperLU for pivots on the diagonal: where a pattern is nearly symmetric, half as much fills up."""
SOLVED_WITHIN = 1e-9
"""Largest error of a solution by such pivots, for a right-hand side of ones; beyond it the pivots are chosen freely."""
ROUNDOFF_OF_PARTS = 1e-14
"""Elements below this, relative to the largest, are round-off of the change of basis."""


def null_vector(generator: ChainGenerator, shift: float, seed: int) -> tuple[Real, complex] | None:
    """Return the null vector of G, and the eigenvalue of G nearest to 0 besides.

    Parameters
    ----------
    generator: small enough to be factorised. shift: a positive number small beside |G|. seed: of the starting vectors.

    Returns
    -------
    None if several parts carry a trace: then there are several null vectors.
    """
    matrix, turn, partners = _charged(generator)
    trace = reduce(lambda left, right: np.outer(left, right).ravel(), generator.functionals["trace"])
    covector = trace if turn is None else np.conj(turn @ trace)  # of coefficients c = U r, <trace|r> = (U* trace) . c
    even = np.flatnonzero(_oddness(generator, turn) < 0.5)  # the odd sector of fermions belongs to another problem
    place = np.zeros(generator.dimension, np.intp)
    place[even] = np.arange(len(even))
    matrix, covector, partners = matrix[even][:, even], covector[even], place[partners[even]]
    _, labels = connected_components(abs(matrix), directed=False)
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    carrying = [part for part in parts if np.abs(covector[part]).max() > ROUNDOFF_OF_PARTS]
    if len(carrying) > 1:
        return None
    inside = carrying[0]
    real = _real_basis(inside, partners)
    own = sparse.csc_array(np.real(real @ matrix[inside][:, inside] @ real.conj().T))
    null, nearest = _null(own, np.real(real.conj() @ covector[inside]), shift, seed)
    nearest += [
        _nearest(matrix[part][:, part], shift, seed)
        for part in parts
        if part is not inside and part.min() <= partners[part].min()
    ]
    vector = np.zeros(generator.dimension, complex)
    vector[even[inside]] = real.conj().T @ null
    result = vector if turn is None else turn.conj().T @ vector
    return np.real(result), min(nearest, key=abs)


def _oddness(generator: ChainGenerator, turn: sparse.csr_array | None) -> Real:
    """Return the share of odd elements in every basis state: 0 or 1."""
    odd = oddness(generator.spaces).astype(float)
    return odd if turn is None else np.asarray(abs(turn).power(2) @ odd)


def _null(matrix: sparse.csc_array, covector: Real, shift: float, seed: int) -> tuple[Array, list[complex]]:
    """Return the null vector of the part with the trace, and its next eigenvalue if it has one."""
    if matrix.shape[0] > TINY:
        pair = leading(_inverse(matrix, shift), covector, seed, "LM", tolerance=0)
        return pair.vector, [shift + 1 / pair.next_value]
    dense = matrix.toarray()
    values = np.linalg.eigvals(dense)
    vector = np.linalg.svd(dense)[2][-1]  # more accurate than an eigenvector
    return vector, [complex(value) for value in values[np.argsort(np.abs(values))[1:2]]]


def _charged(generator: ChainGenerator) -> tuple[sparse.csr_array, sparse.csr_array | None, Array]:
    """Return G in the basis of definite charge, the unitary to it (None: the real basis), and the conjugate states."""
    charges = generator.conserved
    if charges is None or charges.unitaries is None:
        return generator.matrix(), None, np.arange(generator.dimension)
    turn = reduce(lambda a, b: sparse.kron(a, b, format="csr"), [sparse.csr_array(u) for u in charges.unitaries])
    turn = sparse.csr_array(turn)
    if generator.distant or generator.is_factored:
        turned = _rounded(turn @ generator.matrix() @ turn.conj().T)
    else:  # each bond is turned while it is small
        terms = []
        for sites, bond in generator.local_terms:
            own = reduce(np.kron, [charges.unitaries[i] for i in sites])
            terms.append((sites, _rounded(own @ bond @ own.conj().T)))
        turned = _rounded(sparse_local(terms, {}, generator.spaces))
    partners = np.zeros(1, np.intp)
    for site, dim in enumerate(generator.dims):
        partners = (partners[:, None] * dim + np.array(charges.partners(site))).ravel()
    return turned, turn, partners


def _rounded(matrix: Any) -> sparse.csr_array:
    """Return a matrix without the round-off of a change of basis."""
    result = sparse.csr_array(matrix)
    result.data[np.abs(result.data) < ROUNDOFF_OF_PARTS * np.abs(result.data).max(initial=0)] = 0
    result.eliminate_zeros()
    return result


def _real_basis(part: Array, partners: Array) -> sparse.csr_array:
    """Return the unitary from a part that is its own conjugate to coordinates that are real for Hermitian states."""
    size, place = len(part), {int(state): k for k, state in enumerate(part)}
    rows, columns, values = [], [], []
    for k, state in enumerate(part.tolist()):
        other = place[int(partners[state])]
        if other == k:
            entries = [(k, k, 1.0)]
        elif k < other:
            entries = [(k, k, 1.0), (k, other, 1.0), (other, k, 1j), (other, other, -1j)]
            entries = [(i, j, value / np.sqrt(2)) for i, j, value in entries]
        else:
            continue
        for i, j, value in entries:
            rows.append(i)
            columns.append(j)
            values.append(value)
    return sparse.csr_array((values, (rows, columns)), shape=(size, size))


def _inverse(matrix: sparse.csc_array, shift: float) -> Callable[[Array], Array]:
    """Return v -> (G - shift)^-1 v."""
    size = matrix.shape[0]
    if size <= FEW_STATES or matrix.nnz > FULL_ROWS * size:
        dense = matrix.toarray()
        dense.flat[:: size + 1] -= shift
        factors = linalg.lu_factor(dense, overwrite_a=True, check_finite=False)
        return lambda vector: linalg.lu_solve(factors, vector, check_finite=False)
    shifted = sparse.csc_matrix(matrix - shift * sparse.eye_array(size, format="csc"))
    solve = sparse_linalg.splu(shifted, **DIAGONAL).solve
    probe = np.ones(size, matrix.dtype)
    if np.abs(shifted @ solve(probe) - probe).max() < SOLVED_WITHIN:
        return solve
    return sparse_linalg.splu(shifted).solve


def _nearest(matrix: sparse.csr_array, shift: float, seed: int) -> complex:
    """Return the eigenvalue of a part nearest to the shift."""
    if matrix.shape[0] <= TINY:
        values = np.linalg.eigvals(matrix.toarray())
        return complex(values[np.abs(values - shift).argmin()])
    return shift + 1 / nearest_to_shift(_inverse(sparse.csc_array(matrix), shift), matrix.shape[0], matrix.dtype, seed)
