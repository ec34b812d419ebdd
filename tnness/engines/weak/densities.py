"""The local densities that may relax slowly under weak dissipation.

They are the terms of the Hamiltonian, the terms of other conserved sums that a model names, the other operators of a
site, and products of the fields of two neighbours. Time averages under the Hamiltonian then show which combinations are
slow (`tnness.engines.weak.motion`).
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
"""An operator counts as independent of others if more than this share of it is orthogonal to them."""
REACH = 2
"""Largest distance, in bonds, at which two densities respond to each other directly."""


@dataclass(frozen=True)
class Density:
    """One local density: a traceless operator q on sites (bond, bond + 1)."""

    bond: int
    covector: Real  # Tr(E_a x E_b q), (D, D')
    cooling: Real  # rho -> -(q rho + rho q)/2, (D D', D D')

    def embedded(self, spaces: Sequence[LocalSpace], start: int, stop: int) -> Real:
        """Return the coefficients of q on sites start..stop-1: (D, ..., D)."""
        before = [space.trace for space in spaces[start : self.bond]]
        after = [space.trace for space in spaces[self.bond + 2 : stop]]
        return reduce(np.multiply.outer, [*before, self.covector, *after])


def densities_of(chain: Lindbladian) -> list[list[Density]]:
    """Return the densities of every conserved sum: first of the energy, then of the sums that the model names.

    Raises
    ------
    InputError: the Hamiltonian does not conserve the sum of densities that the model names.
    """
    named = [_named(chain, number) for number in range(len(chain.densities))]
    for number, family in enumerate(named):
        _check_conserved(chain, family, number)
    return [_energies(chain), *named]


def others_of(chain: Lindbladian, conserved: Sequence[Density]) -> list[Density]:
    """Return further densities that may be slow: the operators of every site, and products of the fields of neighbours.

    In strong fields the population of every level is nearly conserved, not only the energy. The exchange of two
    neighbours then averages at long times to the product of their fields. Each density is orthogonal to the conserved
    densities of its bond, and has the norm of the bond's own term of the Hamiltonian.
    """
    densities = []
    for bond in range(chain.n - 1):
        left, right = chain.spaces[bond : bond + 2]
        candidates = [np.outer(unit, right.trace) for unit in np.eye(left.dim)[~left.grading]]
        if bond == chain.n - 2:
            candidates += [np.outer(left.trace, unit) for unit in np.eye(right.dim)[~right.grading]]
        fields = (_traceless(chain.site_hamiltonian(site)) for site in (bond, bond + 1))
        candidates.append(np.outer(*(space.vector(field) for space, field in zip((left, right), fields, strict=True))))
        taken = [np.outer(left.trace, right.trace), *(q.covector for q in conserved if q.bond == bond)]
        size = float(np.linalg.norm(_traceless(chain.bond_hamiltonian(bond, site_weight=0.0))))
        for covector in _orthogonal(candidates, taken) if size > 0 else ():
            densities.append(_density(chain, bond, density_matrix(size * covector, (left, right))))
    return densities


def neighbourhood(n: int, first: Density, second: Density) -> tuple[int, int]:
    """Return the sites start..stop-1 of two densities, with one more site on either side."""
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
    """Return the terms of the Hamiltonian from left to right: of each site, then of the bond to the next site.

    Site and bond terms are separate densities: in strong fields energy moves slowly from the field of a site to the
    bonds beside it.
    """
    densities = []
    for bond in range(chain.n - 1):
        left, right = (np.eye(space.levels) for space in chain.spaces[bond : bond + 2])
        terms = [np.kron(chain.site_hamiltonian(bond), right), chain.bond_hamiltonian(bond, site_weight=0.0)]
        if bond == chain.n - 2:
            terms.append(np.kron(left, chain.site_hamiltonian(bond + 1)))
        densities += [_density(chain, bond, term) for term in terms if np.ptp(np.linalg.eigvalsh(term)) > 1e-12]
    return densities


def _named(chain: Lindbladian, number: int) -> list[Density]:
    densities = []
    for operator in chain.densities[number]:
        bond = min(*operator.sites, chain.n - 2)
        densities.append(_density(chain, bond, operator.matrix((bond, bond + 1), chain.levels, chain.parities)))
    return densities


def _density(chain: Lindbladian, bond: int, matrix: Matrix) -> Density:
    matrix = _traceless(matrix)
    covector = coefficients(matrix, chain.spaces[bond : bond + 2])
    cooling = chain.local_map((bond, bond + 1), lambda e: -0.5 * (matrix @ e + e @ matrix))
    return Density(bond, covector, cooling)


def _traceless(matrix: Matrix) -> Matrix:
    return np.asarray(matrix - np.trace(matrix) / len(matrix) * np.eye(len(matrix)), np.complex128)


def _orthogonal(candidates: Sequence[Real], taken: Sequence[Real]) -> list[Real]:
    """Return an orthonormal basis of the part of the candidates that is orthogonal to the operators `taken`."""
    basis: list[Real] = []
    for number, vector in enumerate([*taken, *candidates]):
        rest = vector - sum(np.vdot(other, vector) * other for other in basis)
        if np.linalg.norm(rest) > NEW * max(float(np.linalg.norm(vector)), 1e-300):
            basis.append(rest / np.linalg.norm(rest))
        elif number < len(taken):
            basis.append(np.zeros_like(vector))
    return basis[len(taken) :]


def _check_conserved(chain: Lindbladian, family: Sequence[Density], number: int) -> None:
    """Raise `InputError` if a sum has |[H, sum q]| > 0 at infinite temperature.

    The norm needs only products of near densities: all others vanish.
    """
    coherent, total, separate = chain.coherent(), 0.0, 0.0
    for first in family:
        for second in (q for q in family if abs(q.bond - first.bond) <= REACH + 1):
            start, stop = neighbourhood(chain.n, first, second)
            left, right = (
                applied(coherent, start, stop, q.embedded(chain.spaces, start, stop)) for q in (first, second)
            )
            product = float(np.vdot(left, right)) / float(np.prod([s.levels for s in chain.spaces[start:stop]]))
            total, separate = total + product, separate + product * (first is second)
    if total > LEAK**2 * max(separate, 1e-12):
        raise InputError(f"--accelerate: density {number} is not conserved: the Hamiltonian changes its sum")
