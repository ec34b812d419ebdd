"""The symmetric exclusion process between two reservoirs, as a classical and as a quantum chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from tnness import InputError, Lindbladian, LocalSpace, Observable, bit, expectation, register, spin_half, two_point
from tnness.model import check_rates, check_sites


@register("ssep")
@dataclass(frozen=True, kw_only=True)
class SSEP:
    """Symmetric exclusion process between two reservoirs: hard-core particles that hop left and right alike.

    A particle hops to an empty neighbour at `rate`; the ends inject and remove particles. There is no Hamiltonian: on
    `space = "quantum"` the hops are jumps sigma^-_i sigma^+_{i+1} and their conjugates on density matrices of spins
    1/2 (up is a particle), on "classical" the very same terms are the master equation of the occupations. With
    densities r_a, r_b of the reservoirs, A = rate/(inject_left + remove_left), B the same on the right:

        current = rate (r_a - r_b) / (n + A + B - 1).

    B. Derrida, J. Stat. Mech. (2007) P07023, doi:10.1088/1742-5468/2007/07/P07023.
    """

    n: int = 20  # number of sites
    rate: float = 1.0  # rate of a hop to an empty neighbour [1/time]
    inject_left: float = 1.0  # rate at which a particle enters an empty first site [1/time]
    remove_left: float = 0.0  # rate at which a particle leaves the first site [1/time]
    inject_right: float = 0.0  # rate at which a particle enters an empty last site [1/time]
    remove_right: float = 1.0  # rate at which a particle leaves the last site [1/time]
    space: Literal["classical", "quantum"] = "classical"  # probabilities or density matrices: the same numbers

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        names = ("rate", "inject_left", "remove_left", "inject_right", "remove_right")
        check_rates({name: getattr(self, name) for name in names})
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
        chain.jump(s.Sp(0), rate=self.inject_left)
        chain.jump(s.Sm(0), rate=self.remove_left)
        chain.jump(s.Sp(last), rate=self.inject_right)
        chain.jump(s.Sm(last), rate=self.remove_right)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the density of the sites, the current through the bonds, and the density's correlations."""
        s = self._site
        currents = [self.rate * (s.N(i) - s.N(i + 1)) for i in range(self.n - 1)]
        return {
            "density": expectation([s.N(i) for i in range(self.n)], "site", description="<n_i>"),
            "current": expectation(currents, "bond", unit="1/time", description="particles to the right"),
            "density_correlation": two_point(
                s.N, s.N, connected=True, description="<n_i n_j> - <n_i><n_j>: the variance on the diagonal"
            ),
        }

    @property
    def _site(self) -> LocalSpace:
        return bit if self.space == "classical" else spin_half
