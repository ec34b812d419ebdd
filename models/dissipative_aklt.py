"""The AKLT state of spins 1 as the dark state of local jumps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import ClassVar, Self

import numpy as np

from tnness import (
    InputError,
    Lindbladian,
    LocalSpace,
    Observable,
    Operator,
    expectation,
    register,
    spin_half,
    spin_one,
    string,
    total,
)
from tnness.model.checks import check_rates, check_sites


@register("dissipative-aklt")
@dataclass(frozen=True, kw_only=True)
class DissipativeAKLT:
    """Spins 1 between two spins 1/2 that are pumped into the AKLT state, a singlet with hidden order.

    P_b projects the two spins of bond b on their largest total spin: 2 of two spins 1, 3/2 at the ends. The jumps

        A_b^a P_b,  A_b = S_i/|S_i| - S_{i+1}/|S_{i+1}|,  a = x, y, z, at the given rate,

    with |S| = 1 or 1/2 the size of a spin, turn it into a smaller one, and H = coupling sum P_b. The AKLT state is the
    only one without such a spin on any bond, hence dark: pure and exact. There the string correlation of spins 1
    <S^z_i prod_{i<k<j} exp(i pi S^z_k) S^z_j> = -4/9 and <S_i S_j> = 4 (-1/3)^|i-j|, at any length.

    I. Affleck, T. Kennedy, E. H. Lieb, H. Tasaki, Phys. Rev. Lett. 59, 799 (1987), doi:10.1103/PhysRevLett.59.799;
    B. Kraus, H. P. Büchler, S. Diehl, A. Kantian, A. Micheli, P. Zoller, Phys. Rev. A 78, 042307 (2008),
    doi:10.1103/PhysRevA.78.042307.

    Agrees
    ------
    - the density matrices of three and four sites with the matrix product of Affleck, Kennedy, Lieb and Tasaki, to
      1e-8: test_the_steady_state_is_the_aklt_state
    - string order -4/9 and exchange of the steady state, to 1e-8:
      test_its_correlations_are_those_of_affleck_kennedy_lieb_and_tasaki
    - the way there from all spins up with dense matrices, by exact, to 1e-7, by tebd, to 1e-5:
      test_the_way_there_is_that_of_dense_matrices
    """

    n: int = 8  # number of sites, with the spin 1/2 at each end
    coupling: float = 0.0  # energy of the largest spin on a bond [energy]
    rate: float = 1.0  # of each jump [energy]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        if self.n < 3:
            raise InputError(f"n = {self.n}: a spin 1 between two spins 1/2 takes at least 3 sites")
        check_sites(self.n)
        check_rates({"rate": self.rate})

    def small(self) -> Self:
        """Return two spins 1 between two spins 1/2."""
        return replace(self, n=min(self.n, 4))

    @property
    def spaces(self) -> tuple[LocalSpace, ...]:
        """The spins: 1/2 at both ends, 1 between them."""
        return (spin_half, *[spin_one] * (self.n - 2), spin_half)

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain = Lindbladian(self.spaces)
        for bond in range(self.n - 1):
            largest = self.largest_spin(bond)
            chain.hamiltonian(self.coupling * largest)
            for left, right in zip(self._spin(bond), self._spin(bond + 1), strict=True):
                relative = left / self._size(bond) - right / self._size(bond + 1)
                chain.jump(relative * largest, rate=self.rate)
        return chain

    def largest_spin(self, bond: int) -> Operator:
        """Return the projector on the largest total spin of a bond."""
        a, b = self._size(bond), self._size(bond + 1)
        scalar = total(left * right for left, right in zip(self._spin(bond), self._spin(bond + 1), strict=True))
        value = {spin: (spin * (spin + 1) - a * (a + 1) - b * (b + 1)) / 2 for spin in np.arange(abs(a - b), a + b + 1)}
        smaller = [spin for spin in value if spin < a + b]
        factors = [(scalar - value[spin]) / (value[a + b] - value[spin]) for spin in smaller]
        return reduce(lambda first, second: first * second, factors)

    def observables(self) -> dict[str, Observable]:
        """Return the largest spins of the bonds, the neighbours' correlations, and the string correlations."""
        bonds = range(self.n - 1)
        exchange = [total(a * b for a, b in zip(self._spin(i), self._spin(i + 1), strict=True)) for i in bonds]
        found = {
            "largest_spin": expectation(
                [self.largest_spin(i) for i in bonds], "bond", description="weight of the largest spin: 0 if dark"
            ),
            "exchange": expectation(exchange, "bond", description="<S_i S_{i+1}>: -4/3 between spins 1 if dark"),
        }
        if self.n > 3:
            turn, s = spin_one.Sz.exp(1j * np.pi), spin_one.Sz
            ends = range(2, self.n - 1)
            found["string"] = expectation(
                [s(1) * string(turn, range(2, j)) * s(j) for j in ends],
                "distance",
                description="<S^z_1 prod exp(i pi S^z_k) S^z_j>: -4/9 at any distance if dark",
                coordinates={"distance": [j - 1 for j in ends]},
            )
        return found

    def _spin(self, site: int) -> tuple[Operator, Operator, Operator]:
        space = self.spaces[site]
        return space.Sx(site), space.Sy(site), space.Sz(site)

    def _size(self, site: int) -> float:
        return (self.spaces[site].levels - 1) / 2
