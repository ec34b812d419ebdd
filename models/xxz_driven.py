"""The XXZ chain driven at its ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, Observable, expectation, register, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites
from tnness.typed import check_fields


@register("xxz-driven")
@dataclass(frozen=True, kw_only=True)
class DrivenXXZ:
    """XXZ chain driven at its two ends: ballistic, superdiffusive or insulating as delta passes 1.

    H = sum (X_i X_{i+1} + Y_i Y_{i+1} + delta Z_i Z_{i+1}). Left end: sigma^+ at the rate gamma (1 + mu)/2, sigma^- at
    gamma (1 - mu)/2; right end: the same with -mu. mu = 1 is maximal driving, sigma^+ alone on the left and sigma^-
    alone on the right, where the steady state is a known matrix product. The exchange is the unit of energy, hbar = 1.

    T. Prosen, Phys. Rev. Lett. 107, 137201 (2011), doi:10.1103/PhysRevLett.107.137201.

    Agrees
    ------
    - all averages at maximal driving with Prosen's matrix product, two to six sites, delta from 0 to 1.5, to 1e-9:
      test_maximal_driving_equals_prosen
    - any driving with dense matrices, to 1e-9: test_any_driving_equals_dense
    - maximal driving by tebd, to 1e-4: test_tebd_reaches_prosen
    """

    n: int = 20  # number of sites
    delta: float = 1.0  # anisotropy
    gamma: float = 1.0  # rate of the driving at both ends [J]
    mu: float = 1.0  # bias of the driving, from -1 to 1: 1 is maximal, and drives Z to the right

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact", "gaussian")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"gamma": self.gamma})
        if not -1 <= self.mu <= 1:
            raise InputError(f"mu = {self.mu:g}: the bias lies between -1 and 1")

    def small(self) -> Self:
        """Return a chain of four sites: two ends and a bulk bond."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain, last = Lindbladian([s] * self.n), self.n - 1
        for i in range(last):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + self.delta * s.Z(i) * s.Z(i + 1))
        strong, weak = self.gamma * (1 + self.mu) / 2, self.gamma * (1 - self.mu) / 2
        chain.jump(s.Sp(0), rate=strong, counts={"left": 1})
        chain.jump(s.Sm(0), rate=weak, counts={"left": -1})
        chain.jump(s.Sp(last), rate=weak, counts={"right": -1})
        chain.jump(s.Sm(last), rate=strong, counts={"right": 1})
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisation of the sites, its current through the bonds, and its correlations."""
        currents = [2 * (s.X(i) * s.Y(i + 1) - s.Y(i) * s.X(i + 1)) for i in range(self.n - 1)]
        return {
            "z": expectation(
                [s.Z(i) for i in range(self.n)], "site", description="<Z_i>", symbol=r"\langle Z_i \rangle"
            ),
            "current": expectation(
                currents, "bond", unit="J", description="current of Z to the right", symbol=r"j_{i,i+1}"
            ),
            "zz": two_point(
                s.Z, s.Z, description="<Z_i Z_j>, not connected: 1 on the diagonal", symbol=r"\langle Z_i Z_j \rangle"
            ),
        }
