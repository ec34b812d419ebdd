"""Fermionic modes densely, by Jordan-Wigner: correlations, Gaussian density matrices, negativity by Majoranas."""

import itertools
from collections.abc import Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.complex128]


def lowering_operators(occupied: Sequence[int]) -> list[Array]:
    """c_j of each mode, strings (-1)^n on the modes before it; `occupied` names the level that holds the particle."""
    count, lowering = len(occupied), []
    for j in range(count):
        factors = [np.diag([1.0 if level != full else -1.0 for level in (0, 1)]) for full in occupied[:j]]
        lower = np.zeros((2, 2))
        lower[1 - occupied[j], occupied[j]] = 1
        lowering.append(reduce(np.kron, [*factors, lower, *[np.eye(2)] * (count - j - 1)]))
    return lowering


def fermion_correlations(rho: Array, occupied: Sequence[int]) -> Array:
    """<c^+_i c_j>: (n, n)."""
    lowering = lowering_operators(occupied)
    return np.array([[np.trace(rho @ a.conj().T @ b) for b in lowering] for a in lowering])


def gaussian_density(g: Array) -> Array:
    """rho with <c^+_i c_j> = G_ij and Wick's theorem, level 1 occupied: (2^n, 2^n)."""
    lowering = lowering_operators([1] * len(g))
    values, vectors = np.linalg.eigh(g.T)  # <c^+_i c_j> = sum_k conj(phi_ik) n_k phi_jk
    rho = np.eye(2 ** len(g))
    for k, value in enumerate(values):
        mode = sum(np.conj(vectors[j, k]) * c for j, c in enumerate(lowering))
        number = mode.conj().T @ mode
        rho = rho @ (value * number + (1 - value) * (np.eye(len(rho)) - number))
    return rho


def fermion_negativity(rho: Array, first: int, occupied: Sequence[int]) -> float:
    """ln |rho^{T_A}|_1, A the first modes: a factor i^k on products of k Majoranas of A, then the trace norm."""
    majoranas = [m for c in lowering_operators(occupied) for m in (c + c.conj().T, (c - c.conj().T) / 1j)]
    twisted = np.zeros_like(rho, dtype=complex)
    for count in range(0, len(majoranas) + 1, 2):
        for chosen in itertools.combinations(range(len(majoranas)), count):
            product = reduce(np.matmul, [majoranas[k] for k in chosen], np.eye(len(rho), dtype=complex))
            weight = np.trace(product.conj().T @ rho) / len(rho)
            twisted += weight * 1j ** sum(k < 2 * first for k in chosen) * product
    return float(np.log(np.linalg.svd(twisted, compute_uv=False).sum()))
