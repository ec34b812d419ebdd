"""The J1-J2 Heisenberg chain with loss, gain and dephasing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import Lindbladian, Observable, Operator, expectation, register, total, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites


@register("j1-j2-dissipative")
@dataclass(frozen=True, kw_only=True)
class DissipativeJ1J2:
    """Heisenberg chain with first and second neighbours, whose spins are lost, gained and dephased.

    H = j1 sum S_i S_{i+1} + j2 sum S_i S_{i+2} + field sum X_i; on every site sigma^- at the rate loss, sigma^+ at the
    rate gain and Z at the rate dephasing. At j2 = j1/2 the singlets of (0, 1), (2, 3), ... are a ground state of the
    closed chain, of energy -3/8 j1 n (Majumdar, Ghosh). Without a field the product of equal spins of <Z> =
    (gain - loss)/(gain + loss) is a steady state, as H conserves their total. Terms reach over three sites: `tebd`
    joins sites in twos.

    C. K. Majumdar, D. K. Ghosh, J. Math. Phys. 10, 1388 (1969), doi:10.1063/1.1664978.

    Agrees
    ------
    - dynamics with dense matrices, by exact, to 1e-9, by tebd, to 1e-6: test_dynamics_are_those_of_dense_matrices
    - the singlets of Majumdar and Ghosh, which do not move, to 1e-8:
      test_singlets_of_neighbours_do_not_move_at_half_the_coupling
    - the product of equal spins without a field, to 1e-9: test_without_a_field_equal_spins_are_the_steady_state
    """

    n: int = 20  # number of sites
    j1: float = 1.0  # coupling of neighbours [energy]
    j2: float = 0.5  # coupling of second neighbours [energy]
    field: float = 0.2  # transverse field: the coefficient of X [energy]
    loss: float = 0.3  # rate of sigma^- [energy]
    gain: float = 0.1  # rate of sigma^+ [energy]
    dephasing: float = 0.1  # rate of the jump Z [energy]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"loss": self.loss, "gain": self.gain, "dephasing": self.dephasing})

    def small(self) -> Self:
        """Return a chain of four sites."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain = Lindbladian([s] * self.n)
        for reach, coupling in ((1, self.j1), (2, self.j2)):
            for i in range(self.n - reach):
                chain.hamiltonian(coupling * _exchange(i, i + reach))
        for i in range(self.n):
            chain.hamiltonian(self.field * s.X(i))
            chain.jump(s.Sm(i), rate=self.loss)
            chain.jump(s.Sp(i), rate=self.gain)
            chain.jump(s.Z(i), rate=self.dephasing)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisations of the sites, S S of first and second neighbours, and the correlations of Z."""
        sites = range(self.n)
        found = {
            name: expectation([operator(i) for i in sites], "site", description=f"<{operator.name}_i>")
            for name, operator in (("x", s.X), ("y", s.Y), ("z", s.Z))
        }
        bonds = [_exchange(i, i + 1) for i in range(self.n - 1)]
        found["exchange"] = expectation(bonds, "bond", description="<S_i S_{i+1}>")
        if self.n > 2:
            second = total(_exchange(i, i + 2) for i in range(self.n - 2)) / (self.n - 2)
            found["second_exchange"] = expectation(second, description="<S_i S_{i+2}>, averaged over the chain")
        found["zz"] = two_point(s.Z, s.Z, description="<Z_i Z_j>, not connected: 1 on the diagonal")
        return found


def _exchange(i: int, j: int) -> Operator:
    """Return S_i S_j."""
    return s.Sx(i) * s.Sx(j) + s.Sy(i) * s.Sy(j) + s.Sz(i) * s.Sz(j)
