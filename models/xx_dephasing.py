"""The XX chain driven at its ends, with dephasing and fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tnness import InputError, Lindbladian, Observable, expectation, register
from tnness import spin_half as s
from tnness.model.checks import check_rates, check_sites, site_profile
from tnness.typed import check_fields


@register("xx-dephasing")
@dataclass(frozen=True, kw_only=True)
class XXDephasing:
    """XX chain driven at its two ends, with dephasing: a diffusive chain with an exact solution.

    H = J sum (X_i X_{i+1} + Y_i Y_{i+1}) + sum h_i Z_i. Left end: sigma^+ at the rate gamma (1 + mu)/2, sigma^- at
    gamma (1 - mu)/2; right end: the same with -mu. Every site: Z_i at the rate dephasing/2. hbar = 1.

    Without fields the current is 2 mu / (2/gamma + gamma/(8 J^2) + (n - 1) dephasing/(4 J^2)).

    M. Žnidarič, J. Stat. Mech. (2010) L05002, doi:10.1088/1742-5468/2010/05/L05002.

    Agrees
    ------
    - current and profile of two to six sites with Žnidarič's formulas, to 1e-9: test_steady_state_equals_the_formula
    - any fields, rates and dephasing with the equation of the covariance, to 1e-9:
      test_steady_state_with_fields_equals_the_covariance_equation
    - the way to the steady state with it, by exact, to 1e-9, by tebd, to 1e-5:
      test_transient_equals_the_covariance_equation
    """

    n: int = 20  # number of sites
    coupling: float = 1.0  # hopping amplitude J [energy]
    gamma: float = 1.0  # rate of the driving at both ends [energy]
    mu: float = 1.0  # bias of the driving, from -1 to 1: positive drives Z to the right
    dephasing: float = 1.0  # rate of the dephasing; every site has the jump sqrt(dephasing/2) Z [energy]
    fields: tuple[float, ...] | None = None  # h_i of each site; none means zero [energy]

    engines: ClassVar[tuple[str, ...]] = ("tebd", "exact", "gaussian")

    def __post_init__(self) -> None:
        check_fields(self)
        check_sites(self.n)
        check_rates({"gamma": self.gamma, "dephasing": self.dephasing})
        if not -1 <= self.mu <= 1:
            raise InputError(f"mu = {self.mu:g}: the bias lies between -1 and 1")
        if self.fields is not None:
            object.__setattr__(self, "fields", site_profile("fields", self.fields, self.n))

    def small(self) -> Self:
        """Return the first four sites: two ends and a bulk bond."""
        n = min(self.n, 4)
        return replace(self, n=n, fields=None if self.fields is None else self.fields[:n])

    def problem(self) -> Lindbladian:
        """Return the chain."""
        chain, last = Lindbladian([s] * self.n), self.n - 1
        for i in range(last):
            chain.hamiltonian(self.coupling * (s.X(i) * s.X(i + 1) + s.Y(i) * s.Y(i + 1)))
        for i, field in enumerate(self.fields or ()):
            chain.hamiltonian(field * s.Z(i))
        strong, weak = self.gamma * (1 + self.mu) / 2, self.gamma * (1 - self.mu) / 2
        chain.jump(s.Sp(0), rate=strong, counts={"left": 1})
        chain.jump(s.Sm(0), rate=weak, counts={"left": -1})
        chain.jump(s.Sp(last), rate=weak, counts={"right": -1})
        chain.jump(s.Sm(last), rate=strong, counts={"right": 1})
        for i in range(self.n):
            chain.jump(s.Z(i), rate=self.dephasing / 2)
        return chain

    def observables(self) -> dict[str, Observable]:
        """Return the magnetisation of the sites and its current through the bonds."""
        currents = [2 * self.coupling * (s.X(i) * s.Y(i + 1) - s.Y(i) * s.X(i + 1)) for i in range(self.n - 1)]
        return {
            "z": expectation(
                [s.Z(i) for i in range(self.n)], "site", description="<Z_i>", symbol=r"\langle Z_i \rangle"
            ),
            "current": expectation(
                currents, "bond", unit="energy", description="current of Z to the right", symbol=r"j_{i,i+1}"
            ),
        }
