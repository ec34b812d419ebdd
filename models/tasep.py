"""The totally asymmetric exclusion process between two reservoirs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import Lindbladian, Observable, register
from tnness.model.checks import check_rates, check_sites

from .asep import ASEP


@register("tasep")
@dataclass(frozen=True, kw_only=True)
class TASEP:
    """Totally asymmetric exclusion process between two reservoirs: particles hop to the right alone, at the rate 1.

    A particle enters an empty first site at the rate alpha, hops to an empty right neighbour at the rate 1, and leaves
    the last site at the rate beta. The steady state is a known product of matrices. Its current is 1/4 in long chains
    with alpha, beta > 1/2, alpha (1 - alpha) at low and beta (1 - beta) at high density. At any length

        J = (n + 2) / (2 (2n + 1))  for alpha = beta = 1.

    B. Derrida, M. R. Evans, V. Hakim, V. Pasquier, J. Phys. A 26, 1493 (1993), doi:10.1088/0305-4470/26/7/011.

    Agrees
    ------
    - all averages of two to six sites with the matrices of Derrida, Evans, Hakim and Pasquier, to 1e-9:
      test_totally_asymmetric_steady_states_are_derridas
    - those matrices with the closed form of J, relative, to 1e-12: test_derridas_matrices_give_his_sums
    - the same by tebd, to 1e-4: test_tebd_reaches_derridas_state
    """

    n: int = 20  # number of sites
    alpha: float = 1.0  # rate at which a particle enters an empty first site [1/time]
    beta: float = 1.0  # rate at which a particle leaves the last site [1/time]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"alpha": self.alpha, "beta": self.beta})

    def small(self) -> Self:
        """Return a chain of four sites: two ends and a bulk bond."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        return self._asep.problem()

    def observables(self) -> dict[str, Observable]:
        """Return the density of the sites, the current through the bonds, and the density's correlations."""
        return self._asep.observables()

    @property
    def _asep(self) -> ASEP:
        return ASEP(n=self.n, p=1.0, q=0.0, inject_left=self.alpha, remove_right=self.beta)
