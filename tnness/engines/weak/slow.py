r"""The slow variables of a weakly coupled chain, and how they answer.

As the dissipation goes to zero the steady state becomes exp(-sum_k lambda_k q_k), and only the densities q_k relax
slowly (`tnness.engines.weak.densities`). With e_k = <q_k> their rate of change is

    d = s + J lambda,   s_k = <q_k D(1)>,   J = A + K

around infinite temperature: A_kl = -<q_k D(q_l)> is the dissipative response; K is conduction between near densities of
one sum, sum_l K_kl (lambda_k - lambda_l), of which only a rough size is known beforehand and the rest is learnt. With
the covariance C_kl = <q_k q_l>, lambda ~ -C^{-1} e, and a Newton step is de = C J^{-1} d.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from tnness.engines.weak.densities import REACH, Density, Real, applied, densities_of, neighbourhood
from tnness.errors import InputError
from tnness.observables import ProductView
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian

CONDUCTIVITY = 1e-2
"""Rough K of two densities, in units of the smaller of their variances to the power 3/2."""
VAGUE = 3.0
"""Relative uncertainty of the rough K."""
MISFIT = 0.1
"""Share of the largest flow by which linear response may miss a flow, in fits of K."""
RELAXES = 1e-6
"""Smallest rate at which a sum relaxes, relative to the dissipation, that is more than round-off."""
DEPENDENT = 1e-10
"""Relative weight below which a combination of densities counts as none."""


class SlowVariables:
    """The densities that relax slowly, their covariance and the Jacobian of their drift.

    Raises
    ------
    InputError: there is no Hamiltonian; the chain is classical; the dissipation is not weak, or does not relax a sum; a
        sum that the model names is not conserved by the Hamiltonian.
    """

    def __init__(self, generator: ChainGenerator) -> None:
        chain = _weakly_coupled(generator)
        families = densities_of(chain)
        self.spaces, self.densities = chain.spaces, [density for family in families for density in family]
        self.count = len(self.densities)
        owners = np.repeat(range(len(families)), [len(family) for family in families])
        self._read(chain.dissipator())
        self.rate = min(self._rate(owners == number, number) for number in range(len(families)))
        """Rate at which the sums relax, to first order: what is slow at all should not be much slower."""
        near = [(k, j) for k in range(self.count) for j in (k + 1, k + 2) if j < self.count and owners[k] == owners[j]]
        self.links = np.array(near, dtype=int).reshape(-1, 2)
        """Pairs of densities of one sum that conduct to each other, (link, 2)."""
        self.conductances = CONDUCTIVITY * np.diag(self.covariance)[self.links].min(axis=1) ** 1.5
        """K of each link, roughly."""
        weights, modes = np.linalg.eigh(self.covariance)
        self._modes = modes[:, weights > DEPENDENT * weights[-1]]  # fields along z and S^z, say, depend on each other
        self.start = -self._solved(self.jacobian(self.conductances), self.heating)
        """lambda_k at which the drift vanishes to first order."""

    def energies(self, view: ProductView) -> Real:
        """Return e_k, (density,)."""
        return np.array([np.vdot(q.covector, view.pair(q.bond)).real for q in self.densities], dtype=np.float64)

    def dissipated(self, view: ProductView) -> Real:
        """Return <q_k D(rho)>, what the jumps alone change, (density,)."""
        values = [np.vdot(adjoint, view.window(start, stop)).real for start, stop, adjoint in self._adjoints]
        return np.array(values, dtype=np.float64)

    def cooling(self, change: Real) -> list[Real]:
        """Return for each bond the generator of rho -> exp(-x q/2) rho exp(-x q/2), x = change_k for its densities."""
        bonds = [np.zeros((a.dim * b.dim,) * 2) for a, b in pairwise(self.spaces)]
        for x, density in zip(change, self.densities, strict=True):
            bonds[density.bond] += x * density.cooling
        return bonds

    def multipliers(self, energies: Real) -> Real:
        """Return lambda_k to first order, or the change of it that changes the energies so."""
        return -self._solved(self.covariance, energies)

    def jacobian(self, conductances: Real) -> Real:
        """Return J = A + K for the conductances of the links, (density, density)."""
        conduction = np.zeros_like(self.response)
        conduction[tuple(self.links.T)] = -conductances
        conduction += conduction.T
        return self.response + conduction - np.diag(conduction.sum(axis=1))

    def newton(self, drift: Real, conductances: Real) -> Real:
        """Return the change of the energies at which their drift would vanish."""
        return self.covariance @ self._solved(self.jacobian(conductances), drift)

    def learnt(self, energies: Real, flows: Real, noises: Real) -> Real:
        """Return the conductances, none negative, that fit flows sum_l K_kl (lambda_k - lambda_l).

        By least squares, with the rough conductances, to a factor of a few, as what is known beforehand.

        Parameters
        ----------
        energies, flows, noises: of each burst the e_k, what each density gained from the others per time, and how well
            that is known: (burst, density).
        """
        lambdas = np.array([self.multipliers(e) for e in energies])
        first, second = self.links.T
        incidence = np.zeros((self.count, len(self.links)))
        incidence[first, range(len(first))], incidence[second, range(len(second))] = 1.0, -1.0
        weights = 1 / np.maximum(np.hypot(noises, MISFIT * np.abs(flows).max()), 1e-300)  # (burst, density)
        gains = incidence * (lambdas[:, first] - lambdas[:, second])[:, None, :]  # (burst, density, link)
        unit = VAGUE * self.conductances
        matrix = np.vstack([(weights[:, :, None] * gains).reshape(-1, len(unit)) * unit, np.eye(len(unit))])
        return unit * nnls(matrix, np.concatenate([(weights * flows).ravel(), np.full(len(unit), 1 / VAGUE)]))[0]

    def _read(self, jumps: ChainGenerator) -> None:
        """Set C, A, s and the operators D^+(q), all at infinite temperature."""
        self.covariance, self.response = np.zeros((2, self.count, self.count))
        self.heating, self._adjoints = np.zeros(self.count), []
        self._strength = _norm(jumps)
        for k, first in enumerate(self.densities):
            start, stop = neighbourhood(len(self.spaces), first, first)
            adjoint = applied(jumps, start, stop, first.embedded(self.spaces, start, stop), adjoint=True)
            self._adjoints.append((start, stop, adjoint))
            identity = reduce(np.multiply.outer, [space.trace for space in self.spaces[start:stop]])
            self.heating[k] = np.vdot(adjoint, identity) / np.vdot(identity, identity)
            for j, second in enumerate(self.densities):
                if abs(first.bond - second.bond) <= REACH:
                    self.covariance[k, j], self.response[k, j] = self._answers(jumps, first, second)

    def _answers(self, jumps: ChainGenerator, first: Density, second: Density) -> tuple[float, float]:
        """Return <q q'> and -<q D(q')> at infinite temperature."""
        start, stop = neighbourhood(len(self.spaces), first, second)
        levels = float(np.prod([space.levels for space in self.spaces[start:stop]]))
        one, other = (density.embedded(self.spaces, start, stop) for density in (first, second))
        dissipated = applied(jumps, start, stop, other)
        return float(np.vdot(one, other)) / levels, -float(np.vdot(one, dissipated)) / levels

    def _rate(self, own: np.ndarray, number: int) -> float:
        """Return the rate at which a sum relaxes; refuse one that does not."""
        rate = float(self.response[np.ix_(own, own)].sum() / self.covariance[np.ix_(own, own)].sum())
        if not rate > RELAXES * self._strength:
            name = f"density {number - 1}" if number else "the energy"
            raise InputError(f"--accelerate: the dissipation does not relax {name}, so it has no steady value")
        return rate

    def _solved(self, matrix: Real, vector: Real) -> Real:
        """Solve matrix x = vector for an x without combinations of densities that vanish."""
        modes = self._modes
        return np.asarray(modes @ np.linalg.solve(modes.T @ matrix @ modes, modes.T @ vector), np.float64)


def _weakly_coupled(generator: ChainGenerator) -> Lindbladian:
    """Return the Lindblad equation behind a generator; refuse what has no slow energy."""
    chain = generator.origin
    if chain is None or not all(space.quantum for space in chain.spaces) or not chain.hamiltonian_terms:
        raise InputError("--accelerate follows the energies of bonds: it needs a Lindbladian with a Hamiltonian")
    weak, strong = _norm(chain.dissipator()), _norm(chain.coherent())
    if not weak < strong:
        raise InputError(
            f"--accelerate is for weak dissipation: on a bond its norm is {weak:.3g}, the Hamiltonian's {strong:.3g}"
        )
    return chain


def _norm(generator: ChainGenerator) -> float:
    return max(float(np.linalg.norm(bond, 2)) for bond in generator.merged_bonds)
