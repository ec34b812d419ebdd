"""A kicked Ising circuit with amplitude damping and dephasing after every period."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, Observable, expectation, register, two_point
from tnness import spin_half as s
from tnness.model.checks import check_sites


@register("kicked-noisy-circuit")
@dataclass(frozen=True, kw_only=True)
class KickedNoisyCircuit:
    """Kicked Ising circuit with noise: layers of gates and channels, and nothing in between.

    In each unit of time: exp(-i sum (coupling Z_i Z_{i+1} + field Z_i)), the kick exp(-i kick sum X_i), then on every
    site amplitude damping (|up> falls with the probability damping) and dephasing (a Z with the probability dephasing).
    At coupling = kick = pi/4 the gates are dual-unitary; without a field they are those of free fermions. --period 1
    gives the steady state at whole times, before the gates of that time.

    Prosen, Phys. Rev. E 65, 036208 (2002), doi:10.1103/PhysRevE.65.036208; Bertini, Kos and Prosen, Phys. Rev. Lett.
    121, 264101 (2018), doi:10.1103/PhysRevLett.121.264101.

    Agrees
    ------
    - evolutions with products of dense gates and channels, to 1e-12:
      test_an_evolution_is_the_product_of_dense_gates_and_channels
    - the steady state with that of many periods, by exact, to 1e-10, by tebd, to 1e-3:
      test_the_steady_state_is_that_of_many_periods
    - dual-unitary gates, which leave a site at infinite temperature after one period, to 1e-10:
      test_dual_unitary_gates_lose_the_magnetisation_in_one_period
    """

    n: int = 20  # number of sites
    coupling: float = math.pi / 4  # angle of the Ising gates
    field: float = 0.3  # angle of the rotation about Z
    kick: float = math.pi / 4  # angle of the kick about X
    damping: float = 0.2  # probability of |up> -> |down> in a period
    dephasing: float = 0.0  # probability of a Z in a period

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")
    period: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_sites(self.n)
        for name in ("damping", "dephasing"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} = {getattr(self, name):g}: a probability lies between 0 and 1")

    def small(self) -> Self:
        """Return a circuit on three sites: two ends and the bulk."""
        return replace(self, n=min(self.n, 3))

    def problem(self) -> Lindbladian:
        """Return the circuit."""
        chain = Lindbladian([s] * self.n)
        for i in (*range(0, self.n - 1, 2), *range(1, self.n - 1, 2)):
            chain.at(0.0, math.cos(self.coupling) - 1j * math.sin(self.coupling) * s.Z(i) * s.Z(i + 1), every=1.0)
        falls, turns = math.sqrt(self.damping), math.sqrt(self.dephasing)
        for i in range(self.n):
            up, down = s.N(i), 1 - s.N(i)
            chain.at(0.0, s.Z.exp(-1j * self.field)(i), every=1.0)
            chain.at(0.0, s.X.exp(-1j * self.kick)(i), every=1.0)
            chain.at(0.0, [down + math.sqrt(1 - self.damping) * up, falls * s.Sm(i)], every=1.0)
            chain.at(0.0, [math.sqrt(1 - self.dephasing), turns * s.Z(i)], every=1.0)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisation of the sites in all directions, and the correlations of Z."""
        return {
            "x": expectation([s.X(i) for i in range(self.n)], "site", description="<X_i>"),
            "y": expectation([s.Y(i) for i in range(self.n)], "site", description="<Y_i>"),
            "z": expectation([s.Z(i) for i in range(self.n)], "site", description="<Z_i>"),
            "zz": two_point(s.Z, s.Z, description="<Z_i Z_j>, not connected: 1 on the diagonal"),
        }
