"""The asymmetric simple exclusion process between two reservoirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import Lindbladian, Observable, expectation, register, two_point
from tnness import bit as b
from tnness.model.checks import check_rates, check_sites


@register("asep")
@dataclass(frozen=True, kw_only=True)
class ASEP:
    """Asymmetric exclusion process between two reservoirs: hard-core particles that hop more to one side.

    A particle hops to an empty right neighbour at the rate p, to an empty left one at the rate q; the ends inject and
    remove particles. It is the master equation of the occupations n_i = 0, 1. The current through bond (i, i+1) is

        J = p <n_i (1 - n_{i+1})> - q <(1 - n_i) n_{i+1}>,

    equal on all bonds in the steady state. For q = 0, without remove_left and inject_right, it is the model `tasep`.

    B. Derrida, M. R. Evans, V. Hakim, V. Pasquier, J. Phys. A 26, 1493 (1993), doi:10.1088/0305-4470/26/7/011;
    R. A. Blythe, M. R. Evans, J. Phys. A 40, R333 (2007), doi:10.1088/1751-8113/40/46/R01.

    Agrees
    ------
    - densities, currents and correlations of two to four sites with the master equation written out, any rates, to
      1e-9: test_steady_states_are_those_of_the_rules
    - equal rates with the symmetric process, to 1e-9: test_equal_rates_to_both_sides_are_the_symmetric_process
    """

    n: int = 20  # number of sites
    p: float = 1.0  # rate of a hop to an empty right neighbour [1/time]
    q: float = 0.5  # rate of a hop to an empty left neighbour [1/time]
    inject_left: float = 1.0  # rate at which a particle enters an empty first site [1/time]
    remove_left: float = 0.0  # rate at which a particle leaves the first site [1/time]
    inject_right: float = 0.0  # rate at which a particle enters an empty last site [1/time]
    remove_right: float = 1.0  # rate at which a particle leaves the last site [1/time]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        names = ("p", "q", "inject_left", "remove_left", "inject_right", "remove_right")
        check_rates({name: getattr(self, name) for name in names})

    def small(self) -> Self:
        """Return a chain of four sites: two ends and a bulk bond."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain, last = Lindbladian([b] * self.n), self.n - 1
        for i in range(last):
            chain.jump(b.Sm(i) * b.Sp(i + 1), rate=self.p)
            chain.jump(b.Sp(i) * b.Sm(i + 1), rate=self.q)
        chain.jump(b.Sp(0), rate=self.inject_left, counts={"left": 1})
        chain.jump(b.Sm(0), rate=self.remove_left, counts={"left": -1})
        chain.jump(b.Sp(last), rate=self.inject_right, counts={"right": -1})
        chain.jump(b.Sm(last), rate=self.remove_right, counts={"right": 1})
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the density of the sites, the current through the bonds, and the density's correlations."""
        currents = []
        for i in range(self.n - 1):
            here, there = b.N(i), b.N(i + 1)
            currents.append(self.p * here * (1 - there) - self.q * (1 - here) * there)
        return {
            "density": expectation([b.N(i) for i in range(self.n)], "site", description="<n_i>"),
            "current": expectation(currents, "bond", unit="1/time", description="particles to the right"),
            "density_correlation": two_point(
                b.N, b.N, connected=True, description="<n_i n_j> - <n_i><n_j>: the variance on the diagonal"
            ),
        }
