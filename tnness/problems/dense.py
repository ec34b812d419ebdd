"""A Lindblad equation as dense matrices of the whole chain, built from its terms by Kronecker products.

Engines work with local matrices in a basis of operators (`ChainGenerator`). This module shares with them only the
defining matrices of operators and the meaning of a state's coefficients, so that one can be held against the other:
see `deviation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from tnness.errors import InputError
from tnness.operators.basis import LocalSpace, coefficients, density_matrix
from tnness.operators.terms import Matrix, Operator
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.streams import stream

LARGEST = 1000
"""Largest Hilbert dimension of a chain as dense matrices."""


def dense_operator(operator: Operator, spaces: Sequence[LocalSpace]) -> Matrix:
    """Return an operator on the whole chain, first site major: (prod d, prod d).

    A fermionic factor on site i carries (-1)^n of all sites left of i, whatever else the term holds.

    >>> from tnness.operators.basis import spinless as f
    >>> hop = dense_operator(f.Cd(0) * f.C(2), [f] * 3)
    >>> bool(np.allclose(hop, -dense_operator(f.C(2) * f.Cd(0), [f] * 3)))
    True
    """
    identities = [np.eye(space.levels, dtype=complex) for space in spaces]
    total = np.zeros((len(reduce(np.kron, identities)),) * 2, complex)
    for term in operator:
        product = term.coefficient * np.eye(len(total), dtype=complex)
        for site, factor in term.factors:
            parts = list(identities)
            if factor.odd:
                parts[:site] = [identities[i] if s.parity is None else s.parity for i, s in enumerate(spaces[:site])]
            parts[site] = factor.matrix
            product = product @ reduce(np.kron, parts)
        total += product
    return total


@dataclass(frozen=True)
class DenseEquation:
    """drho/dt = -i[H, rho] + sum_k (L_k rho L_k^+ - {L_k^+ L_k, rho}/2).

    hamiltonian: H, (prod d, prod d). jumps: L_k with the roots of their rates, (number, prod d, prod d).
    """

    hamiltonian: Matrix
    jumps: Matrix

    @classmethod
    def of(cls, chain: Lindbladian) -> DenseEquation:
        """Return the equation of a chain.

        Raises
        ------
        InputError: the Hilbert space is larger than `LARGEST`.
        """
        size = int(np.prod([float(space.levels) for space in chain.spaces]))
        if size > LARGEST:
            raise InputError(f"a chain of {size} states is too large for dense matrices: at most {LARGEST}")
        terms = [dense_operator(operator, chain.spaces) for operator in chain.hamiltonian_terms]
        jumps = [np.sqrt(jump.rate) * dense_operator(jump.operator, chain.spaces) for jump in chain.jumps]
        zero = np.zeros((0, size, size), complex)
        return cls(sum(terms, np.zeros((size, size), complex)), np.stack(jumps) if jumps else zero)

    def change(self, rho: Matrix) -> Matrix:
        """Return drho/dt of a matrix (prod d, prod d), Hermitian or not."""
        change = -1j * (self.hamiltonian @ rho - rho @ self.hamiltonian)
        for jump in self.jumps:
            decay = jump.conj().T @ jump
            change += jump @ rho @ jump.conj().T - (decay @ rho + rho @ decay) / 2
        return change


def deviation(chain: Lindbladian, generator: ChainGenerator, trials: int = 3) -> float:
    """Return how far a generator is from the Lindblad equation of a chain's terms, relative to it.

    For random vectors v = v_0 x v_1 x ... and w the numbers w G v and Tr(W^+ L(V)) are compared, where V and W are the
    matrices with these coefficients, V without its part that is odd in fermions: no state has one.

    Parameters
    ----------
    chain: the terms. generator: what is made from them. trials: number of pairs v, w (default 3).

    >>> from tnness.operators.basis import spin_half as s
    >>> chain = Lindbladian([s] * 3)
    >>> for i in range(2):
    ...     chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
    >>> chain.jump(s.Sp(0), rate=0.5)
    >>> deviation(chain, chain.generator()) < 1e-14
    True
    """
    equation, spaces, rng = DenseEquation.of(chain), chain.spaces, stream(0, "statement")
    parity = reduce(np.kron, [np.eye(s.levels) if s.parity is None else s.parity for s in spaces])

    def drawn() -> Matrix:
        vectors = [rng.standard_normal(space.dim) for space in spaces]
        matrix = density_matrix(reduce(np.kron, vectors), spaces)
        return (matrix + parity @ matrix @ parity) / 2

    apart, size = 0.0, 0.0
    for _ in range(trials):
        start, read = drawn(), drawn()
        expected = np.vdot(read, equation.change(start))
        vector, covector = (coefficients(matrix, spaces).ravel() for matrix in (start, read))
        apart = max(apart, abs(covector @ generator.apply(vector) - expected))
        size = max(size, abs(expected))
    return float(apart / size if size > 0 else apart)
