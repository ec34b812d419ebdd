"""The contact process: activity that spreads to neighbours and dies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import Lindbladian, Observable, expectation, register, string, total, two_point
from tnness import bit as b
from tnness.model.checks import check_rates, check_sites


@register("contact-process")
@dataclass(frozen=True, kw_only=True)
class ContactProcess:
    """Contact process: active sites activate their neighbours and recover; the empty chain is absorbing.

    An active site recovers at the rate 1 and activates each empty neighbour at the rate infection/2. It is the master
    equation of n_i = 0, 1. The empty chain is the only steady state of any finite chain; an infinite one stays active
    above the critical infection 3.29785(2). There the density decays as t^-0.1595 from the full chain, which is
    therefore the initial state: the exponent is that of directed percolation, beta/nu_parallel = 0.159464(6).

    The process is its own dual: <n_i> from the full chain is the probability that activity survives from site i alone.

    T. E. Harris, Ann. Probab. 2, 969 (1974), doi:10.1214/aop/1176996493; I. Jensen, R. Dickman, J. Stat. Phys. 71, 89
    (1993), doi:10.1007/BF01048090; I. Jensen, J. Phys. A 32, 5233 (1999), doi:10.1088/0305-4470/32/28/304.

    Agrees
    ------
    - densities and survival in time with the exponential of the master equation written out, by exact, to 1e-9, by
      tebd, to 1e-5: test_densities_decay_as_the_rules_say
    - the duality of density and survival, to 1e-9: test_a_site_is_active_as_often_as_activity_survives_from_it_alone
    """

    n: int = 20  # number of sites
    infection: float = 3.29785  # rate at which an active site activates others, half of it to each side [1/time]
    recovery: float = 1.0  # rate at which an active site becomes empty [1/time]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"infection": self.infection, "recovery": self.recovery})

    def small(self) -> Self:
        """Return a chain of four sites."""
        return replace(self, n=min(self.n, 4))

    def initial_state(self, engine: str) -> str:
        """Return the full chain."""
        return f"product:{'1' * self.n}"

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain = Lindbladian([b] * self.n)
        for i in range(self.n - 1):
            chain.jump(b.N(i) * b.Sp(i + 1), rate=self.infection / 2)
            chain.jump(b.Sp(i) * b.N(i + 1), rate=self.infection / 2)
        for i in range(self.n):
            chain.jump(b.Sm(i), rate=self.recovery)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the density of the sites and its average, its correlations, and the probability of any activity."""
        densities = [b.N(i) for i in range(self.n)]
        empty = string(b.I - b.N, range(self.n))
        return {
            "density": expectation(densities, "site", description="<n_i>"),
            "mean_density": expectation(total(densities) / self.n, description="<n_i>, averaged over the sites"),
            "survival": expectation(1 - empty, description="probability that any site is active"),
            "density_correlation": two_point(
                b.N, b.N, connected=True, description="<n_i n_j> - <n_i><n_j>: the variance on the diagonal"
            ),
        }
