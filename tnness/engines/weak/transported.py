"""A density that a chain transports from end to end: its sum is changed by the ends alone, in whatever its terms are.

With q_i the density of site i, the terms of a bond conserve q_i + q_{i+1}, so that they define a current: j_b is the
rate at which they lower q_b, and raise q_{b+1}. The own terms of the first and of the last site are reservoirs: they
change the density of their site at the rate <r>, r = a 1 - k q + ..., and leave it alone at the value a / k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tnness.network.chain_view import ChainView, pair_products
from tnness.network.product_view import ProductView
from tnness.operators.basis import LocalSpace
from tnness.problems.conserved import conserved_sums
from tnness.problems.generator import ChainGenerator

Real = NDArray[np.float64]

SHORTEST_PROFILE = 4
"""Fewest sites of a chain that has a profile."""
DRIVEN = 1e-10
"""Smallest rate at which an end changes a density, relative to the norm of its terms, that is no round-off."""


@dataclass(frozen=True, eq=False)
class Transported:
    """A density, its currents and its reservoirs, as covectors.

    Parameters
    ----------
    spaces: of the sites. densities: q_i, traceless, (D_i,) each; the largest spectrum has width 1. currents: j_b,
        (D_b, D_{b+1}) each. sources: what the own terms of the first and of the last site do to q, (D,) each.
    """

    spaces: tuple[LocalSpace, ...]
    densities: list[Real]
    currents: list[Real]
    sources: tuple[Real, Real]

    @classmethod
    def of(cls, generator: ChainGenerator) -> Transported | None:
        """Return the density that the ends drive through a chain; None where there is none, or more than one.

        >>> from tnness import Lindbladian, spin_half as s
        >>> chain = Lindbladian([s] * 4)
        >>> for i in range(3):
        ...     chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1))
        >>> chain.jump(s.Sp(0), rate=0.75)
        >>> chain.jump(s.Sm(0), rate=0.25)
        >>> chain.jump(s.Sm(3))
        >>> [round(float(value), 12) for value in Transported.of(chain.generator()).targets]
        [0.25, -0.5]
        """
        odd = generator.is_factored or generator.distant or generator.metric is not None or generator.resolution != 1
        if odd or generator.charges is not None or generator.n < SHORTEST_PROFILE:
            return None
        ends = 0, generator.n - 1
        inner = [np.zeros_like(m) if i in ends else m for i, m in enumerate(generator.site_terms)]
        sums = conserved_sums(ChainGenerator(generator.spaces, inner, generator.bond_terms))
        if not sums or conserved_sums(generator):
            return None
        driven = np.array([[_at_rest(generator, end, q[end]) for q in sums] for end in ends])  # (end, sum)
        _, sizes, directions = np.linalg.svd(driven)
        scale = max(float(np.linalg.norm(generator.site_terms[end], 2)) for end in ends)
        if not sizes[0] > DRIVEN * scale or (len(sizes) > 1 and sizes[1] > DRIVEN * scale):
            return None
        densities = [directions[0] @ np.array([q[i] for q in sums]) for i in range(generator.n)]
        found = cls._scaled(generator, densities)
        pulls = max(found.rates) > DRIVEN * scale and min(found.rates) > -DRIVEN * scale
        return found if pulls and abs(found.targets[1] - found.targets[0]) > DRIVEN else None

    @classmethod
    def _scaled(cls, generator: ChainGenerator, densities: list[Real]) -> Transported:
        spaces, trace = generator.spaces, generator.functionals["trace"]
        width = max(float(np.ptp(_levels(space, q))) for space, q in zip(spaces, densities, strict=True))
        densities = [q / width for q in densities]
        currents = [
            (-np.outer(q, trace[b + 1]).ravel() @ generator.bond_terms[b]).reshape(len(q), -1)
            for b, q in enumerate(densities[:-1])
        ]
        first, last = (densities[end] @ generator.site_terms[end] for end in (0, -1))
        return cls(spaces, densities, currents, (first, last))

    @property
    def n(self) -> int:
        """The number of sites."""
        return len(self.spaces)

    @cached_property
    def rates(self) -> tuple[float, float]:
        """The rates k at which the reservoirs pull the density of their site to its target (1 / time)."""
        ends = zip(self.sources, (self.densities[0], self.densities[-1]), strict=True)
        first, last = (-float(source @ q) / float(q @ q) for source, q in ends)
        return first, last

    @cached_property
    def targets(self) -> tuple[float, float]:
        """The values at which the reservoirs leave the density alone; the other end's, of an end without one."""
        values = [
            float(source @ space.trace) / float(space.trace @ space.trace) / rate if rate > 0 else np.nan
            for source, space, rate in zip(self.sources, (self.spaces[0], self.spaces[-1]), self.rates, strict=True)
        ]
        first, last = (value if value == value else values[1 - end] for end, value in enumerate(values))
        return first, last

    @cached_property
    def levels(self) -> Real:
        """The smallest and the largest value of the density of every site: (n, 2)."""
        spectra = [_levels(space, q) for space, q in zip(self.spaces, self.densities, strict=True)]
        return np.array([[spectrum.min(), spectrum.max()] for spectrum in spectra])

    def read(self, view: ProductView) -> Real:
        """Return the densities of all sites, the currents of all bonds, and the two sources: (2 n + 1,)."""
        pairs = [view.pair(bond) for bond in range(self.n - 1)]
        singles = [pair @ right.trace for pair, right in zip(pairs, self.spaces[1:], strict=True)]
        singles.append(self.spaces[-2].trace @ pairs[-1])
        densities = [q @ single for q, single in zip(self.densities, singles, strict=True)]
        currents = [np.vdot(j, pair) for j, pair in zip(self.currents, pairs, strict=True)]
        sources = self.sources[0] @ singles[0], self.sources[1] @ singles[-1]
        return np.array([*densities, *currents, *sources], np.float64)

    def correlations(self, view: ChainView) -> Real:
        """Return <q_i q_j> - <q_i><q_j> for i < j, 0 elsewhere: (n, n)."""
        means = np.array([view.contract({i: q}).real for i, q in enumerate(self.densities)])
        return np.triu(np.real(pair_products(view, self.densities, self.densities)) - np.outer(means, means), 1)

    def tilts(self, change: Real) -> list[Real]:
        """Return the maps rho -> exp(x q / 2) rho exp(x q / 2) of all sites, x = change: (D_i, D_i) each."""
        return [
            (vectors * np.exp(x * values)) @ vectors.T
            for x, (values, vectors) in zip(change, self._tilting, strict=True)
        ]

    @cached_property
    def _tilting(self) -> list[tuple[Real, Real]]:
        """The eigenvalues and eigenvectors of the symmetric maps rho -> (q rho + rho q) / 2."""
        known: dict[tuple[LocalSpace, bytes], tuple[Real, Real]] = {}
        keys = [(space, q.tobytes()) for space, q in zip(self.spaces, self.densities, strict=True)]
        for key, q in zip(keys, self.densities, strict=True):
            if key not in known:
                elements = key[0].elements
                matrix = np.tensordot(q, elements, 1)
                images = (matrix @ elements + elements @ matrix) / 2
                known[key] = np.linalg.eigh(np.einsum("aij,bij->ab", elements.conj(), images).real)
        return [known[key] for key in keys]


def _at_rest(generator: ChainGenerator, site: int, q: Real) -> float:
    """Return the rate at which a site's own terms change a density in the completely mixed state."""
    trace = generator.spaces[site].trace
    return float(q @ generator.site_terms[site] @ trace) / float(trace @ trace)


def _levels(space: LocalSpace, q: Real) -> Real:
    """Return the eigenvalues of the operator with a covector."""
    return np.asarray(np.linalg.eigvalsh(np.tensordot(q, space.elements, 1)), np.float64)
