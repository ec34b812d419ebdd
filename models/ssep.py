"""The symmetric exclusion process between two reservoirs, as a classical and as a quantum chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np

from tnness import (
    ChainState,
    InputError,
    Lindbladian,
    LocalSpace,
    Observable,
    bit,
    expectation,
    product_state,
    register,
    spin_half,
    two_point,
)
from tnness.model.checks import check_rates, check_sites
from tnness.typed import check_fields


@register("ssep")
@dataclass(frozen=True, kw_only=True)
class SSEP:
    """Symmetric exclusion process between two reservoirs: hard-core particles that hop left and right alike.

    A particle hops to an empty neighbour at `rate`; the ends inject and remove particles, or exchange them at `rate`
    with sites of given densities. There is no Hamiltonian. With `space = "quantum"` the hops are jumps
    sigma^-_i sigma^+_{i+1} and their conjugates on density matrices of spins 1/2 (up is a particle). With "classical"
    the same terms are the master equation of the occupations. With densities r_a, r_b of the reservoirs,
    A = rate/(inject_left + remove_left), B the same on the right:

        current = rate (r_a - r_b) / (n + A + B - 1).

    B. Derrida, J. Stat. Mech. (2007) P07023, doi:10.1088/1742-5468/2007/07/P07023.

    Agrees
    ------
    - densities, current and correlations of two to six sites with Derrida's formulas, any rates, to 1e-9:
      test_steady_state_equals_derrida
    - his matrix product at 20 and 100 sites with them, to 1e-13: test_derridas_network_at_any_length
    - the quantum chain with the classical one, to 1e-9: test_quantum_equals_classical
    - correlations of a hundred sites by tebd, to 1e-4: test_a_hundred_sites_by_tebd
    """

    n: int = 20  # number of sites
    rate: float = 1.0  # rate of a hop to an empty neighbour [1/time]
    inject_left: float = 1.0  # rate at which a particle enters an empty first site [1/time]
    remove_left: float = 0.0  # rate at which a particle leaves the first site [1/time]
    inject_right: float = 0.0  # rate at which a particle enters an empty last site [1/time]
    remove_right: float = 1.0  # rate at which a particle leaves the last site [1/time]
    density_left: float | None = None  # density of a site before the first, in place of inject_left and remove_left
    density_right: float | None = None  # density of a site behind the last, in place of inject_right and remove_right
    space: Literal["classical", "quantum"] = "classical"  # probabilities or density matrices: the same numbers

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        names = ("rate", "inject_left", "remove_left", "inject_right", "remove_right")
        check_rates({name: getattr(self, name) for name in names})
        for name in ("density_left", "density_right"):
            density = getattr(self, name)
            if density is not None and not 0 <= density <= 1:
                raise InputError(f"{name} = {density:g}: a density lies between 0 and 1")
        if self.space not in ("classical", "quantum"):
            raise InputError(f"space = {self.space!r} is not one of classical, quantum")

    def small(self) -> Self:
        """Return a chain of four sites: two ends and a bulk bond."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        s, last = self._site, self.n - 1
        chain = Lindbladian([s] * self.n)
        for i in range(last):
            chain.jump(s.Sm(i) * s.Sp(i + 1), rate=self.rate)
            chain.jump(s.Sp(i) * s.Sm(i + 1), rate=self.rate)
        for site, name, (inject, remove) in zip((0, last), ("left", "right"), self.end_rates, strict=True):
            chain.jump(s.Sp(site), rate=inject, counts={name: 1 if site == 0 else -1})
            chain.jump(s.Sm(site), rate=remove, counts={name: -1 if site == 0 else 1})
        return chain

    @property
    def end_rates(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(inject, remove) at the left and at the right end (1/time)."""
        given = ((self.inject_left, self.remove_left), (self.inject_right, self.remove_right))
        densities = (self.density_left, self.density_right)
        left, right = (
            rates if density is None else (self.rate * density, self.rate * (1 - density))
            for rates, density in zip(given, densities, strict=True)
        )
        return left, right

    def profile(self) -> np.ndarray:
        """Return the exact <n_i> of the steady state: (n,)."""
        (first, second), (a, b) = self._reservoirs()
        i = np.arange(1, self.n + 1)
        return (first * (self.n + b - i) + second * (i - 1 + a)) / (self.n + a + b - 1)

    def local_equilibrium(self) -> ChainState:
        """Return the product of the steady state's one-site states, in which only correlations are left to relax."""
        return product_state([self._site] * self.n, [self._levels(1 - d, d) for d in self.profile()])

    def steady_network(self) -> ChainState:
        """Return Derrida's exact steady state as a matrix-product state, bond i + 1/2 of size n - i.

        P(s_1 ... s_n) = <W| X_1 ... X_n |V> / <W| C^n |V>, X = D where occupied, E = C - D where empty, [D, C] = C:
        C |k> = (A + B + k) |k+1>, D = r_b C + diag(B + k), |V> = |0>, <W|k> = (r_a - r_b)^(n-k).
        Contractions of these tensors, unchanged, have all digits at any n. D and E nearly cancel, so that a QR or a
        truncation of the tensors loses digits with n: two-point functions then have 1e-11 at n = 50, and no digit at
        n = 100.
        """
        (first, second), (a, b) = self._reservoirs()
        n, k = self.n, np.arange(self.n + 1)
        raising = np.diag(a + b + k[:-1], -1)
        occupied = second * raising + np.diag(b + k)
        both = raising * 1.0
        tensors, scale = [], np.exp(-np.mean(np.log(a + b + k[:-1])))  # <W| (scale C)^n |V> = 1
        for site in range(1, n + 1):
            left, right = slice(0, n - site + 2), slice(0, n - site + 1)
            pair = scale * np.stack([(both - occupied)[left, right], occupied[left, right]], axis=1)
            tensors.append(np.tensordot(pair, self._embedding(), (1, 1)).transpose(0, 2, 1))
        edge = (first - second) ** (n - k) if first != second else (k == n).astype(float)
        tensors[0] = np.tensordot(edge[None, :], tensors[0], 1)
        return ChainState(tensors)

    def _reservoirs(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Densities r_a, r_b of the reservoirs and their distances A, B."""
        totals = [inject + remove for inject, remove in self.end_rates]
        if min(totals) == 0 or self.rate == 0:
            raise InputError("the exact steady state needs hops and two open ends: their rates must be above 0")
        (inject_left, _), (inject_right, _) = self.end_rates
        return (inject_left / totals[0], inject_right / totals[1]), (self.rate / totals[0], self.rate / totals[1])

    def _embedding(self) -> np.ndarray:
        """Coefficients of an empty and of an occupied site: (D, 2)."""
        vectors = [self._site.vector(np.diag(self._levels(*p))) for p in ((1.0, 0.0), (0.0, 1.0))]
        return np.stack(vectors, axis=1)

    def _levels(self, empty: float, occupied: float) -> np.ndarray:
        """Probabilities of the site's levels: an occupied site is spin up, or level 1 of a bit."""
        return np.array([empty, occupied] if self.space == "classical" else [occupied, empty])

    def observables(self) -> dict[str, Observable]:
        """Return the density of the sites, the current through the bonds, and the density's correlations."""
        s = self._site
        currents = [self.rate * (s.N(i) - s.N(i + 1)) for i in range(self.n - 1)]
        return {
            "density": expectation(
                [s.N(i) for i in range(self.n)], "site", description="<n_i>", symbol=r"\langle n_i \rangle"
            ),
            "current": expectation(
                currents, "bond", unit="1/time", description="particles to the right", symbol=r"j_{i,i+1}"
            ),
            "density_correlation": two_point(
                s.N,
                s.N,
                connected=True,
                description="<n_i n_j> - <n_i><n_j>: the variance on the diagonal",
                symbol=r"\langle n_i n_j \rangle_c",
            ),
        }

    @property
    def _site(self) -> LocalSpace:
        return bit if self.space == "classical" else spin_half
