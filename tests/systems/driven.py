"""Spin chains driven at their ends, as dense matrices."""

import numpy as np
from numpy.typing import ArrayLike

from systems.dense import LOWER, RAISE, Array, X, Y, Z, bond_operator, site_operator


def xxz_hamiltonian(n: int, coupling: float = 1.0, delta: float = 0.0, fields: ArrayLike = 0.0) -> Array:
    """H = J sum (XX + YY + Delta ZZ) + sum h_i Z_i."""
    bonds = [(X, X, 1.0), (Y, Y, 1.0), (Z, Z, delta)]
    exchange = sum(coupling * weight * bond_operator(a, b, i, n) for i in range(n - 1) for a, b, weight in bonds)
    fields = np.broadcast_to(fields, n)
    return exchange + sum(fields[i] * site_operator(Z, i, n) for i in range(n))


def end_jumps(n: int, gamma: float, mu: float) -> list[Array]:
    """Left: sqrt(Gamma (1 +- mu) / 2) sigma^{+-}; right: the same with mu -> -mu."""
    up, down = np.sqrt(gamma * (1 + mu) / 2), np.sqrt(gamma * (1 - mu) / 2)
    left = [up * site_operator(RAISE, 0, n), down * site_operator(LOWER, 0, n)]
    right = [down * site_operator(RAISE, n - 1, n), up * site_operator(LOWER, n - 1, n)]
    return left + right


def xx_dephasing_dense(
    n: int, coupling: float, gamma: float, mu: float, dephasing: float, fields: ArrayLike = 0.0
) -> tuple[Array, list[Array]]:
    """(H, jumps) of the end-driven XX chain with fields; every site has a jump sqrt(dephasing / 2) Z."""
    bulk = [np.sqrt(dephasing / 2) * site_operator(Z, i, n) for i in range(n)]
    return xxz_hamiltonian(n, coupling, 0.0, fields), end_jumps(n, gamma, mu) + bulk


def xxz_dense(n: int, delta: float, gamma: float, mu: float = 1.0) -> tuple[Array, list[Array]]:
    """(H, jumps) of H = sum (XX + YY + Delta ZZ) driven at its ends; mu = 1 is maximal driving."""
    return xxz_hamiltonian(n, 1.0, delta), end_jumps(n, gamma, mu)
