"""The transverse Ising chain with a power law of couplings, and decay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, Observable, expectation, power_law_sum, register, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites


@register("long-range-ising")
@dataclass(frozen=True, kw_only=True)
class LongRangeIsing:
    """Ising chain with couplings of all pairs that fall as a power of the distance, a transverse field, and decay.

    H = coupling sum_{i<j} Z_i Z_j / |i - j|^alpha + field sum X_i; on every site sigma^- at the rate decay and Z at the
    rate dephasing. Trapped ions have alpha = 0 to 3, dipoles 3. From the fifth site on the terms reach beyond three
    sites, and the engine is `tdvp`. Without a field every average is known at any time and length, decay included.

    M. Foss-Feig, K. R. A. Hazzard, J. J. Bollinger, A. M. Rey, Phys. Rev. A 87, 042101 (2013),
    doi:10.1103/PhysRevA.87.042101.

    Agrees
    ------
    - dynamics without a field with the formulas of Foss-Feig et al., any alpha, decay and dephasing, to 1e-8:
      test_dynamics_without_a_field_are_exact
    - the same for ten sites by tdvp at chi = 12, to 2e-4: test_tdvp_follows_them_at_a_length_beyond_dense_vectors
    - steady states in a field with dense matrices, to 1e-9:
      test_the_steady_state_with_a_field_is_that_of_dense_matrices
    """

    n: int = 20  # number of sites
    coupling: float = 1.0  # of neighbours [energy]
    alpha: float = 3.0  # power of the distance with which couplings fall
    field: float = 1.0  # transverse field: the coefficient of X [energy]
    decay: float = 1.0  # rate of sigma^- [energy]
    dephasing: float = 0.0  # rate of the jump Z [energy]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"decay": self.decay, "dephasing": self.dephasing})
        if not self.alpha >= 0:
            raise InputError(f"alpha = {self.alpha:g}: couplings fall with a power >= 0 of the distance")

    def small(self) -> Self:
        """Return a chain of four sites."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain = Lindbladian([s] * self.n)
        chain.hamiltonian(power_law_sum(s.Z, s.Z, self.n, alpha=self.alpha, strength=self.coupling))
        for i in range(self.n):
            chain.hamiltonian(self.field * s.X(i))
            chain.jump(s.Sm(i), rate=self.decay)
            chain.jump(s.Z(i), rate=self.dephasing)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisations of the sites, and the correlations of Z."""
        found = {
            name: expectation([operator(i) for i in range(self.n)], "site", description=f"<{operator.name}_i>")
            for name, operator in (("x", s.X), ("y", s.Y), ("z", s.Z))
        }
        found["zz"] = two_point(s.Z, s.Z, description="<Z_i Z_j>, not connected: 1 on the diagonal")
        return found
