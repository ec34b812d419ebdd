"""The East model: a spin moves only where its left neighbour is excited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from tnness import Lindbladian, LocalOperator, Observable, expectation, register, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites


@register("east")
@dataclass(frozen=True, kw_only=True)
class East:
    """Dissipative quantum East model: every spin is driven and lost, but only beside an excited left neighbour.

    A single spin with H = omega X, sigma^- at the rate loss and sigma^+ at the rate gain has the steady state rho_1.
    Let f = |e><e| be the eigenstate of rho_1 that lies closer to spin up. The chain has

        H = omega (X_0 + sum f_{i-1} X_i),  jumps sigma^-_0, sigma^+_0, f_{i-1} sigma^-_i and f_{i-1} sigma^+_i.

    As f commutes with rho_1, the product of all rho_1 is the steady state, whatever the constraint; the constraint
    shows in how it is reached: hierarchically, ever more slowly the fewer excitations there are. omega = 0 is the
    classical East model.

    B. Olmos, I. Lesanovsky, J. P. Garrahan, Phys. Rev. Lett. 109, 020403 (2012), doi:10.1103/PhysRevLett.109.020403;
    J. Jäckle, S. Eisinger, Z. Phys. B 84, 115 (1991), doi:10.1007/BF01453764.

    Agrees
    ------
    - the product of free spins, for any rates, to 1e-9: test_the_steady_state_is_a_product_of_free_spins
    - dynamics with dense matrices, by exact, to 1e-9, by tebd, to 1e-6: test_its_dynamics_are_those_of_dense_matrices
    - omega = 0 with the rules of the classical East model, to 1e-9: test_without_oscillations_it_is_the_classical_model
    """

    n: int = 20  # number of sites
    omega: float = 0.5  # amplitude of the oscillations of a free spin [1/time]
    loss: float = 1.0  # rate of sigma^- on a free spin [1/time]
    gain: float = 0.2  # rate of sigma^+ on a free spin [1/time]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"loss": self.loss, "gain": self.gain})

    def small(self) -> Self:
        """Return a chain of four sites: a free spin and three that wait for their neighbours."""
        return replace(self, n=min(self.n, 4))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain = Lindbladian([s] * self.n)
        for i in range(self.n):
            free = self.excited(i - 1) if i else s.I(0)
            chain.hamiltonian(self.omega * free * s.X(i))
            chain.jump(free * s.Sm(i), rate=self.loss)
            chain.jump(free * s.Sp(i), rate=self.gain)
        return chain

    @property
    def bloch(self) -> tuple[float, float, float]:
        """<X>, <Y>, <Z> of a free spin in its steady state rho_1; zeros if nothing acts on it."""
        total, bias = self.loss + self.gain, self.gain - self.loss
        if total == 0:
            return 0.0, 0.0, 0.0
        # dX/dt = -total X/2, dY/dt = -2 omega Z - total Y/2, dZ/dt = 2 omega Y - total Z + bias
        z = bias * total / (total**2 + 8 * self.omega**2)
        return 0.0, -4 * self.omega * z / total, z

    @cached_property
    def excited(self) -> LocalOperator:
        """The projector f on the eigenstate of rho_1 closer to up."""
        direction = np.array(self.bloch)
        length = float(np.linalg.norm(direction))
        x, y, z = direction / length * (1 if direction[2] > 0 else -1) if length else (0.0, 0.0, 1.0)
        return LocalOperator("F", (s.I.matrix + x * s.X.matrix + y * s.Y.matrix + z * s.Z.matrix) / 2)

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisations of the sites, how many are excited, and the correlations of these."""
        f = self.excited
        return {
            "y": expectation([s.Y(i) for i in range(self.n)], "site", description="<Y_i>"),
            "z": expectation([s.Z(i) for i in range(self.n)], "site", description="<Z_i>"),
            "excited": expectation([f(i) for i in range(self.n)], "site", description="<f_i>: lets site i + 1 move"),
            "excited_correlation": two_point(
                f, f, connected=True, description="<f_i f_j> - <f_i><f_j>: the variance on the diagonal"
            ),
        }
