r"""The steady state of a Lindbladian as the fixed point of its quantum-jump chain.

G = K + J with K rho = A rho + rho A^+, A = -iH - 1/2 sum L^+L (no jump), and J the jumps. -K^{-1}J maps the state
just before one jump to the state just before the next; its eigenvalue 1 belongs to the steady state. K is diagonal in
the eigenbasis of A, a d^n x d^n matrix, so an application costs O(d^{3n}) instead of a d^{2n} factorisation. The gap of
the jump chain stays open as the jump rates go to zero together. If every jump flips a parity (a driven end adds or
removes one particle), -1 may be an eigenvalue too: the steady state has the eigenvalue of largest real part.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg as linalg

from tnness.engines.arnoldi import Leading, leading
from tnness.errors import NumericalError
from tnness.operators.basis import coefficients, density_matrix, oddness
from tnness.problems.generator import ChainGenerator, Real

WORST_CONDITION = 1e9
"""Largest condition number of A's eigenvectors; above it A counts as nearly defective."""


class Unsuitable(NumericalError):
    """The jump chain of this Lindbladian cannot be used: A is nearly defective, or has a state that no jump leaves."""


class JumpChain:
    """-K^{-1}J of a Lindbladian, applied to coefficient vectors."""

    def __init__(self, generator: ChainGenerator) -> None:
        if generator.origin is None:
            raise Unsuitable("the generator was not made from a Lindbladian")
        self.generator = generator
        effective = generator.origin.effective_generator().toarray()
        values, self._vectors = linalg.eig(effective)
        try:
            self._inverse = np.linalg.inv(self._vectors)
        except np.linalg.LinAlgError as error:
            raise Unsuitable("the effective Hamiltonian is defective") from error
        self._rates = values[:, None] + values[None, :].conj()  # eigenvalues of K
        if not np.linalg.norm(self._vectors, 2) * np.linalg.norm(self._inverse, 2) < WORST_CONDITION:
            raise Unsuitable("the effective Hamiltonian is nearly defective")
        if np.abs(self._rates).min() < 1e-13 * np.abs(self._rates).max():
            raise Unsuitable("the chain has a dark state, which no jump leaves")
        self._flux = coefficients(-effective - effective.conj().T, generator.spaces).ravel()

    @staticmethod
    def applies(generator: ChainGenerator) -> bool:
        """True for Lindbladians on quantum spaces."""
        return generator.origin is not None and all(space.quantum for space in generator.spaces)

    def steady(self, seed: int, tolerance: float) -> Leading:
        """Return the steady state (eigenvalue 1) and the next largest eigenvalue of the jump chain.

        Each step conserves the flux of jumps sum_k Tr(L_k^+ L_k rho) = -Tr(K rho): it is the left eigenvector that the
        deflation needs.
        """
        even = ~oddness(self.generator.spaces)
        return leading(self.apply, self._flux, seed, "LR", tolerance, ncv=12, within=even)

    def apply(self, vector: Real) -> Real:
        """Return -K^{-1} J v = v - K^{-1} G v."""
        return vector - self._solve(self.generator.apply(vector))

    def _solve(self, vector: Real) -> Real:
        rho = self._inverse @ density_matrix(vector, self.generator.spaces) @ self._inverse.conj().T
        moved = self._vectors @ (rho / self._rates) @ self._vectors.conj().T
        return coefficients(moved, self.generator.spaces).ravel()
