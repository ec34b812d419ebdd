"""The local densities that weak dissipation may move slowly.

They are the terms of the Hamiltonian, those of other conserved sums that a model names, and what else is on a site or
along the fields of two neighbours. Which combinations are slow is for the motion of the Hamiltonian to tell
(`tnness.engines.weak.motion`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from tnness.errors import InputError
from tnness.operators.basis import LocalSpace, coefficients, density_matrix
from tnness.operators.terms import Matrix
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian

Real = NDArray[np.float64]

LEAK = 1e-6
"""Largest rate of change of a sum under the Hamiltonian, relative to that of its terms, that counts as conserved."""
NEW = 1e-6
"""Share of an operator beyond others, above which it counts as one more."""
REACH = 2
"""Bonds apart up to which two densities answer each other directly."""


@dataclass(frozen=True)
class Density:
    """One slow variable: a traceless operator q on sites (bond, bond + 1)."""

    bond: int
    covector: Real  # Tr(E_a x E_b q), (D, D')
    cooling: Real  # rho -> -(q rho + rho q)/2, (D D', D D')

    def embedded(self, spaces: Sequence[LocalSpace], start: int, stop: int) -> Real:
        """Return the coefficients of q on sites start..stop-1: (D, ..., D)."""
        before = [space.trace for space in spaces[start : self.bond]]
        after = [space.trace for space in spaces[self.bond + 2 : stop]]
        return reduce(np.multiply.outer, [*before, self.covector, *after])


def densities_of(chain: Lindbladian) -> list[list[Density]]:
    """Return the densities of every conserved sum: first those of the energy, then those that the model names.

    Raises
    ------
    InputError: the Hamiltonian does not conserve the sum of densities that the model names.
    """
    named = [_named(chain, number) for number in range(len(chain.densities))]
    for number, family in enumerate(named):
        _check_conserved(chain, family, number)
    return [_energies(chain), *named]


def others_of(chain: Lindbladian, conserved: Sequence[Density]) -> list[Density]:
    """Return what else may be slow: the operators of every site, and the products of the site terms of neighbours.

    In strong fields not only the energy but the population of every level is nearly conserved, and what is left of the
    exchange of two neighbours at long times is the product of theirs. All are orthogonal to the conserved densities of
    their bond, and as large as its own term.
    """
    found = []
    for bond in range(chain.n - 1):
        left, right = chain.spaces[bond : bond + 2]
        candidates = [np.outer(one, right.trace) for one in np.eye(left.dim)]
        if bond == chain.n - 2:
            candidates += [np.outer(left.trace, one) for one in np.eye(right.dim)]
        fields = (_traceless(chain.site_hamiltonian(site)) for site in (bond, bond + 1))
        candidates.append(np.outer(*(space.vector(field) for space, field in zip((left, right), fields, strict=True))))
        taken = [np.outer(left.trace, right.trace), *(q.covector for q in conserved if q.bond == bond)]
        size = float(np.linalg.norm(_traceless(chain.bond_hamiltonian(bond, site_weight=0.0))))
        for covector in _orthogonal(candidates, taken) if size > 0 else ():
            found.append(_density(chain, bond, density_matrix(size * covector, (left, right))))
    return found


def neighbourhood(n: int, first: Density, second: Density) -> tuple[int, int]:
    """Return the sites start..stop-1 of two densities and one more on either side."""
    bonds = first.bond, second.bond
    return max(0, min(bonds) - 1), min(n, max(bonds) + 3)


def applied(generator: ChainGenerator, start: int, stop: int, tensor: Real) -> Real:
    """Apply the terms of a generator that lie within sites start..stop-1."""
    total = np.zeros_like(tensor)
    for bond in range(start, stop - 1):
        front = np.moveaxis(tensor, (bond - start, bond - start + 1), (0, 1))
        matrix = generator.merged_bonds[bond]
        image = (matrix @ front.reshape(len(matrix), -1)).reshape(front.shape)
        total += np.moveaxis(image, (0, 1), (bond - start, bond - start + 1))
    return total


def _energies(chain: Lindbladian) -> list[Density]:
    """The terms of the Hamiltonian from left to right: those on a site, then those on the bond to the next.

    They are kept apart: in strong fields energy goes slowly from a site's field to the bonds beside it.
    """
    found = []
    for bond in range(chain.n - 1):
        left, right = (np.eye(space.levels) for space in chain.spaces[bond : bond + 2])
        terms = [np.kron(chain.site_hamiltonian(bond), right), chain.bond_hamiltonian(bond, site_weight=0.0)]
        if bond == chain.n - 2:
            terms.append(np.kron(left, chain.site_hamiltonian(bond + 1)))
        found += [_density(chain, bond, term) for term in terms if np.ptp(np.linalg.eigvalsh(term)) > 1e-12]
    return found


def _named(chain: Lindbladian, number: int) -> list[Density]:
    found = []
    for operator in chain.densities[number]:
        bond = min(*operator.sites, chain.n - 2)
        found.append(_density(chain, bond, operator.matrix((bond, bond + 1), chain.levels, chain.parities)))
    return found


def _density(chain: Lindbladian, bond: int, matrix: Matrix) -> Density:
    matrix = _traceless(matrix)
    covector = coefficients(matrix, chain.spaces[bond : bond + 2])
    cooling = chain.local_map((bond, bond + 1), lambda e: -0.5 * (matrix @ e + e @ matrix))
    return Density(bond, covector, cooling)


def _traceless(matrix: Matrix) -> Matrix:
    return np.asarray(matrix - np.trace(matrix) / len(matrix) * np.eye(len(matrix)), np.complex128)


def _orthogonal(candidates: Sequence[Real], taken: Sequence[Real]) -> list[Real]:
    """Return an orthonormal basis of what the candidates add to what is taken."""
    basis: list[Real] = []
    for number, one in enumerate([*taken, *candidates]):
        rest = one - sum(np.vdot(other, one) * other for other in basis)
        if np.linalg.norm(rest) > NEW * max(float(np.linalg.norm(one)), 1e-300):
            basis.append(rest / np.linalg.norm(rest))
        elif number < len(taken):
            basis.append(np.zeros_like(one))
    return basis[len(taken) :]


def _check_conserved(chain: Lindbladian, family: Sequence[Density], number: int) -> None:
    """Refuse a sum with |[H, sum q]| > 0 at infinite temperature, from the products of neighbours."""
    coherent, total, own = chain.coherent(), 0.0, 0.0
    for first in family:
        for second in (q for q in family if abs(q.bond - first.bond) <= REACH + 1):
            start, stop = neighbourhood(chain.n, first, second)
            one, other = (
                applied(coherent, start, stop, q.embedded(chain.spaces, start, stop)) for q in (first, second)
            )
            product = float(np.vdot(one, other)) / float(np.prod([s.levels for s in chain.spaces[start:stop]]))
            total, own = total + product, own + product * (first is second)
    if total > LEAK**2 * max(own, 1e-12):
        raise InputError(f"--accelerate: density {number} is not conserved, the Hamiltonian changes its sum")
