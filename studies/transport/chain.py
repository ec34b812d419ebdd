"""The XXZ chain with dephasing, driven at its ends: diffusive at any anisotropy."""

from dataclasses import dataclass
from typing import ClassVar

from tnness import Lindbladian, Observable, Operator, expectation
from tnness import spin_half as s


def current(bond: int) -> Operator:
    """The current of Z from site `bond` to the next."""
    return 2 * (s.X(bond) * s.Y(bond + 1) - s.Y(bond) * s.X(bond + 1))


@dataclass(frozen=True, kw_only=True)
class DephasedXXZ:
    """H = sum (X X + Y Y + delta Z Z); Z of every site at the rate dephasing/2; spins flip up and down at the ends."""

    n: int = 6  # number of sites
    delta: float = 0.0  # anisotropy
    dephasing: float = 1.0  # rate of the dephasing [J]
    gamma: float = 1.0  # rate of the driving at both ends [J]
    mu: float = 0.1  # bias of the driving

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def problem(self) -> Lindbladian:
        """The chain."""
        chain, last = Lindbladian([s] * self.n), self.n - 1
        for i in range(last):
            chain.hamiltonian(s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1) + self.delta * s.Z(i) * s.Z(i + 1))
        strong, weak = self.gamma * (1 + self.mu) / 2, self.gamma * (1 - self.mu) / 2
        chain.jump(s.Sp(0), rate=strong, counts={"left": 1})
        chain.jump(s.Sm(0), rate=weak, counts={"left": -1})
        chain.jump(s.Sp(last), rate=weak, counts={"right": -1})
        chain.jump(s.Sm(last), rate=strong, counts={"right": 1})
        for i in range(self.n):
            chain.jump(s.Z(i), rate=self.dephasing / 2)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Magnetisation and its current."""
        return {
            "z": expectation([s.Z(i) for i in range(self.n)], "site", description="<Z_i>"),
            "current": expectation(
                [current(i) for i in range(self.n - 1)], "bond", unit="J", description="current of Z"
            ),
        }
