"""Entropy and negativity of a density matrix, in nats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

DIAGONALISED = 512
"""Largest number of states of a region that is diagonalised: 9 spins take 0.2 s, 10 would take a second."""


def density_entropy(marginal: Array) -> float:
    """Return the von Neumann entropy of a density matrix (d, d), or the Shannon entropy of probabilities (d,).

    >>> round(density_entropy(np.eye(4) / 4), 6)  # 2 ln 2
    1.386294
    """
    p = np.clip(np.linalg.eigvalsh(marginal) if marginal.ndim == 2 else marginal, 0.0, None)
    return float(-np.sum(p * np.log(np.where(p > 0, p, 1.0))))


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
