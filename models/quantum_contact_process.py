"""The quantum contact process: activity that spreads coherently to neighbours and decays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import Lindbladian, Observable, expectation, register, string, total, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites


@register("quantum-contact-process")
@dataclass(frozen=True, kw_only=True)
class QuantumContactProcess:
    """Quantum contact process: an active spin lets its neighbours oscillate; active spins decay.

    H = omega sum (X_i N_{i+1} + N_i X_{i+1}), N = (1 + Z)/2, and on every site sigma^- at the rate decay. With a
    `branching` rate active sites also activate their neighbours by jumps N_i sigma^+_{i+1} and sigma^+_i N_{i+1}; with
    omega = 0 these alone are the classical `contact-process` of infection 2 branching. The empty chain (all spins down)
    is absorbing; the initial state is the full one.

    F. Carollo, E. Gillman, H. Weimer, I. Lesanovsky, Phys. Rev. Lett. 123, 100604 (2019),
    doi:10.1103/PhysRevLett.123.100604; M. Marcuzzi, M. Buchhold, S. Diehl, I. Lesanovsky, Phys. Rev. Lett. 116, 245701
    (2016), doi:10.1103/PhysRevLett.116.245701 (branching beside oscillations).

    Agrees
    ------
    - densities and survival in time with dense matrices, by exact, to 1e-9, by tebd, to 1e-5:
      test_quantum_densities_are_those_of_dense_matrices
    - branching alone with the classical process, to 1e-9: test_without_oscillations_it_is_the_classical_process
    """

    n: int = 20  # number of sites
    omega: float = 2.0  # amplitude of the oscillations beside an active site [1/time]
    branching: float = 0.0  # rate at which an active site activates each empty neighbour [1/time]
    decay: float = 1.0  # rate at which an active site becomes empty [1/time]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"branching": self.branching, "decay": self.decay})

    def small(self) -> Self:
        """Return a chain of four sites."""
        return replace(self, n=min(self.n, 4))

    def initial_state(self, engine: str) -> str:
        """Return the full chain."""
        return f"product:{'0' * self.n}"

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain = Lindbladian([s] * self.n)
        for i in range(self.n - 1):
            chain.hamiltonian(self.omega * (s.X(i) * s.N(i + 1) + s.N(i) * s.X(i + 1)))
            chain.jump(s.N(i) * s.Sp(i + 1), rate=self.branching)
            chain.jump(s.Sp(i) * s.N(i + 1), rate=self.branching)
        for i in range(self.n):
            chain.jump(s.Sm(i), rate=self.decay)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the density of the sites and its average, its correlations, and the probability of any activity."""
        densities = [s.N(i) for i in range(self.n)]
        empty = string(s.I - s.N, range(self.n))
        return {
            "density": expectation(densities, "site", description="<N_i>"),
            "mean_density": expectation(total(densities) / self.n, description="<N_i>, averaged over the sites"),
            "survival": expectation(1 - empty, description="probability that any site is active"),
            "density_correlation": two_point(
                s.N, s.N, connected=True, description="<N_i N_j> - <N_i><N_j>: the variance on the diagonal"
            ),
        }
