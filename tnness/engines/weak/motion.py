"""Time averages of local operators under the Hamiltonian, computed in windows of the chain."""

from __future__ import annotations

import math
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tnness.operators.basis import coefficients, density_matrix
from tnness.problems.lindbladian import Lindbladian

Real = NDArray[np.float64]

LEVELS = 256
"""Largest dimension of the Hilbert space of a window: eight spins."""


class Window:
    """Sites start..stop-1 as a closed system, and the time averages of their operators.

    Parameters
    ----------
    chain: its Hamiltonian evolves the operators; the terms between the window and the rest of the chain are left out.
    time: T in  average(q) = int_0^inf dt exp(-t/T)/T (q(t) + q(-t))/2, which keeps <m|q|n> / (1 + (E_m - E_n)^2 T^2).
    """

    def __init__(self, chain: Lindbladian, start: int, stop: int, time: float) -> None:
        self._spaces = chain.spaces[start:stop]
        energies, self._states = np.linalg.eigh(_hamiltonian(chain, start, stop))
        self._kept = 1 / (1 + ((energies[:, None] - energies) * time) ** 2)

    def averaged(self, tensor: Real) -> Real:
        """Return the average of an operator. The operator and its average are given by coefficients (D, ..., D)."""
        states, matrix = self._states, density_matrix(tensor, self._spaces)
        if not matrix.imag.any():
            matrix = matrix.real  # four times cheaper where the Hamiltonian is real too
        moving = states.conj().T @ matrix @ states
        return coefficients(states @ (moving * self._kept) @ states.conj().T, self._spaces)


def windows(chain: Lindbladian) -> dict[tuple[int, int], list[int]]:
    """Return the largest windows (start, stop) that `LEVELS` allows, and for each window the bonds in its middle."""
    middles: dict[tuple[int, int], list[int]] = {}
    for bond in range(chain.n - 1):
        middles.setdefault(_around(chain, bond), []).append(bond)
    return middles


def _around(chain: Lindbladian, bond: int) -> tuple[int, int]:
    """Return the sites start..stop-1 of the largest window around a bond, grown evenly to both sides."""
    start, stop = bond, bond + 2
    while True:
        left, right = start > 0, stop < chain.n
        grows_left = left and (not right or bond - start <= stop - bond - 2)
        site = start - 1 if grows_left else stop
        levels = math.prod(space.levels for space in chain.spaces[start:stop])
        if not (left or right) or levels * chain.spaces[site].levels > LEVELS:
            return start, stop
        start, stop = (start - 1, stop) if grows_left else (start, stop + 1)


def _hamiltonian(chain: Lindbladian, start: int, stop: int) -> NDArray[np.complex128] | Real:
    """Return the sum of the terms of the Hamiltonian within a window, as a real matrix if it is real."""
    levels = [space.levels for space in chain.spaces[start:stop]]
    terms = [(site, 1, chain.site_hamiltonian(site)) for site in range(start, stop)]
    terms += [(bond, 2, chain.bond_hamiltonian(bond, site_weight=0.0)) for bond in range(start, stop - 1)]
    total = sum(
        reduce(np.kron, (np.eye(math.prod(levels[: k - start])), term, np.eye(math.prod(levels[k - start + width :]))))
        for k, width, term in terms
    )
    matrix: NDArray[np.complex128] = np.asarray(total, np.complex128)
    return matrix if np.abs(matrix.imag).max() > 0 else matrix.real
