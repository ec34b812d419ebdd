"""A chain of Rydberg atoms: van der Waals repulsion, or its limit of a perfect blockade."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, Observable, expectation, power_law_sum, register, two_point
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites


@register("rydberg-chain")
@dataclass(frozen=True, kw_only=True)
class RydbergChain:
    """Laser-driven atoms that repel as 1/r^6 in their Rydberg state, decay and dephase.

    H = omega/2 sum X_i - detuning sum N_i + repulsion sum_{i<j} N_i N_j / |i - j|^alpha, N = (1 + Z)/2 the Rydberg
    state; on every atom sigma^- at the rate decay and Z at the rate dephasing. `blockade = true` is the limit of a
    repulsion of neighbours alone that is stronger than all else, the PXP model:

        H = omega/2 sum P_{i-1} X_i P_{i+1} - detuning sum N_i,  P = 1 - N,  with no P beyond the ends.

    The engine is `tdvp` for the power law, from the fifth atom on, and `tebd` for the blockade, which joins atoms in
    twos. The initial state has all atoms in the ground state (down).

    H. Bernien et al., Nature 551, 579 (2017), doi:10.1038/nature24622; C. J. Turner, A. A. Michailidis, D. A. Abanin,
    M. Serbyn, Z. Papić, Nat. Phys. 14, 745 (2018), doi:10.1038/s41567-018-0137-5.

    Agrees
    ------
    - steady states of two and four atoms, both kinds, with dense matrices, to 1e-9:
      test_steady_states_are_those_of_dense_matrices
    - two atoms in blockade with oscillations at sqrt(2) omega, to 1e-8:
      test_two_atoms_in_blockade_oscillate_faster_by_the_root_of_two
    - a strong repulsion of neighbours with the blockade, to 2e-4, half of that at twice the repulsion:
      test_a_strong_repulsion_of_neighbours_becomes_the_blockade
    """

    n: int = 20  # number of sites
    omega: float = 1.2  # Rabi frequency [energy]
    detuning: float = 0.3  # of the laser, above resonance [energy]
    repulsion: float = 1.0  # of two neighbours in the Rydberg state, without the blockade [energy]
    alpha: float = 6.0  # power of the distance with which it falls
    blockade: bool = False  # whether neighbours cannot both be in the Rydberg state
    decay: float = 0.3  # rate of sigma^- [energy]
    dephasing: float = 0.05  # rate of the jump Z [energy]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"decay": self.decay, "dephasing": self.dephasing})
        if not self.alpha >= 0:
            raise InputError(f"alpha = {self.alpha:g}: the repulsion falls with a power >= 0 of the distance")

    def small(self) -> Self:
        """Return a chain of four atoms."""
        return replace(self, n=min(self.n, 4))

    def initial_state(self, engine: str) -> str:
        """Return all atoms in the ground state."""
        return f"product:{'1' * self.n}"

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain, down = Lindbladian([s] * self.n), s.I - s.N
        for i in range(self.n):
            drive = self.omega / 2 * s.X(i)
            if self.blockade:
                drive = down(i - 1) * drive if i > 0 else drive
                drive = drive * down(i + 1) if i < self.n - 1 else drive
            chain.hamiltonian(drive)
            chain.hamiltonian(-self.detuning * s.N(i))
            chain.jump(s.Sm(i), rate=self.decay)
            chain.jump(s.Z(i), rate=self.dephasing)
        if not self.blockade:
            chain.hamiltonian(power_law_sum(s.N, s.N, self.n, alpha=self.alpha, strength=self.repulsion))
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the Rydberg populations, their average over even and odd atoms, neighbours, and correlations."""
        atoms, bonds = range(self.n), range(self.n - 1)
        signs, pairs = [(-1) ** i / self.n for i in atoms], [s.N(i) * s.N(i + 1) for i in bonds]
        staggered = sum((sign * s.N(i) for i, sign in zip(atoms, signs, strict=True)), start=0 * s.I(0))
        return {
            "rydberg": expectation([s.N(i) for i in atoms], "site", description="<N_i>"),
            "staggered": expectation(staggered, description="sum_i (-1)^i <N_i> / n: order of period two"),
            "neighbours": expectation(
                pairs,
                "bond",
                description="<N_i N_{i+1}>: 0 in the blockade, whose runs it does not judge",
                monitored=not self.blockade,
            ),
            "rydberg_correlation": two_point(
                s.N, s.N, connected=True, description="<N_i N_j> - <N_i><N_j>: the variance on the diagonal"
            ),
        }
