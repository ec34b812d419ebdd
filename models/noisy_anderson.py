"""The Anderson insulator with one noisy site, or several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tnness import (
    InputError,
    Lindbladian,
    Observable,
    Operator,
    View,
    expectation,
    ground_energy,
    register,
    total,
)
from tnness import spinless as f
from tnness.model.checks import check_rates, check_sites, site_profile
from tnness.typed import check_fields

START = ("ground", "neel", "random-product", "infinite-temperature")


@register("noisy-anderson")
@dataclass(frozen=True, kw_only=True)
class NoisyAnderson:
    """Fermions in a random potential, shaken by white noise on one site: heating and spreading as a logarithm of time.

    H = -J sum (c^+_i c_{i+1} + h.c.) + sum w_i n_i + zeta(t) n_site, zeta white noise of strength gamma. On average

        drho/dt = -i[H, rho] + gamma (n rho n - {n, rho}/2),  n = n_site.

    `site` takes several sites too, with independent noises. hbar = 1. Engine `gaussian` gives the exact
    average over the noise at any time (energy, density, spreading), as do `tebd` and `exact` on short chains.
    `trajectories` computes single realizations, and with them the entanglement.
    With delta != 0 the particles interact, 2 J delta (n_i - 1/2)(n_{i+1} - 1/2) (delta = 1: the Heisenberg chain); then
    only `tebd`, `exact` and the matrix-product `trajectories` serve.

    The spreading is that of a density excitation at the noisy site at infinite temperature (of several, at the one
    nearest to site n // 2 - 1), C_ij = Tr(n_i(t) n_j)/2^n - 1/4 = |U_ij|^2 / 4; R = (sum_i (i - j)^2 C_ij)^(1/2).

    T. L. M. Lezama, Y. Bar Lev, SciPost Phys. 12, 174 (2022), doi:10.21468/SciPostPhys.12.5.174.

    Agrees
    ------
    - energies and densities by gaussian with density matrices by exact, to 1e-7, with one noisy site and with two:
      test_the_exact_engine_gives_the_same
    - six sites by tebd, to 1e-6: test_the_density_matrix_as_a_network_gives_the_same_at_n_6
    - averages over trajectories, within 3 standard errors:
      test_trajectories_agree_with_the_exact_average_within_three_errors
    - late times with infinite temperature at fixed number, to 1e-6: test_infinite_temperature_at_last
    """

    n: int = 100  # number of sites
    disorder: float = 1.0  # W: the potential is uniform in [-W, W] [energy]
    gamma: float = 1.0  # strength of the noise [energy]
    hopping: float = 1.0  # hopping amplitude J [energy]
    filling: int | None = None  # number of particles; n // 2 unless given
    site: int | tuple[int, ...] | None = None  # the noisy site, or several; n // 2 - 1 unless given
    delta: float = 0.0  # interaction between neighbours, over 2 J
    initial: Literal["ground", "neel", "random-product", "infinite-temperature"] = "ground"  # state at time 0
    potential: tuple[float, ...] | None = None  # w_i of each site, drawn unless given [energy]
    occupations: tuple[int, ...] | None = None  # random product state: 0 or 1 for each site, drawn unless given

    engines: ClassVar[tuple[str, ...]] = ("gaussian", "tebd", "trajectories", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"gamma": self.gamma, "disorder": self.disorder})
        if self.initial not in START:
            raise InputError(f"initial = {self.initial!r} is not one of {', '.join(START)}")
        for site in self.noisy_sites:
            if not 0 <= site < self.n:
                raise InputError(f"site = {site}: the chain has sites 0 to {self.n - 1}")
        if not self.noisy_sites or len(set(self.noisy_sites)) < len(self.noisy_sites):
            raise InputError(f"site = {self.site}: at least one noisy site is needed, and none twice")
        if self.filling is not None and not 0 <= self.filling <= self.n:
            raise InputError(f"filling = {self.filling}: {self.n} sites hold 0 to {self.n} particles")
        if self.potential is not None:
            object.__setattr__(self, "potential", site_profile("potential", self.potential, self.n))
        if self.occupations is not None:
            if len(self.occupations) != self.n or any(k not in (0, 1) for k in self.occupations):
                raise InputError(f"occupations takes 0 or 1 for each site, n = {self.n}")
            object.__setattr__(self, "occupations", tuple(int(k) for k in self.occupations))

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with its potential drawn, uniform in [-W, W], and then the random product.

        Each site of the product is occupied with probability 1/2, or `filling` sites are if it is given.
        """
        potential = rng.uniform(-self.disorder, self.disorder, self.n)
        if self.filling is None:
            occupations = rng.integers(0, 2, self.n)
        else:
            occupations = rng.permutation(np.arange(self.n) < self.filling).astype(int)
        drawn = replace(self, potential=tuple(potential.tolist()) if self.potential is None else self.potential)
        if self.initial == "random-product" and self.occupations is None:
            drawn = replace(drawn, occupations=tuple(occupations.tolist()))
        return drawn

    def small(self) -> Self:
        """Return the first four sites."""
        n = min(self.n, 4)
        cut = {name: None if getattr(self, name) is None else getattr(self, name)[:n] for name in _PROFILES}
        kept = tuple(sorted({min(site, n - 1) for site in self.noisy_sites}))
        site = None if self.site is None else kept[0] if len(kept) == 1 else kept
        filling = None if self.filling is None else min(self.filling, n)
        return replace(self, n=n, site=site, filling=filling, **cut)

    @property
    def noisy_sites(self) -> tuple[int, ...]:
        """The sites with noise."""
        if isinstance(self.site, tuple):
            return self.site
        return (self.n // 2 - 1 if self.site is None else self.site,)

    @property
    def noisy_site(self) -> int:
        """The noisy site nearest to site n // 2 - 1: an excitation is followed from there."""
        return min(self.noisy_sites, key=lambda site: (abs(site - (self.n // 2 - 1)), site))

    @property
    def particles(self) -> int:
        """The number of particles in the ground state."""
        return self.n // 2 if self.filling is None else self.filling

    def problem(self) -> Lindbladian:
        """Return the chain, averaged over the noise; the potential must have been drawn or given."""
        chain = Lindbladian([f] * self.n)
        chain.hamiltonian(self._energy)
        for site in self.noisy_sites:
            chain.jump(f.N(site), rate=self.gamma)
        return chain

    def initial_state(self, engine: str) -> str:
        """Return the state at time 0, as a label that every engine knows."""
        if self.initial == "infinite-temperature":
            return "identity"
        if self.initial == "ground":
            return f"ground:{self.particles}"
        return f"product:{''.join(map(str, self._product))}"

    def observables(self) -> dict[str, Observable]:
        """Return the energy absorbed, the density, the spreading of an excitation, and the entanglement."""
        site, half = self.noisy_site, slice(0, self.n // 2)
        squares = (np.arange(self.n) - site) ** 2.0

        def correlation(view: View) -> NDArray[np.float64]:
            return view.excitation(site) / 4

        def displacement(view: View) -> float:
            return float(np.sqrt(squares @ np.maximum(correlation(view), 0.0)))

        return {
            "energy_absorbed": Observable(
                lambda view: view.average(lambda single: single.expect(self._energy) - self._start_energy),
                unit="energy",
                description="<H> above its value at time 0",
                symbol=r"\Delta E",
                sites=tuple(range(self.n)),
                needs=("expect",),
            ),
            "density": expectation(
                [f.N(i) for i in range(self.n)], "site", description="<n_i>", symbol=r"\langle n_i \rangle"
            ),
            "density_correlation": Observable(
                lambda view: view.average(correlation),
                dims=("site",),
                description="C_ij with j the noisy site, at infinite temperature",
                symbol=r"C_{ij}",
                needs=("excitation",),
            ),
            "rms_displacement": Observable(
                lambda view: view.average(displacement),
                unit="site",
                description="R = (sum_i (i - j)^2 C_ij)^(1/2), j the noisy site",
                symbol=r"R",
                needs=("excitation",),
            ),
            "entanglement_entropy": Observable(
                lambda view: view.average(lambda single: single.entropy(half)),
                unit="nat",
                description="entanglement of the left half with the right",
                symbol=r"S",
                monitored=False,
                needs=("realizations",) if self.gamma else (),  # the state averaged over the noise is mixed
            ),
        }

    @cached_property
    def _energy(self) -> Operator:
        if self.potential is None:
            raise InputError("the potential is neither given nor drawn: draw(rng) sets it")
        bonds = range(self.n - 1)
        terms = [-self.hopping * (f.Cd(i) * f.C(i + 1) + f.Cd(i + 1) * f.C(i)) for i in bonds]
        terms += [w * f.N(i) for i, w in enumerate(self.potential)]
        if self.delta:
            terms += [2 * self.hopping * self.delta * (f.N(i) - 0.5) * (f.N(i + 1) - 0.5) for i in bonds]
        return total(terms)

    @cached_property
    def _start_energy(self) -> float:
        """<H> at time 0."""
        fillings = np.full(self.n, 0.5)
        if self.initial == "ground":
            return ground_energy(self.problem(), self.particles)
        if self.initial != "infinite-temperature":
            fillings = np.array(self._product, float)
        shifted = fillings - 0.5
        interaction = 2 * self.hopping * self.delta * float(shifted[:-1] @ shifted[1:])
        return float(np.dot(self.potential or (), fillings)) + interaction

    @property
    def _product(self) -> tuple[int, ...]:
        if self.initial == "neel":
            return tuple(1 - i % 2 for i in range(self.n))
        if self.occupations is None:
            raise InputError("the occupations are neither given nor drawn: draw(rng) sets them")
        return self.occupations


_PROFILES = ("potential", "occupations")
