"""The Fermi-Hubbard chain, filled at its left end and emptied at its right end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, LocalOperator, Observable, electron, expectation, register
from tnness.model.checks import check_rates, check_sites


@register("fermi-hubbard-driven")
@dataclass(frozen=True, kw_only=True)
class DrivenFermiHubbard:
    """Fermi-Hubbard chain driven at its two ends: electrons of both spins enter on the left and leave on the right.

    H = hopping sum_s (c^+_{i s} c_{i+1 s} + h.c.) + interaction sum (n_{i up} - 1/2)(n_{i down} - 1/2). Left end, for
    each spin: c^+ at the rate gamma (1 + mu)/2 and c at gamma (1 - mu)/2; right end: the same with -mu. mu = 1 is
    maximal driving, c^+ alone on the left and c alone on the right, where the steady state is a known matrix product.
    Hopping conserves the number of each spin, and the current of each is the same through every bond. Without
    interaction the two spins are independent chains of free fermions.

    T. Prosen, Phys. Rev. Lett. 112, 030603 (2014), doi:10.1103/PhysRevLett.112.030603.

    Agrees
    ------
    - two sites at any parameters with dense Jordan-Wigner matrices, to 1e-8: test_two_sites_are_those_of_dense_matrices
    - three sites with these, by exact, to 1e-6: test_three_sites_are_those_of_dense_matrices
    - three sites by tebd, to 2e-4: test_three_sites_by_tebd_are_those_of_dense_matrices
    - no interaction with the covariance equation of free fermions, to 1e-8:
      test_without_interaction_each_spin_is_a_chain_of_free_fermions
    """

    n: int = 8  # number of sites
    hopping: float = 1.0  # amplitude between neighbours [energy]
    interaction: float = 1.0  # U, of two electrons on a site [energy]
    gamma: float = 1.0  # rate of the driving at both ends [energy]
    mu: float = 1.0  # bias of the driving, from -1 to 1: 1 is maximal, and drives electrons to the right

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact", "gaussian")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"gamma": self.gamma})
        if not -1 <= self.mu <= 1:
            raise InputError(f"mu = {self.mu:g}: the bias lies between -1 and 1")

    def small(self) -> Self:
        """Return three sites: two ends and one between them."""
        return replace(self, n=min(self.n, 3))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain, last = Lindbladian([electron] * self.n), self.n - 1
        for destroy, create in _MODES:
            for i in range(last):
                hop = create(i) * destroy(i + 1)
                chain.hamiltonian(self.hopping * (hop + hop.dag()))
        for i in range(self.n if self.interaction else 0):
            chain.hamiltonian(self.interaction * (electron.Nu(i) - 0.5) * (electron.Nd(i) - 0.5))
        strong, weak = self.gamma * (1 + self.mu) / 2, self.gamma * (1 - self.mu) / 2
        for destroy, create in _MODES:
            chain.jump(create(0), rate=strong)
            chain.jump(destroy(0), rate=weak)
            chain.jump(create(last), rate=weak)
            chain.jump(destroy(last), rate=strong)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the fillings of both spins, doubly occupied sites, the spin of a site, and the currents."""
        e, sites = electron, range(self.n)
        both = [e.Nu(i) * e.Nd(i) for i in sites]
        currents = []
        for destroy, create in _MODES:
            hops = [create(i) * destroy(i + 1) for i in range(self.n - 1)]
            currents.append([1j * self.hopping * (hop - hop.dag()) for hop in hops])
        return {
            "n_up": expectation([e.Nu(i) for i in sites], "site", description="<n_{i up}>"),
            "n_down": expectation([e.Nd(i) for i in sites], "site", description="<n_{i down}>"),
            "double_occupancy": expectation(both, "site", description="<n_{i up} n_{i down}>"),
            "current_up": expectation(currents[0], "bond", unit="energy", description="spin up to the right"),
            "current_down": expectation(currents[1], "bond", unit="energy", description="spin down to the right"),
        }


_MODES: tuple[tuple[LocalOperator, LocalOperator], ...] = (
    (electron.Cu, electron.Cud),
    (electron.Cd, electron.Cdd),
)
