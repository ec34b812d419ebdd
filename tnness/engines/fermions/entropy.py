"""Entropies, mutual information and negativity of Gaussian states, from G_ij = <c^+_i c_j>; natural logarithms.

All of them are for states that conserve the particle number, without pairing: G then determines the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Vector = NDArray[np.float64]

ROUND_OFF = 1e-14
"""A share of an orbital that counts as none."""


def occupations(correlation: Array, sites: Sequence[int] | slice | None = None) -> Vector:
    """Return the eigenvalues of G restricted to some sites, clipped to [0, 1]: (..., sites)."""
    part = correlation if sites is None else _restricted(correlation, sites)
    return np.clip(np.linalg.eigvalsh(part), 0.0, 1.0)


def entropy(correlation: Array, sites: Sequence[int] | slice | None = None) -> Vector:
    """Return the von Neumann entropy -sum [n ln n + (1 - n) ln(1 - n)] of some sites (default: all), in nats.

    Leading axes of G are kept. Lezama & Bar Lev (15).

    >>> import numpy as np
    >>> float(entropy(np.eye(2) / 2).round(6))
    1.386294
    """
    return entropy_of(occupations(correlation, sites))


def entropy_of(n: Vector) -> Vector:
    """Return the von Neumann entropy of modes with these occupations: (..., modes) -> (...), in nats."""
    return np.asarray(_shannon(n) + _shannon(1 - n)).sum(axis=-1)


def renyi2(correlation: Array, sites: Sequence[int] | slice | None = None) -> Vector:
    """Return the Renyi-2 entropy -sum ln(n^2 + (1 - n)^2), in nats."""
    return renyi2_of(occupations(correlation, sites))


def renyi2_of(n: Vector) -> Vector:
    """Return the Renyi-2 entropy of modes with these occupations: (..., modes) -> (...), in nats."""
    return -np.log(n**2 + (1 - n) ** 2).sum(axis=-1)


def mutual_information(correlation: Array, first: Sequence[int], second: Sequence[int]) -> Vector:
    """Return S(A) + S(B) - S(AB), in nats."""
    both = [*first, *second]
    return entropy(correlation, first) + entropy(correlation, second) - entropy(correlation, both)


def mutual_coherence(correlation: Array, first: Sequence[int], second: Sequence[int]) -> Vector:
    """Return C(A:B) = 2 sum |<c^+_x c_y>|^2 over x in A and y in B; near infinite temperature I = 2 C."""
    block = correlation[..., np.asarray(first, int)[:, None], np.asarray(second, int)]
    return 2 * np.sum(np.abs(block) ** 2, axis=(-2, -1))


def negativity(correlation: Array, first: Sequence[int], second: Sequence[int]) -> float:
    """Return the fermionic logarithmic negativity ln |rho^{T_A}|_1 of A and B, in nats.

    With Gamma = 1 - 2 G on A and B and Gamma_+- = [[-Gamma_AA, +-i Gamma_AB], [+-i Gamma_BA, Gamma_BB]],
    xi the eigenvalues of [1 - (1 + Gamma_+ Gamma_-)^{-1} (Gamma_+ + Gamma_-)] / 2 and zeta those of G,

        E_f = sum ln(sqrt(xi) + sqrt(1 - xi)) + 1/2 sum ln(zeta^2 + (1 - zeta)^2).

    The code diagonalises the Hermitian (1 - Gamma_-) (1 + Gamma_+ Gamma_-)^{-1} (1 - Gamma_+) / 2, which has the same
    xi. Each pure mode adds an error of 1e-8 to E_f, the square root of round-off. Shapourian, Shiozaki, Ryu, Phys.
    Rev. B 95, 165101 (2017).
    """
    both, split = [*first, *second], len(first)
    identity = np.eye(len(both))
    gamma = identity - 2 * _restricted(correlation, both)
    sign = np.ones(len(both))
    sign[:split] = -1
    plus = np.where(np.outer(sign, sign) > 0, sign[:, None], 1j) * gamma
    minus = plus.conj().T
    twisted = (identity - minus) @ np.linalg.solve(identity + plus @ minus, identity - plus) / 2
    xi = np.clip(np.linalg.eigvalsh((twisted + twisted.conj().T) / 2), 0.0, 1.0)
    zeta = occupations(correlation, both)
    return float(np.log(np.sqrt(xi) + np.sqrt(1 - xi)).sum() + np.log(zeta**2 + (1 - zeta) ** 2).sum() / 2)


def operator_orbitals(correlation: Array) -> Array:
    """Return orbitals (2 n, n) of |rho> / |rho|, the Gaussian density operator as a vector: a Slater determinant.

    The first n rows are modes of the kets, the others holes of the bras. Column k is [v_k U_ik, u_k U_ik] with
    v : u = n_k : 1 - n_k, n_k and U the eigenvalues and eigenvectors of G^T. The identity has v = u.
    """
    filled, vectors = np.linalg.eigh(correlation.T)
    weights = np.array([np.clip(filled, 0, 1), 1 - np.clip(filled, 0, 1)])
    weights = weights / np.linalg.norm(weights, axis=0)
    return np.concatenate([vectors * weights[0], vectors * weights[1]])


def split_orbitals(orbitals: Array, left: Array) -> tuple[Vector, Array, Array]:
    """Return orbitals that are each a superposition of one on the modes `left` and one on the others.

    Returns
    -------
    The weights on the left (n,), and the normalised parts (2 n, n) on the left and on the others; 0 where it has none.
    """
    mixed = orbitals @ np.linalg.svd(orbitals[left])[2].conj().T
    parts = [np.where(side[:, None], mixed, 0) for side in (left, ~left)]
    sizes = [np.linalg.norm(part, axis=0) for part in parts]
    first, second = (np.where(s > 1e-12, p / np.maximum(s, 1e-12), 0) for p, s in zip(parts, sizes, strict=True))
    return sizes[0] ** 2 / (sizes[0] ** 2 + sizes[1] ** 2), first, second


def largest_choices(weights: Vector, most: int) -> tuple[NDArray[np.bool_], Vector]:
    """Return the likeliest outcomes (k, n) of choices with these probabilities, and their own (k,), k <= most."""
    logarithms, chosen = np.zeros(1), np.zeros((1, 0), bool)
    with np.errstate(divide="ignore"):
        odds = np.log(weights), np.log1p(-weights)
    for yes, no in zip(*odds, strict=True):
        logarithms = np.concatenate([logarithms + yes, logarithms + no])
        new = np.repeat([True, False], len(chosen))
        chosen = np.hstack([np.vstack([chosen, chosen]), new[:, None]])
        best = np.argsort(-logarithms, kind="stable")[:most]
        logarithms, chosen = logarithms[best], chosen[best]
    likely = np.isfinite(logarithms)
    return chosen[likely], np.exp(logarithms[likely])


def operator_schmidt(correlation: Array, left: Sequence[int], most: int) -> Vector:
    """Return the largest operator-space Schmidt values of a Gaussian rho between some modes and the others, descending.

    Their squares, all of them, add to 1.

    >>> import numpy as np
    >>> operator_schmidt(np.diag([0.3, 0.8]), [0], 16).tolist()  # of a product there is one
    [1.0]
    """
    modes = np.isin(np.arange(len(correlation)), left)
    weights, _, _ = split_orbitals(operator_orbitals(correlation), np.concatenate([modes, modes]))
    weights = np.where(weights < ROUND_OFF, 0.0, np.where(weights > 1 - ROUND_OFF, 1.0, weights))
    return np.sqrt(largest_choices(weights, most)[1])


def _restricted(correlation: Array, sites: Sequence[int] | slice) -> Array:
    if isinstance(sites, slice):
        return correlation[..., sites, sites]
    index = np.asarray(sites, int)
    return correlation[..., index[:, None], index]


def _shannon(p: Vector) -> Vector:
    return -p * np.log(np.where(p > 0, p, 1.0))
