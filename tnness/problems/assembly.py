"""From the symbols of a constant chain to real matrices in its operator basis (see `tnness.operators.basis`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sparse

from tnness.errors import ModelError
from tnness.operators.basis import LocalSpace
from tnness.operators.terms import Matrix
from tnness.problems.generator import ChainGenerator, Real

if TYPE_CHECKING:
    from tnness.problems.lindbladian import Lindbladian

DENSE_WINDOW = 600
"""Largest dimension of a window whose maps are made by dense products."""


def assembled(chain: Lindbladian) -> ChainGenerator:
    """Return the terms of a constant chain as real matrices on sites, on neighbours, and on other windows."""
    sites = [np.zeros((space.dim,) * 2) for space in chain.spaces]
    large = [chain.is_pair_large(i) for i in range(chain.n - 1)]
    sizes = [a.dim * b.dim for a, b in pairwise(chain.spaces)]
    bonds = [None if is_large else np.zeros((size,) * 2) for size, is_large in zip(sizes, large, strict=True)]
    targets: dict[tuple[int, ...], Real] = {(i,): matrix for i, matrix in enumerate(sites)}
    targets |= {(i, i + 1): matrix for i, matrix in enumerate(bonds) if matrix is not None}
    coherent: dict[int, Matrix] = {
        i: np.zeros((chain.levels_of((i, i + 1)),) * 2, complex) for i, is_large in enumerate(large) if is_large
    }
    distant: dict[tuple[int, ...], Real] = {}
    for window, matrix in chain.local_hamiltonians().items():
        if len(window) == 2 and window[1] == window[0] + 1 and window[0] in coherent:
            coherent[window[0]] = matrix
            continue
        if _is_large(chain, window):
            action = _sparse_superoperator([chain.spaces[i] for i in window], -1j * matrix, None)
            _add(targets if window in targets else distant, window, action)
            continue
        name = f"the Hamiltonian on sites {window}"
        action = superoperator(chain.elements_of(window), lambda e, h=matrix: -1j * (h @ e - e @ h), name)
        _add(targets if window in targets else distant, window, action)
    for number, jump in enumerate(chain.jumps):
        window = chain.window_of(jump.operator, f"jump {number}")
        matrix = math.sqrt(jump.rate) * chain.jump_matrix(jump.operator)
        if _is_large(chain, window):
            loss = -0.5 * matrix.conj().T @ matrix
            action = _sparse_superoperator([chain.spaces[i] for i in window], loss, matrix)
            _add(targets if window in targets else distant, window, action)
            continue
        name = f"jump {number} ({jump.operator})"
        action = superoperator(chain.elements_of(window), lambda e, m=matrix: _dissipate(m, e), name)
        _add(targets if window in targets else distant, window, action)
    return ChainGenerator(chain.spaces, sites, bonds, origin=chain.fixed(), distant=distant, coherent=coherent)


def _is_large(chain: Lindbladian, window: Sequence[int]) -> bool:
    """Return whether the maps of a window are made by sparse products, which know no signs of fermions."""
    spaces = [chain.spaces[i] for i in window]
    return math.prod(space.dim for space in spaces) > DENSE_WINDOW and all(s.parity is None for s in spaces)


def _add(targets: dict[tuple[int, ...], Real], window: tuple[int, ...], matrix: Real) -> None:
    if window in targets:
        targets[window] += matrix
    else:
        targets[window] = matrix


def _dissipate(jump: Matrix, rho: Matrix) -> Matrix:
    square = jump.conj().T @ jump
    return jump @ rho @ jump.conj().T - 0.5 * (square @ rho + rho @ square)


def superoperator(elements: Matrix, action: Callable[[Matrix], Matrix], name: str = "a map") -> Real:
    """Return M_ab = Tr(E_a S(E_b)); refuse an S that leaves the span of the elements."""
    images = action(elements)  # (D, d, d)
    size = len(elements)
    matrix = (elements.reshape(size, -1).conj() @ images.reshape(size, -1).T).real
    lost = np.linalg.norm(images) ** 2 - np.linalg.norm(matrix) ** 2
    if lost > 1e-12 * max(1.0, np.linalg.norm(images) ** 2):
        raise ModelError(f"{name} creates coherences in a classical space; use a quantum space for it")
    return matrix


def _sparse_superoperator(spaces: Sequence[LocalSpace], drift: Matrix, jump: Matrix | None) -> Real:
    """Return rho -> K rho + rho K^+ + L rho L^+ of quantum spaces by sparse products."""
    one = sparse.eye_array(len(drift))
    action = sparse.kron(sparse.csr_array(drift), one) + sparse.kron(one, sparse.csr_array(drift.conj()))
    if jump is not None:
        action = action + sparse.kron(sparse.csr_array(jump), sparse.csr_array(jump.conj()))
    elements = sparse.csr_array(np.ones((1, 1)))
    levels = 1
    for space in spaces:  # rows: products of elements; columns: (i, j) of the matrices of all sites so far
        own = sparse.csr_array(space.elements.reshape(space.dim, -1))
        levels, before = levels * space.levels, levels
        columns = np.arange(levels**2).reshape(before, space.levels, before, space.levels)
        order = columns.transpose(0, 2, 1, 3).ravel()  # where (i j, k l) of the Kronecker product belongs
        product = sparse.coo_array(sparse.kron(elements, own))
        shape = product.shape
        elements = sparse.csr_array((product.data, (product.coords[0], order[product.coords[1]])), shape=shape)
    return np.real(sparse.csr_array(elements.conj() @ action @ elements.T).toarray())
