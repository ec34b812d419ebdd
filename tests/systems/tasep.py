"""The totally asymmetric exclusion process, of any length (Derrida, Evans, Hakim, Pasquier 1993)."""

from math import factorial

import numpy as np
from numpy.typing import NDArray


def tasep_matrices(n: int, alpha: float, beta: float) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """(D, E) with D E = D + E, D |0> = |0>/beta, <0| E = <0|/alpha, cut where n steps from |0> do not come."""
    size = n + 1
    k = np.sqrt(complex((alpha + beta - 1) / (alpha * beta)))
    above = np.ones(size - 1, complex)
    above[0] = k
    occupied, empty = (np.eye(size, dtype=complex) + np.diag(above, side) for side in (1, -1))
    occupied[0, 0], empty[0, 0] = 1 / beta, 1 / alpha
    return occupied, empty


def tasep_exact(n: int, alpha: float, beta: float) -> dict[str, NDArray[np.float64]]:
    """density <0| C^(i-1) D C^(n-i) |0> / Z_n (n,) and current Z_(n-1)/Z_n (n-1,), Z_n = <0| C^n |0>, C = D + E."""
    occupied, empty = tasep_matrices(n, alpha, beta)
    both = occupied + empty
    powers = [np.linalg.matrix_power(both / 4, k) for k in range(n + 1)]
    norm = powers[n][0, 0]
    density = np.array([(powers[i] @ (occupied / 4) @ powers[n - 1 - i])[0, 0] for i in range(n)]) / norm
    current = powers[n - 1][0, 0] / 4 / norm
    return {"density": density.real, "current": np.full(n - 1, current.real)}


def tasep_norm(n: int, alpha: float, beta: float) -> float:
    """Z_n by the closed sum of their equation (39), alpha != beta."""
    terms = [
        p
        * factorial(2 * n - 1 - p)
        / (factorial(n) * factorial(n - p))
        * ((1 / beta) ** (p + 1) - (1 / alpha) ** (p + 1))
        / (1 / beta - 1 / alpha)
        for p in range(1, n + 1)
    ]
    return sum(terms)
