r"""The slow variables of a weakly coupled chain, and how they respond.

As the dissipation goes to zero the steady state becomes exp(-sum_k lambda_k Q_k). Here Q_k is the time average of a
local density q_k under the Hamiltonian (`tnness.engines.weak.densities`, `motion`). Only the Q_k relax slowly. With
e_k = <q_k> their rate of change is

    d = s + J lambda,   s_k = <Q_k D(1)>,   J = A + K + Gamma

around infinite temperature. A_kl = -<Q_k D(Q_l)> is the dissipative response. K is the conduction between near
densities of one conserved sum, sum_l K_kl (lambda_k - lambda_l). Gamma is the decay of densities that belong to no
conserved sum. The averages do not contain K and Gamma, which are known only roughly. With C_kl = <Q_k Q_l>,
e ~ -C lambda, and a Newton step is de = C J^{-1} d. The step leaves out combinations of densities whose time average is
small: they follow the others.
"""

from __future__ import annotations

import math
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tnness.engines.weak.densities import REACH, Real, applied, densities_of, neighbourhood, others_of
from tnness.engines.weak.motion import Window, windows
from tnness.errors import InputError
from tnness.network.product_view import ProductView
from tnness.problems.generator import ChainGenerator
from tnness.problems.lindbladian import Lindbladian

CONDUCTIVITY = 1e-3
"""Rough K of two densities, in units of the smaller of their variances to the power 3/2."""
SURVIVES = 0.1
"""A combination of densities counts as slow if its time average keeps more than this share of its variance."""
RELAXES = 1e-6
"""Smallest relaxation rate of a sum, relative to the norm of the dissipation, that is not round-off."""
DEPENDENT = 1e-10
"""Relative variance below which a combination of densities counts as 0, so that its densities are dependent."""


class SlowVariables:
    """The densities that relax slowly, their covariance and the Jacobian of their drift.

    Raises
    ------
    InputError: there is no Hamiltonian; the chain is classical; the dissipation is not weak, or does not relax a sum;
        the Hamiltonian does not conserve a sum that the model names.
    """

    def __init__(self, generator: ChainGenerator) -> None:
        chain = _weakly_coupled(generator)
        conserved = densities_of(chain)
        families = [*conserved, others_of(chain, [density for family in conserved for density in family])]
        self.spaces, self.densities = chain.spaces, [density for family in families for density in family]
        self.count = len(self.densities)
        owners = np.repeat(range(len(families)), [len(family) for family in families])
        jumps = chain.dissipator()
        self.covariance = self._covariance()
        self.rate = min(self._rate(jumps, owners == number, number) for number in range(len(conserved)))
        """Smallest rate at which a sum relaxes, to first order; no slow variable should be much slower."""
        self.kept, self.response, self.heating = self._averages(chain, jumps)
        self.mixing = self._mixing(owners, len(conserved))
        """A rough estimate of K + Gamma, (density, density)."""
        weights, modes = np.linalg.eigh(self.covariance)
        modes = modes[:, weights > DEPENDENT * weights[-1]]  # a field along z and S^z are dependent
        self._independent = modes / np.sqrt(np.einsum("km,kl,lm->m", modes, self.covariance, modes))
        shares, slow = np.linalg.eigh(self._independent.T @ self.kept @ self._independent)
        self._slow = self._independent @ slow[:, shares > SURVIVES]
        self.start = -_solved(self._slow, self.jacobian, self.heating)
        """The lambda_k at which the drift vanishes, to first order."""
        self.expected = -self.kept @ self.start
        """The e_k of that state, to first order."""

    def energies(self, view: ProductView) -> Real:
        """Return e_k, (density,)."""
        return np.array([np.vdot(q.covector, view.pair(q.bond)).real for q in self.densities], dtype=np.float64)

    def cooling(self, change: Real) -> list[Real]:
        """Return for each bond the generator of rho -> exp(-x q/2) rho exp(-x q/2), summed over q = q_k with x = x_k.

        change: x_k, (density,).
        """
        bonds = [np.zeros((a.dim * b.dim,) * 2) for a, b in pairwise(self.spaces)]
        for x, density in zip(change, self.densities, strict=True):
            bonds[density.bond] += x * density.cooling
        return bonds

    def gates(self, energies: Real) -> Real:
        """Return the change of the lambda_k that at once changes the energies by `energies`, to first order."""
        return -_solved(self._independent, self.covariance, energies)

    def multipliers(self, energies: Real) -> Real:
        """Return the change of the lambda_k that lastingly changes the energies by `energies`, to first order."""
        return -_solved(self._slow, self.kept, energies)

    def weighted(self, energies: Real) -> Real:
        """Return |lambda_k| sqrt(C_kk) with lambda of `multipliers`: the weight of each density in ln rho."""
        return np.asarray(np.abs(self.multipliers(energies)) * np.sqrt(np.diag(self.kept)), np.float64)

    def product(self, energies: Real) -> Real:
        """Return e C^{-1} e' for all pairs of changes e of the energies (change, density): (change, change)."""
        lambdas = np.array([self.multipliers(e) for e in energies])
        return np.asarray(lambdas @ self.kept @ lambdas.T, np.float64)

    def distance(self, energies: Real) -> float:
        """Return sqrt(e C^{-1} e), the norm of the change of ln rho at infinite temperature."""
        return float(np.sqrt(max(0.0, self.product(energies[None]).item())))

    @property
    def jacobian(self) -> Real:
        """J = A + K + Gamma, (density, density)."""
        return self.response + self.mixing

    def newton(self, drift: Real) -> Real:
        """Return the change of the energies that makes their drift vanish."""
        return self.kept @ _solved(self._slow, self.jacobian, drift)

    def _covariance(self) -> Real:
        """Return <q_k q_l> at infinite temperature."""
        covariance = np.zeros((self.count, self.count))
        for k, first in enumerate(self.densities):
            for j, second in enumerate(self.densities[: k + 1]):
                if abs(first.bond - second.bond) <= 1:
                    start, stop = min(first.bond, second.bond), max(first.bond, second.bond) + 2
                    left, right = (density.embedded(self.spaces, start, stop) for density in (first, second))
                    levels = math.prod(space.levels for space in self.spaces[start:stop])
                    covariance[k, j] = covariance[j, k] = float(np.vdot(left, right)) / levels
        return covariance

    def _averages(self, chain: Lindbladian, jumps: ChainGenerator) -> tuple[Real, Real, Real]:
        """Return C, A and s of the densities, averaged under the Hamiltonian over a time 1/rate."""
        kept, response, heating = np.zeros((self.count,) * 2), np.zeros((self.count,) * 2), np.zeros(self.count)
        where = np.array([density.bond for density in self.densities])
        for (start, stop), bonds in windows(chain).items():
            window = Window(chain, start, stop, 1 / self.rate)
            inside = np.flatnonzero(
                (where >= max(start, bonds[0] - REACH)) & (where <= min(stop - 2, bonds[-1] + REACH))
            )
            tensors = [window.averaged(self.densities[k].embedded(self.spaces, start, stop)) for k in inside]
            identity = reduce(np.multiply.outer, [space.trace for space in self.spaces[start:stop]])
            averages = np.array([tensor.ravel() for tensor in tensors])
            dissipated = np.array([applied(jumps, start, stop, tensor).ravel() for tensor in tensors])
            heated, levels = applied(jumps, start, stop, identity).ravel(), float(np.vdot(identity, identity))
            for k, average in zip(inside, averages, strict=True):
                if where[k] in bonds:
                    near = np.abs(where[inside] - where[k]) <= REACH
                    kept[k, inside[near]] = averages[near] @ average / levels
                    response[k, inside[near]] = -dissipated[near] @ average / levels
                    heating[k] = heated @ average / levels
        return (kept + kept.T) / 2, response, heating

    def _mixing(self, owners: np.ndarray, conserved: int) -> Real:
        """Return K + Gamma: K between near densities of one conserved sum, Gamma of densities of no conserved sum."""
        sizes, mixing = CONDUCTIVITY * np.diag(self.covariance) ** 1.5, np.zeros_like(self.covariance)
        for k in range(self.count):
            if owners[k] == conserved:
                mixing[k, k] = sizes[k]
                continue
            for j in (j for j in (k + 1, k + 2) if j < self.count and owners[j] == owners[k]):
                conductance = min(sizes[k], sizes[j])
                mixing[[k, j], [k, j]] += conductance
                mixing[[k, j], [j, k]] -= conductance
        return mixing

    def _rate(self, jumps: ChainGenerator, members: NDArray[np.bool_], number: int) -> float:
        """Return the rate at which a sum of densities relaxes; raise `InputError` if it does not relax.

        members: which densities belong to the sum. number: the number of the sum.
        """
        relaxed, chosen = 0.0, [self.densities[k] for k in np.flatnonzero(members)]
        for first in chosen:
            for second in (q for q in chosen if abs(q.bond - first.bond) <= REACH):
                start, stop = neighbourhood(len(self.spaces), first, second)
                left, right = (density.embedded(self.spaces, start, stop) for density in (first, second))
                levels = math.prod(space.levels for space in self.spaces[start:stop])
                relaxed -= float(np.vdot(left, applied(jumps, start, stop, right))) / levels
        rate = relaxed / float(self.covariance[np.ix_(members, members)].sum())
        if not rate > RELAXES * _norm(jumps):
            name = f"density {number - 1}" if number else "the energy"
            raise InputError(f"--accelerate: the dissipation does not relax {name}, so it has no steady value")
        return rate


def _solved(modes: Real, matrix: Real, vector: Real) -> Real:
    """Return the solution x of matrix x = vector within the span of some modes (density, mode)."""
    return np.asarray(modes @ np.linalg.solve(modes.T @ matrix @ modes, modes.T @ vector), np.float64)


def _weakly_coupled(generator: ChainGenerator) -> Lindbladian:
    """Return the Lindblad equation of a generator; raise `InputError` if it has no slowly relaxing energy."""
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
