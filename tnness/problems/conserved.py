"""Conserved sums of one-site operators: their values last for ever, and the steady state depends on them.

A sum Q = sum_i q_i is conserved if G^T Q = 0. The condition is linear in the q_i; terms on neighbours couple
neighbouring sites only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sparse
from numpy.typing import NDArray

from tnness.operators.basis import LocalSpace, Vector
from tnness.operators.terms import LocalOperator
from tnness.problems.generator import ChainGenerator

Real = NDArray[np.float64]

NEARLY = 1e-12
"""Largest |G^T Q|^2 of a sum that is looked at more closely, in the same units."""
UNMOVED = 1e-11
"""Largest |G^T Q| that counts as round-off, relative to the largest norm of a bond's matrix, for |Q| = 1."""


def conserved_sums(generator: ChainGenerator) -> list[tuple[Vector, ...]]:
    """Return a basis of the conserved sums of one-site operators, without the trace itself.

    Returns
    -------
    One tuple of covectors (D_i,), orthogonal to the trace of their site, for each conserved sum.

    >>> from tnness import Lindbladian, spin_half as s
    >>> chain = Lindbladian([s] * 3)
    >>> for i in range(2):
    ...     chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    >>> chain.jump(s.Z(1))
    >>> [tuple(round(float(abs(q[3])), 3) for q in total) for total in conserved_sums(chain.generator())]
    [(0.577, 0.577, 0.577)]
    """
    if generator.is_factored:
        return _named_sums(generator)
    bases = [_basis(space) for space in generator.spaces]
    edges = np.cumsum([0, *(_even_part(space) - 1 for space in generator.spaces)])
    if generator.distant:
        return _far_sums(generator, bases, edges)
    strength = max(float(np.linalg.norm(bond, 2)) for bond in generator.merged_bonds)
    if strength == 0:
        return _sums(np.eye(int(edges[-1])), edges, bases)
    condition = _condition(generator, bases, edges) / strength
    square = (condition.T @ condition).tocsr()
    width = int(max(edges[min(i + 3, generator.n)] - edges[i] for i in range(generator.n - 1)))  # two bonds apart
    band = np.zeros((width, int(edges[-1])))
    for offset in range(width):
        band[offset, : int(edges[-1]) - offset] = square.diagonal(-offset)
    if _is_positive(band):
        return []
    _, vectors = scipy.linalg.eig_banded(band, lower=True, select="v", select_range=(-1.0, NEARLY))
    if not vectors.size:
        return []
    _, sizes, rotation = np.linalg.svd(np.asarray(condition @ vectors), full_matrices=False)
    return _sums((vectors @ rotation[sizes < UNMOVED].T).T, edges, bases)


def _far_sums(generator: ChainGenerator, bases: list[Real], edges: NDArray[np.int64]) -> list[tuple[Vector, ...]]:
    """Return the conserved sums where terms act on any sites.

    On a unit vector for the trace of each site, a term takes the sum to products on some of its own sites: a row for
    each of them, which all terms share. The sums are even, so that strings between a term's sites do not matter.
    """
    places: dict[tuple[int, ...], int] = {}
    rows, columns, values, count = [], [], [], 0
    strength = 0.0
    for sites, matrix in generator.local_terms:
        strength = max(strength, float(np.linalg.norm(matrix, 2)))
        own = [bases[site] for site in sites]
        whole = reduce(np.kron, own)
        into = (whole @ matrix.T @ whole.T).reshape([len(basis) for basis in own] * 2)
        for k, site in enumerate(sites):
            at: list[Any] = [0] * len(sites)
            at[k] = slice(1, _even_part(generator.spaces[site]))
            entering = into[(..., *at)]  # (outputs, one column for each direction of the site)
            for moved in itertools.product((False, True), repeat=len(sites)):
                block = entering[tuple(slice(1, None) if m else slice(0, 1) for m in moved)]
                block = block.reshape(-1, block.shape[-1])
                place = tuple(site for site, m in zip(sites, moved, strict=True) if m)
                if place not in places:
                    places[place], count = count, count + len(block)
                first, second = np.indices(block.shape)
                rows.append((places[place] + first).ravel())
                columns.append((int(edges[site]) + second).ravel())
                values.append(block.ravel())
    at_all = np.concatenate(rows), np.concatenate(columns)
    condition = sparse.csr_array(sparse.coo_array((np.concatenate(values), at_all), shape=(count, int(edges[-1]))))
    if strength == 0:
        return _sums(np.eye(int(edges[-1])), edges, bases)
    condition = condition / strength
    found, vectors = np.linalg.eigh((condition.T @ condition).toarray())
    vectors = vectors[:, found < NEARLY]
    if not vectors.size:
        return []
    _, sizes, rotation = np.linalg.svd(np.asarray(condition @ vectors), full_matrices=False)
    norms = np.repeat([np.linalg.norm(trace) for trace in generator.functionals["trace"]], np.diff(edges))
    kept = (vectors @ rotation[sizes < UNMOVED].T).T * norms
    return _sums(kept / np.linalg.norm(kept, axis=1, keepdims=True), edges, bases)


def _named_sums(generator: ChainGenerator) -> list[tuple[Vector, ...]]:
    """Return the conserved ones among the uniform sums of operators that all sites have by one name.

    Where bonds have no matrices, the condition on arbitrary sums would be as large as they are. On a single site it is
    that an operator is conserved, and all are looked at.
    """
    if generator.n == 1:
        trace = generator.spaces[0].trace
        turned = scipy.linalg.null_space(generator.site_terms[0].T, rcond=UNMOVED)  # covectors q with q G = 0
        unit = trace / np.linalg.norm(trace)
        apart = turned - np.outer(unit, unit @ turned)
        u, sizes, _ = np.linalg.svd(apart, full_matrices=False)
        return [(u[:, k],) for k in range(int((sizes > math.sqrt(UNMOVED)).sum()))]
    found: list[tuple[Vector, ...]] = []
    for name in generator.spaces[0].operators:
        operators = [space.operators.get(name) for space in generator.spaces]
        for part in _hermitian_parts(operators):
            covectors = [
                np.real(space.covector(matrix - np.trace(matrix) / space.levels * np.eye(space.levels)))
                for space, matrix in zip(generator.spaces, part, strict=True)
            ]
            if max(float(np.abs(q).max()) for q in covectors) < NEARLY or not _is_conserved(generator, part, covectors):
                continue
            known = np.array([np.concatenate(q) for q in [*found, covectors]])
            if np.linalg.matrix_rank(known, tol=1e-9 * np.abs(known).max()) == len(known):
                found.append(tuple(covectors))
    return found


def _hermitian_parts(operators: Sequence[LocalOperator | None]) -> list[list[NDArray[np.complex128]]]:
    """Return the Hermitian and the anti-Hermitian parts (times i) of even operators that all sites have."""
    if any(operator is None or operator.odd for operator in operators):
        return []
    matrices = [operator.matrix for operator in operators if operator is not None]
    return [[(m + m.conj().T) / 2 for m in matrices], [(m - m.conj().T) / 2j for m in matrices]]


def _is_conserved(
    generator: ChainGenerator, matrices: Sequence[NDArray[np.complex128]], covectors: Sequence[Vector]
) -> bool:
    """Return whether no term changes sum_i q_i; a Hamiltonian conserves it if it commutes with it."""
    for q, matrix in zip(covectors, generator.site_terms, strict=True):
        if np.abs(q @ matrix).max() > UNMOVED * max(1.0, np.abs(matrix).max() * np.abs(q).max()):
            return False
    for i, bond in enumerate(generator.small_bonds):
        first, second = matrices[i], matrices[i + 1]
        both = np.kron(first, np.eye(len(second))) + np.kron(np.eye(len(first)), second)
        if bond is None:
            h = generator.coherent[i].matrix
            changed, scale = h @ both - both @ h, np.abs(h).max() * np.abs(both).max()
        else:
            traces = generator.functionals["trace"][i : i + 2]
            pair = np.outer(covectors[i], traces[1]) + np.outer(traces[0], covectors[i + 1])
            changed, scale = pair.ravel() @ bond, np.abs(bond).max() * np.abs(pair).max()
        if np.abs(changed).max() > UNMOVED * max(1.0, scale):
            return False
    return True


def _is_positive(band: Real) -> bool:
    """Return whether all eigenvalues of a symmetric band matrix are well above NEARLY."""
    lowered = band.copy()
    lowered[0] -= 10 * NEARLY
    try:
        scipy.linalg.cholesky_banded(lowered, lower=True)
    except np.linalg.LinAlgError:
        return False
    return True


def _basis(space: LocalSpace) -> Real:
    """Return an orthonormal basis (D, D) of one site's covectors: first the trace, normalised, last the odd ones."""
    even, unit = ~space.grading, np.eye(space.dim)
    rows = np.linalg.qr(np.column_stack([space.trace[even], np.eye(_even_part(space))]))[0].T
    return np.vstack([np.asarray(rows, float) @ unit[even], unit[space.grading]])


def _even_part(space: LocalSpace) -> int:
    """Return the number of even elements of a site: no state has a single odd one, and no sum of them is conserved."""
    return int((~space.grading).sum())


def _condition(generator: ChainGenerator, bases: list[Real], edges: NDArray[np.int64]) -> sparse.csr_array:
    """Return the matrix that takes the coefficients of Q (without the traces) to those of G^T Q.

    Its rows are the parts of G^T Q on pairs, then those on single sites, then that of the identity.
    """
    norms = [float(np.linalg.norm(trace)) for trace in generator.functionals["trace"]]
    values, rows, columns = [], [], []
    below = int(edges[-1]) + 1  # the rows of single sites and of the identity come first

    def add(block: Real, row: int, column: int) -> None:
        first, second = np.indices(block.shape)
        values.append(block.ravel())
        rows.append((row + first).ravel())
        columns.append((column + second).ravel())

    for i, bond in enumerate(generator.merged_bonds):
        first, second = bases[i], bases[i + 1]
        a, b = len(first), len(second)
        p, q = (_even_part(space) for space in generator.spaces[i : i + 2])
        both = np.kron(first, second)
        into = (both @ bond.T @ both.T).reshape(a, b, a, b)  # covectors to covectors
        # Q enters as q_i x trace and as trace x q_{i+1}
        entering = np.concatenate([into[:, :, 1:p, 0] * norms[i + 1], into[:, :, 0, 1:q] * norms[i]], axis=2)
        start = int(edges[i])
        add(entering[1:p, 0] / norms[i + 1], start, start)
        add(entering[0, 1:q] / norms[i], int(edges[i + 1]), start)
        add(entering[0, 0][None] / (norms[i] * norms[i + 1]), below - 1, start)
        add(entering[1:, 1:].reshape(-1, entering.shape[2]) / math.sqrt(norms[i] * norms[i + 1]), below, start)
        below += (a - 1) * (b - 1)
    whole = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array(sparse.coo_array(whole, shape=(below, int(edges[-1]))))


def _sums(rows: NDArray[Any], edges: NDArray[np.int64], bases: list[Real]) -> list[tuple[Vector, ...]]:
    return [
        tuple(row[edges[i] : edges[i + 1]] @ basis[1 : 1 + edges[i + 1] - edges[i]] for i, basis in enumerate(bases))
        for row in np.asarray(rows)
    ]
