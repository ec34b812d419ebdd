"""A transverse Ising chain in a field that oscillates, with loss at every site: a Floquet steady state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, Observable, expectation, register, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites


@register("driven-floquet")
@dataclass(frozen=True, kw_only=True)
class DrivenFloquet:
    """Ising chain in a field that oscillates, with loss: a Floquet steady state, and its Rabi oscillations.

    H(t) = coupling sum Z_i Z_{i+1} + (1/2) sum (detuning Z_i + rabi X_i cos(omega t)), jumps sigma^- at the rate loss
    on every site. With coupling = 0 each site is a driven atom, whose Bloch equations a Fourier series solves; close to
    resonance and at small rabi / omega it is the atom of the rotating-wave approximation. The field repeats after the
    time 2 pi / omega, to be given as --period. hbar = 1.

    Bloch and Siegert, Phys. Rev. 57, 522 (1940), doi:10.1103/PhysRev.57.522; Ikeda and Sato, Sci. Adv. 6, eabb4019
    (2020), doi:10.1126/sciadv.abb4019.

    Agrees
    ------
    - uncoupled atoms with a Fourier series of the Bloch equations, to 1e-9: test_free_atoms_solve_the_bloch_equations
    - chains of two and three with the fixed point of the dense map of a period, to 1e-6:
      test_a_coupled_chain_is_the_fixed_point_of_the_dense_map
    - a weak field at resonance with the rotating wave, z = -1/(1 + 2 w^2/loss^2), w = rabi/2, to 0.002:
      test_at_resonance_a_weak_field_is_a_rotating_wave
    """

    n: int = 20  # number of sites
    coupling: float = 0.25  # of neighbours [J]
    detuning: float = 2.0  # splitting of the levels of a site [J]
    rabi: float = 1.0  # amplitude of the field [J]
    omega: float = 2.0  # angular frequency of the field [J]
    loss: float = 0.5  # rate of sigma^- on every site [J]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"loss": self.loss})
        if not self.omega > 0:
            raise InputError(f"omega = {self.omega:g}: the frequency of the field is a number > 0")

    @property
    def period(self) -> float:
        """The time 2 pi / omega after which the field repeats."""
        return 2 * math.pi / self.omega

    def small(self) -> Self:
        """Return a chain of three sites: two ends and the bulk."""
        return replace(self, n=min(self.n, 3))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain, omega = Lindbladian([s] * self.n), self.omega

        def field(time: float) -> float:
            return math.cos(omega * time)

        for i in range(self.n):
            chain.hamiltonian(0.5 * self.detuning * s.Z(i))
            chain.hamiltonian(0.5 * self.rabi * s.X(i), envelope=field)
            chain.jump(s.Sm(i), rate=self.loss)
        for i in range(self.n - 1):
            chain.hamiltonian(self.coupling * s.Z(i) * s.Z(i + 1))
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisation of the sites in all directions, and the correlations of Z."""
        return {
            "x": expectation([s.X(i) for i in range(self.n)], "site", description="<X_i>"),
            "y": expectation([s.Y(i) for i in range(self.n)], "site", description="<Y_i>"),
            "z": expectation([s.Z(i) for i in range(self.n)], "site", description="<Z_i>"),
            "zz": two_point(s.Z, s.Z, description="<Z_i Z_j>, not connected: 1 on the diagonal"),
        }
