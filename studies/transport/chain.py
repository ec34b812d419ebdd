"""The XXZ chain with dephasing, driven at its ends: diffusive at any anisotropy."""

from dataclasses import dataclass
from typing import ClassVar

from tnness import Lindbladian, Observable, Operator
from tnness import spin_half as s
from tnness_models.xxz_driven import DrivenXXZ


def current(bond: int) -> Operator:
    """The current of Z from site `bond` to the next."""
    return 2 * (s.X(bond) * s.Y(bond + 1) - s.Y(bond) * s.X(bond + 1))


@dataclass(frozen=True, kw_only=True)
class DephasedXXZ(DrivenXXZ):
    """The model `xxz-driven` with Z on every site at the rate dephasing/2; without interaction it is `xx-dephasing`."""

    n: int = 6  # number of sites
    delta: float = 0.0  # anisotropy
    mu: float = 0.1  # bias of the driving
    dephasing: float = 1.0  # rate of the dephasing [J]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def problem(self) -> Lindbladian:
        """The chain."""
        chain = super().problem()
        for i in range(self.n):
            chain.jump(s.Z(i), rate=self.dephasing / 2)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Magnetisation and its current."""
        found = super().observables()
        return {name: found[name] for name in ("z", "current")}
