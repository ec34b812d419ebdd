r"""The slow variables of a weakly coupled chain: the energies of its bonds, and how they answer.

As the dissipation goes to zero the steady state becomes exp(-sum_k lambda_k q_k), and only the q_k relax slowly: the
shares of the bonds in the energy, and what else the model says is nearly conserved
(`Lindbladian.nearly_conserved`). With e_k = <q_k> their rate of change is
d = s + J lambda, s_k = <q_k D(1)>, J = A + K L around infinite temperature: A_kl = -<q_k D(q_l)> is the dissipative
response, K L the conduction between neighbours (L the Laplacian along each density, K a rough conductivity). With the
covariance C_kl = <q_k q_l>, lambda ~ -C^{-1} e and a Newton step is de = C J^{-1} d.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from tnness.errors import InputError
from tnness.observables import ProductView
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian
from tnness.terms import Matrix

Real = NDArray[np.float64]

CONDUCTIVITY = 1e-2
"""K, in units of the covariance of a density times its norm: rough, since mixing learns the rest."""
VAGUE = 3.0
"""Relative uncertainty of the rough conductivity."""
REACH = 2
"""Bonds apart up to which two densities answer each other directly."""
LEAK = 1e-6
"""Largest rate of change of a sum under the Hamiltonian, relative to that of its terms, that counts as conserved."""


DEPENDENT = 1e-10
"""Relative weight below which a combination of densities counts as none."""
RELAXES = 1e-6
"""Smallest rate at which a sum relaxes, relative to the dissipation, that is more than round-off."""


@dataclass(frozen=True)
class Density:
    """One slow variable: an operator q on sites (bond, bond + 1)."""

    bond: int
    covector: Real  # Tr(E_a x E_b q), (D, D')
    cooling: Real  # rho -> -(q rho + rho q)/2, (D D', D D')


class SlowVariables:
    """The local densities that relax slowly, their covariance and the Jacobian of their drift.

    Raises
    ------
    InputError: there is no Hamiltonian; the chain is classical; the dissipation is not weak, or leaves the densities
        alone; a density that the model names is not conserved by the Hamiltonian.
    """

    def __init__(self, generator: ChainGenerator) -> None:
        chain = _weakly_coupled(generator)
        jumps, coherent = chain.dissipator(), chain.coherent()
        families = [_energies(chain), *(_named(chain, number) for number in range(len(chain.densities)))]
        self.spaces, self.densities = chain.spaces, [density for family in families for density in family]
        self.count = len(self.densities)
        self.covariance, response, leaks = np.zeros((3, self.count, self.count))
        self.heating = np.zeros(self.count)
        for i, first in enumerate(self.densities):
            for j, second in enumerate(self.densities):
                if abs(first.bond - second.bond) <= REACH:
                    self.covariance[i, j], response[i, j], self.heating[i] = self._answers(jumps, first, second)
                if families[1:] and abs(first.bond - second.bond) <= REACH + 1:
                    leaks[i, j] = self._leak(coherent, first, second)
        self.response, rates, start = response, [], 0
        links: list[tuple[int, int]] = []
        largest = max(float(np.linalg.norm(bond, 2)) for bond in jumps.merged_bonds)
        for number, family in enumerate(families):
            own = slice(start, start + len(family))
            start = own.stop
            name = f"density {number - 1}" if number else "the energy"
            if leaks[own, own].sum() > LEAK**2 * max(np.trace(leaks[own, own]), 1e-12):
                raise InputError(f"--accelerate: {name} is not conserved, the Hamiltonian changes its sum")
            rates.append(float(response[own, own].sum() / self.covariance[own, own].sum()))
            if not rates[-1] > RELAXES * largest:
                raise InputError(f"--accelerate: the dissipation does not relax {name}, so it has no steady value")
            links += [(i, j) for i in range(own.start, own.stop) for j in range(i + 1, min(i + 3, own.stop))]
        self.links = np.array(links, dtype=int).reshape(-1, 2)
        """Pairs of densities of one sum that conduct to each other, (link, 2)."""
        self.conductances = CONDUCTIVITY * np.diag(self.covariance)[self.links].min(axis=1) ** 1.5
        """K of each link, roughly."""
        self._adjoints = [self._adjoint(jumps, density) for density in self.densities]
        self.rate = min(rates)
        """Rate at which the sums relax, to first order: what is slow at all should not be much slower."""
        scaled = self.covariance / np.abs(self.covariance).max()
        weights, modes = np.linalg.eigh(scaled)
        self._modes = modes[:, weights > DEPENDENT]  # densities may depend on each other: fields along z, and S^z
        self.start = -self._solved(self.jacobian(self.conductances), self.heating)
        """lambda_k at which the drift vanishes to first order."""

    def jacobian(self, conductances: Real) -> Real:
        """Return J = A + K L for the conductances of the links, (density, density)."""
        laplacian = np.zeros_like(self.response)
        laplacian[tuple(self.links.T)] = -conductances
        laplacian += laplacian.T
        return self.response + laplacian - np.diag(laplacian.sum(axis=1))

    def energies(self, view: ProductView) -> Real:
        """Return e_k, (density,)."""
        values = [float(np.vdot(one.covector, view.pair(one.bond)).real) for one in self.densities]
        return np.array(values, dtype=np.float64)

    def cooling(self, change: Real) -> list[Real]:
        """Return for each bond the generator of rho -> exp(-x q/2) rho exp(-x q/2), x = change_k for its densities."""
        bonds = [np.zeros((a.dim * b.dim,) * 2) for a, b in pairwise(self.spaces)]
        for x, one in zip(change, self.densities, strict=True):
            bonds[one.bond] += x * one.cooling
        return bonds

    def multipliers(self, energies: Real) -> Real:
        """Return lambda_k to first order, or the change of it that changes the energies so."""
        return -self._solved(self.covariance, energies)

    def dissipated(self, view: ProductView) -> Real:
        """Return <q_k D(rho)>, what the jumps alone change, (density,)."""
        values = []
        for (start, stop), adjoint in self._adjoints:
            values.append(float(np.vdot(adjoint, view.window(start, stop)).real))
        return np.array(values, dtype=np.float64)

    def newton(self, drift: Real, conductances: Real) -> Real:
        """Return the change of the energies at which their drift would vanish."""
        return self.covariance @ self._solved(self.jacobian(conductances), drift)

    def _solved(self, matrix: Real, vector: Real) -> Real:
        """Solve matrix x = vector for an x without combinations of densities that vanish."""
        modes = self._modes
        return np.asarray(modes @ np.linalg.solve(modes.T @ matrix @ modes, modes.T @ vector), np.float64)

    def learnt(self, energies: Real, flows: Real, noises: Real) -> Real:
        """Return the conductances, none negative, that fit what some bursts showed: sum_j K_ij (lambda_i - lambda_j).

        Least squares, with the rough conductances, to a factor of a few, as what is known beforehand.

        Parameters
        ----------
        energies, flows, noises: of each burst the e_k, what each density gained from the others per time, and how well
            that is known: (burst, density).
        """
        lambdas = np.array([self.multipliers(e) for e in energies])
        first, second = self.links.T
        differences = lambdas[:, first] - lambdas[:, second]  # (burst, link)
        incidence = np.zeros((self.count, len(self.links)))
        incidence[first, range(len(first))], incidence[second, range(len(second))] = 1.0, -1.0
        weights = 1 / np.maximum(np.hypot(noises, 0.1 * np.abs(flows).max()), 1e-300)  # (burst, density)
        rows = (weights[:, :, None] * incidence * differences[:, None, :]).reshape(-1, len(self.links))
        vague = VAGUE * self.conductances
        matrix = np.vstack([rows * vague, np.eye(len(self.links))])  # of K / vague
        return vague * nnls(matrix, np.concatenate([(weights * flows).ravel(), np.full(len(vague), 1 / VAGUE)]))[0]

    def _answers(self, jumps: ChainGenerator, first: Density, second: Density) -> tuple[float, float, float]:
        """Return <q q'> - <q><q'>, -<q D(q')> and <q D(1)> at infinite temperature."""
        start, stop = self._window(first, second, 1)
        spaces = self.spaces[start:stop]
        norm = float(np.prod([space.levels for space in spaces]))
        one, other = (self._embedded(density, start, stop) for density in (first, second))
        identity = reduce(np.multiply.outer, [space.trace for space in spaces])
        dissipated = [np.vdot(one, _apply(jumps, start, stop, x)) / norm for x in (other, identity)]
        mean = np.vdot(one, identity) * np.vdot(other, identity) / norm**2
        return float(np.vdot(one, other) / norm - mean), -float(dissipated[0]), float(dissipated[1])

    def _adjoint(self, jumps: ChainGenerator, density: Density) -> tuple[tuple[int, int], Real]:
        """Return the sites on which D^+(q) acts, and its coefficients (D, ..., D)."""
        start, stop = self._window(density, density, 1)
        return (start, stop), _apply(jumps, start, stop, self._embedded(density, start, stop), adjoint=True)

    def _leak(self, coherent: ChainGenerator, first: Density, second: Density) -> float:
        """Return <[H, q] [H, q']> at infinite temperature, up to the sign."""
        start, stop = self._window(first, second, 1)
        norm = float(np.prod([space.levels for space in self.spaces[start:stop]]))
        one, other = (
            _apply(coherent, start, stop, self._embedded(density, start, stop)) for density in (first, second)
        )
        return float(np.vdot(one, other) / norm)

    def _window(self, first: Density, second: Density, margin: int) -> tuple[int, int]:
        bonds = first.bond, second.bond
        return max(0, min(bonds) - margin), min(len(self.spaces), max(bonds) + 2 + margin)

    def _embedded(self, density: Density, start: int, stop: int) -> Real:
        """The coefficients of q on sites start..stop-1: (D, ..., D)."""
        before = [self.spaces[site].trace for site in range(start, density.bond)]
        after = [self.spaces[site].trace for site in range(density.bond + 2, stop)]
        return reduce(np.multiply.outer, [*before, density.covector, *after])


def _weakly_coupled(generator: ChainGenerator) -> Lindbladian:
    """Return the Lindblad equation behind a generator; refuse what has no slow energy."""
    chain = generator.origin
    if chain is None or not all(space.quantum for space in chain.spaces) or not chain.hamiltonian_terms:
        raise InputError("--accelerate follows the energies of bonds: it needs a Lindbladian with a Hamiltonian")
    weak, strong = (
        max(float(np.linalg.norm(bond, 2)) for bond in part.merged_bonds)
        for part in (chain.dissipator(), chain.coherent())
    )
    if not weak < strong:
        raise InputError(
            f"--accelerate is for weak dissipation: on a bond its norm is {weak:.3g}, the Hamiltonian's {strong:.3g}"
        )
    return chain


def _energies(chain: Lindbladian) -> list[Density]:
    """The terms of the Hamiltonian from left to right: those on a site, then those on the bond to the next.

    They are kept apart: in strong fields energy goes slowly from a site's field to the bonds beside it.
    """
    found = []
    for bond in range(chain.n - 1):
        levels = chain.spaces[bond].levels, chain.spaces[bond + 1].levels
        left = np.kron(chain.site_hamiltonian(bond), np.eye(levels[1]))
        terms = [left, chain.bond_hamiltonian(bond, site_weight=0.0)]
        if bond == chain.n - 2:
            terms.append(np.kron(np.eye(levels[0]), chain.site_hamiltonian(bond + 1)))
        found += [_density(chain, bond, term) for term in terms if np.ptp(np.linalg.eigvalsh(term)) > 1e-12]
    return found


def _named(chain: Lindbladian, number: int) -> list[Density]:
    """The densities of one conserved sum that the model names."""
    found = []
    for operator in chain.densities[number]:
        bond = min(min(operator.sites), chain.n - 2)
        found.append(_density(chain, bond, operator.matrix((bond, bond + 1), chain.levels, chain.parities)))
    return found


def _density(chain: Lindbladian, bond: int, matrix: Matrix) -> Density:
    left, right = chain.spaces[bond : bond + 2]
    matrix = matrix - np.trace(matrix) / len(matrix) * np.eye(len(matrix))
    q = matrix.reshape(left.levels, right.levels, left.levels, right.levels)
    covector = np.einsum("iab,jcd,bdac->ij", left.elements, right.elements, q, optimize=True).real
    cooling = chain.local_map((bond, bond + 1), lambda e: -0.5 * (matrix @ e + e @ matrix))
    return Density(bond, covector, cooling)


def _apply(jumps: ChainGenerator, start: int, stop: int, tensor: Real, adjoint: bool = False) -> Real:
    """Apply the terms of a generator that lie within sites start..stop-1, or their adjoints."""
    total = np.zeros_like(tensor)
    for bond in range(start, stop - 1):
        front = np.moveaxis(tensor, (bond - start, bond - start + 1), (0, 1))
        matrix = jumps.merged_bonds[bond].T if adjoint else jumps.merged_bonds[bond]
        image = (matrix @ front.reshape(len(matrix), -1)).reshape(front.shape)
        total += np.moveaxis(image, (0, 1), (bond - start, bond - start + 1))
    return total
