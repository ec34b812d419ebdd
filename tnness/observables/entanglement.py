"""Entropy and negativity of a density matrix, in nats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Array = NDArray[Any]

DIAGONALISED = 1024
"""Largest number of states of a region that is diagonalised: 10 spins take a second, a tenth where N is conserved."""
NOUGHT = 1e-15
"""Elements of a density matrix that are smaller, relative to its largest one, count as zeros between blocks."""


def density_entropy(marginal: Array) -> float:
    """Return the von Neumann entropy of a density matrix (d, d), or the Shannon entropy of probabilities (d,).

    >>> round(density_entropy(np.eye(4) / 4), 6)  # 2 ln 2
    1.386294
    """
    p = np.clip(spectrum_of(marginal) if marginal.ndim == 2 else marginal, 0.0, None)
    return float(-np.sum(p * np.log(np.where(p > 0, p, 1.0))))


def spectrum_of(rho: Array) -> NDArray[np.float64]:
    """Return the eigenvalues of a density matrix (d, d), found block by block where it has blocks: (d,).

    Blocks are those of its elements that are not zero, as a conserved charge makes them. What is dropped changes no
    eigenvalue by more than d NOUGHT times the largest element.

    >>> spectrum_of(np.diag([0.25, 0.75])).tolist()
    [0.25, 0.75]
    """
    joined = np.abs(rho) > NOUGHT * np.abs(rho).max()
    count, block = connected_components(csr_array(joined), directed=False)
    if count == 1:
        return np.linalg.eigvalsh(rho)
    order = np.argsort(block, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(block))[:-1])
    return np.concatenate([np.linalg.eigvalsh(rho[np.ix_(part, part)]) for part in parts])


def partially_transposed(rho: Array, dims: tuple[int, int]) -> Array:
    """Return rho^{T_A} of a density matrix on A and B: (d_A d_B, d_A d_B), A major.

    >>> bell = np.zeros((4, 4))
    >>> bell[[0, 0, 3, 3], [0, 3, 0, 3]] = 0.5
    >>> float(np.linalg.eigvalsh(partially_transposed(bell, (2, 2)))[0].round(12))
    -0.5
    """
    first, second = dims
    return rho.reshape(first, second, first, second).transpose(2, 1, 0, 3).reshape(rho.shape)


def dense_negativity(rho: Array, first: int) -> float:
    """Return ln |rho^{T_A}|_1 of a density matrix of fermions, in nats: A its first modes, B the others.

    In the basis of occupations, the fermionic partial transpose takes |a b><a' b'| to |a' b><a b'| with the factor
    i^{(s mod 2)} (-1)^{s t}, s = N(a) + N(a'), t = N(b) + N(b') (Shapourian, Shiozaki, Ryu, Phys. Rev. B 95, 165101
    (2017), eq. (20)); rho keeps the parity of N.

    Parameters
    ----------
    rho: (2^n, 2^n), first mode major; index 1 of a mode is occupied. first: number of modes in A.
    """
    size = 2**first
    rest = len(rho) // size
    counts = [np.array([bin(k).count("1") for k in range(d)]) for d in (size, rest)]
    s, t = (np.add.outer(count, count) for count in counts)
    phases = 1j ** (s % 2)[:, None, :, None] * (-1.0) ** (s[:, None, :, None] * t[None, :, None, :])
    twisted = (phases * rho.reshape(size, rest, size, rest)).transpose(2, 1, 0, 3).reshape(len(rho), -1)
    return float(np.log(np.linalg.svd(twisted, compute_uv=False).sum()))
