"""The Bose-Hubbard chain, driven coherently at its first site and lossy everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from tnness import InputError, Lindbladian, Observable, boson, expectation, register
from tnness.model.checks import check_rates, check_sites


@register("bose-hubbard-driven")
@dataclass(frozen=True, kw_only=True)
class DrivenBoseHubbard:
    """Chain of coupled nonlinear cavities: a laser drives the first, or all of them, and all of them lose photons.

    In the frame of the laser H = -hopping sum (b^+_i b_{i+1} + h.c.) + sum [interaction/2 n_i (n_i - 1) - detuning n_i]
    + drive sum_driven (b_i + b^+_i); on every site b at the rate loss. Occupations are cut above `cutoff`: what a
    larger one changes is the error of the cutoff. Without interaction all sites are in coherent states; a single site
    is known at any interaction.

    P. D. Drummond, D. F. Walls, J. Phys. A 13, 725 (1980), doi:10.1088/0305-4470/13/2/034; A. Le Boité, G. Orso,
    C. Ciuti, Phys. Rev. Lett. 110, 233601 (2013), doi:10.1103/PhysRevLett.110.233601.

    Agrees
    ------
    - coherent states where there is no interaction, to 1e-7: test_without_interaction_every_site_is_in_a_coherent_state
    - the number of a single interacting cavity with the formula of Drummond and Walls, to 1e-7:
      test_a_single_site_is_that_of_drummond_and_walls
    - two sites with dense matrices, to 1e-9: test_two_sites_are_those_of_dense_matrices
    """

    n: int = 8  # number of sites
    cutoff: int = 3  # largest occupation of a site
    hopping: float = 1.0  # amplitude between neighbours [energy]
    interaction: float = 1.0  # of two bosons on a site [energy]
    detuning: float = 0.0  # of the laser, above the cavities [energy]
    drive: float = 0.3  # amplitude of the laser [energy]
    driven: Literal["first", "all"] = "first"  # which sites the laser drives: first or all
    loss: float = 1.0  # rate of the jump b [energy]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact")

    def __post_init__(self) -> None:
        check_sites(self.n)
        check_rates({"loss": self.loss})
        if self.cutoff < 1:
            raise InputError(f"cutoff = {self.cutoff}: the largest occupation is an integer >= 1")
        if self.driven not in ("first", "all"):
            raise InputError(f"driven = {self.driven!r} is not one of first, all")

    def small(self) -> Self:
        """Return three sites with at most two bosons each."""
        return replace(self, n=min(self.n, 3), cutoff=min(self.cutoff, 2))

    def problem(self) -> Lindbladian:
        """Return the chain."""
        b = boson(self.cutoff)
        chain = Lindbladian([b] * self.n)
        for i in range(self.n - 1):
            hop = b.Bd(i) * b.B(i + 1)
            chain.hamiltonian(-self.hopping * (hop + hop.dag()))
        for i in range(self.n):
            chain.hamiltonian(self.interaction / 2 * b.N(i) * (b.N(i) - 1) - self.detuning * b.N(i))
            if self.driven == "all" or i == 0:
                chain.hamiltonian(self.drive * (b.B(i) + b.Bd(i)))
            chain.jump(b.B(i), rate=self.loss)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the occupations, the fields, the pairs on a site, and the current through the bonds."""
        b, sites = boson(self.cutoff), range(self.n)
        pairs = [b.N(i) * (b.N(i) - 1) for i in sites]
        currents = []
        for i in range(self.n - 1):
            hop = b.Bd(i) * b.B(i + 1)
            currents.append(-1j * self.hopping * (hop - hop.dag()))
        fields = [b.B(i) for i in sites]
        return {
            "occupation": expectation([b.N(i) for i in sites], "site", description="<n_i>"),
            "field_real": expectation(fields, "site", part="real", description="Re <b_i>"),
            "field_imag": expectation(fields, "site", part="imag", description="Im <b_i>"),
            "pairs": expectation(pairs, "site", description="<n_i (n_i - 1)>: <n_i>^2 in a coherent state"),
            "current": expectation(currents, "bond", unit="energy", description="bosons to the right"),
        }
