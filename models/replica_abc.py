"""The averaged replica E[rho x rho] of the current-driven random circuit: a chain of six states a site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tnness import ChainGenerator, ChainState, InputError, Observable, register
from tnness.model.checks import check_sites
from tnness.operators.basis import LocalSpace
from tnness.operators.charges import Charges
from tnness.problems.ensembles import replica_map
from tnness.typed import check_fields

from . import replica
from .conserving_gates import check_probabilities, interactions, partial_swaps, swaps
from .replica import occupied, replica_bit, replica_spin
from .replica_solutions import two_point_state

Real = NDArray[np.float64]

SOURCE = 1e-5
"""Size of the deviation from the vacuum that order "second" evolves; the square of this size is neglected."""
WEIGHT = 2.0
"""Weight of every operator but the identity in the metric of truncation; the plain norm would drop spread operators."""


@register("replica-abc")
@dataclass(frozen=True, kw_only=True)
class ReplicaABC:
    """Two replicas of a current-driven random circuit, averaged over the circuit: purities and mutual information.

    In each step a gate acts on a random bond: a partial swap with probability p1, an interaction with p2, a swap or
    nothing otherwise; the gates at the ends act on a fresh spin of density 1/2 + m, which is then discarded. Unit time
    is n + 1 steps. The average state is the exclusion process for any p1 and p2. They show in the second moment
    E[rho x rho], the steady state of this chain.

    With order = "second", for antisymmetric reservoirs m = +-delta/2, the record holds the coefficient of delta^2 of
    every quantity: the run evolves the vacuum plus a small linear response, at delta = 0.

    M. J. Gullans, D. A. Huse, Phys. Rev. X 9, 021007 (2019), doi:10.1103/PhysRevX.9.021007, App. E.

    Agrees
    ------
    - the maps of the bulk with the tables of App. E, to 1e-14: test_bulk_map_equals_the_papers_tables
    - those of the ends with its table, corrected, to 1e-14: test_boundary_map_equals_the_papers_tables_corrected
    - all averages of two to five sites with the dense average over unitaries, to 1e-9:
      test_exact_solves_the_dense_average
    - densities with the exclusion process, to 1e-9: test_the_average_is_the_exclusion_process
    - order delta^2 with the limit of small delta, to 1e-3: test_second_order_is_the_limit_of_finite_delta
    """

    n: int = 6  # number of sites
    p1: float = 0.5  # probability of a partial swap
    p2: float = 0.5  # probability of an interaction
    m_left: float = 0.5  # magnetisation of the left reservoir, density 1/2 + m
    m_right: float = -0.5  # magnetisation of the right reservoir
    coherences: bool = True  # if false, every gate is followed by a measurement of all spins
    order: Literal["finite", "second"] = "finite"  # values at these reservoirs, or the coefficient of delta^2

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_probabilities(self.p1, self.p2)
        for name, m in (("m_left", self.m_left), ("m_right", self.m_right)):
            if not abs(m) <= 0.5:
                raise InputError(f"{name} = {m:g}: a magnetisation lies between -1/2 and 1/2")
        if self.order not in ("finite", "second"):
            raise InputError(f"order = {self.order!r} is not one of finite, second")
        if self.order == "second" and self.m_left != -self.m_right:
            raise InputError(
                f"m_left = {self.m_left:g}, m_right = {self.m_right:g}: order delta^2 is for antisymmetric reservoirs"
            )

    def small(self) -> Self:
        """Return a chain of three sites: two ends and a middle, 216 dimensions."""
        return replace(self, n=min(self.n, 3))

    def problem(self) -> ChainGenerator:
        """Return the chain."""
        return self._second() if self.order == "second" else self._finite()

    def initial_state(self, engine: str) -> ChainState:
        """Return local equilibrium; at second order, plus the one- and two-point functions of the response."""
        if self.order == "second" and self.coherences:
            return two_point_state(self.problem())
        steps = np.arange(1, self.n + 1) / (self.n + 1)
        profile = 0.5 + self.m_left + (self.m_right - self.m_left) * steps
        densities = profile if self.order == "finite" else np.full(self.n, 0.5)
        return ChainState.product([self._space.vector(occupied(d)) for d in densities])

    def observables(self) -> dict[str, Observable]:
        """Return the density, one- and two-point functions of the replicas, and the entropies that follow from them."""
        unit = SOURCE if self.order == "second" else 1.0
        quiet: dict[str, Any] = {"dims": ("site", "site_2"), "monitored": False, "needs": ("correlations",)}
        needs = ("contract",)
        observables = {
            "density": replica.scaled(
                self._density,
                unit,
                dims=("site",),
                description="<n_i>",
                symbol=r"\langle n_i \rangle",
                needs=("expect",),
            ),
            "h": replica.scaled(
                replica.excess, unit, dims=("site",), description="P(b_up) - <n_i>^2", needs=("expect",)
            ),
            "b": replica.scaled(replica.alike, unit, description="(E39), 0 on the diagonal", **quiet),
            "B": replica.scaled(replica.contrast, unit, description="(E40), 0 on the diagonal", **quiet),
            "tau": replica.scaled(
                replica.density_correlation,
                unit,
                description="<n_i n_j> - <n_i><n_j>, 0 on the diagonal",
                symbol=r"\langle n_i n_j \rangle_c",
                **quiet,
            ),
            "purity": Observable(
                self._purity,
                description="E Tr rho^2",
                symbol=r"E\,\mathrm{Tr} \rho^2",
                needs=("functional",) if self.order == "finite" else needs,
            ),
            "entropy_deviation": replica.scaled(
                replica.entropy_deviation,
                unit,
                unit="nat",
                description="from local equilibrium, leading order",
                needs=needs,
            ),
            "mutual_information": replica.scaled(
                replica.mutual_information,
                unit,
                dims=("cut",),
                unit="nat",
                description="of the two sides of a cut",
                needs=needs,
            ),
            "pair_entropy_deviation": replica.scaled(
                replica.pair_entropy_deviation,
                unit,
                unit="nat",
                monitored=False,
                description="of one- and two-point functions",
                needs=needs,
            ),
            "pair_mutual_information": replica.scaled(
                replica.pair_mutual_information,
                unit,
                dims=("cut",),
                unit="nat",
                monitored=False,
                description="of two-point functions",
                needs=needs,
            ),
        }
        if self.coherences:
            quiet |= {"needs": needs}
            observables["a"] = replica.scaled(replica.coherence, unit, description="(E26), 0 on the diagonal", **quiet)
        return observables

    def _density(self, view: Any) -> Real:
        return replica.density(view) - (0.5 if self.order == "second" else 0.0)

    def _purity(self, view: Any) -> float:
        if self.order == "finite":
            return view.functional("purity")
        fields = 1 - 2 * np.arange(1, self.n + 1) / (self.n + 1)
        return float(np.sum(fields**2) + 2 * replica.entropy_deviation(view) / SOURCE) / 2.0**self.n

    # ------------------------------------------------------------------ the generator

    @property
    def _space(self) -> LocalSpace:
        return replica_spin if self.coherences else replica_bit

    @cached_property
    def _bond(self) -> Real:
        """E[UU . U^+U^+] - 1 of a bond: (D^2, D^2)."""
        maps, dim = gate_maps(), self._space.dim
        rest = max(0.0, 1 - self.p1 - self.p2)
        whole = rest * maps[0] + self.p1 * maps[1] + self.p2 * maps[2]
        kept = whole.reshape(6, 6, 6, 6)[:dim, :dim, :dim, :dim].reshape(dim**2, dim**2)
        return kept - np.eye(dim**2)

    def end_map(self, fresh: Real, left: bool) -> Real:
        """Return the map of an end: a gate acts on a fresh spin, which is traced out again: (D, D)."""
        dim, trace = self._space.dim, self._space.trace
        bond = self._bond.reshape(dim, dim, dim, dim)
        return np.einsum("a,abcd,c->bd" if left else "b,abcd,d->ac", trace, bond, fresh)

    def _finite(self) -> ChainGenerator:
        sites = [np.zeros((self._space.dim,) * 2) for _ in range(self.n)]
        for site, m, left in ((0, self.m_left, True), (-1, self.m_right, False)):
            sites[site] = sites[site] + self.end_map(self._space.vector(occupied(0.5 + m)), left)
        return self._chain(sites, self._bond, (0, 2))

    def _chain(self, sites: list[Real], bond: Real, kept: tuple[int, ...], resolution: float = 1.0) -> ChainGenerator:
        """Return the generator with the purity as a functional and the charges `kept`."""
        space, n = self._space, self.n
        charges = Charges([replica.CHARGES[: space.dim, kept]] * n, [replica.MODULI[k] for k in kept])
        weights = np.where(np.arange(space.dim) == 0, 1.0, WEIGHT)
        purity = {"purity": [space.covector(replica.SWAP).real] * n}
        return ChainGenerator(
            [space] * n, sites, [bond] * (n - 1), purity, charges=charges, metric=[weights] * n, resolution=resolution
        )

    def _second(self) -> ChainGenerator:
        """Return the generator whose steady state is |vacuum> + SOURCE Q, with G_0 Q = -g^2 sum sigma.

        Q is the response to the gradient g = 2/(n + 1) at delta = 1. sigma is of second order in the fields. Its term
        of a bond is the gates' action on a product of fields +-1/2, minus the part that neighbouring bonds would give
        if they acted on this pair. Its term of a site is Z x Z.
        """
        space, n = self._space, self.n
        strength = SOURCE * (2 / (n + 1)) ** 2
        vacuum, single, double = (space.vector(m) for m in replica.FIELDS)
        fields = (np.kron(double, vacuum) + np.kron(vacuum, double) - np.kron(single, single)) / 4
        acted = self._bond @ fields
        bond = self._bond + strength * np.outer(acted - np.kron(single, single) / 2, np.kron(space.trace, space.trace))
        sites = [strength * np.outer(double, space.trace) for _ in range(n)]
        for site, left in ((0, True), (-1, False)):
            traced = acted.reshape(space.dim, space.dim)
            traced = space.trace @ traced if left else traced @ space.trace
            sites[site] = sites[site] + self.end_map(vacuum, left) + strength * np.outer(traced, space.trace)
        return self._chain(sites, bond, (0, 1, 2), resolution=SOURCE)


@lru_cache(maxsize=1)
def gate_maps() -> tuple[Real, Real, Real]:
    """Return the averaged maps of swaps, partial swaps and interactions on two replicas of two sites: (36, 36) each."""
    hops, partial, interacting = (replica_map(e(), replica_spin) for e in (swaps, partial_swaps, interactions))
    return hops, partial, interacting
