"""Classical hopping between localised states through one noisy site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from tnness import FactorisedHopping, InputError, Observable, register
from tnness.model.checks import check_blocks, check_rates, check_sites, site_profile
from tnness.typed import check_fields

Vector = NDArray[np.float64]


@register("hopping-master-equation")
@dataclass(frozen=True, kw_only=True)
class HoppingMasterEquation:
    """Variable-range hopping through one noisy site: the classical picture of the noisy Anderson insulator.

    dp_a/dt = sum_b Gamma_ab (p_b - p_a) between localised states, with Gamma_ab a product of two factors:

        exponential:  exp(-|a - site|/xi) exp(-|b - site|/xi), states labelled by their site, gamma times (21);
        eigenstates:  gamma |phi_a(site)|^2 |phi_b(site)|^2 with the eigenstates of the Anderson chain: the populations
                      of the Lindblad equation of `noisy-anderson` without their coherences (secular).

    (20) of the paper prints gamma^2 for gamma. A particle starts on the site: with the probability 1 in its state, or
    |phi_a(site)|^2 in the eigenstate a. R = (sum_i (i - site)^2 n_i)^(1/2) of its density n_i; that of `noisy-anderson`
    carries another factor 1/2. R ~ xi ln(xi t).

    T. L. M. Lezama, Y. Bar Lev, SciPost Phys. 12, 174 (2022), doi:10.21468/SciPostPhys.12.5.174, (19)-(21).

    Agrees
    ------
    - R at n = 1000 with sums in extended precision, relative, to 1e-10: test_spreading_at_n_1000
    - its growth with xi ln(10)/sqrt(3) a decade, relative, to 0.02: test_logarithmic_growth_with_slope_xi
    - the quantum chain at gamma -> 0, to 0.02: test_eigenstates_are_the_secular_limit_of_weak_noise
    """

    n: int = 1000  # number of sites, and of states
    rates: Literal["exponential", "eigenstates"] = "exponential"  # where the rates come from
    xi: float = 1.0  # localisation length of the exponential rates [site]
    gamma: float = 1.0  # strength of the noise [1/time]
    disorder: float = 1.0  # W of the eigenstates: their potential is uniform in [-W, W] [energy]
    hopping: float = 1.0  # hopping amplitude J of the eigenstates [energy]
    site: int | None = None  # the noisy site; n // 2 - 1 unless given
    potential: tuple[float, ...] | None = None  # potential of the eigenstates, drawn unless given [energy]

    engines: ClassVar[tuple[str, ...]] = ("spectral",)

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"gamma": self.gamma, "disorder": self.disorder})
        if self.rates == "eigenstates":
            check_blocks(1, self.n, f"n = {self.n}")
        if self.rates not in ("exponential", "eigenstates"):
            raise InputError(f"rates = {self.rates!r} is not one of exponential, eigenstates")
        if not self.xi > 0:
            raise InputError(f"xi = {self.xi:g}: a localisation length is a number > 0")
        if self.site is not None and not 0 <= self.site < self.n:
            raise InputError(f"site = {self.site}: the chain has sites 0 to {self.n - 1}")
        if self.potential is not None:
            object.__setattr__(self, "potential", site_profile("potential", self.potential, self.n))

    def draw(self, rng: np.random.Generator) -> Self:
        """Return the model with the potential of its eigenstates drawn, as `noisy-anderson` draws it."""
        if self.rates == "exponential" or self.potential is not None:
            return self
        return replace(self, potential=tuple(rng.uniform(-self.disorder, self.disorder, self.n).tolist()))

    def small(self) -> Self:
        """Return eight sites."""
        n = min(self.n, 8)
        site = None if self.site is None else min(self.site, n - 1)
        return replace(self, n=n, site=site, potential=None if self.potential is None else self.potential[:n])

    @property
    def noisy_site(self) -> int:
        """The site through which all hops go."""
        return self.n // 2 - 1 if self.site is None else self.site

    def problem(self) -> FactorisedHopping:
        """Return the rates and the start."""
        if self.rates == "exponential":
            couplings = np.sqrt(self.gamma) * np.exp(-np.abs(np.arange(self.n) - self.noisy_site) / self.xi)
            return FactorisedHopping(couplings, (np.arange(self.n) == self.noisy_site).astype(float))
        weights = self._shapes[self.noisy_site]
        return FactorisedHopping(np.sqrt(self.gamma) * weights, weights / weights.sum(), self._shapes)

    def observables(self) -> dict[str, Observable]:
        """Return the particle's density and its spreading."""
        squares = (np.arange(self.n) - self.noisy_site) ** 2.0

        def displacement(view: Any) -> float:
            return float(np.sqrt(squares @ np.maximum(view.density, 0.0)))

        return {
            "density": Observable(
                lambda view: view.density,
                dims=("site",),
                description="<n_i> of the particle",
                symbol=r"\langle n_i \rangle",
                needs=("density",),
            ),
            "rms_displacement": Observable(
                displacement,
                unit="site",
                description="R = (sum_i (i - site)^2 n_i)^(1/2)",
                symbol=r"R",
                needs=("density",),
            ),
        }

    @cached_property
    def _shapes(self) -> Vector:
        """|phi_a(i)|^2 of the eigenstates: (sites, states)."""
        if self.potential is None:
            raise InputError("the potential is neither given nor drawn: draw(rng) sets it")
        bonds = np.full(self.n - 1, -self.hopping)
        h = np.diag(self.potential) + np.diag(bonds, 1) + np.diag(bonds, -1)
        return np.linalg.eigh(h)[1] ** 2
