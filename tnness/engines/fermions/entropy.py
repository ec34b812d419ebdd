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


def _restricted(correlation: Array, sites: Sequence[int] | slice) -> Array:
    if isinstance(sites, slice):
        return correlation[..., sites, sites]
    index = np.asarray(sites, int)
    return correlation[..., index[:, None], index]


def _shannon(p: Vector) -> Vector:
    return -p * np.log(np.where(p > 0, p, 1.0))
