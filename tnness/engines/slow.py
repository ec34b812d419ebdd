r"""The slow variables of a weakly coupled chain: the energies of its bonds, and how they answer.

As the dissipation goes to zero the steady state becomes exp(-sum_i lambda_i h_i), and only the energies e_i = <h_i>
relax slowly. Their rate of change d(lambda) has the model Jacobian J = A + K L around infinite temperature:
A_ij = -<h_i D(h_j)> is the dissipative response, K L the conduction of heat between neighbours (L the Laplacian of the
chain, K a rough conductivity). With the covariance C_ij = <h_i h_j>, lambda ~ -C^{-1} e and a Newton step is
de = C J^{-1} d.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.observables import ProductView
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian

Real = NDArray[np.float64]

CONDUCTIVITY = 2e-3
"""K, in units of the covariance of a bond's energy times its norm: rough, since mixing learns the rest."""
REACH = 2
"""Bonds apart up to which two energies answer each other directly."""


class SlowVariables:
    """The bond energies of a Lindbladian's Hamiltonian, their covariance and the Jacobian of their drift.

    Raises
    ------
    InputError: there is no Hamiltonian, or the chain is classical.
    """

    def __init__(self, generator: ChainGenerator) -> None:
        chain = generator.origin
        if chain is None or not all(space.quantum for space in chain.spaces) or not chain.hamiltonian_terms:
            raise InputError("--accelerate follows the energies of bonds: it needs a Lindbladian with a Hamiltonian")
        self.spaces, self.count = chain.spaces, chain.n - 1
        self.covectors = [_covector(chain, bond) for bond in range(self.count)]
        jumps = chain.dissipator()
        near = [(i, j) for i in range(self.count) for j in range(self.count) if abs(i - j) <= REACH]
        self.covariance, response = np.zeros((2, self.count, self.count))
        self.heating = np.zeros(self.count)
        for i, j in near:
            self.covariance[i, j], response[i, j], self.heating[i] = self._answers(jumps, i, j)
        laplacian = np.diag(np.full(self.count, 2.0)) - np.eye(self.count, k=1) - np.eye(self.count, k=-1)
        laplacian[[0, -1], [0, -1]] = min(1.0, self.count - 1)
        scale = np.sqrt(np.trace(self.covariance) / self.count) ** 3
        self.jacobian = response + CONDUCTIVITY * scale * laplacian
        self.rate = float(response.sum() / self.covariance.sum())
        """Rate at which the total energy relaxes, to first order: what is slow at all should not be much slower."""
        self.uniform = float(-self.heating.sum() / response.sum()) if response.sum() > 0 else 0.0
        """The lambda, the same everywhere, at which the total energy is stationary to first order."""

    def energies(self, view: ProductView) -> Real:
        """Return e_i, (bond,)."""
        values = [float(np.vdot(c, view.pair(bond)).real) for bond, c in enumerate(self.covectors)]
        return np.array(values, dtype=np.float64)

    def multipliers(self, energies: Real) -> Real:
        """Return lambda_i to first order, or the change of it that changes the energies so."""
        return np.asarray(-np.linalg.solve(self.covariance, energies), dtype=np.float64)

    def newton(self, drift: Real) -> Real:
        """Return the change of the energies at which their drift would vanish."""
        return np.asarray(self.covariance @ np.linalg.solve(self.jacobian, drift), dtype=np.float64)

    def _answers(self, jumps: ChainGenerator, i: int, j: int) -> tuple[float, float, float]:
        """Return <h_i h_j> - <h_i><h_j>, -<h_i D(h_j)> and <h_i D(1)> at infinite temperature."""
        start, stop = max(0, min(i, j) - 1), min(self.count + 1, max(i, j) + 3)
        spaces = self.spaces[start:stop]
        norm = float(np.prod([space.levels for space in spaces]))
        first, second = (self._embedded(bond, start, stop) for bond in (i, j))
        one = reduce(np.multiply.outer, [space.trace for space in spaces])
        dissipated = [np.vdot(first, _apply(jumps, start, stop, x)) / norm for x in (second, one)]
        mean = np.vdot(first, one) * np.vdot(second, one) / norm**2
        return float(np.vdot(first, second) / norm - mean), -float(dissipated[0]), float(dissipated[1])

    def _embedded(self, bond: int, start: int, stop: int) -> Real:
        """The coefficients of h on sites start..stop-1: (D, ..., D)."""
        before = [self.spaces[site].trace for site in range(start, bond)]
        after = [self.spaces[site].trace for site in range(bond + 2, stop)]
        return reduce(np.multiply.outer, [*before, self.covectors[bond], *after])


def _covector(chain: Lindbladian, bond: int) -> Real:
    """Coefficients Tr(E_a x E_b h) of a bond's share of the Hamiltonian, (D, D')."""
    left, right = chain.spaces[bond : bond + 2]
    h = chain.bond_hamiltonian_shared(bond).reshape(left.levels, right.levels, left.levels, right.levels)
    return np.einsum("iab,jcd,bdac->ij", left.elements, right.elements, h, optimize=True).real


def _apply(jumps: ChainGenerator, start: int, stop: int, tensor: Real) -> Real:
    """Apply the terms of a generator that lie within sites start..stop-1."""
    total = np.zeros_like(tensor)
    for bond in range(start, stop - 1):
        front = np.moveaxis(tensor, (bond - start, bond - start + 1), (0, 1))
        matrix = jumps.merged_bonds[bond]
        image = (matrix @ front.reshape(len(matrix), -1)).reshape(front.shape)
        total += np.moveaxis(image, (0, 1), (bond - start, bond - start + 1))
    return total
